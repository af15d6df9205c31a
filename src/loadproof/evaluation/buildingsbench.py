"""BuildingsBench's protocol on our homes: 168 h of context, 24 h ahead, every 24 h, median over building-years.

Hourly values are means of half hours and so half of the hourly energy, as there: what scores kWh is on their scale. A
building's NRMSE is ``sqrt(mean squared error) / mean load`` over all its hours; its scores are one for each hour ahead,
and the median is over all hours of all buildings. All rules are theirs; the gaps they fill are filled here alone.

Source: NREL/BuildingsBench, ``scripts/process_raw_data/download_and_process_buildingsbench.py``, ``data/datasets.py``,
``evaluation/{metrics,scoring_rules,aggregate}.py``.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.errors import ConfigError
from loadproof.evaluation.bootstrap import Interval, bounds
from loadproof.evaluation.folds import Fold, Span
from loadproof.evaluation.losses import CRPS_WEIGHTS, pinball
from loadproof.features.calendar import Instants
from loadproof.features.panel import Panel
from loadproof.forecaster import Forecast

__all__ = [
    "CONTEXT_HOURS",
    "HORIZON_HOURS",
    "building_years",
    "hour_sums",
    "hourly_folds",
    "hourly_origins",
    "median_nrmse",
    "median_ratio",
    "median_rps",
]

CONTEXT_HOURS: Final = 168
HORIZON_HOURS: Final = 24
_MAX_MISSING: Final = 0.1
_HOUR: Final = np.timedelta64(1, "h")
_HALF_HOUR: Final = np.timedelta64(30, "m")
_DAY: Final = np.timedelta64(1, "D")
_CELLS_AT_ONCE: Final = 4_000_000


class _Medians(NamedTuple):
    value: float
    draws: NDArray[np.float64]  # (D,)


def _hourly_means(panel: Panel, first: np.datetime64, n_hours: int) -> NDArray[np.float32]:
    """Return the mean of what is known of each hour from ``first`` on, NaN where nothing is, ``(E, n_hours)``."""
    starts = panel.steps_to(np.array([first]))
    rows = np.arange(len(panel.entities))
    halves = panel.cut(rows, np.repeat(starts, len(rows)), 2 * n_hours).reshape(len(rows), n_hours, 2)
    known = (~np.isnan(halves)).sum(axis=2)  # (E, n_hours)
    total = np.nansum(halves, axis=2, dtype=np.float64)
    mean = np.divide(total, known, where=known > 0, out=np.full(total.shape, np.nan))
    return np.asarray(mean, dtype=np.float32)


def _filled(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return one building's hours, gaps filled as there: interpolated for 7 days at most from either side, else 0."""
    at = np.flatnonzero(~np.isnan(values))
    hours = np.arange(len(values))
    line = np.interp(hours, at, values[at])
    before = hours - at[np.clip(np.searchsorted(at, hours, side="right") - 1, 0, None)]
    after = at[np.clip(np.searchsorted(at, hours), None, len(at) - 1)] - hours
    near = np.minimum(np.abs(before), np.abs(after)) <= CONTEXT_HOURS
    return np.where(near, line, 0).astype(np.float32)


def building_years(panel: Panel, year: int) -> Panel:
    """Return the hourly load of each home that counts as a building of ``year``, NaN outside its own span alone.

    An hour holds the half hours that begin at half past and at the full hour, for stamps there mark ends and an hour
    is closed on the left. A home with more than a tenth of its span missing is left out.

    Raises:
        ConfigError: When the panel is not half-hourly, or no home is left.
    """
    if panel.interval_mins != 30:
        raise ConfigError(f"readings of {panel.interval_mins} minutes cannot be made hourly here; give half hours")
    first = np.datetime64(f"{year - 1}-12-31T23:30", "us")
    n_hours = int((np.datetime64(f"{year}-12-31T23:30", "us") - first) / _HOUR)
    hourly = _hourly_means(panel, first, n_hours)  # (E, T)
    kept = []
    for row, values in enumerate(hourly):
        at = np.flatnonzero(~np.isnan(values))
        if not len(at) or at[-1] + 1 - at[0] < CONTEXT_HOURS:
            continue
        span = slice(int(at[0]), int(at[-1]) + 1)
        if np.isnan(values[span]).mean() <= _MAX_MISSING:
            values[span] = _filled(values[span])
            kept.append(row)
    if not kept:
        raise ConfigError(f"no home has {CONTEXT_HOURS} hours of {year} with less than a tenth missing; ingest more")
    return Panel(panel.entities[kept], first, 60, hourly[kept])


def hourly_origins(panel: Panel) -> Instants:
    """Return one origin a day, the first after a whole context; the last whole day is not forecast, as there."""
    n_hours = panel.energy_kwh.shape[1]
    count = (n_hours - CONTEXT_HOURS - HORIZON_HOURS) // HORIZON_HOURS
    return panel.start + (CONTEXT_HOURS + HORIZON_HOURS * np.arange(count)) * _HOUR


def hourly_folds(folds: Sequence[Fold], origins: Instants, *, valid_days: int) -> list[Fold]:
    """Return blocked folds with borders moved to origins, so that every origin is judged in one block."""
    found = []
    for fold in folds:
        inside = origins[(origins >= fold.test.start - _HALF_HOUR) & (origins < fold.test.end - _HALF_HOUR)]
        if not len(inside):
            continue
        test = Span(inside[0], inside[-1] + HORIZON_HOURS * _HOUR)
        length = valid_days * _DAY
        ahead = fold.valid.start >= fold.test.end
        start = test.end + CONTEXT_HOURS * _HOUR if ahead else test.start - length
        found.append(Fold(fold.name, test, Span(start, start + length), fold.learns_after))
    return found


def hour_sums(forecast: Forecast, truth_kwh: NDArray[np.float32], entity: NDArray[np.str_]) -> pl.DataFrame:
    """Return the sums of each building and hour ahead.

    Returns:
        ``entity_id, hour`` (0 to 23 ahead), ``n, load, square`` (of the mean's errors) and ``crps`` from the quantiles.
    """
    homes, home = np.unique(entity, return_inverse=True)  # (E,), (N,)
    n_hours = truth_kwh.shape[1]
    scored = ~np.isnan(truth_kwh)  # (N, H)
    truth = np.where(scored, truth_kwh, 0).astype(np.float64)
    crps = 2 * pinball(truth, forecast.quantiles_kwh) @ np.array(CRPS_WEIGHTS)  # (N, H)
    terms = {"n": scored, "load": truth, "square": (forecast.mean_kwh - truth) ** 2, "crps": crps}
    cells = (home[:, None] * n_hours + np.arange(n_hours)).ravel()  # (N H,)
    size = len(homes) * n_hours
    sums = {
        name: np.bincount(cells, weights=np.where(scored, term, 0).ravel(), minlength=size)
        for name, term in terms.items()
    }
    keys = {"entity_id": np.repeat(homes, n_hours).tolist(), "hour": np.tile(np.arange(n_hours), len(homes))}
    return pl.DataFrame({**keys, **sums}).with_columns(pl.col("hour").cast(pl.Int8)).filter(pl.col("n") > 0)


def _per_building(sums: pl.DataFrame) -> NDArray[np.float64]:
    total = sums.group_by("entity_id").agg(pl.col("n", "load", "square").sum()).sort("entity_id")
    n, load, square = (total[name].to_numpy() for name in ("n", "load", "square"))
    return np.asarray(np.sqrt(square / n) / (load / n))  # (E,)


def _per_hour(sums: pl.DataFrame) -> NDArray[np.float64]:
    ordered = sums.group_by("entity_id", "hour").agg(pl.col("n", "crps").sum()).sort("entity_id", "hour")
    return np.asarray((ordered["crps"] / ordered["n"]).to_numpy())  # (E 24,)


def _medians(values: NDArray[np.float64], *, draws: int, rng: np.random.Generator) -> _Medians:
    """Return the median of values, and of as many drawn from them with replacement, ``draws`` times."""
    at_once = max(1, _CELLS_AT_ONCE // len(values))
    found = [
        np.median(values[rng.integers(0, len(values), size=(min(at_once, draws - first), len(values)))], axis=1)
        for first in range(0, draws, at_once)
    ]
    return _Medians(float(np.median(values)), np.concatenate(found))


def _interval(medians: _Medians) -> Interval:
    low, high = bounds(medians.draws)
    return Interval(medians.value, float(low), float(high))


def median_nrmse(sums: pl.DataFrame, *, draws: int, rng: np.random.Generator) -> Interval:
    """Return the median NRMSE over buildings as a ratio (not per cent), with their interval: buildings resampled."""
    return _interval(_medians(_per_building(sums), draws=draws, rng=rng))


def median_rps(sums: pl.DataFrame, *, draws: int, rng: np.random.Generator) -> Interval:
    """Return the median score in their kWh over hours of buildings, with their interval: those hours resampled."""
    return _interval(_medians(_per_hour(sums), draws=draws, rng=rng))


def median_ratio(first: pl.DataFrame, second: pl.DataFrame, *, draws: int, seed: int) -> Interval:
    """Return the median NRMSE of one model over that of another, the same buildings drawn for both.

    Raises:
        ConfigError: When they were judged on other buildings or hours.
    """
    counts = [sums.group_by("entity_id").agg(pl.col("n").sum()).sort("entity_id") for sums in (first, second)]
    if not counts[0].equals(counts[1]):
        raise ConfigError("two models were judged on other hours; make the records of both again")
    one, two = (_medians(_per_building(sums), draws=draws, rng=np.random.default_rng(seed)) for sums in (first, second))
    low, high = bounds(one.draws / two.draws)
    return Interval(one.value / two.value, float(low), float(high))
