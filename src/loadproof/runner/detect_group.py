"""The scores of some homes' days, as a task: the detector read once a process, the readings read here."""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

from loadproof.anomaly.days import cut_days
from loadproof.anomaly.sweep import DayScores, Sweep, score_windows
from loadproof.config import ExperimentConfig
from loadproof.detector import Detector
from loadproof.errors import SchemaError
from loadproof.features.calendar import Moment
from loadproof.features.selection import read_panel
from loadproof.model_folder import digest_model
from loadproof.parts import Map
from loadproof.runner.blocks import Surroundings, data_facts, read_surroundings
from loadproof.runner.detector_folder import restored_detector
from loadproof.schema import Dataset
from loadproof.store import Store

__all__ = ["Span", "Spread", "scores_by_homes"]


class Span(NamedTuple):
    """Which readings are read, UTC; None for no border."""

    since: dt.datetime | None = None
    until: dt.datetime | None = None


class Spread(NamedTuple):
    """How the scoring is spread over tasks: what carries them, and what they read."""

    map_: Map
    store: Store
    dataset: Dataset
    device: str
    span: Span = Span()


@dataclass(frozen=True)
class _Asked:
    """What all tasks of one scoring have in common; what a process keeps is taken for this ``stamp`` alone."""

    store: Store
    dataset: Dataset
    folder: Path
    device: str
    span: Span
    knobs_json: str
    first: Moment
    last: Moment
    stamp: str


@dataclass(frozen=True)
class _Homes:
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.names[0]} to {self.names[-1]}"


def scores_by_homes(days: Sweep, folder: Path, config: ExperimentConfig, spread: Spread) -> Iterator[DayScores]:
    """Yield the scores of each chunk of homes of a sweep, each from a task that reads readings and detector itself."""
    weather_too = data_facts(spread.store, spread.dataset, with_weather=True)["data_sha256"]
    asked = _Asked(
        spread.store, spread.dataset, folder.absolute(), spread.device, spread.span, config.model_dump_json(),
        days.first, days.last, stamp=f"{digest_model(folder)} {weather_too}",
    )  # fmt: skip
    found: Iterable[DayScores] = spread.map_(partial(_score_homes, asked), [_Homes(names) for names in days.lots])
    for part in found:
        yield part._replace(inputs=replace(part.inputs, weather=days.weather))


def _score_homes(asked: _Asked, homes: _Homes) -> DayScores:
    detector, around = _kept(asked.store.root, asked.folder, asked.device, asked.knobs_json, asked.stamp)
    since, until = asked.span
    readings = asked.store.scan_readings(asked.dataset, since=since, until=until)
    panel = read_panel(readings, entities=homes.names, since=since, until=until)
    if panel is None:
        raise SchemaError(f"{asked.store.root}: the readings of {homes} are gone; run the same command again")
    windows = cut_days(
        panel, asked.first, asked.last, require_truth=False, weather=around.weather, place=around.place
    )  # fmt: skip
    told = score_windows(detector, windows)
    return told._replace(inputs=replace(told.inputs, weather=None))  # which who asked has


@lru_cache(maxsize=1)
def _kept(root: Path, folder: Path, device: str, knobs_json: str, stamp: str) -> tuple[Detector, Surroundings]:
    del stamp  # part of the key
    config = ExperimentConfig.model_validate_json(knobs_json)
    return restored_detector(folder, config, device), read_surroundings(Store(root), config.features, seed=config.seed)
