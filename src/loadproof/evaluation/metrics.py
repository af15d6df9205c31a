"""Sums to rows of ``METRICS``.

A row of one entity is that household's own figure. A row without is over all of them: *pooled*, that is over all
scored half hours alike, so that a larger household weighs more in every kWh; but ``mase``, which is scaled per
household, is the plain mean over households.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.evaluation import bootstrap
from loadproof.evaluation.bootstrap import Weights
from loadproof.evaluation.sums import MEAN_UNITS, SLICES, SUM_NAMES, Sums, sum_scores
from loadproof.features.calendar import Moment, to_instant
from loadproof.features.panel import Panel
from loadproof.forecaster import ForecastRows
from loadproof.schema import METRICS

__all__ = [
    "METRIC_UNITS",
    "enough_blocks",
    "metric_values",
    "overall_counts",
    "overall_values",
    "score_forecasts",
    "score_sums",
    "seasonal_scale",
]

METRIC_UNITS: Final = {
    "mae": "kWh",
    "rmse": "kWh",
    "nrmse": "1",
    "mase": "1",
    "mean_load": "kWh",
    "pinball_scaled": "1",
    **MEAN_UNITS,
}
"""The metrics and their units ("1" is a pure ratio), in the order of :func:`metric_values`."""

_HOMES_AT_ONCE: Final = 256
_DAY_MINS: Final = 24 * 60
_MASE: Final = list(METRIC_UNITS).index("mase")
_N, _N_SCALED, _ABS_SCALED = (SUM_NAMES.index(name) for name in ("n", "n_scaled", "abs_scaled"))


class _Figures(NamedTuple):
    value: NDArray[np.float64]  # (R, M), and so the others
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n: NDArray[np.float64]


def _mean_mase(cells: NDArray[np.float64], weights: Weights) -> NDArray[np.float64]:
    """Return the mean over households of each one's own MASE in every draw, ``(E, W, K)`` to ``(D,)``.

    A household weighs as often as it was drawn; one without a scaled half hour in the draw's weeks is left out.
    """
    total, homes = np.zeros(len(weights.homes)), np.zeros(len(weights.homes))  # (D,)
    for first in range(0, len(cells), _HOMES_AT_ONCE):
        some = slice(first, first + _HOMES_AT_ONCE)
        own = bootstrap.resample_weeks(cells[some][..., [_N_SCALED, _ABS_SCALED]], weights)  # (D, E', 2)
        judged = own[..., 0] > 0  # (D, E')
        mase = np.divide(own[..., 1], own[..., 0], where=judged, out=np.zeros(judged.shape))  # (D, E')
        total += (weights.homes[:, some] * mase).sum(axis=1)
        homes += (weights.homes[:, some] * judged).sum(axis=1)
    return np.asarray(np.divide(total, homes, where=homes > 0, out=np.full(len(total), np.nan)))  # (D,)


def enough_blocks(cells: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return whether each metric has scored half hours of ``MIN_BLOCKS`` households and weeks, ``(M,)``."""
    enough = {
        at: min((seen := cells[..., at] > 0).any(axis=1).sum(), seen.any(axis=0).sum()) >= bootstrap.MIN_BLOCKS
        for at in (_N, _N_SCALED)
    }
    return np.array([enough[_N_SCALED if name == "mase" else _N] for name in METRIC_UNITS])


def overall_counts(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what each metric of ``(E, W, K)`` rests on, ``(M,)``: half hours, for MASE households."""
    counts = np.full(len(METRIC_UNITS), cells[..., _N].sum())
    counts[_MASE] = (cells[..., _N_SCALED].sum(axis=1) > 0).sum()
    return counts


def overall_values(cells: NDArray[np.float64], weights: Weights) -> NDArray[np.float64]:
    """Return the metrics over all households in every draw, ``(E, W, K)`` to ``(D, M)``."""
    values = metric_values(bootstrap.resample(cells, weights))  # (D, M)
    values[:, _MASE] = _mean_mase(cells, weights)
    return values


def _overall_figures(sums: Sums, weights: Weights) -> _Figures:
    """Return the metrics of every slice over all households, R = S."""
    once = bootstrap.weigh_once(*sums.values.shape[:2])
    rows = []
    for cells in np.moveaxis(sums.values, 2, 0):  # (E, W, K), S times
        low, high = bootstrap.bounds(overall_values(cells, weights))
        low, high = (np.where(enough_blocks(cells), edge, np.nan) for edge in (low, high))
        rows.append(_Figures(overall_values(cells, once)[0], low, high, overall_counts(cells)))
    return _Figures(*(np.stack(column) for column in zip(*rows, strict=True)))


def _home_figures(sums: Sums, weights: Weights) -> _Figures:
    """Return the metrics of every household over all half hours, R = E."""
    cells = sums.values[:, :, 0]  # (E, W, K)
    limits = []
    for first in range(0, len(cells), _HOMES_AT_ONCE):
        draws = bootstrap.resample_weeks(cells[first : first + _HOMES_AT_ONCE], weights)  # (D, E', K)
        limits.append(np.stack(bootstrap.bounds(metric_values(draws))))  # (2, E', M)
    low, high = np.concatenate(limits, axis=1)  # (E, M)
    few = (cells[..., _N] > 0).sum(axis=1) < bootstrap.MIN_BLOCKS  # (E,)
    low[few], high[few] = np.nan, np.nan
    totals = cells.sum(axis=1)  # (E, K)
    counts = np.stack([totals[:, _N_SCALED if name == "mase" else _N] for name in METRIC_UNITS], axis=-1)
    return _Figures(metric_values(totals), low, high, counts)


def seasonal_scale(panel: Panel, *, until: Moment, season_steps: int | None = None) -> dict[str, float]:
    """Return each household's MASE scale: the MAE in kWh of its own value one season before, up to ``until``.

    A season is a day unless said otherwise; NaN where no two readings lie one apart.
    """
    season_steps = season_steps or _DAY_MINS // panel.interval_mins
    n_steps = int(np.clip(panel.steps_to(np.array([to_instant(until)]))[0], 0, panel.energy_kwh.shape[1]))
    energy = panel.energy_kwh[:, :n_steps]
    error = np.abs(energy[:, season_steps:] - energy[:, :-season_steps])  # (E, T - season)
    with np.errstate(invalid="ignore"):
        scale = np.nansum(error, axis=1, dtype=np.float64) / (~np.isnan(error)).sum(axis=1)  # (E,)
    return dict(zip(panel.entities.tolist(), scale.tolist(), strict=True))


def metric_values(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the metrics of ``METRIC_UNITS`` from the sums of ``SUM_NAMES``, ``(..., K)`` to ``(..., M)``.

    NaN where a metric is not defined: no half hour scored, or a ratio to no load. The MASE is that of one household.
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
            **{name: total[name] / n for name in MEAN_UNITS},
        }
    stacked = np.stack([values[name] for name in METRIC_UNITS], axis=-1)  # (..., M)
    return np.where(np.isfinite(stacked), stacked, np.nan)


def score_sums(
    sums: Sums, *, dataset: str, level_of_aggregation: str = "home", draws: int = 1000, rng: np.random.Generator
) -> pl.DataFrame:
    """Return the rows of ``METRICS``: over all households for every slice, then each household for the slice ``all``.

    Rows over all have an interval over households and weeks, null with fewer than ``MIN_BLOCKS`` of either; those of
    a household over its weeks alone, null with fewer than ``MIN_BLOCKS`` of them. ``n`` counts half hours, but the
    households in the MASE over all, and the half hours that have a scale in that of a household.
    """
    weights = bootstrap.draw_weights(len(sums.entities), len(sums.weeks), draws=draws, rng=rng)
    parts = _overall_figures(sums, weights), _home_figures(sums, weights)
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
