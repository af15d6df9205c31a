"""The forecasters by name, and how each is built from the config; what a model needs is imported when it is built."""

from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from loadproof.baselines import BASELINES
from loadproof.config import ExperimentConfig
from loadproof.errors import ConfigError
from loadproof.forecaster import Forecaster

__all__ = ["AT_ONCE", "FORECASTERS", "Builder", "builder_of"]

AT_ONCE: Final[frozenset[str]] = frozenset((*BASELINES, "statistical"))
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


def _naive(build_baseline: Callable[[], Forecaster]) -> Builder:
    def build(config: ExperimentConfig, device: str = "cpu", checkpoint_dir: Path | None = None) -> Forecaster:
        del config, device, checkpoint_dir
        return build_baseline()

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


FORECASTERS: Final[dict[str, Builder]] = {
    **{name: _naive(build) for name, build in BASELINES.items()},
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
    if name not in FORECASTERS:
        raise ConfigError(f"no model is called {name!r}; there are: {', '.join(sorted(FORECASTERS))}")
    return FORECASTERS[name]
