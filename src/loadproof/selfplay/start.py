"""What a game starts from: homes for the solver and others for the reference, and both networks, warm."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from loadproof.config import PatchTSTConfig, SelfPlayConfig
from loadproof.errors import ConfigError
from loadproof.features.splits import EntitySplit, split_by_entity
from loadproof.features.weather import Weather
from loadproof.features.windows import Windows
from loadproof.models import checkpoint
from loadproof.models.patchtst_forecaster import PatchTSTForecaster
from loadproof.models.training import seeded
from loadproof.ranks import ALONE, Ranks
from loadproof.scenario.ground import Ground, lay_ground
from loadproof.scenario.kinds import Family
from loadproof.seeds import rng_for
from loadproof.selfplay.arms import ARMS, Arm, kinds_of, knobs_of
from loadproof.selfplay.hard_days import hard_windows
from loadproof.selfplay.proposer import Proposer
from loadproof.selfplay.scales import home_scales
from loadproof.selfplay.solver import Pace, Solver, draw_real
from loadproof.selfplay.trainer import Game, episodes

__all__ = ["Start", "game_of", "share_homes", "start"]

logger = logging.getLogger(__name__)

_LEAST_HOMES: Final = 4


@dataclass(frozen=True)
class Start:
    """What all arms of one fold and seed share; each arm gets networks of its own.

    Attributes:
        warm: A forecaster that has learned from real days of the solver's homes.
        reference: One that has learned real days and uniform scenarios of the other homes; None where none plays.
        train: Training windows of the solver's homes.
        valid: Validation windows.
        ground: What may be borrowed, of the solver's homes.
        weather: What weather came, for hard days; None where nobody knows.
    """

    warm: PatchTSTForecaster
    reference: PatchTSTForecaster | None
    train: Windows
    valid: Windows
    ground: Ground
    weather: Weather | None


def _real_days(
    train: Windows, network: PatchTSTConfig, device: str, pace: Pace, windows: int, rng: np.random.Generator,
    ranks: Ranks,
) -> PatchTSTForecaster:  # fmt: skip
    """Return a network that has learned real days alone."""
    forecaster = PatchTSTForecaster(network, device=device)
    forecaster.begin(train, rng=rng)
    solver = Solver(forecaster, pace, ranks=ranks)
    days = solver.real_days(train)
    logger.info("%d homes' real days, %d updates", len(np.unique(train.inputs.entity)), pace.updates)
    with seeded(rng):
        for _ in range(pace.updates):
            solver.learn(draw_real(days, windows, rng=rng))
    solver.settle()
    return forecaster


class _Keep(NamedTuple):
    """Where networks are kept that took long to make."""

    folder: Path | None
    identity: str
    network: PatchTSTConfig
    device: str
    ranks: Ranks

    def made(self, name: str, train: Windows, make: Callable[[], PatchTSTForecaster]) -> PatchTSTForecaster:
        """Return the network of this name, from its file if one of this very start is there."""
        if self.folder is None:
            return make()
        path = self.folder / f"{name}.safetensors"
        self.ranks.agree(str(path), str(path.exists()))
        if path.exists():
            forecaster = PatchTSTForecaster(self.network, device=self.device)
            tensors, facts = checkpoint.load(path, forecaster.device)
            if facts["identity"] == self.identity:
                forecaster.begin(train, rng=np.random.default_rng(0)).load_state_dict(tensors)
                forecaster.network.eval()
                return forecaster
        forecaster = make()
        if self.ranks.leads:
            checkpoint.save(path, dict(forecaster.network.state_dict()), {"identity": self.identity})
        return forecaster


def share_homes(train: Windows, knobs: SelfPlayConfig, seed: int) -> EntitySplit:
    """Return the windows of the solver's homes (seen) and of the reference's (unseen)."""
    return split_by_entity(train, share=knobs.reference_share, rng=rng_for(seed, "selfplay/homes"))


def start(
    train: Windows, valid: Windows, *, network: PatchTSTConfig, knobs: SelfPlayConfig, seed: int, device: str = "cpu",
    left_out: tuple[Family, ...] = (), with_reference: bool = True, folder: Path | None = None, identity: str = "",
    weather: Weather | None = None, lessons: int = 1, ranks: Ranks = ALONE,
) -> Start:  # fmt: skip
    """Return warm networks, taken from ``folder`` where an earlier run of this very start left them.

    Args:
        train: Training windows of all homes; some homes go to the reference, and to nobody else.
        valid: Validation windows.
        network: The network.
        knobs: Of the loop.
        seed: Of all chance.
        device: Where networks train.
        left_out: Families that are judged, and so proposed nowhere, in the reference's training neither.
        with_reference: Whether a reference is needed: no arm without scenarios needs one.
        folder: Where warm networks are kept.
        identity: What tells this start from any other.
        weather: What weather came, if that is known though the forecaster is not told; None takes the inputs' own.
        lessons: How many times ``reference_updates`` the reference takes, on real days and then on scenarios.
        ranks: Who share the learning; each has all windows.

    Raises:
        ConfigError: If there are too few homes to share out.
    """
    homes = len(np.unique(train.inputs.entity))
    if homes < _LEAST_HOMES:
        raise ConfigError(f"{homes} training homes cannot be shared with a reference; train on {_LEAST_HOMES} or more")
    weather = weather or train.inputs.weather
    both = share_homes(train, knobs, seed)
    pace = Pace(knobs.warm_updates, knobs.learning_rate, averaging=knobs.averaging)

    def warmed() -> PatchTSTForecaster:
        return _real_days(both.seen, network, device, pace, knobs.real_windows, rng_for(seed, "selfplay/warm"), ranks)

    def taught() -> PatchTSTForecaster:
        rng, short = rng_for(seed, "selfplay/reference"), pace._replace(updates=lessons * knobs.reference_updates)
        forecaster = _real_days(both.unseen, network, device, short, knobs.real_windows, rng, ranks)
        longer = knobs.model_copy(update={"reference_updates": short.updates})
        _teach(forecaster, both.unseen, longer, left_out, seed, weather, ranks)
        return forecaster

    name = "-".join(("reference", *left_out, *([f"x{lessons}"] if lessons > 1 else [])))
    keep = _Keep(folder, identity, network, device, ranks)
    warm = keep.made("warm", both.seen, warmed)
    reference = keep.made(name, both.unseen, taught) if with_reference else None
    return Start(warm, reference, both.seen, valid, lay_ground(both.seen, weather), weather)


def _teach(
    forecaster: PatchTSTForecaster, windows: Windows, knobs: SelfPlayConfig, left_out: tuple[Family, ...], seed: int,
    weather: Weather | None, ranks: Ranks,
) -> None:  # fmt: skip
    """Let a warm reference learn uniform scenarios of its own homes."""
    rounds = max(knobs.reference_updates // knobs.updates, 1)
    ours = knobs.model_copy(update={"episodes": rounds, "judge_episodes": rounds + 1})
    nothing = windows.take(slice(0))
    beginning = Start(forecaster, None, windows, nothing, lay_ground(windows, weather), weather)
    for _ in episodes(game_of(beginning, ARMS["uniform"], ours, left_out=left_out, ranks=ranks), seed=seed):
        pass


def game_of(
    begun: Start, arm: Arm, knobs: SelfPlayConfig, *, left_out: tuple[Family, ...] = (), ranks: Ranks = ALONE
) -> Game:
    """Return an arm's game; its solver starts from the warm network's weights, in the warm forecaster's place."""
    pace = Pace(knobs.episodes * knobs.updates, knobs.play_learning_rate, averaging=knobs.averaging)
    solver = Solver(begun.warm, pace, penalty_weight=knobs.penalty_weight, ranks=ranks)
    reference = Solver(begun.reference, pace, ranks=ranks) if begun.reference else None
    kinds = kinds_of(arm, left_out, can_borrow=begun.ground.lends())
    scales = home_scales(begun.train) | (home_scales(begun.valid) if len(begun.valid) else {})
    hard = hard_windows(begun.valid.inputs, begun.weather) if len(begun.valid) else {}
    any_hard = np.any(list(hard.values()), axis=0) if hard else np.zeros(0, dtype=bool)
    proposer = Proposer(kinds, knobs_of(arm, knobs), standard=arm.standard)
    return Game(
        solver, reference, proposer, solver.real_days(begun.train), begun.train, begun.ground, scales, begun.valid,
        begun.valid.take(any_hard), arm, knobs,
    )  # fmt: skip
