"""What a model says of some homes' test block, as a task: the model read once a process, the readings read here."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from loadproof.config import ExperimentConfig
from loadproof.errors import SchemaError
from loadproof.evaluation.backtest import join_forecasts
from loadproof.features.calendar import to_instant
from loadproof.features.selection import as_datetime, read_panel
from loadproof.forecaster import Forecast, Forecaster, ModelState
from loadproof.parts import Map
from loadproof.runner.blocks import Surroundings, cut_test, read_surroundings
from loadproof.runner.forecasters import builder_of
from loadproof.runner.predict_group import Group, groups_of, kept_model, model_stamp
from loadproof.schema import Dataset
from loadproof.store import Store

__all__ = ["HOMES_A_BLOCK", "BlockAsked", "forecast_block"]

HOMES_A_BLOCK: Final = 32
"""With their days of a quarter some 3,000 windows: seconds of work, and 6 MB to send."""


@dataclass(frozen=True)
class BlockAsked:
    """What all groups of one model's test block have in common.

    Attributes:
        store: Where the readings are.
        dataset: Whose.
        model: Who forecasts.
        config: All knobs.
        device: ``cpu`` or ``cuda``.
        folder: The model's; it is read there unless there is a ``state``.
        state: What a model that is fitted at once has learned.
    """

    store: Store
    dataset: Dataset
    model: str
    config: ExperimentConfig
    device: str
    folder: Path
    state: ModelState | None = None


def forecast_block(
    asked: BlockAsked, names: Sequence[str], *, map_: Map = map, homes_a_task: int = HOMES_A_BLOCK
) -> Forecast:
    """Return what a model says, before any calibration, of the test block of some homes: by home, then day.

    Raises:
        SchemaError: If the readings or the model are gone or others.
    """
    stamp = model_stamp(asked.store, asked.dataset, asked.folder) if asked.state is None else ""
    return join_forecasts(list(map_(partial(_forecast_homes, asked, stamp), list(groups_of(names, homes_a_task)))))


def _forecast_homes(asked: BlockAsked, stamp: str, homes: Group) -> Forecast:
    knobs = asked.config.forecast
    until = as_datetime(to_instant(knobs.test_until))
    since = as_datetime(to_instant(knobs.test_from)) - dt.timedelta(hours=knobs.context_steps)  # at most an hour a step
    readings = asked.store.scan_readings(asked.dataset, since=since, until=until)
    panel = read_panel(readings, entities=homes.entities, since=since, until=until)
    if panel is None:
        raise SchemaError(f"{asked.store.root}: the readings of {homes} are gone; run the same command again")
    forecaster, around = _asked_for(asked, stamp)
    return forecaster.predict(cut_test(panel, knobs, around).inputs)


def _asked_for(asked: BlockAsked, stamp: str) -> tuple[Forecaster, Surroundings]:
    if asked.state is None:
        steps = asked.config.forecast.horizon_steps
        ready = kept_model(asked.store.root, asked.dataset, asked.folder, asked.device, steps, stamp)
        return ready.forecaster, ready.surroundings
    forecaster = builder_of(asked.model)(asked.config)
    forecaster.restore(asked.state)
    return forecaster, read_surroundings(asked.store, asked.config.features, seed=asked.config.seed)
