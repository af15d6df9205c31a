"""One job of the board: fit, forecast, calibrate, and the sums that are kept of it."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.config import CalibrationConfig
from loadproof.evaluation.backtest import Clock, Rolled, roll_backtest
from loadproof.evaluation.board_ground import Ground
from loadproof.evaluation.buildingsbench import hour_sums
from loadproof.evaluation.calibration import calibrate
from loadproof.evaluation.folds import Fold, hide, rotating
from loadproof.evaluation.metrics import seasonal_scale
from loadproof.evaluation.rounding import few_bits
from loadproof.evaluation.sums import SUM_NAMES, Sums, sum_scores
from loadproof.features.windows import Windows
from loadproof.forecaster import Forecast, Forecaster, ForecastRows

__all__ = [
    "COUNT_NAMES",
    "KEPT_NAMES",
    "KEY_NAMES",
    "Judged",
    "Variant",
    "judge",
    "judge_hourly",
    "sums_frame",
    "variants_of",
]

Variant = Callable[[Rolled], Forecast]
"""What is made of the forecast of the test block: by what validation taught, and what was published at each ``t0``."""

KEY_NAMES: Final = ("seen", "every", "entity_id", "week")
"""What a row of a record is of: whether its own past was learned from, of which windows, whose, and which week."""

KEPT_NAMES: Final = tuple(name for name in SUM_NAMES if not name.startswith("share_below"))
"""The sums that a record keeps: all that the metrics of a board are made of."""

COUNT_NAMES: Final = tuple(name for name in KEPT_NAMES if name.startswith(("n", "coverage")))


class Judged(NamedTuple):
    """The rows of each variant, and what the record is to tell beside them."""

    frames: dict[str, pl.DataFrame]
    facts: dict[str, Any]


def _rounded_series(values: pl.Series) -> pl.Series:
    return pl.Series(few_bits(values.to_numpy()))


def sums_frame(sums: Sums, *, seen: NDArray[np.str_], every: int) -> pl.DataFrame:
    """Return the slice ``all`` of sums as rows: ``KEY_NAMES``, then ``KEPT_NAMES``, where anything was scored."""
    n_entities, n_weeks = sums.values.shape[:2]
    values = sums.values[:, :, 0].reshape(-1, len(SUM_NAMES))  # (E W, K)
    scored = values[:, 0] > 0
    columns: dict[str, Any] = {
        "seen": np.repeat(np.isin(sums.entities, seen), n_weeks)[scored],
        "every": np.full(int(scored.sum()), every, dtype=np.int8),
        "entity_id": np.repeat(sums.entities, n_weeks)[scored].tolist(),
        "week": np.tile(sums.weeks.astype("datetime64[D]"), n_entities)[scored],
    }
    for name in KEPT_NAMES:
        column = values[scored, SUM_NAMES.index(name)]
        columns[name] = column.astype(np.uint16) if name in COUNT_NAMES else few_bits(column)
    return pl.DataFrame(columns)


def _facts(ground: Ground, rolled: Rolled, every: int) -> dict[str, Any]:
    first = rolled.reports[0]
    return {
        "train_windows": first.train_windows,
        "valid_windows": first.valid_windows,
        "test_windows": len(rolled.test),
        "fits": len(rolled.reports),
        "epochs": [len(report.records) for report in rolled.reports],
        "every": every,
        "fit_seconds": round(rolled.fit_seconds, 3),
        "predict_seconds": round(rolled.predict_seconds, 3),
        "members": ground.members,
    }


def _frame(
    model: str, forecast: Forecast, test: Windows, scales: Mapping[str, float], seen: NDArray[np.str_], every: int
) -> pl.DataFrame:
    rows = ForecastRows(model, test.inputs.entity, test.inputs.t0, forecast)
    sums = sum_scores(rows, test.truth_kwh, interval_mins=test.inputs.interval_mins, scales_kwh=scales)
    return sums_frame(sums.over_all_times(), seen=seen, every=every)


def _taken(forecast: Forecast, mask: NDArray[np.bool_]) -> Forecast:
    return Forecast(
        forecast.quantiles_kwh[mask], forecast.levels, forecast.mean_kwh[mask], forecast.how[mask], forecast.hows
    )


def _calibrated(rolled: Rolled, knobs: CalibrationConfig) -> Forecast:
    """Return the forecast of the test block calibrated by validation and by what was published at each ``t0``."""
    valid, test = rolled.valid, rolled.test
    learned = calibrate(rolled.valid_forecast, valid.inputs, valid.truth_kwh, knobs=knobs)
    if learned.until is not None and learned.until > test.inputs.t0.min():
        learned = learned.as_prior()  # before the first block there is nothing to validate on
    return learned.apply(rolled.test_forecast, test.inputs, test.truth_kwh)


def variants_of(knobs: CalibrationConfig) -> dict[str, Variant]:
    """Return what is made of each forecast, by name: ``raw``, and ``calibrated`` unless the knobs want none."""
    raw: dict[str, Variant] = {"raw": lambda rolled: rolled.test_forecast}
    return raw if knobs.kind == "none" else raw | {"calibrated": partial(_calibrated, knobs=knobs)}


def judge(
    forecaster: Forecaster, ground: Ground, fold: Fold, *, variants: Mapping[str, Variant], every: int = 1,
    also_every: tuple[int, ...] = (), refit_days: int = 0, rng: np.random.Generator, clock: Clock,
) -> Judged:  # fmt: skip
    """Fit a forecaster outside a fold's test block, and sum up its scores in it, of each variant.

    Args:
        forecaster: Unfitted.
        ground: Whose windows.
        fold: How time is split.
        variants: What to judge, by name; ``raw`` is usually one.
        every: Judge each home's every so many days only.
        also_every: Judge all, and beside it each home's every so many days: for those who were judged so.
        refit_days: Days between fits in the test block; 0 fits once.
        rng: Where chance comes from.
        clock: What measures.
    """
    rolled = roll_backtest(
        forecaster, ground.learned, ground.judged, fold, every=every, refit_days=refit_days, rng=rng, clock=clock
    )
    until = ground.judged.inputs.t0.max() if fold.learns_after else fold.valid.start
    scales = seasonal_scale(hide(ground.panel, fold), until=until)
    frames = {}
    for name, variant in variants.items():
        forecast = variant(rolled)
        parts = [_frame(forecaster.name, forecast, rolled.test, scales, ground.seen, every)]
        for other in also_every:
            mask = rotating(rolled.test, other)
            some = _frame(forecaster.name, _taken(forecast, mask), rolled.test.take(mask), scales, ground.seen, other)
            parts.append(some)
        frames[name] = pl.concat(parts)
    return Judged(frames, _facts(ground, rolled, every))


def judge_hourly(
    forecaster: Forecaster, ground: Ground, fold: Fold, *, variants: Mapping[str, Variant],
    rng: np.random.Generator, clock: Clock,
) -> Judged:  # fmt: skip
    """Fit and judge as BuildingsBench does; a row is of ``seen, entity_id, hour``."""
    rolled = roll_backtest(forecaster, ground.learned, ground.judged, fold, rng=rng, clock=clock)
    frames = {
        name: hour_sums(variant(rolled), rolled.test.truth_kwh, rolled.test.inputs.entity).select(
            seen=pl.col("entity_id").is_in(ground.seen.tolist()),
            entity_id="entity_id",
            hour="hour",
            n=pl.col("n").cast(pl.UInt16),
            **{name: pl.col(name).map_batches(_rounded_series, pl.Float32) for name in ("load", "square", "crps")},
        )
        for name, variant in variants.items()
    }
    return Judged(frames, _facts(ground, rolled, 1))
