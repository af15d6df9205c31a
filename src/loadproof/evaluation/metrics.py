"""Forecasts and truth to rows of ``METRICS``.

Every metric is a function of sums over scored half hours (those with a truth), kept per household and week in
``Sums``. A row of one entity is that household's own figure; a row without is *pooled*: over all scored half hours
of all households alike, so that a larger household weighs more in every kWh.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.errors import ConfigError, SchemaError
from loadproof.evaluation import bootstrap
from loadproof.features.calendar import WEEKDAYS, Moment, local_half_hour, local_weekday, to_instant, to_local
from loadproof.features.windows import Panel
from loadproof.forecaster import ForecastRows
from loadproof.schema import LEVELS, METRICS

__all__ = [
    "CRPS_WEIGHTS",
    "METRIC_UNITS",
    "SLICES",
    "SUM_NAMES",
    "Comparison",
    "Sums",
    "compare",
    "metric_values",
    "pinball",
    "score_forecasts",
    "score_sums",
    "seasonal_scale",
    "sum_scores",
]

CRPS_WEIGHTS: Final = (0.075, 0.1, 0.2, 0.25, 0.2, 0.1, 0.075)
"""The range of probability that each of ``LEVELS`` stands for."""

_BANDS: Final = {50: (2, 4), 80: (1, 5), 90: (0, 6)}  # per cent to positions in LEVELS
_MEAN_UNITS: Final = {
    "pinball": "kWh",
    "crps": "kWh",
    **{f"coverage_{band}": "1" for band in _BANDS},
    **{f"width_{band}": "kWh" for band in _BANDS},
    **{f"share_below_{level}": "1" for level in LEVELS},
}  # metrics that are a plain mean over scored half hours

METRIC_UNITS: Final = {
    "mae": "kWh",
    "rmse": "kWh",
    "nrmse": "1",
    "mase": "1",
    "mean_load": "kWh",
    "pinball_scaled": "1",
    **_MEAN_UNITS,
}
"""The metrics and their units ("1" is a pure ratio), in the order of :func:`metric_values`."""

SUM_NAMES: Final = ("n", "n_scaled", "load", "abs", "abs_scaled", "square", *_MEAN_UNITS)
"""The K sums that metrics are made of; ``_scaled`` ones are over households that have a MASE scale."""

SLICES: Final = (
    "all",
    *(f"weekday={day}" for day in WEEKDAYS),
    *(f"half_hour={half // 2:02d}:{half % 2 * 30:02d}" for half in range(48)),
)
"""The slices, by the UK local time of the target interval."""

_HOMES_AT_ONCE: Final = 256


@dataclass(frozen=True, eq=False)
class Sums:
    """The sums of one model's scores.

    Attributes:
        model: Who forecast.
        entities: Households, ascending, ``(E,)``.
        weeks: The local Monday of the week in which a window begins, ascending, ``(W,)``.
        values: Sums per household, week, slice of ``SLICES`` and name of ``SUM_NAMES``, ``(E, W, S, K)``.
    """

    model: str
    entities: NDArray[np.str_]
    weeks: NDArray[np.datetime64]
    values: NDArray[np.float64]


class Comparison(NamedTuple):
    """One metric of two models, ``first`` less ``second`` and ``first`` over ``second``; below 0 and 1 it is less."""

    metric: str
    difference: bootstrap.Interval
    ratio: bootstrap.Interval
    n: int


def _half_hour_sums(
    truth: NDArray[np.float64],
    quantiles: NDArray[np.float32],
    mean: NDArray[np.float32],
    scale: NDArray[np.float64],
) -> Iterator[NDArray[Any]]:
    """Yield the ``(M,)`` terms of each sum of ``SUM_NAMES``, in order; ``quantiles`` is ``(M, Q)``."""
    yield np.ones_like(truth)
    yield (scaled := np.isfinite(scale) & (scale > 0))
    yield truth
    yield (absolute := np.abs(quantiles[:, LEVELS.index(0.5)] - truth))
    yield np.divide(absolute, scale, where=scaled, out=np.zeros_like(truth))
    yield (mean - truth) ** 2
    loss = pinball(truth, quantiles)  # (M, Q)
    yield loss.mean(axis=-1)
    yield 2 * loss @ np.array(CRPS_WEIGHTS)
    below = truth[:, None] <= quantiles  # (M, Q)
    for low, high in _BANDS.values():
        yield below[:, high] & (truth >= quantiles[:, low])
    for low, high in _BANDS.values():
        yield quantiles[:, high] - quantiles[:, low]
    yield from below.T


def _cell_sums(
    cells: NDArray[np.int64], n_cells: int, groups: NDArray[np.int64], n_groups: int, terms: list[NDArray[Any]]
) -> NDArray[np.float64]:
    """Return each term summed per cell and group, ``(n_cells, n_groups, K)``."""
    keys = cells * n_groups + groups  # (M,)
    size = n_cells * n_groups
    columns = [np.bincount(keys, weights=term, minlength=size) for term in terms]
    stacked = np.stack(columns, axis=-1, dtype=np.float64)
    return stacked.reshape(n_cells, n_groups, len(terms))


def _mondays(t0: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
    days = to_local(t0).astype("datetime64[D]").astype(np.int64)
    return (days - local_weekday(t0)).astype("datetime64[D]")  # (N,)


class _Figures(NamedTuple):
    value: NDArray[np.float64]  # (R, M), and so the others
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n: NDArray[np.float64]


def _figures(totals: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]) -> _Figures:
    counts = [totals[:, SUM_NAMES.index("n_scaled" if name == "mase" else "n")] for name in METRIC_UNITS]
    return _Figures(metric_values(totals), low, high, np.stack(counts, axis=-1))


def _pooled_figures(sums: Sums, weights: bootstrap.Weights) -> _Figures:
    """Return the pooled metrics of every slice, R = S."""
    slices = np.moveaxis(sums.values, 2, 0)  # (S, E, W, K)
    limits = [bootstrap.bounds(metric_values(bootstrap.resample(cells, weights))) for cells in slices]
    low, high = (np.stack(edge) for edge in zip(*limits, strict=True))  # (S, M)
    if max(len(sums.entities), len(sums.weeks)) < bootstrap.MIN_BLOCKS:
        low, high = np.full_like(low, np.nan), np.full_like(high, np.nan)
    return _figures(slices.sum(axis=(1, 2)), low, high)


def _home_figures(sums: Sums, weights: bootstrap.Weights) -> _Figures:
    """Return the metrics of every household over all half hours, R = E."""
    cells = sums.values[:, :, 0]  # (E, W, K)
    limits = []
    for first in range(0, len(cells), _HOMES_AT_ONCE):
        draws = bootstrap.resample_weeks(cells[first : first + _HOMES_AT_ONCE], weights)  # (D, E', K)
        limits.append(np.stack(bootstrap.bounds(metric_values(draws))))  # (2, E', M)
    low, high = np.concatenate(limits, axis=1)  # (E, M)
    few = (cells[..., 0] > 0).sum(axis=1) < bootstrap.MIN_BLOCKS  # (E,)
    low[few], high[few] = np.nan, np.nan
    return _figures(cells.sum(axis=1), low, high)


def pinball(
    truth_kwh: NDArray[np.floating[Any]],
    quantiles_kwh: NDArray[np.floating[Any]],
    levels: tuple[float, ...] = LEVELS,
) -> NDArray[np.floating[Any]]:
    """Return the pinball loss in kWh, ``(...)`` and ``(..., Q)`` to ``(..., Q)``."""
    short = truth_kwh[..., None] - quantiles_kwh  # (..., Q)
    level = np.asarray(levels)
    return np.asarray(np.maximum(level * short, (level - 1) * short))


def seasonal_scale(panel: Panel, *, until: Moment, season_steps: int = 48) -> dict[str, float]:
    """Return each household's MASE scale: the MAE in kWh of its own value one season before, up to ``until``.

    NaN where no two readings lie one season apart.
    """
    n_steps = int(np.clip(panel.steps_to(np.array([to_instant(until)]))[0], 0, panel.energy_kwh.shape[1]))
    energy = panel.energy_kwh[:, :n_steps]
    error = np.abs(energy[:, season_steps:] - energy[:, :-season_steps])  # (E, T - season)
    with np.errstate(invalid="ignore"):
        scale = np.nansum(error, axis=1, dtype=np.float64) / (~np.isnan(error)).sum(axis=1)  # (E,)
    return dict(zip(panel.entities.tolist(), scale.tolist(), strict=True))


def sum_scores(
    rows: ForecastRows, truth_kwh: NDArray[np.float32], *, interval_mins: int, scales_kwh: Mapping[str, float]
) -> Sums:
    """Sum up the scores of every half hour that has a truth.

    Args:
        rows: Whose forecast, from when, and the forecast at ``LEVELS``.
        truth_kwh: What was measured, kWh, NaN where missing, ``(N, H)``.
        interval_mins: Length of a step in minutes.
        scales_kwh: The MASE scale of each household in kWh; one that is absent, NaN or 0 leaves it out of MASE.

    Raises:
        SchemaError: When the levels are not ``LEVELS`` or the truth has another shape.
    """
    forecast = rows.forecast
    if tuple(forecast.levels) != LEVELS or forecast.mean_kwh.shape != truth_kwh.shape:
        raise SchemaError(
            f"{rows.model} has levels {forecast.levels} and shape {forecast.mean_kwh.shape}, the truth "
            f"{truth_kwh.shape}; forecast at the levels {LEVELS} and cut the truth at the same t0"
        )
    scored = ~np.isnan(truth_kwh)  # (N, H)
    entities, home = np.unique(rows.entity, return_inverse=True)  # (E,), (N,)
    weeks, week = np.unique(_mondays(rows.t0), return_inverse=True)  # (W,), (N,)
    scale = np.array([scales_kwh.get(name, np.nan) for name in entities.tolist()])  # (E,)
    window = np.nonzero(scored)[0]  # (M,)
    ts = (rows.t0[:, None] + np.arange(truth_kwh.shape[1]) * np.timedelta64(interval_mins, "m"))[scored]  # (M,)
    truth = truth_kwh[scored].astype(np.float64)  # (M,)
    terms = list(_half_hour_sums(truth, forecast.quantiles_kwh[scored], forecast.mean_kwh[scored], scale[home[window]]))
    cells, n_cells = (home * len(weeks) + week)[window], len(entities) * len(weeks)
    by_day = _cell_sums(cells, n_cells, local_weekday(ts), 7, terms)  # (E W, 7, K)
    by_hour = _cell_sums(cells, n_cells, local_half_hour(ts), 48, terms)  # (E W, 48, K)
    values = np.concatenate([by_day.sum(axis=1, keepdims=True), by_day, by_hour], axis=1)  # (E W, S, K)
    return Sums(rows.model, entities, weeks, values.reshape(len(entities), len(weeks), len(SLICES), len(SUM_NAMES)))


def metric_values(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the metrics of ``METRIC_UNITS`` from the sums of ``SUM_NAMES``, ``(..., K)`` to ``(..., M)``.

    NaN where a metric is not defined: no half hour scored, or a ratio to no load.
    """
    total = {name: sums[..., at] for at, name in enumerate(SUM_NAMES)}
    n = total["n"]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_load = total["load"] / n
        rmse = np.sqrt(total["square"] / n)
        values = {
            "mae": total["abs"] / n,
            "rmse": rmse,
            "nrmse": rmse / mean_load,
            "mase": total["abs_scaled"] / total["n_scaled"],
            "mean_load": mean_load,
            "pinball_scaled": 2 * total["pinball"] / total["load"],
            **{name: total[name] / n for name in _MEAN_UNITS},
        }
    stacked = np.stack([values[name] for name in METRIC_UNITS], axis=-1)  # (..., M)
    return np.where(np.isfinite(stacked), stacked, np.nan)


def score_sums(
    sums: Sums, *, dataset: str, level_of_aggregation: str = "home", draws: int = 1000, rng: np.random.Generator
) -> pl.DataFrame:
    """Return the rows of ``METRICS``: pooled for every slice, then each household for the slice ``all``.

    Pooled rows have an interval over households and weeks, those of a household over its weeks alone; it is null
    with fewer than ``MIN_BLOCKS`` of them. ``n`` counts half hours; for MASE, those of households with a scale.
    """
    weights = bootstrap.draw_weights(len(sums.entities), len(sums.weeks), draws=draws, rng=rng)
    parts = _pooled_figures(sums, weights), _home_figures(sums, weights)
    value, low, high, n = (np.concatenate(column).ravel() for column in zip(*parts, strict=True))  # (R M,)
    entities, names = [None] * len(SLICES) + sums.entities.tolist(), list(METRIC_UNITS)
    slices = [*SLICES, *("all" for _ in sums.entities)]
    columns = {
        "subject": pl.repeat(sums.model, len(value), eager=True),
        "dataset": pl.repeat(dataset, len(value), eager=True),
        "level_of_aggregation": pl.repeat(level_of_aggregation, len(value), eager=True),
        "entity_id": pl.Series([entity for entity in entities for _ in names], dtype=pl.String),
        "slice": [slice_ for slice_ in slices for _ in names],
        "metric": names * len(entities),
        "value": value,
        "low": low,
        "high": high,
        "n": n.astype(np.int64),
        "unit": list(METRIC_UNITS.values()) * len(entities),
    }
    return pl.DataFrame(columns, schema=METRICS).with_columns(pl.col("value", "low", "high").fill_nan(None))


def score_forecasts(
    rows: ForecastRows,
    truth_kwh: NDArray[np.float32],
    *,
    interval_mins: int,
    scales_kwh: Mapping[str, float],
    dataset: str,
    level_of_aggregation: str = "home",
    draws: int = 1000,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Return the rows of ``METRICS`` of one model: :func:`sum_scores`, then :func:`score_sums`."""
    sums = sum_scores(rows, truth_kwh, interval_mins=interval_mins, scales_kwh=scales_kwh)
    return score_sums(sums, dataset=dataset, level_of_aggregation=level_of_aggregation, draws=draws, rng=rng)


def compare(
    first: Sums, second: Sums, metric: str, *, slice_: str = "all", draws: int = 1000, rng: np.random.Generator
) -> Comparison:
    """Compare two models by one metric in the same draws of households and weeks.

    Raises:
        ConfigError: When they were not scored on the same half hours, or no such metric or slice exists.
    """
    if metric not in METRIC_UNITS or slice_ not in SLICES:
        raise ConfigError(f"no metric {metric!r} in slice {slice_!r}; metrics are {', '.join(METRIC_UNITS)}")
    n_terms = SUM_NAMES.index("load") + 1  # counts and load agree only for the same cells
    same = np.array_equal(first.entities, second.entities) and np.array_equal(first.weeks, second.weeks)
    if not same or not np.array_equal(first.values[..., :n_terms], second.values[..., :n_terms]):
        raise ConfigError(f"{first.model} and {second.model} were scored on different half hours; use the same windows")
    at, where = list(METRIC_UNITS).index(metric), SLICES.index(slice_)
    weights = bootstrap.draw_weights(len(first.entities), len(first.weeks), draws=draws, rng=rng)
    one, two = first.values[:, :, where], second.values[:, :, where]  # (E, W, K)
    difference = bootstrap.paired_difference(one, two, lambda sums: metric_values(sums)[..., at], weights)
    ratio = bootstrap.paired_ratio(one, two, lambda sums: metric_values(sums)[..., at], weights)
    n_name = "n_scaled" if metric == "mase" else "n"
    return Comparison(metric, difference, ratio, int(one[..., SUM_NAMES.index(n_name)].sum()))
