"""What a home usually reads at a half hour of the day and type of day, from a window's own context.

S steps are asked about, P patterns of slots occur. A slot is a UK local half hour of the day, or that of working days
and of rest days (weekends, bank holidays) apart. A slot of too few readings is held against the half hour of all days,
and without such against the whole context.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.baselines.seasonal import home_scale
from loadproof.errors import ConfigError
from loadproof.features.bank_holidays import is_working_day
from loadproof.features.calendar import local_date, local_half_hour
from loadproof.features.gaps import known_quantiles
from loadproof.features.windows import Inputs

__all__ = ["SPREAD_FLOOR", "Slots", "Usual", "find_slots", "steps_per_day", "usual_readings", "usual_values"]

MAD_TO_STD: Final = 1.4826
"""A normal sample's standard deviation over its median absolute deviation.

Source: 1 / the normal quantile of 0.75; Rousseeuw & Croux 1993, JASA 88.
"""

SPREAD_FLOOR: Final = 0.25
"""The least spread in multiples of the home's usual energy per step: a home that reads the same every night is not
alarmed by 10 Wh."""

_MIN_SAME: Final = 4  # fewer readings than these tell no spread
_HALF_HOURS: Final = 48


class Slots(NamedTuple):
    """Which slot each step lies in, once for each pattern: origins of one weekday and one clock share theirs."""

    context: NDArray[np.uint8]  # (P, C)
    wanted: NDArray[np.uint8]  # (P, S)
    at: NDArray[np.int64]  # the pattern of each window (N,)

    def take(self, index: NDArray[np.bool_] | NDArray[np.int64] | slice) -> "Slots":
        """Return the slots of the windows that ``index`` (mask ``(N,)``, positions or slice) picks."""
        return self._replace(at=self.at[index])

    def groups(self) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Yield each pattern that occurs with the positions of its windows."""
        order = np.argsort(self.at, kind="stable")
        for rows in np.split(order, np.flatnonzero(np.diff(self.at[order])) + 1):
            if rows.size:
                yield int(self.at[rows[0]]), rows


class Usual(NamedTuple):
    """What is usual at each step, NaN where the context knows nothing, ``(N, S)``."""

    median: NDArray[np.float32]
    spread: NDArray[np.float32]  # as a standard deviation


def steps_per_day(inputs: Inputs) -> int:
    """Return how many steps a day has."""
    return 24 * 60 // inputs.interval_mins


def find_slots(inputs: Inputs, first: int, last: int, *, day_types: bool) -> Slots:
    """Return the slots of the context and of the steps from ``first`` to before ``last``.

    Args:
        inputs: The windows.
        first: First step asked about, counted from ``t0``; negative lies before it, down to -C.
        last: The step after the last.
        day_types: Whether working days and rest days are held apart.

    Raises:
        ConfigError: When the context is shorter than a week.
    """
    c, week = inputs.context_kwh.shape[1], 7 * steps_per_day(inputs)
    if c < week:
        raise ConfigError(f"a context of {c} steps tells no usual week; raise context_steps to {week} or more")
    origins, of_window = np.unique(inputs.t0, return_inverse=True)  # (O,), (N,)
    ts = origins[:, None] + np.arange(-c, max(last, 0)) * np.timedelta64(inputs.interval_mins, "m")  # (O, T)
    slots = local_half_hour(ts)
    if day_types:
        dates, of_date = np.unique(local_date(ts), return_inverse=True)
        slots = slots + _HALF_HOURS * (~is_working_day(dates, inputs.place.nation))[of_date].reshape(ts.shape)
    patterns, of_origin = np.unique(slots.astype(np.uint8), axis=0, return_inverse=True)  # (P, T), (O,)
    return Slots(patterns[:, :c], patterns[:, c + first : c + last], of_origin.ravel()[of_window])


def _positions(context: NDArray[np.uint8], slots: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return where in the context ``(C,)`` each of the slots ``(U,)`` lies, padded with C, ``(U, D)``."""
    same = context == slots[:, None]  # (U, C)
    count = same.sum(axis=1)
    table = np.full((len(slots), max(int(count.max(initial=0)), 1)), len(context))  # (U, D)
    table[np.arange(table.shape[1]) < count[:, None]] = np.nonzero(same)[1]
    return table


def _usual(values: NDArray[np.float32], *, spread: bool) -> Usual:
    """Return median and spread along the last axis, both NaN of too few; without a spread wanted, that is NaN."""
    median = known_quantiles(values, (0.5,))[0]
    mad = known_quantiles(np.abs(values - median[..., None]), (0.5,))[0] if spread else np.full_like(median, np.nan)
    few = np.count_nonzero(~np.isnan(values), axis=-1) < _MIN_SAME
    median[few] = mad[few] = np.nan
    return Usual(median, np.float32(MAD_TO_STD) * mad)


def _usual_of_slots(values: NDArray[np.float32], slots: Slots, *, spread: bool) -> Usual:
    n, s = len(values), slots.wanted.shape[1]
    found = Usual(np.full((n, s), np.nan, dtype=np.float32), np.full((n, s), np.nan, dtype=np.float32))
    for pattern, rows in slots.groups():
        unique, inverse = np.unique(slots.wanted[pattern], return_inverse=True)  # (U,), (S,)
        padded = np.pad(values[rows], ((0, 0), (0, 1)), constant_values=np.nan)  # (n, C + 1)
        part = _usual(padded[:, _positions(slots.context[pattern], unique)], spread=spread)  # (n, U)
        found.median[rows], found.spread[rows] = part.median[:, inverse], part.spread[:, inverse]
    return found


def usual_values(values: NDArray[np.float32], slots: Sequence[Slots], *, spread: bool = True) -> Usual:
    """Return what is usual of the values of the contexts ``(N, C)``, NaN where missing, at each step asked about.

    Args:
        values: One for each context step, NaN where missing, ``(N, C)``.
        slots: The finest first; the next stands in where a slot has too few values, and last the whole context.
        spread: Whether the spread is wanted; it is NaN otherwise.
    """
    usual = _usual_of_slots(values, slots[0], spread=spread)
    for coarser in (*slots[1:], None):
        thin = np.asarray(np.isnan(usual.median).any(axis=1))  # (N,)
        if not thin.any():
            break
        if coarser is None:
            instead = Usual(*(x[:, None] for x in _usual(values[thin], spread=spread)))
        else:
            instead = _usual_of_slots(values[thin], coarser.take(thin), spread=spread)
        lost = np.isnan(usual.median[thin])
        for mine, theirs in zip(usual, instead, strict=True):
            mine[thin] = np.where(lost, theirs, mine[thin])
    return usual


def usual_readings(inputs: Inputs, first: int = 0, last: int | None = None) -> Usual:
    """Return what is usual in kWh at the steps from ``first`` to before ``last``, by half hour and type of day.

    The spread is never below ``SPREAD_FLOOR``.

    Args:
        inputs: The windows; only their contexts are read.
        first: First step asked about, counted from ``t0``.
        last: The step after the last; None for the end of the horizon.

    Raises:
        ConfigError: When the context is shorter than a week.
    """
    last = inputs.horizon_steps if last is None else last
    slots = [find_slots(inputs, first, last, day_types=day_types) for day_types in (True, False)]
    usual = usual_values(inputs.context_kwh, slots)
    floor = np.float32(SPREAD_FLOOR) * home_scale(inputs)[:, None]  # (N, 1)
    return Usual(usual.median, np.maximum(usual.spread, floor))
