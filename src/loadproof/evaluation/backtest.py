"""A forecaster over a split in time: fitted on the past, judged on what came after, refitted on schedule or never."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.errors import ConfigError
from loadproof.evaluation.folds import Fold, rotating, split_fold
from loadproof.features.splits import Split
from loadproof.features.windows import Windows
from loadproof.forecaster import FitReport, Forecast, Forecaster

__all__ = ["Backtest", "Clock", "Rolled", "join_forecasts", "roll_backtest", "run_backtest"]

Clock = Callable[[], float]
"""Seconds from some moment on, given from outside: the core does not look at a clock."""


class Backtest(NamedTuple):
    """What the fit saw, and the forecast of every test window, in their order."""

    report: FitReport
    forecast: Forecast


class Rolled(NamedTuple):
    """What each fit saw, and the forecasts of two blocks, in the order of their windows."""

    reports: tuple[FitReport, ...]
    valid: Windows
    valid_forecast: Forecast  # by the first fit
    test: Windows
    test_forecast: Forecast
    fit_seconds: float
    predict_seconds: float  # of the test block alone


def run_backtest(forecaster: Forecaster, split: Split, *, rng: np.random.Generator) -> Backtest:
    """Fit on ``train`` and ``valid``, then forecast ``test`` from its inputs alone.

    Raises:
        ConfigError: When the split has no test window.
    """
    if not len(split.test):
        raise ConfigError(
            "the split has no test window; set test_from earlier, or a whole horizon before the last data"
        )
    report = forecaster.fit(split.train, split.valid, rng=rng)
    return Backtest(report, forecaster.predict(split.test.inputs))


def join_forecasts(parts: Sequence[Forecast]) -> Forecast:
    """Return forecasts of one forecaster, one after the other, their ways in one list."""
    hows = tuple(dict.fromkeys(how for part in parts for how in part.hows))
    maps = [np.array([hows.index(how) for how in part.hows], dtype=np.uint8) for part in parts]
    return Forecast(
        np.concatenate([part.quantiles_kwh for part in parts]),
        parts[0].levels,
        np.concatenate([part.mean_kwh for part in parts]),
        np.concatenate([at[part.how] for at, part in zip(maps, parts, strict=True)]),
        hows,
    )


def _refit_from(t0: NDArray[np.datetime64], refit_days: int) -> list[np.datetime64]:
    """Return the instants from which each fit forecasts: the first origin, then every ``refit_days``."""
    first, last = t0.min(), t0.max()
    if not refit_days:
        return [first]
    return list(np.arange(first, last + np.timedelta64(1, "us"), np.timedelta64(refit_days, "D")))


def _require_windows(split: Split, fold: Fold) -> None:
    for block, what in ((split.train, "to learn from"), (split.valid, "to validate on"), (split.test, "to judge on")):
        if not len(block):
            raise ConfigError(
                f"{fold.name}: no window is left {what} (test block {fold.test.start} to {fold.test.end}, validation "
                f"{fold.valid.start} to {fold.valid.end}); set the blocks inside the data"
            )


def roll_backtest(
    forecaster: Forecaster, learned: Windows, judged: Windows, fold: Fold, *, every: int = 1, refit_days: int = 0,
    rng: np.random.Generator, clock: Clock,
) -> Rolled:  # fmt: skip
    """Fit outside a fold's test block and forecast it, origin by origin from what was known there.

    A refit learns what the first fit learned and every test window of ``learned`` whose truth was published when it is
    made; from then on it forecasts. A forecaster is asked to fit again, and goes on from its weights if it is one that
    does.

    Args:
        forecaster: Unfitted, or with weights to start from.
        learned: The windows of those who may be learned from, all of time.
        judged: The windows of those who are judged, all of time; the same or others.
        fold: How time is split.
        every: Judge and validate each home's every so many days only, rotating; for forecasters too slow for all.
        refit_days: Days between fits in the test block; 0 fits once.
        rng: Where chance comes from.
        clock: What measures.

    Raises:
        ConfigError: When a block has no window.
    """
    split = split_fold(learned, fold)
    test = split_fold(judged, fold).test
    _require_windows(split._replace(test=test), fold)
    valid = split.valid
    if every > 1:
        valid, test = (block.take(rotating(block, every)) for block in (valid, test))
    starts = _refit_from(test.inputs.t0, refit_days)
    turn = np.searchsorted(np.array(starts), test.inputs.t0, side="right") - 1  # (N,)
    reports: list[FitReport] = []
    parts: list[Forecast] = []
    fit_seconds = predict_seconds = 0.0
    for number, start in enumerate(starts):
        mine = turn == number
        if number and not mine.any():
            continue
        train = split.train if not number else split_fold(learned, fold, learned_until=start).train
        began = clock()
        reports.append(forecaster.fit(train, split.valid, rng=rng))
        fitted = clock()
        fit_seconds += fitted - began
        if not number:
            valid_forecast = forecaster.predict(valid.inputs)
            fitted = clock()
        parts.append(forecaster.predict(test.inputs.take(mine)))
        predict_seconds += clock() - fitted
    back = np.argsort(np.argsort(turn, kind="stable"), kind="stable")  # (N,), where each window went
    whole = parts[0] if len(parts) == 1 else _in_order(join_forecasts(parts), back)
    return Rolled(tuple(reports), valid, valid_forecast, test, whole, fit_seconds, predict_seconds)


def _in_order(forecast: Forecast, at: NDArray[np.int64]) -> Forecast:
    return Forecast(forecast.quantiles_kwh[at], forecast.levels, forecast.mean_kwh[at], forecast.how[at], forecast.hows)
