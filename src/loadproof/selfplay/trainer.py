"""The loop: propose, solve, verify, learn. One episode after another, each taken up again where a kill left it.

An episode's chance comes from the seed and its own number, so that no generator needs to be kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from loadproof.config import SelfPlayConfig
from loadproof.errors import ConfigError
from loadproof.evaluation.losses import pinball
from loadproof.features.windows import Windows
from loadproof.forecaster import Forecast
from loadproof.models import checkpoint
from loadproof.models.examples import Batch, ShiftedExamples
from loadproof.models.training import seeded
from loadproof.scenario.acts import apply
from loadproof.scenario.ground import Ground
from loadproof.scenario.kinds import Scenario
from loadproof.seeds import rng_for
from loadproof.selfplay.arms import Arm
from loadproof.selfplay.augmentation import augmented
from loadproof.selfplay.proposer import Proposal, Proposer
from loadproof.selfplay.solver import Learned, Solver, draw_real, joined
from loadproof.selfplay.verifier import gate, verify

__all__ = ["Episode", "Game", "Judged", "episodes", "window_losses"]

_PASSES: Final = 0.5
"""A scenario of which fewer windows pass the gate is not played at all."""
_JUDGED_WINDOWS: Final = 512


def _learned(told: dict[str, Any]) -> Learned:
    return Learned(**{**told, "by_constraint": tuple(told.get("by_constraint", ()))})


class Judged(NamedTuple):
    """What the validation days say: scaled pinball loss on all and on hard ones, and the verifier's score."""

    clean_loss: float
    hard_loss: float
    score: float


class Episode(NamedTuple):
    """One round.

    Attributes:
        episode: Its number, from 1.
        proposals: What was proposed.
        regrets: By how much of a home's scale the solver did worse than the reference; NaN where the gate said no.
        rewards: What the proposer was told.
        passed: Share of the windows that passed the gate.
        real_share: Share of real windows among all that was learned from.
        learned: Means over the updates.
        diversity: Evenness of kinds and spread of parameters.
        judged: The validation days, on some episodes.
    """

    episode: int
    proposals: tuple[Proposal, ...]
    regrets: tuple[float, ...]
    rewards: tuple[float, ...]
    passed: float
    real_share: float
    learned: Learned
    diversity: tuple[float, float]
    judged: Judged | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the episode as JSON values; what was not played has no regret."""
        told = [
            {
                "kind": proposal.scenario.kind,
                "parameters": dict(proposal.scenario.parameters),
                "onset_steps": proposal.scenario.onset_steps,
                "seed": proposal.scenario.seed,
                "how": proposal.how,
                "replayed": proposal.replayed,
                "regret": None if np.isnan(regret) else regret,
                "reward": reward,
            }
            for proposal, regret, reward in zip(self.proposals, self.regrets, self.rewards, strict=True)
        ]
        return {
            "episode": self.episode, "proposals": told, "passed": self.passed, "real_share": self.real_share,
            "learned": self.learned._asdict(), "evenness": self.diversity[0], "spread": self.diversity[1],
            "judged": self.judged._asdict() if self.judged else None,
        }  # fmt: skip

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> "Episode":
        """Return the episode that :meth:`as_json` told of."""
        some = told["proposals"]
        scenarios = [Scenario(of["kind"], of["parameters"], of["onset_steps"], of["seed"]) for of in some]
        proposals = [Proposal(what, of["how"], of["replayed"]) for what, of in zip(scenarios, some, strict=True)]
        return cls(
            told["episode"], tuple(proposals),
            tuple(float("nan") if of["regret"] is None else of["regret"] for of in some),
            tuple(of["reward"] for of in some), told["passed"], told["real_share"], _learned(told["learned"]),
            (told["evenness"], told["spread"]), Judged(**told["judged"]) if told["judged"] else None,
        )  # fmt: skip


@dataclass(frozen=True)
class Game:
    """All that takes part.

    Attributes:
        solver: Who learns.
        reference: Who sees the same inputs and no label, and learns no more; None where no scenario is played.
        proposer: Who proposes.
        real: Real days of the solver's homes.
        windows: The same homes' windows from midnight, which scenarios are set into.
        ground: What scenarios may borrow.
        scales_kwh: Each home's typical change from half hour to half hour.
        clean: Validation days.
        hard: Those of them that are hard by what is known without the outcome.
        arm: Which parts of the loop take part.
        knobs: How much of each.
    """

    solver: Solver
    reference: Solver | None
    proposer: Proposer
    real: ShiftedExamples
    windows: Windows
    ground: Ground
    scales_kwh: dict[str, float]
    clean: Windows
    hard: Windows
    arm: Arm
    knobs: SelfPlayConfig


class _Play(NamedTuple):
    """A scenario's windows that passed the gate, None where too few did; their homes' scales; and how many passed."""

    batch: Batch | None
    scales_kwh: NDArray[np.float64]
    passed: float


def window_losses(forecast: Forecast, truth_kwh: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return each window's pinball loss over its known half hours and all levels, NaN without any, kWh ``(N,)``."""
    loss = pinball(truth_kwh, forecast.quantiles_kwh, forecast.levels).mean(axis=-1)  # (N, H)
    known = ~np.isnan(loss)
    count = known.sum(axis=1)
    return np.where(count > 0, np.where(known, loss, 0).sum(axis=1) / np.maximum(count, 1), np.nan)


def _scale(game: Game, windows: Windows) -> NDArray[np.float64]:
    return np.array([game.scales_kwh[str(who)] for who in windows.inputs.entity])  # (N,)


def _night(game: Game, rng: np.random.Generator) -> Windows:
    """Return some homes' windows of one night."""
    t0 = game.windows.inputs.t0
    rows = np.flatnonzero(t0 == t0[rng.integers(len(t0))])
    return game.windows.take(rng.permutation(rows)[: game.knobs.homes])


def _play(game: Game, scenario: Scenario, rng: np.random.Generator) -> _Play:
    """Play a scenario on one night's homes, and return what the gate lets through."""
    original = _night(game, rng)
    played = apply(scenario, original, rng=rng, ground=game.ground)
    passes = gate(played, original) if game.arm.gate else np.ones(len(played), dtype=bool)
    if passes.mean() < _PASSES:
        return _Play(None, np.zeros(0), float(passes.mean()))
    played = played.take(passes)
    return _Play(game.solver.batch_of(played), _scale(game, played), float(passes.mean()))


def _regrets(game: Game, plays: list[_Play]) -> list[float]:
    """Return each play's mean regret, in its homes' scales; NaN where nothing was played."""
    batches = [play.batch for play in plays if play.batch is not None]
    if not batches:
        return [float("nan")] * len(plays)
    together = joined(batches)
    loss = game.solver.pinball_kwh(together)  # (B,)
    if game.arm.reward != "loss" and game.reference is not None:
        loss = loss - game.reference.pinball_kwh(together)
    scaled = loss.cpu().numpy() / np.concatenate([play.scales_kwh for play in plays])  # (B,)
    parts = np.split(scaled, np.cumsum([len(play.scales_kwh) for play in plays])[:-1])
    return [float(np.nanmean(part)) if np.isfinite(part).any() else float("nan") for part in parts]


def _told(game: Game, proposals: list[Proposal], regrets: list[float], rng: np.random.Generator) -> list[float]:
    """Tell the proposer its regrets, or another scenario's, or nothing; return the rewards."""
    if game.arm.frozen:
        return [0.0] * len(proposals)
    if game.arm.reward == "shuffled":
        known = [at for at, regret in enumerate(regrets) if not np.isnan(regret)]
        mixed = rng.permutation(known)
        regrets = [regrets[mixed[known.index(at)]] if at in known else regrets[at] for at in range(len(regrets))]
    return game.proposer.update(proposals, regrets)


def _fillers(game: Game, plays: list[_Play], rng: np.random.Generator) -> Iterator[Batch | None]:
    """Yield what stands beside the real windows, update by update."""
    size, updates = game.knobs.scenario_windows, game.knobs.updates
    if game.arm.filler != "scenarios":
        for _ in range(updates):
            more = draw_real(game.real, size, rng=rng) if game.arm.filler != "none" else None
            yield augmented(more, rng=rng) if more and game.arm.filler == "augmented" else more
        return
    batches = [play.batch for play in plays if play.batch is not None]
    pool = joined(batches) if batches else None
    for _ in range(updates):
        if pool is None:
            yield None
            continue
        rows = torch.from_numpy(rng.permutation(len(pool.context))[:size].copy())
        yield Batch(*(part[rows] for part in pool))  # type: ignore[index]


def _learn(game: Game, plays: list[_Play], rng: np.random.Generator) -> tuple[Learned, float]:
    """Take an episode's updates; return their means and the real share."""
    seen, real, total = [], 0, 0
    with seeded(rng):
        for filler in _fillers(game, plays, rng):
            days = draw_real(game.real, game.knobs.real_windows, rng=rng)
            batch = joined([days, filler]) if filler else days
            more = game.arm.filler != "scenarios" and game.arm.filler != "augmented"
            real, total = real + (len(batch.context) if more else len(days.context)), total + len(batch.context)
            seen.append(game.solver.learn(batch))
    if real < game.knobs.least_real_share * total:
        raise ConfigError("fewer real windows than least_real_share were learned from; raise real_windows")
    return Learned.mean(seen), real / total


def _judge(game: Game) -> Judged:
    losses, scores = [], []
    for windows in (game.clean, game.hard):
        some = windows.take(slice(0, None, max(len(windows) // _JUDGED_WINDOWS, 1)))
        forecast = game.solver.predict(some.inputs)
        by_window = window_losses(forecast, some.truth_kwh) / _scale(game, some)  # (N,)
        losses.append(float(np.nanmean(by_window)) if np.isfinite(by_window).any() else float("nan"))
        scores.append(float(verify(forecast, some).score.mean()) if len(some) else float("nan"))
    return Judged(losses[0], losses[1], scores[0])


def _episode(game: Game, number: int, seed: int) -> Episode:
    rng = rng_for(seed, f"episode/{number}")
    proposals: list[Proposal] = []
    plays: list[_Play] = []
    if game.arm.filler == "scenarios":
        proposals = [game.proposer.propose(rng=rng) for _ in range(game.knobs.scenarios)]
        plays = [_play(game, proposal.scenario, rng) for proposal in proposals]
    regrets = _regrets(game, plays)
    rewards = _told(game, proposals, regrets, rng) if plays else []
    learned, real_share = _learn(game, plays, rng)
    due = number % game.knobs.judge_episodes == 0 or number == game.knobs.episodes
    return Episode(
        number, tuple(proposals), tuple(regrets), tuple(rewards),
        float(np.mean([play.passed for play in plays])) if plays else 1.0, real_share, learned,
        game.proposer.diversity(), _judge(game) if due else None,
    )  # fmt: skip


def episodes(
    game: Game, *, seed: int, path: Path | None = None, identity: str = "", checkpoint_episodes: int = 10
) -> Iterator[Episode]:
    """Play and yield one episode after another; the solver holds its averaged weights once exhausted.

    Args:
        game: Who plays; solver and proposer change as they learn.
        seed: Of all chance.
        path: Where a checkpoint is kept while playing; one of this game is taken up, bit for bit on a CPU, and the
            episodes before it are yielded as they were.
        identity: What tells this game from any other; a checkpoint of another is not used.
        checkpoint_episodes: Episodes between checkpoints.
    """
    played: list[Episode] = []
    if path and path.exists():
        tensors, facts = checkpoint.load(path, game.solver.forecaster.device)
        if facts["identity"] == identity:
            played = [Episode.from_json(told) for told in facts["played"]]
            game.solver.restore(tensors, facts["update"])
            game.proposer.restore(facts["proposer"])
    ranks = game.solver.ranks
    ranks.agree(f"what is played, from {path}", f"{identity}/{len(played)}")
    yield from list(played)
    for number in range(len(played) + 1, game.knobs.episodes + 1):
        played.append(_episode(game, number, seed))
        if path and ranks.leads and (number % checkpoint_episodes == 0 or number == game.knobs.episodes):
            facts = {"identity": identity, "update": game.solver.update, "proposer": game.proposer.state()}
            checkpoint.save(path, game.solver.tensors(), facts | {"played": [episode.as_json() for episode in played]})
        yield played[-1]
    game.solver.settle()
