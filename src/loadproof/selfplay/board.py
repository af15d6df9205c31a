"""What the records of a study come to: every endpoint of every pair of arms, and what each arm was like."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import polars as pl

from loadproof.evaluation.multiplicity import holm
from loadproof.seeds import rng_for
from loadproof.selfplay.arms import arm_of
from loadproof.selfplay.hard_days import HARD
from loadproof.selfplay.inference import (
    PRIMARY,
    Comparison,
    Measure,
    Pair,
    Slice,
    compare,
    coverage,
    mean_loss,
    sums_of,
)
from loadproof.selfplay.plan import LEFT_OUT, NO_FAMILY, Job, Stage, jobs

__all__ = [
    "BASES",
    "ENDPOINTS",
    "Frames",
    "Told",
    "arm_figures",
    "complete_seeds",
    "corrected",
    "frames_of",
    "in_events",
    "losses_of",
    "otherwise",
    "pair_figures",
    "seeds_needed",
]

Frames = dict[str, dict[str, dict[int, pl.DataFrame]]]
"""Sums by arm, left-out family and seed."""

Told = tuple[Mapping[str, Any], pl.DataFrame]
"""A record: its facts and its sums."""

BASES: Final = ("uniform", "real")
"""Against whom every arm is compared."""


def _both(name: str) -> tuple[Slice, ...]:
    return tuple(Slice(family, name, 1 / len(LEFT_OUT)) for family in LEFT_OUT)


ENDPOINTS: Final[dict[str, tuple[Slice, ...]]] = {
    "primary": PRIMARY,
    "hard": _both("hard"),
    "unseen": tuple(one for one in PRIMARY if one.name != "hard"),
    "clean": _both("clean"),
    "all": _both("all"),
    **{f"hard:{way}": _both(f"hard:{way}") for way in HARD},
    "HEAT_PUMP": (Slice("new_load", "HEAT_PUMP", 1),),
    "VACANCY": (Slice("occupancy", "VACANCY", 1),),
    "SOLAR": _both("SOLAR"),
    "COLD_SNAP": _both("COLD_SNAP"),
    "OUTAGE": _both("OUTAGE"),
    "MISSING_DATA": _both("MISSING_DATA"),
    "sums": _both("sums"),
}
"""By name, which slices of which trainings; the last three kinds were proposed in both. Sums are of 30 homes each."""

_HALF_WIDTH: Final = 0.02
_LASTING: Final = ("hard:holidays", "hard:cold")
"""Ways of being hard that a whole country shares, and that may go on from one week to the next."""


def frames_of(records: Sequence[Told]) -> Frames:
    """Return the frames of records by arm, left-out family and seed; a seed's quarters become one frame."""
    found: dict[tuple[str, str, int], list[pl.DataFrame]] = {}
    for facts, frame in records:
        found.setdefault((facts["arm"], facts["left_out"], facts["seed"]), []).append(frame)
    frames: Frames = {}
    for (arm, left_out, seed), some in found.items():
        frames.setdefault(arm, {}).setdefault(left_out, {})[seed] = some[0] if len(some) == 1 else _added(some)
    return frames


def _added(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return sums over several frames; quarters that meet within a week share that week's row."""
    keys = ("slice", "entity_id", "week")
    return pl.concat(frames).group_by(keys).agg(pl.all().sum()).sort(keys)


def in_events(frames: Frames) -> Frames:
    """Return the frames with the weeks of one event as one, whose number is the first's.

    Weeks that follow each other are of one event if both hold hard days of the calendar, or both of the cold.
    """
    every = [frame for of in frames.values() for by_seed in of.values() for frame in by_seed.values()]
    rows = pl.concat([frame.select("slice", "week") for frame in every]).unique()
    goes_on: set[int] = set()
    for way in _LASTING:
        weeks = set(rows.filter(pl.col("slice") == way)["week"].to_list())
        goes_on |= {week for week in weeks if week - 1 in weeks}
    first: dict[int, int] = {}
    for week in sorted(goes_on):
        first[week] = first.get(week - 1, week - 1)
    return {
        arm: {
            family: {
                seed: _added([frame.with_columns(pl.col("week").replace(first))]) for seed, frame in by_seed.items()
            }
            for family, by_seed in of.items()
        }
        for arm, of in frames.items()
    }


def complete_seeds(records: Sequence[Told], stage: Stage) -> list[Told]:
    """Return a stage's records of those seeds of which every job was played."""
    planned = list(jobs(**stage._asdict()))
    there = {Job(*(facts[name] for name in Job._fields)): (facts, frame) for facts, frame in records}
    cut_off = {job.seed for job in planned if job not in there}
    return [there[job] for job in planned if job.seed not in cut_off]


def _of(frames: Frames, arm: str, family: str) -> dict[int, pl.DataFrame]:
    """Return an arm's frames of a training that left a family out; an arm without scenarios has one training."""
    return frames.get(arm, {}).get(NO_FAMILY if arm_of(arm).filler != "scenarios" else family, {})


def _compare(
    frames: Frames,
    first: str,
    second: str,
    slices: Sequence[Slice],
    *,
    draws: int,
    seed: int,
    value: str = "loss",
    measure: Measure = "log_ratio",
) -> Comparison | None:
    """Return one comparison, None where a record lacks, or where a slice holds no window."""
    pairs: list[Pair] = []
    for one in slices:
        mine, others = (_of(frames, arm, one.left_out) for arm in (first, second))
        shared = sorted(set(mine) & set(others))
        left, right = (sums_of({at: arm[at] for at in shared}, one.name, value=value) for arm in (mine, others))
        if not shared or any(frame.is_empty() for frame in (*left.values(), *right.values())):
            return None
        pairs.append((one.weight, left, right))
    return compare(pairs, draws=draws, rng=rng_for(seed, "selfplay/board"), measure=measure)


def pair_figures(frames: Frames, first: str, second: str, *, draws: int = 2000, seed: int = 2013) -> dict[str, Any]:
    """Return every endpoint of one arm against another, and their tail losses over all windows, as JSON values.

    All pairs share their draws' seed, so that a figure does not depend on which others are asked for.
    """
    asked = [(name, slices, "loss") for name, slices in ENDPOINTS.items()] + [("tail", _both("all"), "tail_loss")]
    found = {
        name: _compare(frames, first, second, slices, draws=draws, seed=seed, value=value)
        for name, slices, value in asked
    }
    return {name: _rounded(comparison) for name, comparison in found.items() if comparison}


def otherwise(
    frames: Frames, first: str, second: str, *, without: str, draws: int = 2000, seed: int = 2013
) -> dict[str, Any]:
    """Return the primary endpoint in two other ways, as JSON values: as a difference, and without a slice.

    Neither was planned; both tell what the planned one hangs on.
    """
    apart = _compare(frames, first, second, PRIMARY, draws=draws, seed=seed, measure="difference")
    slices = tuple(one for one in PRIMARY if one.name != without)
    rest = _compare(frames, first, second, slices, draws=draws, seed=seed)
    return {name: _rounded(said) for name, said in (("difference", apart), ("without", rest)) if said}


def losses_of(frames: Frames, arm: str) -> dict[str, float]:
    """Return an arm's mean scaled loss on each slice of the primary endpoint, and as that weighs them."""
    found = [(one, mean_loss(_of(frames, arm, one.left_out), one.name)) for one in PRIMARY]
    by_slice: dict[str, list[float]] = {}
    for one, loss in found:
        by_slice.setdefault(one.name, []).append(loss)
    return {name: round(float(np.mean(some)), 4) for name, some in by_slice.items()} | {
        "primary": round(float(sum(one.weight * loss for one, loss in found)), 4)
    }


def _rounded(comparison: Comparison) -> dict[str, Any]:
    told = comparison._asdict() | {"by_seed": [round(value, 5) for value in comparison.by_seed]}
    return {
        name: (None if math.isnan(value) else round(value, 5)) if isinstance(value, float) else value
        for name, value in told.items()
    }


def corrected(family: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Return Holm's p-value of every comparison of a family of tests; those of a single seed are no tests."""
    tests = {name: said["p_value"] for name, said in family.items() if said["p_value"] is not None}
    return {name: round(float(p), 5) for name, p in zip(tests, holm(list(tests.values())), strict=True)}


def seeds_needed(by_seed: Sequence[float]) -> int | None:
    """Return the seeds at which half an interval's width would be 0.02, were seeds the only chance; None with one."""
    if len(by_seed) < 2:
        return None
    spread = float(np.std(by_seed, ddof=1))
    return max(math.ceil((1.96 * spread / _HALF_WIDTH) ** 2), 2)


def arm_figures(records: Sequence[Told], frames: Frames, arm: str) -> dict[str, Any]:
    """Return what an arm was like over its records, as JSON values."""
    facts = [said for said, _ in records if said["arm"] == arm]
    trainings = [frame for by_seed in frames[arm].values() for frame in by_seed.values()]
    every = dict(enumerate(trainings))
    curves = [said["curves"] for said in facts]

    def mean(values: Sequence[float]) -> float:
        return round(float(np.mean(values)), 5)

    return {
        "records": len(facts),
        "seeds": sorted({said["seed"] for said in facts}),
        "mean_loss": mean([said["mean_loss"] for said in facts]),
        "cvar_10": mean([said["cvar_10"] for said in facts]),
        "coverage_90": round(coverage(every, "all"), 4),
        "coverage_90_hard": round(coverage(every, "hard"), 4),
        "verifier_score": mean([float(f["score"].sum()) / max(float(f["windows"].sum()), 1) for f in trainings]),
        "seconds": mean([said["seconds"] for said in facts]),
        **{
            name: mean([curve[name] for curve in curves])
            for name in ("passed_the_gate", "real_share", "penalty", "penalty_gradient", "evenness", "spread")
        },
        "penalty_by_constraint": {
            name: float(f"{np.mean([curve['penalty_by_constraint'][name] for curve in curves]):.2g}")
            for name in (curves[0].get("penalty_by_constraint") or {})
        },
        "mixture": {when: _averaged([curve["mixture"][when] for curve in curves]) for when in ("early", "late")},
        "regret": {when: _averaged([curve["regret"][when] for curve in curves]) for when in ("early", "late")},
    }


def _averaged(tables: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each kind's figures over trainings that had it, without those that are unknown."""
    kinds = sorted({kind for table in tables for kind in table})
    known = {kind: [t[kind] for t in tables if kind in t and not math.isnan(t[kind])] for kind in kinds}
    return {kind: round(float(np.mean(values)), 4) for kind, values in known.items() if values}
