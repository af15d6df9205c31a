"""A month of some homes' features, as a task: readings and weather read here, whole files left in a stage."""

from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

from loadproof.config import FeatureConfig, ForecastConfig
from loadproof.features.table import FeatureMonth, FeatureSpec, month_features, spec_from_config
from loadproof.files import as_json, write_atomically, write_parquet, write_text
from loadproof.runner.blocks import Surroundings, read_surroundings
from loadproof.runner.predict_group import Group
from loadproof.schema import Dataset
from loadproof.store import Store

__all__ = ["FeatureTask", "FeaturesAsked", "MonthMade", "make_month"]


@dataclass(frozen=True)
class FeaturesAsked:
    """What all tasks of a feature table have in common.

    Attributes:
        store: Where the readings are, and the weather.
        dataset: Whose readings.
        features: Which columns.
        forecast: How far they reach back.
        seed: Of the weather's simulated errors.
        stage: Where each task leaves its files; its name is of all that decides what they hold.
    """

    store: Store
    dataset: Dataset
    features: FeatureConfig
    forecast: ForecastConfig
    seed: int
    stage: Path


@dataclass(frozen=True)
class FeatureTask:
    """A month of some homes."""

    month: FeatureMonth
    homes: Group

    def __str__(self) -> str:
        return f"{self.month.name} of {self.homes}"


class MonthMade(NamedTuple):
    """What a task came to: its month, its files in order, and their rows."""

    month: str
    files: tuple[Path, ...]
    rows: int


def make_month(asked: FeaturesAsked, task: FeatureTask) -> MonthMade:
    """Write the features of a month of some homes, unless an earlier run did; the mark that says so comes last."""
    folder, name = asked.stage / task.month.name, f"{task.homes.number:05d}"
    mark = folder / f"{name}.json"
    made = asked.store.read_json(mark)
    if made is None:
        made = {"files": 0, "rows": 0}
        around, spec = _kept(asked.store.root, asked.features, asked.seed, asked.stage)
        since, until = task.month.span(asked.forecast.context_steps)
        frames = month_features(
            asked.store.scan_readings(asked.dataset, since=since, until=until), around.weather, spec, task.month,
            context_steps=asked.forecast.context_steps, data_lag_steps=asked.forecast.data_lag_steps,
            place=around.place, between=(task.homes.entities[0], task.homes.entities[-1]),
        )  # fmt: skip
        for frame in frames:
            path = folder / f"{name}-{made['files']:05d}.parquet"
            write_atomically(path, partial(write_parquet, frame), alone=False)
            made = {"files": made["files"] + 1, "rows": made["rows"] + frame.height}
        write_atomically(mark, partial(write_text, as_json(made)), alone=False)
    files = tuple(folder / f"{name}-{number:05d}.parquet" for number in range(made["files"]))
    return MonthMade(task.month.name, files, made["rows"])


@lru_cache(maxsize=1)
def _kept(root: Path, knobs: FeatureConfig, seed: int, stage: Path) -> tuple[Surroundings, FeatureSpec]:
    del stage  # part of the key: other weather has another
    return read_surroundings(Store(root), knobs, seed=seed), spec_from_config(knobs)
