"""The arms of the experiment: what fills an update beside its real days, and which part of the loop is taken away."""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, get_args

from loadproof.config import SelfPlayConfig
from loadproof.errors import ConfigError
from loadproof.scenario.kinds import GROUNDED, Family, Kind, kinds_outside

__all__ = ["ARMS", "FURTHER", "PLAYED", "THIRD", "Arm", "ArmName", "arm_of", "kinds_of", "knobs_of"]

ArmName = Literal[
    "real",
    "real_more",
    "augmented",
    "uniform",
    "grounded",
    "highest_loss",
    "full",
    "full_no_gate",
    "full_no_replay",
    "full_frozen",
    "full_shuffled",
    "full_standard",
    "full_standard_shuffled",
    "full_standard_grounded",
    "full_taught",
    "uniform_no_outage",
    "uniform_outages",
    "full_standard_no_outage",
]


class Arm(NamedTuple):
    """What an arm does.

    Attributes:
        filler: What stands beside the real windows of an update: nothing, more real ones, augmented ones, or scenarios.
        grounded: Whether only grounded kinds are proposed.
        learns: Whether the proposer learns; else it stays uniform.
        reward: Regret against the reference, the solver's loss alone, or another scenario's regret.
        gate: Whether scenarios pass the verifier first.
        replays: Whether scenarios are replayed.
        frozen: Whether the proposer is asked as if it learned, and never told.
        standard: Whether a kind's spread starts from its own first regrets; else from 1, as in the study.
        lessons: How many times as many updates the reference takes.
        only: The kinds that may be proposed at all; none named: every one.
        without: Kinds that are not proposed.
    """

    filler: Literal["none", "real", "augmented", "scenarios"] = "scenarios"
    grounded: bool = False
    learns: bool = True
    reward: Literal["regret", "loss", "shuffled"] = "regret"
    gate: bool = True
    replays: bool = True
    frozen: bool = False
    standard: bool = False
    lessons: int = 1
    only: tuple[Kind, ...] = ()
    without: tuple[Kind, ...] = ()


ARMS: Final[dict[ArmName, Arm]] = {
    "real": Arm("none"),
    "real_more": Arm("real"),
    "augmented": Arm("augmented"),
    "uniform": Arm(learns=False),
    "grounded": Arm(grounded=True, learns=False),
    "highest_loss": Arm(reward="loss"),
    "full": Arm(),
    "full_no_gate": Arm(gate=False),
    "full_no_replay": Arm(replays=False),
    "full_frozen": Arm(frozen=True),
    "full_shuffled": Arm(reward="shuffled"),
    "full_standard": Arm(standard=True),
    "full_standard_shuffled": Arm(standard=True, reward="shuffled"),
    "full_standard_grounded": Arm(standard=True, grounded=True),
    "full_taught": Arm(standard=True, lessons=4),
    "uniform_no_outage": Arm(learns=False, without=("OUTAGE",)),
    "uniform_outages": Arm(learns=False, only=("OUTAGE",)),
    "full_standard_no_outage": Arm(standard=True, without=("OUTAGE",)),
}
"""Each at equal updates and with equal real windows, but for ``real_more``, whose windows in all are as many."""

FURTHER: Final[tuple[ArmName, ...]] = (
    "full_standard",
    "full_standard_shuffled",
    "full_standard_grounded",
    "full_taught",
)
"""Those that came after the study, for its second further round."""

THIRD: Final[tuple[ArmName, ...]] = ("uniform_no_outage", "uniform_outages", "full_standard_no_outage")
"""Those of its third further round, which asks what outages cost."""

PLAYED: Final[ArmName] = "full_standard"
"""What ``train --model selfplay`` plays: the loop whose rewards are standardised, docs/selfplay.md."""


def arm_of(name: str) -> Arm:
    """Return an arm by its name.

    Raises:
        ConfigError: If there is no such arm.
    """
    for known in get_args(ArmName):
        if known == name:
            return ARMS[known]
    raise ConfigError(f"no arm is called {name!r}; there are: {', '.join(ARMS)}")


def kinds_of(arm: Arm, left_out: Sequence[Family], *, can_borrow: Sequence[Kind]) -> tuple[Kind, ...]:
    """Return the kinds that an arm may propose: none of a family left out, and none that the ground cannot lend.

    Raises:
        ConfigError: If none is left.
    """
    kinds = tuple(kind for kind in kinds_outside(tuple(left_out)) if kind in can_borrow)
    kinds = tuple(kind for kind in kinds if kind in GROUNDED) if arm.grounded else kinds
    kinds = tuple(kind for kind in kinds if kind in (arm.only or kinds) and kind not in arm.without)
    if not kinds:
        raise ConfigError("no kind of scenario is left to propose; leave fewer families out, or ingest weather")
    return kinds


def knobs_of(arm: Arm, knobs: SelfPlayConfig) -> SelfPlayConfig:
    """Return the proposer's knobs as an arm has them."""
    changed = {} if arm.learns else {"uniform_share": 1.0}
    return knobs.model_copy(update=changed | ({} if arm.replays else {"replay_share": 0.0}))
