"""What days are cut from for a detector, and which days others are judged by."""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from loadproof.anomaly.following import CleanHistory
from loadproof.anomaly.sweep import Sweep
from loadproof.config import ExperimentConfig
from loadproof.features.panel import Panel
from loadproof.runner.blocks import Surroundings
from loadproof.schema import Dataset

__all__ = ["Ground", "clean_history", "of_dataset"]


class Ground(NamedTuple):
    """What days are cut from."""

    panel: Panel
    surroundings: Surroundings
    config: ExperimentConfig

    def days(self, first: dt.date, until: dt.date, *, entities: Sequence[str] = ()) -> Sweep:
        """Return the days from ``first`` to before ``until``, of some entities or all."""
        panel = self.panel.only(entities) if entities else self.panel
        around, threads = self.surroundings, self.config.anomaly.threads
        return Sweep(panel, first, until, weather=around.weather, place=around.place, threads=threads)


def clean_history(config: ExperimentConfig) -> CleanHistory:
    """Return which days others are judged by."""
    return CleanHistory.of(config.forecast.test_from, config.anomaly)


def of_dataset(dataset: Dataset, config: ExperimentConfig) -> ExperimentConfig:
    """Return the knobs as they hold for a dataset: a feeder has no service fuse."""
    if dataset != "ssen":
        return config
    return config.model_copy(update={"anomaly": config.anomaly.model_copy(update={"fuse_a": None})})
