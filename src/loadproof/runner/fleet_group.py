"""One group of entities in a morning's run: what is forecast, scored and told of it, by whatever process has it.

A group's step is a function of small values that writes below the working folder alone and returns its result or its
error, so that any ``map`` can carry it; what every group needs is read once a process.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from loadproof import __version__
from loadproof.anomaly.day_frames import (
    days_that_stand,
    frame_of_scores,
    join_days,
    judged_of_frame,
    with_prints,
)
from loadproof.anomaly.day_prints import day_prints
from loadproof.anomaly.days import CONTEXT_DAYS
from loadproof.anomaly.following import CleanHistory
from loadproof.anomaly.sweep import join_scores
from loadproof.anomaly.watch import count_kinds, tell
from loadproof.config import ExperimentConfig
from loadproof.errors import LoadproofError
from loadproof.evaluation.outlook import count_fallbacks
from loadproof.features.calendar import to_instant
from loadproof.features.panel import Panel
from loadproof.features.selection import as_datetime, read_panel
from loadproof.feeders.assets import limits_of
from loadproof.feeders.risk import count_over, risk_of_quantiles
from loadproof.forecaster import forecast_table
from loadproof.morning_folder import MorningFolder
from loadproof.runner import detector_folder
from loadproof.runner.blocks import Surroundings, read_surroundings
from loadproof.runner.detector_folder import detector_facts, read_detector
from loadproof.runner.feeders_risk import read_asset_file
from loadproof.runner.ground import Ground, clean_history, of_dataset
from loadproof.runner.saved_forecast import Ready, cut_now, forecast_now, read_saved, shorten
from loadproof.schema import Dataset
from loadproof.store import Store

__all__ = [
    "FORECAST",
    "TELL",
    "Group",
    "GroupFailed",
    "Morning",
    "forecast_group",
    "saved_detector",
    "saved_model",
    "tell_group",
    "watch_name",
]

FORECAST: Final = "forecast"
TELL: Final = "tell"

_DAY: Final = dt.timedelta(days=1)
_HOUR: Final = dt.timedelta(hours=1)


class Group(NamedTuple):
    """Entities that are worked on together: all from the first name to the last."""

    number: int
    first: str
    last: str
    size: int

    @property
    def whose(self) -> str:
        """A name of the two that a file can have."""
        return hashlib.sha256(f"{self.first} {self.last}".encode()).hexdigest()[:16]

    def __str__(self) -> str:
        return f"group {self.number} ({self.first} to {self.last})"


class GroupFailed(NamedTuple):
    """A group's step that did not end, and why."""

    number: int
    error: str


@dataclass(frozen=True, eq=False)
class Morning:
    """What all groups of a run share; two that read the same are equal, wherever they were unpacked.

    Attributes:
        folder: Where the run lies; its key names all that it reads.
        processed_root: The store's root.
        dataset: Whose readings.
        t0: From when is forecast.
        since: Nothing before it is read.
        interval_mins: Of the readings.
        models: Who forecasts, saved ones.
        detectors: Who watches, fitted ones.
        day: The last whole UK day that was published by ``t0``: the one that is told of.
        models_root: Where both lie.
        config: All knobs.
        horizon_steps: How far ahead.
        device: ``cpu`` or ``cuda``.
        assets: A file of ratings, if any.
        usual: The usual rating of all others, if any.
    """

    folder: MorningFolder
    processed_root: Path
    dataset: Dataset
    t0: dt.datetime
    since: dt.datetime
    interval_mins: int
    models: tuple[str, ...]
    detectors: tuple[str, ...]
    day: dt.date
    models_root: Path
    config: ExperimentConfig
    horizon_steps: int
    device: str
    assets: Path | None
    usual: str | None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Morning) and other.folder == self.folder

    def __hash__(self) -> int:
        return hash(self.folder)

    @property
    def history(self) -> CleanHistory:
        """The days that scores are ranked among."""
        return clean_history(self.config)


@lru_cache(maxsize=8)
def saved_model(morning: Morning, name: str) -> Ready:
    """Return a forecaster of the run, read once a process."""
    store = Store(morning.processed_root)
    return read_saved(store, morning.dataset, morning.models_root / name, morning.device, morning.horizon_steps)


@lru_cache(maxsize=8)
def saved_detector(morning: Morning, name: str) -> detector_folder.Ready:
    """Return a detector of the run, read once a process."""
    store, config = Store(morning.processed_root), of_dataset(morning.dataset, morning.config)
    facts = detector_facts(store, morning.dataset, name, morning.interval_mins, _around(morning), config)
    return read_detector(morning.models_root / "detectors" / name, facts, config, morning.device)


_assets = lru_cache(maxsize=8)(read_asset_file)


def _read(morning: Morning, group: Group, since: dt.datetime) -> Panel | None:
    readings = Store(morning.processed_root).scan_readings(morning.dataset, since=since, until=morning.t0)
    return read_panel(readings, since=since, until=morning.t0, between=(group.first, group.last))


@lru_cache(maxsize=8)
def _around(morning: Morning) -> Surroundings:
    return read_surroundings(Store(morning.processed_root), morning.config.features, seed=morning.config.seed)


def _ground(morning: Morning, panel: Panel) -> Ground:
    whole = panel.reaching(to_instant(morning.day + _DAY))  # the group's last reading may be older than anybody's
    return Ground(whole, _around(morning), of_dataset(morning.dataset, morning.config))


def _forecasts(morning: Morning, panel: Panel, group: Group) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the tables that forecasts and their risk are, and what is counted of them."""
    tables: dict[str, Any] = {}
    counts: dict[str, Any] = {"forecast": {}, "fallbacks": {}, "left_out": {}, "over_limit": 0}
    for place, name in enumerate(morning.models):
        ready = saved_model(morning, name)
        inputs = cut_now(ready, panel, morning.t0)
        able = inputs.entity.tolist()
        counts["forecast"][name] = len(able)
        counts["left_out"][name] = group.size - len(able)
        if not able:
            continue
        told = forecast_now(ready, inputs, panel, morning.t0)
        forecast, inputs = shorten(told, inputs, morning.horizon_steps)
        tables[f"forecasts/{name}"] = forecast_table(name, forecast, inputs)
        counts["fallbacks"][name] = count_fallbacks(forecast)
        levels = dict.fromkeys(able, "feeder")
        limits = limits_of(
            levels, assets=_assets(morning.assets), usual=morning.usual, cyclic_ratio=morning.config.risk.cyclic_ratio,
            interval_mins=panel.interval_mins,
        )  # fmt: skip
        if place == 0 and len(limits):
            found = risk_of_quantiles(forecast, inputs, limits, levels, model=name, tail=morning.config.risk.tail)
            tables |= {"risk": found.ranked, "risk_half_hours": found.steps}
            counts["over_limit"] = count_over(found.ranked)
    return tables, counts


@lru_cache(maxsize=8)
def watch_name(morning: Morning, name: str) -> str:
    """Name all that a detector scores by, but for the readings."""
    store = Store(morning.processed_root)
    weather = (store.read_summary("weather") or {}).get("sources")
    facts = saved_detector(morning, name).facts.model_dump(mode="json", exclude={"data_sha256"})
    folder = store.digest(morning.models_root / "detectors" / name / "config.json")
    said = json.dumps([__version__, facts, folder, weather], sort_keys=True)
    return f"{name}-{hashlib.sha256(said.encode()).hexdigest()[:16]}"


def _days(morning: Morning, panel: Panel, group: Group) -> dict[str, Any]:
    """Return by detector the scores of the day and of all that it is judged by.

    Days that an earlier morning scored from the same readings are not scored again.
    """
    found: dict[str, Any] = {}
    if not morning.detectors:
        return found
    ground, first, until = _ground(morning, panel), morning.history.needed_from(morning.day), morning.day + _DAY
    midnights = ground.days(first, until).midnights
    prints = day_prints(ground.panel, midnights)
    for name in morning.detectors:
        kept = morning.folder.days(watch_name(morning, name), group.whose)
        old, stand = (None, 0) if kept is None else days_that_stand(kept, prints)
        frames = [old] if old is not None and old.height else []
        if stand < len(prints):
            days, detector = ground.days(first + stand * _DAY, until), saved_detector(morning, name).detector
            if parts := [part for part in days.score(detector) if len(part.inputs)]:
                frames.append(with_prints(frame_of_scores(join_scores(parts)), midnights, prints))
        if frames:
            found[name] = join_days(frames)
    return found


def forecast_group(morning: Morning, group: Group) -> int | GroupFailed:
    """Forecast a group, hold it against its limits, score its days, and keep all that; unless an earlier run did."""
    folder = morning.folder
    try:
        if folder.done(FORECAST, group.number) is None:
            panel = _read(morning, group, morning.since)
            silent = {"forecast": dict.fromkeys(morning.models, 0), "fallbacks": {}, "over_limit": 0,
                      "left_out": dict.fromkeys(morning.models, group.size)}  # fmt: skip
            tables, record = ({}, silent) if panel is None else _forecasts(morning, panel, group)
            days = {} if panel is None else _days(morning, panel, group)
            tables |= {f"days/{name}": frame for name, frame in days.items()}
            record |= {"entities": group.size, "detectors": list(days)}
            folder.keep(FORECAST, group.number, tables, record)
            for name in days:
                folder.keep_days(watch_name(morning, name), group.whose, f"days/{name}", group.number)
    except (LoadproofError, OSError, MemoryError) as error:
        return GroupFailed(group.number, f"{group}: {str(error) or type(error).__name__}")
    return group.number


def _told(morning: Morning, group: Group, detectors: Sequence[str]) -> dict[str, Any]:
    """Return the tables of scores and alerts of a group's day."""
    before = as_datetime(to_instant(morning.day)) - CONTEXT_DAYS * _DAY - _HOUR  # which the clocks may have changed
    panel, tables = _read(morning, group, before), dict[str, Any]()
    if panel is None:
        return tables
    days = _ground(morning, panel).days(morning.day, morning.day + _DAY)
    for name in detectors:
        frame = morning.folder.read(f"judged/{name}", group.number)
        if frame is not None and frame.height:
            judged = judged_of_frame(frame, morning.interval_mins)
            tables[f"scores/{name}"] = judged.table(name)
            tables[f"alerts/{name}"] = tell(days, judged, detector=name)
    return tables


def tell_group(morning: Morning, among: str, group: Group) -> int | GroupFailed:
    """Tell of a group's day once all are judged, and keep it; unless an earlier run did.

    Args:
        morning: The run.
        among: Names the groups that the day was judged among.
        group: Of which entities.
    """
    folder = morning.folder
    try:
        if (folder.done(TELL, group.number) or {}).get("among") != among:
            detectors = (folder.done(FORECAST, group.number) or {})["detectors"]
            tables = _told(morning, group, detectors) if detectors else {}
            counts = {name: count_kinds(tables[f"alerts/{name}"]) for name in detectors if f"alerts/{name}" in tables}
            folder.keep(TELL, group.number, tables, {"among": among, "alerts": counts})
    except (LoadproofError, OSError, MemoryError) as error:
        return GroupFailed(group.number, f"{group}: {str(error) or type(error).__name__}")
    return group.number
