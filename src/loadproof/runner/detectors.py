"""The detectors by name, and how each is built from the config; what a detector needs is imported when it is built."""

from importlib import import_module
from typing import Final, Protocol, cast

from loadproof.config import ExperimentConfig
from loadproof.detector import Detector
from loadproof.errors import ConfigError
from loadproof.runner.forecasters import builder_of

__all__ = ["DEFAULT_DETECTOR", "DETECTORS", "DetectorBuilder", "detector_of", "sections_of"]


class DetectorBuilder(Protocol):
    """Builds a detector, unfitted, from the config alone."""

    def __call__(self, config: ExperimentConfig, device: str = "cpu") -> Detector:
        """Return the detector; ``device`` is ``cpu`` or ``cuda``, for those that can use one."""
        ...


def _without_knobs(module: str, name: str) -> DetectorBuilder:
    """Return how a detector is built that no knob changes: by its class alone."""

    def build(config: ExperimentConfig, device: str = "cpu") -> Detector:
        del config, device
        return cast(type[Detector], getattr(import_module(module), name))()

    return build


def _physical(config: ExperimentConfig, device: str = "cpu") -> Detector:
    del device
    from loadproof.anomaly.physical import PhysicalDetector

    return PhysicalDetector(config.anomaly.fuse_a, config.anomaly.phases)


def _autoencoder(config: ExperimentConfig, device: str = "cpu") -> Detector:
    del device
    from loadproof.anomaly.reconstruction import AutoencoderDetector

    return AutoencoderDetector(config.autoencoder)


def _residual(config: ExperimentConfig, device: str = "cpu") -> Detector:
    from loadproof.anomaly.residual import ResidualDetector

    return ResidualDetector(builder_of(config.anomaly.forecaster)(config, device))


def _verdict(config: ExperimentConfig, device: str = "cpu") -> Detector:
    from loadproof.anomaly.verdict import VerdictDetector
    from loadproof.selfplay.verifier import day_excess

    return VerdictDetector(builder_of("selfplay")(config, device), day_excess)


def _ensemble(config: ExperimentConfig, device: str = "cpu") -> Detector:
    from loadproof.anomaly.ensemble import MEMBERS, EnsembleDetector

    members = [DETECTORS[name](config, device) for name in MEMBERS]
    return EnsembleDetector(members, fault_homes=config.anomaly.fault_homes)


DETECTORS: Final[dict[str, DetectorBuilder]] = {
    "physical": _physical,
    "seasonal_zscore": _without_knobs("loadproof.anomaly.seasonal", "SeasonalZScoreDetector"),
    "mstl": _without_knobs("loadproof.anomaly.decomposition", "MSTLDetector"),
    "isolation_forest": _without_knobs("loadproof.anomaly.isolation", "IsolationForestDetector"),
    "sub_pca": _without_knobs("loadproof.anomaly.subspace", "SubPCADetector"),
    "autoencoder": _autoencoder,
    "residual": _residual,
    "verdict": _verdict,
    "ensemble": _ensemble,
}

DEFAULT_DETECTOR: Final = "ensemble"


def sections_of(name: str, config: ExperimentConfig) -> set[str]:
    """Return the sections of the config that decide what a detector becomes."""
    networks = {"autoencoder"} if name in ("autoencoder", "ensemble") else set()
    forecasters = {config.anomaly.forecaster} if name in ("residual", "ensemble") else set()
    game = {"selfplay", "patchtst"} if name == "verdict" else set()
    return {"anomaly", "features", *networks, *forecasters, *game}


def detector_of(name: str) -> DetectorBuilder:
    """Return how a detector is built.

    Raises:
        ConfigError: If no detector has the name.
    """
    if name not in DETECTORS:
        raise ConfigError(f"no detector is called {name!r}; there are: {', '.join(DETECTORS)}")
    return DETECTORS[name]
