"""The outcome of self-play as a forecaster: the house's network, which has met what may happen as well as what did."""

from pathlib import Path

import numpy as np

from loadproof.config import PatchTSTConfig, SelfPlayConfig
from loadproof.features.windows import Inputs, Windows
from loadproof.forecaster import FitReport, Forecast, Forecaster, ModelState
from loadproof.models.patchtst_forecaster import PatchTSTForecaster, fingerprint
from loadproof.ranks import ALONE, Ranks
from loadproof.scenario.kinds import Kind
from loadproof.selfplay.arms import ARMS, PLAYED
from loadproof.selfplay.pictures import picture_rows
from loadproof.selfplay.start import game_of, start
from loadproof.selfplay.trainer import Episode, episodes
from loadproof.selfplay.verifier import CONSTRAINTS

__all__ = ["SelfPlayForecaster"]


class SelfPlayForecaster(Forecaster):
    """A PatchTST that goes on learning from scenarios beside real days.

    Args:
        knobs: The loop.
        network: The network; how long it trains is the loop's business.
        device: Where it trains and predicts.
        checkpoint_dir: Where a training leaves what it needs to go on after a kill; None leaves nothing.
    """

    name = "selfplay"

    def __init__(
        self, knobs: SelfPlayConfig, network: PatchTSTConfig, *, device: str = "cpu",
        checkpoint_dir: Path | None = None,
    ) -> None:  # fmt: skip
        self.knobs, self.network, self.device, self.checkpoint_dir = knobs, network, device, checkpoint_dir
        self._forecaster = PatchTSTForecaster(network, device=device)

    def fit(self, train: Windows, valid: Windows, *, rng: np.random.Generator, ranks: Ranks = ALONE) -> FitReport:
        """Learn real days, then play; ``valid`` is looked at for the curves and decides nothing.

        Raises:
            ConfigError: When there are too few homes, or the windows are not half-hourly days.
        """
        seed = int(rng.integers(2**31))
        folder = self.checkpoint_dir
        said = self.knobs.model_dump_json() + self.network.model_dump_json()
        identity = f"{seed}/{PLAYED}/{said}/{fingerprint(train, valid)}" if folder else ""
        begun = start(
            train, valid, network=self.network, knobs=self.knobs, seed=seed, device=self.device, folder=folder,
            identity=identity, ranks=ranks,
        )  # fmt: skip
        before = begun.warm.state()
        game = game_of(begun, ARMS[PLAYED], self.knobs, ranks=ranks)
        path = folder / "play.safetensors" if folder else None
        played = episodes(game, seed=seed, path=path, identity=identity)
        records = tuple(_curve(episode, game.proposer.kinds) for episode in played)
        self._forecaster = begun.warm
        shown = picture_rows(game, before, valid) if len(valid) else None
        return FitReport(len(train), len(valid), records, shown)

    fit_together = fit

    def predict(self, inputs: Inputs) -> Forecast:
        """Forecast every window; see :class:`PatchTSTForecaster`."""
        return self._forecaster.predict(inputs)

    def state(self) -> ModelState:
        """Return what the network knows."""
        return self._forecaster.state()

    def restore(self, state: ModelState) -> None:
        """Become what ``state`` says.

        Raises:
            SchemaError: When the state is another forecaster's.
        """
        self._forecaster.restore(state)


def _curve(episode: Episode, kinds: tuple[Kind, ...]) -> dict[str, float]:
    """Return one episode as numbers by name, for the curves; each of ``kinds`` has its share, 0 where not proposed."""
    by_kind: dict[Kind, list[float]] = {kind: [] for kind in kinds}
    for proposal, reward in zip(episode.proposals, episode.rewards, strict=True):
        by_kind[proposal.scenario.kind].append(reward)
    learned = episode.learned._asdict()
    parts = dict(zip(CONSTRAINTS, learned.pop("by_constraint"), strict=False))
    record = {"episode": float(episode.episode), "passed": episode.passed, "real_share": episode.real_share}
    record |= learned | {"evenness": episode.diversity[0], "spread": episode.diversity[1]}
    record |= {f"penalty_by_constraint/{name}": value for name, value in parts.items()}
    record |= {f"share/{kind}": len(rewards) / len(episode.proposals) for kind, rewards in by_kind.items()}
    record |= {f"reward/{kind}": float(np.mean(rewards)) for kind, rewards in by_kind.items() if rewards}
    return record | (episode.judged._asdict() if episode.judged else {})
