"""The forecast of some entities from one instant, as a task: the model read once a process, the table written here."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from loadproof.config import ExperimentConfig
from loadproof.evaluation.outlook import Outlook, outlooks
from loadproof.features.panel import Panel
from loadproof.features.selection import read_panel
from loadproof.features.windows import Inputs
from loadproof.forecaster import Forecast, ModelState, forecast_table
from loadproof.model_folder import digest_model
from loadproof.runner.blocks import data_facts, read_surroundings
from loadproof.runner.forecasters import builder_of
from loadproof.runner.saved_forecast import (
    Ready,
    cut_now,
    followed_from,
    forecast_now,
    looks_back,
    read_saved,
    shorten,
)
from loadproof.schema import Dataset
from loadproof.store import Store

__all__ = ["HOMES_A_TASK", "Asked", "Group", "GroupSaid", "Naive", "forecast_group",
           "groups_of", "kept_model", "model_stamp", "read_ready"]  # fmt: skip

HOMES_A_TASK: Final = 1024
"""Some seconds of work; an adaptive calibration follows the homes of a group together, which are plenty."""


class Naive(NamedTuple):
    """A naive model, fitted where it was asked for: what it learned, and from readings of which interval."""

    state: ModelState
    interval_mins: int


@dataclass(frozen=True)
class Asked:
    """What all groups of one forecast have in common.

    Attributes:
        store: Where the readings are.
        dataset: Whose.
        model: Who forecasts.
        t0: From when, UTC.
        config: The knobs of a naive model; a trained one brings its own.
        horizon_steps: How far ahead.
        models_root: Where the model folders lie.
        device: ``cpu`` or ``cuda``.
        folder: Where each group leaves its table.
        stamp: Which trained model, of which data: what a process keeps is taken for this alone.
        naive: The naive model; None where it is trained.
    """

    store: Store
    dataset: Dataset
    model: str
    t0: dt.datetime
    config: ExperimentConfig
    horizon_steps: int
    models_root: Path
    device: str
    folder: Path
    stamp: str
    naive: Naive | None = None


@dataclass(frozen=True)
class Group:
    """Some entities, in order of their names, and which group of the forecast they are."""

    number: int
    entities: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.entities[0]} to {self.entities[-1]}"


class GroupSaid(NamedTuple):
    """A few figures for each entity, who has too few readings, and where the table is; None where all have."""

    outlooks: Sequence[Outlook]
    left_out: Sequence[str]
    path: Path | None


def groups_of(names: Sequence[str], homes_a_task: int = HOMES_A_TASK) -> Iterator[Group]:
    """Yield the names in groups whose size depends on nothing but themselves."""
    ordered = sorted(set(names))
    for number, first in enumerate(range(0, len(ordered), homes_a_task)):
        yield Group(number, tuple(ordered[first : first + homes_a_task]))


def model_stamp(store: Store, dataset: Dataset, folder: Path) -> str:
    """Return what changes when a trained model or the weather does."""
    return f"{digest_model(folder)} {data_facts(store, dataset, with_weather=True)['data_sha256']}"


def forecast_group(asked: Asked, group: Group) -> GroupSaid:
    """Forecast some entities with what was published by then, and write their table.

    Raises:
        SchemaError: If the model is damaged, or was made for other data or features.
    """
    ready = _ready(asked)
    panel = _panel(asked, group.entities, asked.t0 - looks_back(ready))
    if panel is None:
        return GroupSaid((), group.entities, None)
    inputs = cut_now(ready, panel, asked.t0)
    able = set(inputs.entity.tolist())
    left_out = [name for name in group.entities if name not in able]
    if not able:
        return GroupSaid((), left_out, None)
    forecast, inputs = shorten(_forecast(asked, ready, inputs), inputs, asked.horizon_steps)
    path = asked.folder / f"part-{group.number:05d}.parquet"
    asked.store.write_forecasts(path, forecast_table(asked.model, forecast, inputs), alone=False)
    return GroupSaid(outlooks(forecast, inputs), left_out, path)


def read_ready(asked: Asked) -> Ready:
    """Return a trained model, if it is one for these data.

    Raises:
        ConfigError: If it does not look so far ahead.
        SchemaError: If it was not trained, is damaged, or was made for other data.
    """
    folder = asked.models_root / asked.model
    return kept_model(asked.store.root, asked.dataset, folder, asked.device, asked.horizon_steps, asked.stamp)


def _ready(asked: Asked) -> Ready:
    if asked.naive is None:
        return read_ready(asked)
    forecaster = builder_of(asked.model)(asked.config)
    forecaster.restore(asked.naive.state)
    surroundings = read_surroundings(asked.store, asked.config.features, seed=asked.config.seed)
    return Ready(forecaster, asked.config, surroundings, asked.naive.interval_mins)


@lru_cache(maxsize=1)
def kept_model(root: Path, dataset: Dataset, folder: Path, device: str, horizon_steps: int, stamp: str) -> Ready:
    """Return a trained model that a process reads once, for as long as its ``stamp`` is the same."""
    del stamp  # part of the key
    return read_saved(Store(root), dataset, folder, device, horizon_steps)


def _panel(asked: Asked, entities: Sequence[str], since: dt.datetime) -> Panel | None:
    readings = asked.store.scan_readings(asked.dataset, since=since, until=asked.t0)
    return read_panel(readings, entities=entities, since=since, until=asked.t0)


def _forecast(asked: Asked, ready: Ready, inputs: Inputs) -> Forecast:
    begin = followed_from(ready, asked.t0)
    if begin is None:
        return forecast_now(ready, inputs, None, asked.t0)
    panel = _panel(asked, inputs.entity.tolist(), begin - looks_back(ready))
    return forecast_now(ready, inputs, panel, asked.t0)
