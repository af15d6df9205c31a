"""Who proposes: a bandit over kinds by learning progress, and a replay of scenarios by what could be learned of them.

The rule: Prioritized Level Replay (Jiang et al. 2021, arXiv 2010.03934), its scores by rank with a share for
staleness, and the small edits of ACCEL (Parker-Holder et al. 2022, arXiv 2203.01302); kinds by absolute learning
progress (Portelas et al. 2019, arXiv 1910.07224). Left out: PLR's test levels, and ACCEL's replay-only updates.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.config import SelfPlayConfig
from loadproof.scenario.kinds import KINDS, Kind, Scenario, draw, edit

__all__ = ["Proposal", "Proposer"]

How = Literal["uniform", "learned", "replayed", "edited"]

_FAST, _SLOW = 0.2, 0.05
"""How quickly a kind's newer and older mean regret forget; progress is how far they are apart."""
_CLIP: Final = 3.0
_RECENT: Final = 64
_FEW: Final = 5
"""After fewer regrets, nothing is known of a kind's progress, nor of its spread where that starts from them."""
_LEAST_SQUARE: Final = 1e-3
_LEAST_OWN_SQUARE: Final = 1e-6


class Proposal(NamedTuple):
    """A scenario, how it came about, and the memory that it is a replay of, if it is one."""

    scenario: Scenario
    how: How
    replayed: int | None = None


@dataclass
class _Arm:
    """One kind's regrets so far, in homes' own scales.

    Where the kind is ``own``, its spread is that of its own regrets from the first on. Else it starts at 1, many times
    too wide, and comes down only where the kind is often proposed: as the study was played.
    """

    own: bool = False
    seen: int = 0
    fast: float = 0.0
    slow: float = 0.0
    square: float = 1.0

    def add(self, regret: float) -> float:
        """Take a regret in; return it standardised within the kind."""
        if not self.seen:
            self.fast = self.slow = regret
        away = regret - self.slow
        standard = away / self.spread
        if not self.own:
            self.square += _SLOW * (away**2 - self.square)
        elif self.seen:
            self.square += max(_SLOW, 1 / self.seen) * (away**2 - self.square)  # at first their plain mean
        self.fast += _FAST * (regret - self.fast)
        self.slow += _SLOW * (regret - self.slow)
        self.seen += 1
        return float(np.clip(standard, -_CLIP, _CLIP))

    @property
    def spread(self) -> float:
        """How far this kind's regrets lie from their mean; endless where they are too few to tell."""
        if self.own and self.seen < _FEW:
            return float("inf")
        return float(max(self.square, _LEAST_OWN_SQUARE if self.own else _LEAST_SQUARE) ** 0.5)

    @property
    def progress(self) -> float:
        """How fast this kind's regret moves, in its own spread."""
        return abs(self.fast - self.slow) / self.spread


@dataclass
class _Memory:
    """A scenario worth playing again."""

    scenario: Scenario
    score: float
    played: int


@dataclass
class _State:
    arms: dict[Kind, _Arm]
    memories: list[_Memory] = field(default_factory=list)
    recent: list[Scenario] = field(default_factory=list)
    turn: int = 0


class Proposer:
    """Proposes scenarios and learns from their rewards.

    Args:
        kinds: Which kinds may be proposed.
        knobs: Shares of exploration, replay and edits, and how long the memory is.
        standard: Whether a kind's spread starts from its own first regrets, so that rewards are standardised.
    """

    def __init__(self, kinds: tuple[Kind, ...], knobs: SelfPlayConfig, *, standard: bool = True) -> None:
        self.kinds, self.knobs = kinds, knobs
        self._state = _State({kind: _Arm(standard) for kind in kinds})

    def propose(self, *, rng: np.random.Generator) -> Proposal:
        """Return a scenario: uniform for a fixed share, else a replay or its edit, else of a kind that moves."""
        knobs, state = self.knobs, self._state
        if rng.random() < knobs.uniform_share:
            return self._keep(Proposal(draw(self.kinds[rng.integers(len(self.kinds))], rng=rng), "uniform"))
        if state.memories and rng.random() < knobs.replay_share:
            at = int(rng.choice(len(state.memories), p=self._replay_chances()))
            scenario = state.memories[at].scenario
            if rng.random() < knobs.edit_share:
                return self._keep(Proposal(edit(scenario, rng=rng), "edited"))
            return self._keep(Proposal(scenario, "replayed", at))
        kind = self.kinds[rng.choice(len(self.kinds), p=self.kind_chances())]
        return self._keep(Proposal(draw(kind, rng=rng), "learned"))

    def update(self, proposals: list[Proposal], regrets: list[float]) -> list[float]:
        """Learn from regrets, NaN where the gate stopped a scenario; return the rewards, 0 there."""
        state = self._state
        state.turn += 1
        rewards = []
        for proposal, regret in zip(proposals, regrets, strict=True):
            if np.isnan(regret):
                rewards.append(0.0)
                continue
            arm = state.arms[proposal.scenario.kind]
            standard = arm.add(regret)
            rewards.append(standard + self.knobs.progress_weight * arm.progress)
            self._remember(proposal, rewards[-1])
        # What scored least is forgotten first; order is kept, so that a replay's place means the same all turn long.
        while len(state.memories) > self.knobs.memories:
            del state.memories[int(np.argmin([memory.score for memory in state.memories]))]
        return rewards

    def kind_chances(self) -> NDArray[np.float64]:
        """Return how likely the bandit takes each kind, in the order of ``kinds``; kinds hardly seen come first."""
        arms = self._state.arms.values()
        weights = np.array([arm.progress**2 if arm.seen >= _FEW else _CLIP for arm in arms]) + 1e-6
        return np.asarray(weights / weights.sum(), dtype=np.float64)

    def diversity(self) -> tuple[float, float]:
        """Return of the latest proposals the evenness of kinds, 0 to 1, and the spread of parameters in their ranges.

        A uniform draw has a spread of about 0.29.
        """
        recent = self._state.recent
        share = np.array([sum(s.kind == kind for s in recent) for kind in self.kinds]) / max(len(recent), 1)
        evenness = -(share[share > 0] * np.log(share[share > 0])).sum() / max(np.log(len(self.kinds)), 1e-9)
        spreads = []
        for kind in self.kinds:
            some = [s for s in recent if s.kind == kind]
            for name, of in KINDS[kind].ranges.items():
                if len(some) > 1:
                    spreads.append(np.std([(s.parameters[name] - of.low) / (of.high - of.low) for s in some]))
        return float(evenness), float(np.mean(spreads)) if spreads else 0.0

    def remembered(self) -> list[Scenario]:
        """Return what is remembered, what scored most first."""
        return [memory.scenario for memory in sorted(self._state.memories, key=lambda memory: -memory.score)]

    def _keep(self, proposal: Proposal) -> Proposal:
        self._state.recent = [*self._state.recent[1 - _RECENT :], proposal.scenario]
        return proposal

    def _replay_chances(self) -> NDArray[np.float64]:
        """Return PLR's mixture of rank and staleness, ``(M,)``."""
        state, knobs = self._state, self.knobs
        scores = np.array([memory.score for memory in state.memories])
        ranks = np.empty(len(scores))
        ranks[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
        by_rank = 1 / ranks
        stale = np.array([state.turn - memory.played for memory in state.memories], dtype=np.float64) + 1e-6
        mixed = (1 - knobs.stale_share) * by_rank / by_rank.sum() + knobs.stale_share * stale / stale.sum()
        return np.asarray(mixed / mixed.sum())

    def _remember(self, proposal: Proposal, score: float) -> None:
        state = self._state
        if proposal.replayed is not None:
            memory = state.memories[proposal.replayed]
            memory.score, memory.played = score, state.turn
        elif score > 0:
            state.memories.append(_Memory(proposal.scenario, score, state.turn))

    def state(self) -> dict[str, Any]:
        """Return all that the proposer knows, as JSON values."""
        state = self._state
        return {
            "arms": {kind: asdict(arm) for kind, arm in state.arms.items()},
            "memories": [[_told(m.scenario), m.score, m.played] for m in state.memories],
            "recent": [_told(scenario) for scenario in state.recent],
            "turn": state.turn,
        }

    def restore(self, told: dict[str, Any]) -> None:
        """Become what :meth:`state` said."""
        state = self._state
        self._state = _State(
            {kind: _Arm(**(told["arms"][kind] | {"own": state.arms[kind].own})) for kind in self.kinds},
            [_Memory(_scenario(scenario), score, played) for scenario, score, played in told["memories"]],
            [_scenario(scenario) for scenario in told["recent"]],
            told["turn"],
        )


def _told(scenario: Scenario) -> list[Any]:
    return [scenario.kind, dict(scenario.parameters), scenario.onset_steps, scenario.seed]


def _scenario(told: list[Any]) -> Scenario:
    return Scenario(*told)
