"""What a study consists of: budgets, stages, and a job for each arm, fold, half of the homes, left-out family, seed."""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from loadproof.config import PatchTSTConfig, SelfPlayConfig
from loadproof.errors import ConfigError
from loadproof.scenario.kinds import Family
from loadproof.selfplay.arms import ARMS, FURTHER, THIRD, arm_of

__all__ = ["BUDGETS", "FOLDS", "FOLD_NAMES", "HALVES", "LEFT_OUT", "NO_FAMILY", "PLAIN", "STAGES", "Budget", "Job",
           "Stage", "jobs", "require_known"]  # fmt: skip


class Budget(NamedTuple):
    """How large a network, and how long it learns."""

    network: PatchTSTConfig
    knobs: SelfPlayConfig


BUDGETS: Final[dict[str, Budget]] = {
    "small": Budget(
        PatchTSTConfig(
            width=24, heads=2, layers=2, feedforward=48, head_width=48, shifts=2, dropout=0.1, epochs=8,
            batch_windows=64,
        ),
        SelfPlayConfig(
            warm_updates=500, reference_updates=250, episodes=80, updates=4, scenarios=8, homes=12, real_windows=64,
            scenario_windows=24, learning_rate=2e-3, play_learning_rate=5e-4, judge_episodes=40, averaging=0.98,
        ),
    ),
    "pilot": Budget(
        PatchTSTConfig(
            width=16, heads=2, layers=1, feedforward=32, head_width=32, shifts=2, dropout=0.1, epochs=12,
            batch_windows=256,
        ),
        SelfPlayConfig(
            warm_updates=300, reference_updates=150, episodes=50, updates=3, scenarios=6, homes=8, real_windows=36,
            scenario_windows=12, learning_rate=3e-3, play_learning_rate=1e-3, judge_episodes=25, averaging=0.97,
        ),
    ),
    "full": Budget(
        PatchTSTConfig(),
        SelfPlayConfig(
            warm_updates=6000, reference_updates=3000, episodes=1500, updates=4, scenarios=8, homes=32,
            real_windows=192, scenario_windows=64, learning_rate=2e-3, play_learning_rate=5e-4, judge_episodes=100,
        ),
    ),
}  # fmt: skip
"""``pilot`` is for an hour of a busy core, ``small`` for two cores, ``full`` for a GPU; all arms take equal updates.

A game has no epochs; those and their batches are named where there are records, which another default would make anew.
"""

FOLDS: Final = (dt.date(2013, 1, 1), dt.date(2013, 4, 1), dt.date(2013, 7, 1), dt.date(2013, 10, 1))
"""First UK day of each quarter that is held out in turn."""


PLAIN: Final = "chronological"
"""The fold that learns from what came before the last quarter, and from nothing after it."""

FOLD_NAMES: Final = (*(f"held_{first}" for first in FOLDS), PLAIN)

HALVES: Final = ("A", "B")


class Stage(NamedTuple):
    """Which jobs the protocol asks for: who is compared, with how many seeds from which on, and on what."""

    arms: tuple[str, ...]
    first_seed: int
    seeds: int
    folds: tuple[str, ...]
    halves: tuple[str, ...]


_FIRST: Final = tuple(name for name in ARMS if name not in (*FURTHER, *THIRD))

STAGES: Final[dict[str, Stage]] = {
    "pilot": Stage(_FIRST, 1, 2, ("held_2013-01-01",), ("A",)),
    "confirmation": Stage(("real", "uniform", "full"), 101, 8, ("held_2013-04-01", "held_2013-10-01"), ("B",)),
    "screen": Stage(_FIRST, 1, 3, ("held_2013-01-01", "held_2013-07-01"), ("A",)),
    "further": Stage(FURTHER, 1, 3, ("held_2013-01-01", "held_2013-07-01"), ("A",)),
    "third": Stage(THIRD, 1, 3, ("held_2013-01-01", "held_2013-07-01"), ("A",)),
    "plain": Stage(("real", "uniform", "full", "full_standard"), 1, 3, (PLAIN,), ("A",)),
}
"""In the order of play. No half or seed of the confirmation is in another stage: none judges what it judged."""

LEFT_OUT: Final[tuple[Family, ...]] = ("new_load", "occupancy")
"""Families judged in turn: heat pumps without any new load proposed, vacancies without any other occupancy."""

NO_FAMILY: Final = "none"
"""What an arm without scenarios leaves out: there is one such job for all families."""


class Job(NamedTuple):
    """One training and its judgement."""

    fold: str
    half: str
    left_out: str
    seed: int
    arm: str

    @property
    def path(self) -> str:
        """The record's place below a budget's folder, without its ending."""
        return f"{self.fold}/{self.half}/{self.left_out}/{self.arm}-seed{self.seed}"


def require_known(what: str, said: Iterable[str], known: Sequence[str]) -> None:
    """Refuse a name that is none of those known.

    Raises:
        ConfigError: If there is one.
    """
    if strange := [name for name in said if name not in known]:
        raise ConfigError(f"no {what} is called {strange[0]!r}; there are: {', '.join(known)}")


def jobs(
    *, arms: Sequence[str], seeds: int, folds: Sequence[str], halves: Sequence[str], left_out: Sequence[str] = LEFT_OUT,
    first_seed: int = 1,
) -> Iterator[Job]:  # fmt: skip
    """Yield every job once, those of one seed together, so that a study cut off early still compares its arms.

    Raises:
        ConfigError: If an arm, fold or half is unknown.
    """
    require_known("fold", folds, FOLD_NAMES)
    require_known("half", halves, HALVES)
    wanted = tuple(dict.fromkeys(arms))
    plain = [name for name in wanted if arm_of(name).filler != "scenarios"]
    played = [name for name in wanted if arm_of(name).filler == "scenarios"]
    for seed in range(first_seed, first_seed + seeds):
        for fold in dict.fromkeys(folds):
            for half in dict.fromkeys(halves):
                yield from (Job(fold, half, NO_FAMILY, seed, name) for name in plain)
                for family in left_out:
                    yield from (Job(fold, half, family, seed, name) for name in played)
