"""The detectors by name, and how each is built from the config; what a detector needs is imported when it is built."""

from typing import Final, Literal, Protocol, get_args

from loadproof.config import ExperimentConfig
from loadproof.detector import Detector
from loadproof.errors import ConfigError

__all__ = ["DEFAULT_DETECTOR", "DETECTORS", "SECTIONS", "DetectorBuilder", "DetectorName", "detector_of"]

DetectorName = Literal["physical", "seasonal_zscore", "mstl", "isolation_forest", "sub_pca"]


class DetectorBuilder(Protocol):
    """Builds a detector, unfitted, from the config alone."""

    def __call__(self, config: ExperimentConfig, device: str = "cpu") -> Detector:
        """Return the detector; ``device`` is ``cpu`` or ``cuda``, for those that can use one."""
        ...


def _physical(config: ExperimentConfig, device: str = "cpu") -> Detector:
    del device
    from loadproof.anomaly.physical import PhysicalDetector

    return PhysicalDetector(config.anomaly.fuse_a, config.anomaly.phases)


def _seasonal_zscore(config: ExperimentConfig, device: str = "cpu") -> Detector:
    del config, device
    from loadproof.anomaly.seasonal import SeasonalZScoreDetector

    return SeasonalZScoreDetector()


def _mstl(config: ExperimentConfig, device: str = "cpu") -> Detector:
    del config, device
    from loadproof.anomaly.decomposition import MSTLDetector

    return MSTLDetector()


def _isolation_forest(config: ExperimentConfig, device: str = "cpu") -> Detector:
    del config, device
    from loadproof.anomaly.isolation import IsolationForestDetector

    return IsolationForestDetector()


def _sub_pca(config: ExperimentConfig, device: str = "cpu") -> Detector:
    del config, device
    from loadproof.anomaly.subspace import SubPCADetector

    return SubPCADetector()


DETECTORS: Final[dict[DetectorName, DetectorBuilder]] = {
    "physical": _physical,
    "seasonal_zscore": _seasonal_zscore,
    "mstl": _mstl,
    "isolation_forest": _isolation_forest,
    "sub_pca": _sub_pca,
}

DEFAULT_DETECTOR: Final[DetectorName] = "sub_pca"

SECTIONS: Final[dict[str, tuple[str, ...]]] = {}
"""The sections of the config, beside ``anomaly`` and ``features``, that decide what a detector becomes."""


def detector_of(name: str) -> DetectorBuilder:
    """Return how a detector is built.

    Raises:
        ConfigError: If no detector has the name.
    """
    for known in get_args(DetectorName):
        if known == name:
            return DETECTORS[known]
    raise ConfigError(f"no detector is called {name!r}; there are: {', '.join(DETECTORS)}")
