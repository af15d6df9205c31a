"""Whether a home's sub-meters read more than its mains: energy that is measured twice or never came in."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.anomaly.evidence import kind_code, scores_of
from loadproof.anomaly.sweep import DayScores
from loadproof.detector import Scores
from loadproof.errors import SchemaError
from loadproof.features.panel import Panel

__all__ = ["MeterTolerance", "balance_scores", "submeters_of", "with_balance"]

_STEEPNESS: Final = 4  # as of a home's limits: half of it is next to nothing


class MeterTolerance(NamedTuple):
    """By how much sub-meters may exceed the mains and still agree with them.

    Source of 0.1 and 0.005: ours; on house 2 of UK-DALE, May and June 2013, the kettle, washing machine, dishwasher
    and microwave stay below it in every half hour.

    Attributes:
        share: Of the mains' reading.
        kwh: For a half hour in which hardly anything is used.
    """

    share: float = 0.1
    kwh: float = 0.005


def balance_scores(
    mains_kwh: NDArray[np.float32],
    submeters_kwh: NDArray[np.float32],
    tolerance: MeterTolerance = MeterTolerance(),  # noqa: B008 - a tuple of numbers
) -> Scores:
    """Score each half hour by the sum of the sub-meters over the most that the mains allow; 0.5 at that limit.

    Sub-meters that were not read count as nothing, so that a gap never raises an alarm; a half hour without mains is
    NaN.

    Args:
        mains_kwh: The whole home's energy, NaN where missing, ``(N, H)``.
        submeters_kwh: Each of M sub-meters, none of which feeds another, NaN where missing, ``(N, M, H)``.
        tolerance: What the meters may differ by.

    Raises:
        SchemaError: When the shapes do not belong together.
    """
    n, h = mains_kwh.shape
    if submeters_kwh.ndim != 3 or (submeters_kwh.shape[0], submeters_kwh.shape[2]) != (n, h):
        raise SchemaError(f"mains are {mains_kwh.shape}, sub-meters {submeters_kwh.shape}; give ({n}, M, {h}) of them")
    metered = np.nansum(submeters_kwh, axis=1, dtype=np.float64)  # (N, H)
    allowed = np.maximum(mains_kwh, 0) * (1 + tolerance.share) + tolerance.kwh
    ratio = metered / allowed
    kind = np.where(ratio > 1, kind_code("limit"), np.uint8(0))
    return scores_of(np.maximum(ratio, 0) ** _STEEPNESS, mains_kwh, kind.astype(np.uint8))


def submeters_of(readings: pl.LazyFrame) -> dict[str, list[str]]:
    """Return the sub-meters of each home that has some, by the names of both.

    Those around a cable are left out: they measure apparent power, and what is plugged in behind has its own meter.
    """
    active = pl.col("extras").first().str.json_path_match("$.ac_type") == "active"
    plugs = readings.group_by("entity_id").agg(active=active).filter("active").select("entity_id").sort("entity_id")
    found: dict[str, list[str]] = {}
    for name in plugs.collect()["entity_id"].to_list():
        home, _, meter = name.rpartition(":meter_")
        if home and meter:
            found.setdefault(home, []).append(name)
    return found


def with_balance(found: DayScores, panel: Panel, submeters: Mapping[str, list[str]]) -> DayScores:
    """Return the scores of days, raised where a home's sub-meters read more than its mains.

    Args:
        found: Scores between 0 and 1, 0.5 where a reading is barely odd.
        panel: The readings of homes and sub-meters on those days.
        submeters: The sub-meters of each home, of :func:`submeters_of`.
    """
    score, kind = found.scores.score.copy(), found.scores.kind.copy()
    names = panel.entities.tolist()
    for home, meters in submeters.items():
        rows = np.flatnonzero(found.inputs.entity == home)
        there = np.array([names.index(name) for name in meters if name in names], dtype=np.int64)  # (M,)
        if not rows.size or not there.size or home not in names:
            continue
        n, h = len(rows), found.inputs.horizon_steps
        starts = panel.steps_to(found.inputs.t0[rows])
        mains = panel.cut(np.full(n, names.index(home)), starts, h)  # (n, H)
        mains = np.where(np.isnan(score[rows]), np.float32(np.nan), mains)
        sub = panel.cut(np.tile(there, n), np.repeat(starts, len(there)), h).reshape(n, len(there), h)
        balance = balance_scores(mains, sub)
        more = balance.score > score[rows]
        score[rows] = np.where(more, balance.score, score[rows])
        kind[rows] = np.where(more & (balance.kind > 0), balance.kind, kind[rows])
    return DayScores(found.inputs, Scores(score, kind, found.scores.kinds))
