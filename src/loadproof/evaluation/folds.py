"""Blocks of time that are held out in turn, and the origins from which they are forecast."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.errors import ConfigError
from loadproof.features.calendar import Instants, Moment, local_date, local_half_hour, local_midnights, to_instant
from loadproof.features.panel import Panel, to_us
from loadproof.features.splits import Split
from loadproof.features.windows import Windows

__all__ = [
    "Fold",
    "Span",
    "blocked_folds",
    "chronological_fold",
    "data_begins",
    "hide",
    "local_origins",
    "rotating",
    "split_fold",
]

_HALF_HOUR_US: Final = 1_800_000_000
_DAY: Final = np.timedelta64(1, "D")


class Span(NamedTuple):
    """From the first instant until the last is over, UTC."""

    start: np.datetime64
    end: np.datetime64


class Fold(NamedTuple):
    """One way to split time: who is judged on ``test`` may have learned what is in neither span.

    Attributes:
        name: ``chronological``, or ``held_`` and the UK day on which the test block begins.
        test: The block held out.
        valid: The block that may stop, choose or calibrate.
        learns_after: Whether training also takes what came after the test block.
    """

    name: str
    test: Span
    valid: Span
    learns_after: bool


def data_begins(panel: Panel) -> np.datetime64:
    """Return the first instant at which half of the entities have begun to report: one home is not yet data."""
    reports = ~np.isnan(panel.energy_kwh)  # (E, T)
    firsts = np.sort(reports.argmax(axis=1)[reports.any(axis=1)])
    return panel.start + int(firsts[len(firsts) // 2]) * np.timedelta64(to_us(panel.interval_mins), "us")


def chronological_fold(valid_from: Moment, test_from: Moment, test_until: Moment) -> Fold:
    """Return the plain split: learn from the past, judge on what came after.

    Raises:
        ConfigError: When the borders are not in order.
    """
    first, second, last = (to_instant(moment) for moment in (valid_from, test_from, test_until))
    if not first < second < last:
        raise ConfigError(f"{first}, {second} and {last} are not in order; set valid_from < test_from < test_until")
    return Fold("chronological", Span(second, last), Span(first, second), learns_after=False)


def blocked_folds(starts: Sequence[Moment], until: Moment, *, valid_days: int, context_steps: int, interval_mins: int,
                  first: Moment) -> list[Fold]:  # fmt: skip
    """Return a fold per block; each block is held out once, and the rest, before and after, is learned from.

    Validation is the ``valid_days`` before the block. Where less than twice that lies before it, as before the first
    block, it is the ``valid_days`` after, from the first window on whose context holds nothing of the block.

    Args:
        starts: First instant of each block, ascending.
        until: The end of the last.
        valid_days: Length of the validation block.
        context_steps: C of the windows to come.
        interval_mins: Length of a step.
        first: When most of the data begins.
    """
    borders = [to_instant(moment) for moment in (*starts, until)]
    length, context = valid_days * _DAY, context_steps * np.timedelta64(to_us(interval_mins), "us")
    folds = []
    for start, end in itertools.pairwise(borders):
        before = Span(start - length, start)
        after = Span(end + context, end + context + length)
        valid = before if to_instant(first) <= start - 2 * length else after
        folds.append(Fold(f"held_{local_date(np.array(start))}", Span(start, end), valid, learns_after=True))
    return folds


def split_fold(windows: Windows, fold: Fold, *, learned_until: np.datetime64 | None = None) -> Split:
    """Return what may be learned from, what may validate, and what is judged.

    A training window shares no half hour, neither of its context nor of its truth, with the test block or with the
    validation block that lies before it; of windows before a block, the truth must be published when the block begins.
    The contexts of test windows do reach back into what was learned from, for that is what is known at ``t0``.

    Args:
        windows: Any windows of one cut.
        fold: How time is split.
        learned_until: Training also takes test windows whose truth was published by then; None takes none.
    """
    inputs = windows.inputs
    step = np.timedelta64(to_us(inputs.interval_mins), "us")
    begins = inputs.t0 - inputs.context_kwh.shape[1] * step  # (N,)
    measured = inputs.t0 + inputs.horizon_steps * step  # (N,)
    published = measured + inputs.data_lag_steps * step  # (N,)
    outside = (published <= fold.test.start) | (begins >= fold.test.end)  # (N,)
    if not fold.learns_after:
        outside &= published <= fold.test.start
    valid = outside & (inputs.t0 >= fold.valid.start) & (published <= fold.valid.end)
    train = outside & ((published <= fold.valid.start) | (begins >= fold.valid.end))
    test = (inputs.t0 >= fold.test.start) & (measured <= fold.test.end)
    used = train | valid | test
    if learned_until is not None:
        train |= test & (published <= learned_until)
    return Split(windows.take(train), windows.take(valid), windows.take(test), int((~used).sum()))


def hide(panel: Panel, fold: Fold) -> Panel:
    """Return the panel without the test block, and where time is in order without all that came after."""
    steps = np.arange(panel.energy_kwh.shape[1])
    start, end = panel.steps_to(np.array(fold.test))
    hidden = (steps >= start) & ((steps < end) | (not fold.learns_after))  # (T,)
    return replace(panel, energy_kwh=np.where(hidden, np.float32(np.nan), panel.energy_kwh))


def local_origins(first: Moment, last: Moment, *, hours: Sequence[int] = (0,)) -> Instants:
    """Return the instants from ``first`` to before ``last`` at which UK clocks show one of ``hours``, ascending.

    An hour that a day lacks, 1:00 on the day of the spring change, gives that day no origin; of an hour that a day
    has twice, the first counts.
    """
    begin, stop = to_instant(first), to_instant(last)
    midnights = local_midnights(begin - _DAY, stop)  # (M,)
    found = []
    for hour in sorted(set(hours)):
        away_us = _HALF_HOUR_US * 2 * hour
        guess = midnights + np.timedelta64(away_us, "us")  # (M,)
        late = (local_half_hour(guess) - 2 * hour + 24) % 48 - 24  # (M,), half hours beyond the hour
        at = guess - late * np.timedelta64(_HALF_HOUR_US, "us")
        found.append(at[local_half_hour(at) == 2 * hour])
    origins = np.unique(np.concatenate(found))
    return origins[(origins >= begin) & (origins < stop)]


def rotating(windows: Windows, every: int) -> NDArray[np.bool_]:
    """Return which windows are each home's every so many days, another day for the next home, ``(N,)``."""
    homes = np.unique(windows.inputs.entity, return_inverse=True)[1]  # (N,)
    days = windows.inputs.t0.astype("datetime64[D]").astype(np.int64)  # (N,)
    return np.asarray((days + homes) % every == 0)
