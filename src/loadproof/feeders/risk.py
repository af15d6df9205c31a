"""From forecasts and limits to ``RISK``: who is likeliest to exceed what, when, and by how much."""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.errors import ConfigError
from loadproof.features.calendar import Instants
from loadproof.features.windows import Inputs
from loadproof.feeders.exceedance import (
    Exceedance,
    Tail,
    any_exceeded,
    exceedance_of_paths,
    exceedance_of_quantiles,
    quantile_at,
)
from loadproof.feeders.together import any_together
from loadproof.forecaster import Forecast
from loadproof.schema import RISK, RISK_STEPS

__all__ = [
    "HEADROOM_LEVEL",
    "Risk",
    "count_over",
    "rank_risks",
    "rank_together",
    "risk_of_paths",
    "risk_of_quantiles",
]

HEADROOM_LEVEL: Final = 0.95
"""Headroom is what is left below a limit at this quantile of the load."""

Floats = NDArray[np.floating[Any]]


class Risk(NamedTuple):
    """The ranked table ``RISK``, and ``RISK_STEPS`` per half hour, both by rank."""

    ranked: pl.DataFrame
    steps: pl.DataFrame


class _Told(NamedTuple):
    """What is told of each row of the limits: K of them, H half hours."""

    exceedance: Exceedance  # (K, H)
    high_kwh: NDArray[np.float64]  # the 95 % quantile (K, H)
    median_kwh: NDArray[np.float64]  # (K, H)
    peak: NDArray[np.int64]  # step of the likely peak (K,)
    any_low: NDArray[np.float64]  # (K,)
    any_high: NDArray[np.float64]  # (K,)


def _rows_of(entities: NDArray[np.str_], wanted: pl.Series) -> NDArray[np.int64]:
    """Return the row of each wanted entity.

    Raises:
        ConfigError: When one was not forecast, or several forecasts are of one.
    """
    order = np.argsort(entities, kind="stable")
    names = entities[order]
    if (names[1:] == names[:-1]).any():
        raise ConfigError("the forecasts are from several instants; rank the risk of one t0 at a time")
    asked = np.asarray(wanted.to_list(), dtype=np.str_)
    at = np.minimum(np.searchsorted(names, asked), len(names) - 1)
    if len(strange := asked[names[at] != asked]):
        raise ConfigError(f"there is a limit of {strange[0]} and no forecast; give limits of what was forecast")
    return np.asarray(order[at], dtype=np.int64)


def risk_of_quantiles(
    forecast: Forecast, inputs: Inputs, limits: pl.DataFrame, levels: dict[str, str], *, model: str,
    tail: Tail = "exponential", ranks: NDArray[np.float64] | None = None,
) -> Risk:  # fmt: skip
    """Return the risk that a forecast at quantile levels tells; the likely peak is where the median is highest.

    The chance of any half hour is told by the ranks of past days; without them it lies between two bounds.

    Args:
        forecast: Of one instant, ``(N, H, Q)``.
        inputs: What it was made from.
        limits: ``LIMITS`` of entities among them.
        levels: Whether each entity is a feeder or a substation.
        model: Who forecast.
        tail: What lies above the highest quantile.
        ranks: How half hours hang together, ``(S, H)``; None where it is not known.

    Raises:
        ConfigError: When a limit has no forecast, or there is no limit.
    """
    rows, limit = _limits(inputs, limits)
    quantiles = forecast.quantiles_kwh[rows]  # (K, H, Q)
    exceedance = exceedance_of_quantiles(quantiles, forecast.levels, limit, tail=tail)
    median = quantile_at(quantiles, forecast.levels, 0.5)
    high = quantile_at(quantiles, forecast.levels, HEADROOM_LEVEL)
    chance = exceedance.probability
    bounds = any_exceeded(chance) if ranks is None else (any_together(chance, ranks),) * 2
    told = _Told(exceedance, high, median, median.argmax(axis=1), *bounds)
    return rank_risks(told, inputs.ts()[rows], limits, levels, model=model)


def risk_of_paths(
    paths_kwh: Floats, inputs: Inputs, limits: pl.DataFrame, levels: dict[str, str], *, model: str
) -> Risk:
    """Return the risk that sample paths tell; the likely peak is the half hour that is highest in most paths.

    Args:
        paths_kwh: Sample paths in kWh, ``(N, P, H)``.
        inputs: What they were made from, of one instant.
        limits: ``LIMITS`` of entities among them.
        levels: Whether each entity is a feeder or a substation.
        model: Who forecast.

    Raises:
        ConfigError: As :func:`risk_of_quantiles`.
    """
    rows, limit = _limits(inputs, limits)
    paths = np.asarray(paths_kwh, dtype=np.float64)[rows]  # (K, P, H)
    exceedance = exceedance_of_paths(paths, limit)
    median, high = (np.quantile(paths, level, axis=1) for level in (0.5, HEADROOM_LEVEL))
    tops = paths.argmax(axis=2)  # (K, P)
    peak = np.array([np.bincount(row).argmax() for row in tops], dtype=np.int64)  # (K,)
    chance = (paths > limit[:, None, None]).any(axis=2).mean(axis=1)  # (K,)
    told = _Told(exceedance, high, median, peak, chance, chance)
    return rank_risks(told, inputs.ts()[rows], limits, levels, model=model)


def _limits(inputs: Inputs, limits: pl.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    if limits.is_empty():
        raise ConfigError("no entity has a limit; name ratings with --assets, or a usual kind with --rating")
    return _rows_of(inputs.entity, limits["entity_id"]), limits["limit_kwh"].to_numpy()


def rank_risks(told: _Told, ts: Instants, limits: pl.DataFrame, levels: dict[str, str], *, model: str) -> Risk:
    """Return both tables: by the chance of any half hour (its lower bound), then by expected excess, then by headroom.

    What is left counts relative to the limit, so that large and small entities stand in one list.
    """
    limit = limits["limit_kwh"].to_numpy()  # (K,)
    room = limit[:, None] - told.high_kwh  # (K, H)
    least, likeliest = room.argmin(axis=1), told.exceedance.probability.argmax(axis=1)  # (K,), (K,)
    each = np.arange(len(limit))
    ranked = limits.select("entity_id", "limit", "limit_kwh", "source").with_columns(
        place=pl.Series(each),
        level=pl.col("entity_id").replace_strict(levels, return_dtype=pl.String),
        probability=told.exceedance.probability[each, likeliest],
        probability_utc=_utc(ts[each, likeliest]),
        any_low=told.any_low,
        any_high=told.any_high,
        expected_excess_kwh=told.exceedance.excess_kwh.sum(axis=1),
        peak_utc=_utc(ts[each, told.peak]),
        peak_kwh=told.median_kwh[each, told.peak],
        headroom_95_kwh=room[each, least],
        headroom_utc=_utc(ts[each, least]),
        model=pl.lit(model),
        t0_utc=_utc(ts[:, 0]),
    )
    ranked = _in_rank(ranked)
    order = ranked["place"].to_numpy()
    return Risk(
        ranked.select(pl.col(name).cast(dtype) for name, dtype in RISK.items()), _steps(told, room, ts, ranked, order)
    )


def _in_rank(told: pl.DataFrame) -> pl.DataFrame:
    left = pl.col("headroom_95_kwh") / pl.col("limit_kwh")
    return told.sort(
        pl.col("any_low"), pl.col("expected_excess_kwh"), -left, pl.col("entity_id"), "limit",
        descending=[True, True, True, False, False],
    ).with_columns(rank=pl.int_range(1, pl.len() + 1))  # fmt: skip


def rank_together(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Return several tables of ``RISK`` as one, in one order of rank."""
    joined = _in_rank(pl.concat([pl.DataFrame(schema=RISK), *parts]))
    return joined.select(pl.col(name).cast(dtype) for name, dtype in RISK.items())


def count_over(ranked: pl.DataFrame) -> int:
    """Return how many entities pass a limit at the 95 % quantile of their load in some half hour."""
    return ranked.filter(pl.col("headroom_95_kwh") < 0)["entity_id"].n_unique()


def _steps(
    told: _Told, room: NDArray[np.float64], ts: Instants, ranked: pl.DataFrame, order: NDArray[np.int64]
) -> pl.DataFrame:
    """Return ``RISK_STEPS`` in the order of the ranks."""
    h = room.shape[1]
    repeated = pl.Series(np.repeat(np.arange(len(order)), h))
    columns = {name: values[order].ravel() for name, values in zip(
        ("probability", "expected_excess_kwh", "headroom_95_kwh"),
        (told.exceedance.probability, told.exceedance.excess_kwh, room), strict=True)}  # fmt: skip
    return pl.DataFrame(
        {
            "entity_id": ranked["entity_id"].gather(repeated),
            "limit": ranked["limit"].gather(repeated),
            "ts_utc": _utc(ts[order].ravel()),
            **columns,
        }
    ).select(pl.col(name).cast(dtype) for name, dtype in RISK_STEPS.items())


def _utc(ts: Instants) -> pl.Series:
    return pl.Series(np.ascontiguousarray(ts).astype("datetime64[us]")).dt.replace_time_zone("UTC")
