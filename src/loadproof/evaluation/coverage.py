"""How often the bands hold the truth, and for whom and when they do not, as rows of ``METRICS``.

A band holds a truth that lies on its edge, as in ``sums``. Slices: ``all``, ``half_hour=07:30`` and ``season=winter``
of the target interval (UK local), ``size=q1`` (the smallest homes) to ``q4``, and ``after_gap=yes`` or ``no``.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.errors import ConfigError, SchemaError
from loadproof.evaluation import bootstrap
from loadproof.evaluation.bootstrap import Weights
from loadproof.evaluation.losses import BANDS
from loadproof.features.calendar import Instants, Moment, local_half_hour, local_weekday, to_instant, to_local
from loadproof.features.panel import Panel
from loadproof.forecaster import ForecastRows
from loadproof.schema import LEVELS, METRICS

__all__ = ["SLICE_KINDS", "TOLERANCES", "after_gap", "home_sizes", "score_coverage", "shortfalls"]

SEASONS: Final = ("winter", "spring", "summer", "autumn")
"""Meteorological: winter is December to February."""

SIZES: Final = ("q1", "q2", "q3", "q4")

_GAPS: Final = ("no", "yes")
_HALF_HOURS: Final = tuple(f"{half // 2:02d}:{half % 2 * 30:02d}" for half in range(48))

_SLICES: Final = {
    "all": ("all",),
    "half_hour": tuple(f"half_hour={name}" for name in _HALF_HOURS),
    "season": tuple(f"season={name}" for name in SEASONS),
    "size": tuple(f"size={name}" for name in SIZES),
    "after_gap": tuple(f"after_gap={name}" for name in _GAPS),
}

SLICE_KINDS: Final = tuple(_SLICES)

TOLERANCES: Final = {"all": 0.015, "half_hour": 0.03}
"""How far coverage may lie from nominal, in all and in each half hour."""

_HOME_TOLERANCE: Final = 0.05
_HOMES_SHARE: Final = 0.9
"""That share of homes is to lie within that tolerance."""

_MIN_HALF_HOURS: Final = 336
"""A home with fewer scored half hours, a week, is not judged by itself: chance alone moves it by points."""


class _Cells(NamedTuple):
    entities: NDArray[np.str_]
    values: NDArray[np.float64]  # scored half hours, then those that each band holds, (E, W, S, 1 + bands)


def after_gap(panel: Panel, entity: NDArray[np.str_], t0: Instants, *, data_lag_steps: int = 0) -> NDArray[np.bool_]:
    """Return which windows had a reading missing in the last day published before ``t0``, ``(N,)``.

    Raises:
        SchemaError: When an entity is not in the panel.
    """
    rows = np.minimum(np.searchsorted(panel.entities, entity), len(panel.entities) - 1)  # (N,)
    if (strange := panel.entities[rows] != entity).any():
        raise SchemaError(f"no readings of {np.unique(entity[strange])[:3].tolist()}; read the dataset forecast upon")
    per_day = 24 * 60 // panel.interval_mins
    ends = panel.steps_to(t0) - data_lag_steps  # (N,)
    return np.asarray(np.isnan(panel.cut(rows, ends - per_day, per_day)).any(axis=1))


def home_sizes(panel: Panel, *, until: Moment, edges_from: Sequence[str] | NDArray[np.str_]) -> dict[str, str]:
    """Return each home's quarter by its mean load before ``until``; a home without a reading by then has none.

    Args:
        panel: The series.
        until: End of the training part.
        edges_from: The training homes, whose quartiles are the edges.

    Raises:
        ConfigError: When no training home has a reading before ``until``.
    """
    n_steps = int(np.clip(panel.steps_to(np.array([to_instant(until)]))[0], 0, panel.energy_kwh.shape[1]))
    energy = panel.energy_kwh[:, :n_steps]
    count = (~np.isnan(energy)).sum(axis=1)  # (E,)
    mean_kwh = np.nansum(energy, axis=1, dtype=np.float64) / np.maximum(count, 1)  # (E,)
    taught = np.isin(panel.entities, np.asarray(edges_from)) & (count > 0)
    if not taught.any():
        raise ConfigError(f"no training home has a reading before {until}; set it inside the data")
    edges_kwh = np.quantile(mean_kwh[taught], [0.25, 0.5, 0.75])
    quarter = np.searchsorted(edges_kwh, mean_kwh, side="left")  # (E,)
    return {
        name: SIZES[at]
        for name, at, n in zip(panel.entities.tolist(), quarter.tolist(), count.tolist(), strict=True)
        if n
    }


def _slice_numbers(
    kind: str, ts: Instants, window: NDArray[np.int64], size: NDArray[np.int64], gaps: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return which slice of its kind each scored half hour is in, -1 for none, ``(M,)``."""
    if kind == "half_hour":
        return local_half_hour(ts)
    if kind == "season":
        months = to_local(ts).astype("datetime64[M]").astype(np.int64) % 12  # (M,), January is 0
        return np.asarray((months + 1) % 12 // 3)
    if kind == "size":
        return np.asarray(size[window])
    if kind == "after_gap":
        return np.asarray(gaps[window].astype(np.int64))
    return np.zeros(len(window), dtype=np.int64)


def _week_of(t0: Instants) -> NDArray[np.int64]:
    """Return the position of each window's local week among those that occur, ``(N,)``."""
    days = to_local(t0).astype("datetime64[D]").astype(np.int64)
    return np.asarray(np.unique(days - local_weekday(t0), return_inverse=True)[1])


def _sum_cells(
    rows: ForecastRows, truth_kwh: NDArray[np.float32], interval_mins: int, sizes: Mapping[str, str],
    gaps: NDArray[np.bool_], kinds: Sequence[str],
) -> _Cells:  # fmt: skip
    """Return the sums of every home, week and slice."""
    entities, home = np.unique(rows.entity, return_inverse=True)  # (E,), (N,)
    week = _week_of(rows.t0)  # (N,)
    n_cells = len(entities) * (int(week.max()) + 1)
    of_home = np.array([SIZES.index(sizes[name]) if name in sizes else -1 for name in entities.tolist()])  # (E,)
    scored = ~np.isnan(truth_kwh)  # (N, H)
    window = np.nonzero(scored)[0]  # (M,)
    ts = (rows.t0[:, None] + np.arange(truth_kwh.shape[1]) * np.timedelta64(interval_mins, "m"))[scored]  # (M,)
    truth, quantiles = truth_kwh[scored], rows.forecast.quantiles_kwh[scored]  # (M,), (M, Q)
    terms = [np.ones(len(truth), dtype=bool)]
    terms += [(quantiles[:, low] <= truth) & (truth <= quantiles[:, high]) for low, high in BANDS.values()]
    cell = (home * (int(week.max()) + 1) + week)[window]  # (M,)
    columns = []
    for kind in kinds:
        n_slices = len(_SLICES[kind])
        number = _slice_numbers(kind, ts, window, of_home[home], gaps)  # (M,)
        inside = number >= 0
        keys = (cell * n_slices + number)[inside]
        counts = [np.bincount(keys, weights=term[inside], minlength=n_cells * n_slices) for term in terms]
        columns.append(np.stack(counts, axis=-1).reshape(len(entities), -1, n_slices, len(terms)))
    return _Cells(entities, np.concatenate(columns, axis=2))


def _shares(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the coverage of each band, NaN where nothing is scored, ``(..., 1 + bands)`` to ``(..., bands)``."""
    n = sums[..., :1]
    return np.asarray(np.divide(sums[..., 1:], n, where=n > 0, out=np.full((*n.shape[:-1], len(BANDS)), np.nan)))


def _slice_rows(names: Sequence[str], cells: NDArray[np.float64], weights: Weights) -> list[tuple[object, ...]]:
    """Return value and interval of every slice and band over all homes."""
    rows: list[tuple[object, ...]] = []
    for name, sums in zip(names, np.moveaxis(cells, 2, 0), strict=True):  # (E, W, 1 + bands)
        value = _shares(sums.sum(axis=(0, 1)))  # (bands,)
        low, high = bootstrap.bounds(_shares(bootstrap.resample(sums, weights)))
        seen = sums[..., 0] > 0  # (E, W)
        if min(seen.any(axis=1).sum(), seen.any(axis=0).sum()) < bootstrap.MIN_BLOCKS:
            low, high = np.full_like(value, np.nan), np.full_like(value, np.nan)
        n = int(sums[..., 0].sum())
        rows += [
            (None, name, f"coverage_{band}", *edges, n)
            for band, *edges in zip(BANDS, value.tolist(), low.tolist(), high.tolist(), strict=True)
        ]
    return rows


def _home_rows(entities: Sequence[str], cells: NDArray[np.float64], weights: Weights) -> list[tuple[object, ...]]:
    """Return the coverage of each home, and the share of those judged that lie within 5 points of nominal.

    The interval of the share resamples homes alone: with weeks drawn too, each home would stray from nominal by the
    draw's own chance.
    """
    totals = cells.sum(axis=1)  # (E, 1 + bands)
    shares = _shares(totals)  # (E, bands)
    rows: list[tuple[object, ...]] = [
        (entity, "all", f"coverage_{band}", value, None, None, int(n))
        for entity, values, n in zip(entities, shares.tolist(), totals[:, 0].tolist(), strict=True)
        for band, value in zip(BANDS, values, strict=True)
    ]
    judged = totals[:, 0] >= _MIN_HALF_HOURS  # (E,)
    drawn = weights.homes[:, judged]  # (D, E')
    for at, band in enumerate(BANDS):
        # A rounding error of a float must not push a home over the edge.
        within = np.abs(shares[judged, at] - band / 100) <= _HOME_TOLERANCE + 1e-12  # (E',)
        value = float(within.mean()) if len(within) else np.nan
        times = drawn.sum(axis=1)
        draws = np.divide(drawn @ within, times, where=times > 0, out=np.full(len(times), np.nan))  # (D,)
        low, high = bootstrap.bounds(draws) if len(within) >= bootstrap.MIN_BLOCKS else (np.nan, np.nan)
        rows.append((None, "all", f"homes_within_5_points_{band}", value, float(low), float(high), len(within)))
    return rows


def score_coverage(
    rows: ForecastRows,
    truth_kwh: NDArray[np.float32],
    *,
    interval_mins: int,
    sizes: Mapping[str, str],
    gaps: NDArray[np.bool_],
    dataset: str,
    level_of_aggregation: str = "home",
    kinds: Sequence[str] = SLICE_KINDS,
    draws: int = 1000,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Return rows of ``METRICS``: ``coverage_<band>`` per slice and per home, and ``homes_within_5_points_<band>``.

    Args:
        rows: Whose forecast, from when, and the forecast at ``LEVELS``.
        truth_kwh: What was measured, kWh, NaN where missing, ``(N, H)``.
        interval_mins: Length of a step in minutes.
        sizes: Each home's quarter, see :func:`home_sizes`; a home without is in no slice of ``size``.
        gaps: Which windows follow a gap ``(N,)``, see :func:`after_gap`.
        dataset: Whose readings were forecast.
        level_of_aggregation: As in ``score_sums``.
        kinds: The kinds of slice wanted, of ``SLICE_KINDS``; ``all`` and ``half_hour`` are in ``score_sums`` too.
            Rows of homes come with ``all``.
        draws: Number of resamples of homes crossed with weeks.
        rng: Where chance comes from.

    Raises:
        SchemaError: When the levels are not ``LEVELS`` or shapes do not fit.
        ConfigError: When a kind is unknown or none is asked for.
    """
    forecast, shape = rows.forecast, truth_kwh.shape
    if tuple(forecast.levels) != LEVELS or forecast.mean_kwh.shape != shape or gaps.shape != shape[:1] or not shape[0]:
        raise SchemaError(
            f"{rows.model} has levels {forecast.levels} and shape {forecast.mean_kwh.shape}, the truth {shape}, gaps "
            f"{gaps.shape}; forecast at the levels {LEVELS} and cut truth and gaps at the same t0, one or more"
        )
    if not kinds or (unknown := [kind for kind in kinds if kind not in _SLICES]):
        raise ConfigError(f"no slices of kind {unknown if kinds else list(kinds)}; choose from {', '.join(_SLICES)}")
    cells = _sum_cells(rows, truth_kwh, interval_mins, sizes, gaps, kinds)
    weights = bootstrap.draw_weights(*cells.values.shape[:2], draws=draws, rng=rng)
    found = _slice_rows([name for kind in kinds for name in _SLICES[kind]], cells.values, weights)
    if "all" in kinds:
        at = [name for kind in kinds for name in _SLICES[kind]].index("all")
        found += _home_rows(cells.entities.tolist(), cells.values[:, :, at], weights)
    key = (rows.model, dataset, level_of_aggregation)
    table = pl.DataFrame([(*key, *row, "1") for row in found], schema=METRICS, orient="row")
    return table.with_columns(pl.col("value", "low", "high").fill_nan(None))


def shortfalls(table: pl.DataFrame) -> pl.DataFrame:
    """Return where coverage misses its aim, worst first: rows of ``METRICS`` and ``off``, the miss beyond tolerance.

    The aims: within 1.5 points in all, within 3 in each half hour, and 9 homes of 10 within 5 points. Other slices
    have no aim.
    """
    band = pl.col("metric").str.extract(r"_(\d+)$").cast(pl.Float64) / 100
    away = (pl.col("value") - band).abs()
    kind = pl.col("slice").str.split("=").list.first()
    off = (
        pl.when(pl.col("metric").str.starts_with("homes_within"))
        .then(_HOMES_SHARE - pl.col("value"))
        .when(pl.col("metric").str.starts_with("coverage"), pl.col("entity_id").is_null(), kind.is_in(list(TOLERANCES)))
        .then(away - kind.replace_strict(TOLERANCES, default=None, return_dtype=pl.Float64))
    )
    # Beyond, and by more than the rounding error of a float.
    return table.with_columns(off=off).filter(pl.col("off") > 1e-9).sort("off", descending=True)
