"""One job of a study, from a table to sums: play an arm's game to its end, and sit the exam."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from loadproof.models import checkpoint
from loadproof.models.patchtst_forecaster import PatchTSTForecaster
from loadproof.scenario.kinds import FAMILIES, Family
from loadproof.selfplay.arms import arm_of
from loadproof.selfplay.exam import facts_of_exam, sit
from loadproof.selfplay.pictures import picture_rows
from loadproof.selfplay.plan import Budget, Job
from loadproof.selfplay.solver import Learned
from loadproof.selfplay.start import game_of, share_homes, start
from loadproof.selfplay.tables import Table
from loadproof.selfplay.trainer import Episode, episodes
from loadproof.selfplay.verifier import CONSTRAINTS

__all__ = ["Outcome", "finished", "play_out"]


class Outcome(NamedTuple):
    """What a job came to: sums of the exam, facts, all episodes, and what its scenarios looked like."""

    frame: pl.DataFrame
    facts: dict[str, Any]
    episodes: list[dict[str, Any]]
    pictures: pl.DataFrame


def _mix(some: Iterable[Episode]) -> dict[str, float]:
    """Return the share of each kind among what was proposed."""
    counts = Counter(proposal.scenario.kind for episode in some for proposal in episode.proposals)
    return {kind: round(n / counts.total(), 4) for kind, n in sorted(counts.items())}


def _rewards(some: list[Episode]) -> dict[str, float]:
    by_kind: dict[str, list[float]] = {}
    for episode in some:
        for proposal, regret in zip(episode.proposals, episode.regrets, strict=True):
            by_kind.setdefault(proposal.scenario.kind, []).append(regret)
    return {kind: round(float(np.nanmean(values)), 4) for kind, values in sorted(by_kind.items())}


def _curves(played: list[Episode]) -> dict[str, Any]:
    """Return what the episodes came to: mixture and regret early and late, and means of the rest."""
    third = max(len(played) // 3, 1)
    early, late = played[:third], played[-third:]
    judged = [episode.judged._asdict() for episode in played if episode.judged]
    return {
        "mixture": {"early": _mix(early), "late": _mix(late)},
        "regret": {"early": _rewards(early), "late": _rewards(late)},
        "passed_the_gate": float(np.mean([episode.passed for episode in played])),
        "real_share": float(np.mean([episode.real_share for episode in played])),
        "penalty": float(np.mean([episode.learned.penalty for episode in played])),
        "penalty_by_constraint": dict(
            zip(CONSTRAINTS, Learned.mean([one.learned for one in played]).by_constraint, strict=False)
        ),
        "penalty_gradient": float(np.mean([episode.learned.penalty_gradient for episode in played])),
        "evenness": played[-1].diversity[0],
        "spread": played[-1].diversity[1],
        "validation": judged,
    }


def _checkpoint(folder: Path, job: Job) -> Path:
    return folder / f"play-{job.left_out}-{job.arm}.safetensors"


def finished(
    table: Table, job: Job, budget: Budget, *, folder: Path, identity: str, device: str = "cpu"
) -> PatchTSTForecaster | None:
    """Return the solver that a job left in ``folder``, its averaged weights in place; None where none is finished."""
    path = _checkpoint(folder, job)
    if not path.exists():
        return None
    forecaster = PatchTSTForecaster(budget.network, device=device)
    tensors, facts = checkpoint.load(path, forecaster.device)
    if facts["identity"] != f"{identity}/{job}" or len(facts["played"]) < budget.knobs.episodes:
        return None
    learned_from = share_homes(table.train, budget.knobs, job.seed).seen
    network = forecaster.begin(learned_from, rng=np.random.default_rng(0))
    network.load_state_dict(checkpoint.under(tensors, "average"))
    network.eval()
    return forecaster


def play_out(table: Table, job: Job, budget: Budget, *, folder: Path, identity: str, device: str = "cpu") -> Outcome:
    """Play a job and judge its solver; what took long is kept in ``folder``, and a game goes on where it stopped."""
    arm = arm_of(job.arm)
    families: tuple[Family, ...] = tuple(family for family in FAMILIES if family == job.left_out)
    with_reference = arm.filler == "scenarios"
    begun = start(
        table.train, table.valid, network=budget.network, knobs=budget.knobs, seed=job.seed, device=device,
        left_out=families, with_reference=with_reference, folder=folder, identity=identity, weather=table.weather,
        lessons=arm.lessons,
    )  # fmt: skip
    before = begun.warm.state()
    game = game_of(begun, arm, budget.knobs, left_out=families)
    path = _checkpoint(folder, job)
    played = list(episodes(game, seed=job.seed, path=path, identity=f"{identity}/{job}"))
    frame, whole = sit(begun.warm, table.exam)
    facts = whole | facts_of_exam(table.exam) | {"curves": _curves(played), "windows_learned": len(begun.train)}
    pictures = picture_rows(game, before, begun.valid) if with_reference else pl.DataFrame()
    return Outcome(frame, facts, [episode.as_json() for episode in played], pictures)
