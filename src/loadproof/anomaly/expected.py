"""What an event's energy is held against: the same stretch of the clock on the days before it.

An event of more than a day is held against whole days.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.features.calendar import days_before, to_local
from loadproof.features.panel import to_us
from loadproof.features.windows import Windows

__all__ = ["BAND", "Expected", "expect", "stretch_word"]

BAND: Final = (0.05, 0.95)
"""The quantiles of the days before that bound what is expected."""

_MIN_DAYS: Final = 4  # fewer tell no band
_MIN_READ: Final = 0.5  # share of a day's stretch that must have been read
_DAY_MINS: Final = 24 * 60
_PARTS_OF_DAY: Final = ((6, "nights"), (12, "mornings"), (18, "afternoons"), (24, "evenings"))


class Expected(NamedTuple):
    """What the days before used, kWh, scaled to the event's readings; NaN bounds when they are too few.

    Attributes:
        low_kwh: Lower bound of ``BAND``.
        high_kwh: Upper bound.
        days: How many days before could be held against it.
        below: On how many of them less was used than in the event.
        above: On how many more.
    """

    low_kwh: float
    high_kwh: float
    days: int
    below: int
    above: int


def stretch_word(start: np.datetime64, n_steps: int, interval_mins: int) -> str:
    """Return what the days before are called that an event is held against: ``evenings``, or ``days``."""
    if n_steps * interval_mins > _DAY_MINS // 2:
        return "days"
    hour = int(to_local(np.array([start]))[0].astype("datetime64[h]").astype(np.int64)) % 24
    return next(word for until, word in _PARTS_OF_DAY if hour < until)


def _energies(stretches: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the energy of each stretch ``(D, L)`` as if all of it were read, kWh, of those read well enough."""
    read = np.count_nonzero(~np.isnan(stretches), axis=1)
    well = read >= max(_MIN_READ * stretches.shape[1], 1)
    energy = np.nansum(stretches[well], axis=1, dtype=np.float64)
    return np.asarray(energy / read[well] * stretches.shape[1])


def _same_clock(windows: Windows, n: int, step: int, read: NDArray[np.bool_]) -> NDArray[np.float64]:
    inputs = windows.inputs
    series = np.append(inputs.context_kwh[n], windows.truth_kwh[n])  # (C + H,)
    n_context, step_us = inputs.context_kwh.shape[1], to_us(inputs.interval_mins)
    start = inputs.t0[n] + np.timedelta64(step * step_us, "us")
    back = np.arange(1, n_context * inputs.interval_mins // _DAY_MINS + 1)
    then = days_before(np.array([start]), back)
    then = then[~np.isnat(then)]
    first = n_context + (then - inputs.t0[n]).astype("timedelta64[us]").astype(np.int64) // step_us
    first = first[first >= 0]
    wanted = np.flatnonzero(read)
    at = first[:, None] + wanted  # (D, L)
    return _energies(series[np.minimum(at, n_context + step - 1)])  # a day before never reaches into the event


def _whole_days(windows: Windows, n: int, n_read: int) -> NDArray[np.float64]:
    context = windows.inputs.context_kwh[n]
    day_steps = _DAY_MINS // windows.inputs.interval_mins
    days = context[len(context) % day_steps :].reshape(-1, day_steps)  # (D, S)
    return _energies(days) * n_read / day_steps


def expect(windows: Windows, n: int, step: int, kwh: NDArray[np.float32]) -> Expected:
    """Return what was to be expected of an event, from the context of the day on which it began.

    Args:
        windows: The days.
        n: The window in which it began.
        step: Its first step there.
        kwh: Its readings, NaN where missing, ``(L,)``; may go on beyond the window.
    """
    read = ~np.isnan(kwh)
    long = len(kwh) * windows.inputs.interval_mins > _DAY_MINS
    before = _whole_days(windows, n, int(read.sum())) if long else _same_clock(windows, n, step, read)
    if len(before) < _MIN_DAYS:
        return Expected(np.nan, np.nan, len(before), 0, 0)
    low, high = np.quantile(before, BAND)
    energy = float(np.nansum(kwh, dtype=np.float64))
    return Expected(float(low), float(high), len(before), int((before < energy).sum()), int((before > energy).sum()))
