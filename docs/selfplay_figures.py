"""The figures of the self-play pages, from the records of the study."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from selfplay_tables import ORDER

from loadproof.records import find_records, read_record
from loadproof.selfplay.board import (
    BASES,
    Told,
    arm_figures,
    complete_seeds,
    corrected,
    frames_of,
    losses_of,
    otherwise,
    pair_figures,
)
from loadproof.selfplay.inference import coverage
from loadproof.selfplay.plan import STAGES, Job, Stage, jobs

RESULTS = Path(__file__).with_name("results")
RECORDS = RESULTS / "records" / "selfplay"
DRAWS = {"pilot": 2_000, "small": 10_000}
CONFIRMED = ("full:uniform", "full:real", "uniform:real")
BY_QUARTER = ("primary", "hard", "unseen", "clean", "all")


def told(budget: str) -> list[Told]:
    """Return all records of a budget."""
    records = [read_record(path) for path in find_records(RECORDS / budget)]
    return [(record.facts, record.frame) for record in records]


def figures(records: Sequence[Told], pairs: Sequence[str], *, draws: int) -> dict[str, Any]:
    """Return what the page says of some records, whose arms were played with the same seeds."""
    frames = frames_of(records)
    facts = records[0][0]
    kept = ("dataset", "mode", "budget", "data_sha256", "study_sha256", "study_seed", "loadproof_version")
    blocks = {(said["fold"], said["half"]): said for said, _ in records}
    exams = [
        {"fold": fold, "half": half, **{n: said[n] for n in said if n in ("windows", "homes") or n.startswith("hard_")}}
        for (fold, half), said in sorted(blocks.items())
    ]
    return {
        "study": {name: facts[name] for name in kept} | {"records": len(records)},
        "exams": exams,
        "arms": {arm: arm_figures(records, frames, arm) for arm in ORDER if arm in frames},
        "pairs": {pair: pair_figures(frames, *pair.split(":"), draws=draws) for pair in pairs},
    }


def every_pair(arms: Sequence[str]) -> list[str]:
    """Return every arm against each of the two that all are compared with."""
    return [f"{arm}:{base}" for base in BASES for arm in ORDER if arm in arms and arm != base]


def counted(stage: Stage, records: Sequence[Told], whole: Sequence[Told]) -> dict[str, Any]:
    """Return how much of a stage was played, and the seeds of which it is whole."""
    planned = set(jobs(**stage._asdict()))
    mine = [said for said, _ in records if Job(*(said[at] for at in Job._fields)) in planned]
    return {
        "planned": len(planned),
        "played": len(mine),
        "planned_seeds": stage.seeds,
        "seeds": sorted({said["seed"] for said, _ in whole}),
        "hours": round(sum(said["seconds"] for said in mine) / 3600, 2),
    }


def stage_figures(name: str, records: Sequence[Told], pairs: Sequence[str]) -> dict[str, Any]:
    """Return the figures of a stage, over the seeds of which every job was played."""
    stage = STAGES[name]
    whole = complete_seeds(records, stage)
    found = counted(stage, records, whole)
    if not whole:
        return found
    found |= figures(whole, pairs, draws=DRAWS["small"])
    for fold in stage.folds if name == "confirmation" else ():
        frames = frames_of([one for one in whole if one[0]["fold"] == fold])
        of_fold = {pair: pair_figures(frames, *pair.split(":"), draws=DRAWS["pilot"]) for pair in pairs}
        found.setdefault("by_quarter", {})[fold] = {
            pair: {name: said[name] for name in BY_QUARTER if name in said} for pair, said in of_fold.items()
        }
    return found


def elsewhere_figures(seeds: Sequence[int]) -> dict[str, Any]:
    """Return what the confirmation's solvers of whole seeds said of UK-DALE; nothing where they were not asked."""
    records = [one for one in told("small_ukdale") if one[0]["seed"] in seeds]
    if {said["seed"] for said, _ in records} != set(seeds) or not records:
        return {}
    frames = frames_of(records)
    every = {arm: [frame for by_seed in of.values() for frame in by_seed.values()] for arm, of in frames.items()}
    pairs = {pair: pair_figures(frames, *pair.split(":"), draws=DRAWS["pilot"])["all"] for pair in CONFIRMED}
    return {
        "records": len(records),
        "days": records[0][0]["windows"],
        "judged_sha256": records[0][0]["judged_sha256"],
        "pairs": pairs,
        "coverage_90": {arm: round(coverage(dict(enumerate(some)), "all"), 4) for arm, some in every.items()},
    }


def pilots_controls() -> dict[str, Any]:
    """Return the primary endpoints of the pilot, for what its controls say."""
    kept = json.loads((RESULTS / "selfplay_pilot.json").read_text(encoding="utf-8"))["pairs"]
    return {"pairs": {pair: {"primary": said["primary"]} for pair, said in kept.items() if "primary" in said}}


def study_figures() -> dict[str, Any]:
    """Return the figures of both stages at the small budget, with Holm's p-values of each one's family."""
    records = told("small")
    confirmation = stage_figures("confirmation", records, CONFIRMED)
    if whole := complete_seeds(records, STAGES["confirmation"]):
        frames = frames_of(whole)
        confirmation |= {
            "losses": {arm: losses_of(frames, arm) for arm in STAGES["confirmation"].arms},
            "otherwise": {
                pair: otherwise(frames, *pair.split(":"), without="VACANCY", draws=DRAWS["small"]) for pair in CONFIRMED
            },
        }
    screen = stage_figures("screen", records, every_pair(STAGES["screen"].arms))
    decided = {("full:uniform", "primary"), ("full:real", "primary"), ("full:real", "clean")}
    families = {
        "confirmation": {
            f"{pair}/{name}": said
            for pair, endpoints in confirmation.get("pairs", {}).items()
            for name, said in endpoints.items()
            if (pair, name) not in decided
        },
        "screen": {
            f"{pair}/primary": endpoints["primary"]
            for pair, endpoints in screen.get("pairs", {}).items()
            if "primary" in endpoints
        },
    }
    return {
        "confirmation": confirmation | {"holm": corrected(families["confirmation"])},
        "screen": screen | {"holm": corrected(families["screen"])},
        "ukdale": elsewhere_figures(confirmation["seeds"]),
        "pilot": pilots_controls(),
    }


def pilot_figures() -> dict[str, Any]:
    """Return the figures of the pilot."""
    records = told("pilot")
    return figures(records, every_pair([said["arm"] for said, _ in records]), draws=DRAWS["pilot"])
