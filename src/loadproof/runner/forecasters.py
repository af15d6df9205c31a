"""The forecasters by name, and how each is built from the config; what a model needs is imported when it is built."""

from pathlib import Path
from typing import Final, Literal, Protocol, get_args

from loadproof.baselines import BASELINES
from loadproof.config import ExperimentConfig
from loadproof.errors import ConfigError
from loadproof.forecaster import Forecaster

__all__ = ["AT_ONCE", "FORECASTERS", "Builder", "ModelName", "builder_of"]

ModelName = Literal[
    "persistence_ensemble",
    "seasonal_naive",
    "seasonal_naive_week",
    "ridge",
    "lightgbm",
    "patchtst",
    "selfplay",
    "statistical",
]

AT_ONCE: Final[frozenset[ModelName]] = frozenset(
    ("persistence_ensemble", "seasonal_naive", "seasonal_naive_week", "statistical")
)
"""Models that learn nothing worth keeping, so that they are fitted where they are used; they are not calibrated."""


class Builder(Protocol):
    """Builds a forecaster, unfitted, from the config alone."""

    def __call__(self, config: ExperimentConfig, device: str = "cpu", checkpoint_dir: Path | None = None) -> Forecaster:
        """Return the forecaster.

        Args:
            config: Its own section's knobs, and nothing that it is not told elsewhere.
            device: ``cpu`` or ``cuda``, for those that can use one.
            checkpoint_dir: Where a training that takes long may leave what it needs to go on; None leaves nothing.
        """
        ...


def _naive(name: ModelName) -> Builder:
    def build(config: ExperimentConfig, device: str = "cpu", checkpoint_dir: Path | None = None) -> Forecaster:
        del config, device, checkpoint_dir
        return BASELINES[name]()

    return build


def _ridge(config: ExperimentConfig, device: str = "cpu", checkpoint_dir: Path | None = None) -> Forecaster:
    del device, checkpoint_dir
    from loadproof.baselines.ridge import RidgeForecaster

    return RidgeForecaster(config.ridge)


def _lightgbm(config: ExperimentConfig, device: str = "cpu", checkpoint_dir: Path | None = None) -> Forecaster:
    del device, checkpoint_dir
    from loadproof.baselines.gradient_boosting import LightGBMForecaster
    from loadproof.features.table import spec_from_config

    return LightGBMForecaster(config.lightgbm, spec_from_config(config.features))


def _patchtst(config: ExperimentConfig, device: str = "cpu", checkpoint_dir: Path | None = None) -> Forecaster:
    from loadproof.models.patchtst_forecaster import PatchTSTForecaster

    return PatchTSTForecaster(config.patchtst, device=device, checkpoint_dir=checkpoint_dir)


def _selfplay(config: ExperimentConfig, device: str = "cpu", checkpoint_dir: Path | None = None) -> Forecaster:
    from loadproof.selfplay.forecaster import SelfPlayForecaster

    return SelfPlayForecaster(config.selfplay, config.patchtst, device=device, checkpoint_dir=checkpoint_dir)


def _statistical(config: ExperimentConfig, device: str = "cpu", checkpoint_dir: Path | None = None) -> Forecaster:
    del device, checkpoint_dir
    from loadproof.baselines.statistical import StatisticalForecaster

    return StatisticalForecaster(config.statistical)


FORECASTERS: Final[dict[ModelName, Builder]] = {
    "persistence_ensemble": _naive("persistence_ensemble"),
    "seasonal_naive": _naive("seasonal_naive"),
    "seasonal_naive_week": _naive("seasonal_naive_week"),
    "ridge": _ridge,
    "lightgbm": _lightgbm,
    "patchtst": _patchtst,
    "selfplay": _selfplay,
    "statistical": _statistical,
}


def builder_of(name: str) -> Builder:
    """Return how a model is built.

    Raises:
        ConfigError: If no model has the name.
    """
    for known in get_args(ModelName):
        if known == name:
            return FORECASTERS[known]
    raise ConfigError(f"no model is called {name!r}; there are: {', '.join(sorted(FORECASTERS))}")
