"""The detectors that are put on trial, and what they are fitted on: other homes, earlier days."""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from loadproof.anomaly.controls import ConstantDetector, RandomDetector
from loadproof.anomaly.days import CONTEXT_DAYS, cut_days
from loadproof.anomaly.decomposition import MSTLDetector
from loadproof.anomaly.ensemble import MEMBERS, EnsembleDetector
from loadproof.anomaly.following import CleanHistory
from loadproof.anomaly.isolation import IsolationForestDetector
from loadproof.anomaly.physical import PhysicalDetector
from loadproof.anomaly.reconstruction import AutoencoderDetector
from loadproof.anomaly.residual import ResidualDetector
from loadproof.anomaly.seasonal import SeasonalZScoreDetector
from loadproof.anomaly.subspace import SubPCADetector
from loadproof.anomaly.trial import Bench
from loadproof.baselines.ridge import RidgeForecaster
from loadproof.config import AnomalyBoardConfig, ExperimentConfig
from loadproof.detector import Detector
from loadproof.evaluation.folds import data_begins, rotating
from loadproof.evaluation.groups import reporting_homes, split_halves, take_homes
from loadproof.features.calendar import to_instant
from loadproof.features.panel import Panel
from loadproof.features.windows import Windows
from loadproof.limits import SERVICE_FUSE_A
from loadproof.seeds import rng_for

__all__ = ["HALVES", "Ground", "Singles", "fit_bench", "lay_ground", "single_detectors"]

HALVES: Final = ("A", "B")
"""Whose homes are learned from; those of the other are judged."""

_MIN_REPORTING: Final = 0.9  # of the test block, for a home that events are set into

RngOf = Callable[[str], np.random.Generator]


class Singles(Protocol):
    """Builds the detectors that are put on trial."""

    def __call__(self, config: ExperimentConfig, *, fuse_a: float | None = SERVICE_FUSE_A) -> dict[str, Detector]:
        """Return them by name, unfitted; ``fuse_a`` as of ``PhysicalDetector``."""
        ...


class Ground(NamedTuple):
    """What one half's trial is learned from and judged on.

    Attributes:
        train: Days of the half's homes before validation.
        valid: Their days of validation.
        judged: Days of the other half's homes, history and test.
        homes: Of those, the homes that events are set into, in random order.
    """

    train: Windows
    valid: Windows
    judged: Windows
    homes: NDArray[np.str_]


def single_detectors(config: ExperimentConfig, *, fuse_a: float | None = SERVICE_FUSE_A) -> dict[str, Detector]:
    """Return every single detector, unfitted, and two that know nothing."""
    detectors = (
        PhysicalDetector(fuse_a), SeasonalZScoreDetector(), MSTLDetector(), IsolationForestDetector(),
        SubPCADetector(), AutoencoderDetector(config.autoencoder), ResidualDetector(RidgeForecaster(config.ridge)),
        RandomDetector(), ConstantDetector(),
    )  # fmt: skip
    return {detector.name: detector for detector in detectors}


def lay_ground(panel: Panel, half: str, knobs: AnomalyBoardConfig, clean: CleanHistory, *, seed: int) -> Ground:
    """Return the ground of the trial whose detectors learn from one half of the homes."""
    halves = dict(zip(HALVES, split_halves(panel.entities, rng=rng_for(seed, "anomaly_board/halves")), strict=True))
    mine, others = take_homes(panel, halves[half]), take_homes(panel, halves["BA"[HALVES.index(half)]])
    # The first day is one that half of the homes can look back from.
    first = data_begins(mine) + np.timedelta64(CONTEXT_DAYS, "D")
    train = cut_days(mine, first.astype("datetime64[us]").astype(dt.datetime).replace(tzinfo=dt.UTC), knobs.valid_from)
    test = to_instant(knobs.test_from), to_instant(knobs.test_until)
    steady = reporting_homes(others, *test, share=_MIN_REPORTING)
    shuffled = rng_for(seed, f"anomaly_board/{half}/homes").permutation(steady)
    return Ground(
        train.take(rotating(train, knobs.train_every)),
        cut_days(mine, knobs.valid_from, knobs.test_from),
        cut_days(others, clean.first, knobs.test_until),
        shuffled[-knobs.homes_per_half :],
    )


def fit_bench(
    singles: Mapping[str, Detector], train: Windows, valid: Windows, *, slow: Mapping[str, int], fault_homes: int,
    rng_of: RngOf,
) -> Bench:  # fmt: skip
    """Fit all detectors, then the ensemble of those of ``MEMBERS`` that are there.

    Args:
        singles: Unfitted, by name.
        train: To learn from.
        valid: To calibrate on, and to set faults into.
        slow: On how many homes a slow one is judged.
        fault_homes: How many homes faults are set into.
        rng_of: The chance of each detector, by its name.
    """
    for name, detector in singles.items():
        detector.fit(train, valid, rng=rng_of(name))
    members = [singles[name] for name in MEMBERS if name in singles]
    ensemble = EnsembleDetector(members, fault_homes=fault_homes)
    ensemble.weigh(valid, rng=rng_of(ensemble.name))
    return Bench(singles, ensemble, {name: count for name, count in slow.items() if name in singles})
