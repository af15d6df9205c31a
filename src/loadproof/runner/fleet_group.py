"""One group of entities in a morning's run: what is forecast, scored and told of it, by whatever process has it.

A group's step is a function of small values that writes below the working folder alone and returns its result or its
error, so that any ``map`` can carry it; what every group needs is read once a process.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from loadproof import __version__
from loadproof.anomaly.day_frames import (
    days_that_stand,
    frame_of_scores,
    join_days,
    judged_of_frame,
    scores_of_frames,
    with_prints,
)
from loadproof.anomaly.day_prints import day_prints
from loadproof.anomaly.days import CONTEXT_DAYS
from loadproof.anomaly.following import CleanHistory
from loadproof.anomaly.pool import leaves_of
from loadproof.anomaly.sweep import join_scores
from loadproof.anomaly.watch import count_kinds, tell
from loadproof.config import ExperimentConfig
from loadproof.evaluation.outlook import count_fallbacks
from loadproof.features.calendar import to_instant
from loadproof.features.panel import Panel
from loadproof.features.selection import as_datetime, read_panel
from loadproof.feeders.assets import Assets, limits_of
from loadproof.feeders.risk import count_over, risk_of_quantiles
from loadproof.forecaster import forecast_table
from loadproof.morning_folder import MorningFolder
from loadproof.runner import detector_folder
from loadproof.runner.blocks import Surroundings, read_surroundings
from loadproof.runner.detector_folder import detector_facts, read_detector
from loadproof.runner.feeders_risk import read_asset_file
from loadproof.runner.ground import Ground, clean_history, of_dataset
from loadproof.runner.groups import Group, GroupFailed, attempt
from loadproof.runner.saved_forecast import Ready, cut_now, forecast_now, read_saved, shorten
from loadproof.schema import Dataset
from loadproof.store import Store

__all__ = [
    "FORECAST",
    "Morning",
    "forecast_group",
    "judged_step",
    "known_ratings",
    "numbered",
    "saved_detector",
    "saved_model",
    "tell_group",
    "watch_name",
]

FORECAST: Final = "forecast"

_DAY: Final = dt.timedelta(days=1)
_HOUR: Final = dt.timedelta(hours=1)


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


@lru_cache(maxsize=8)
def known_ratings(morning: Morning) -> Assets | None:
    """Return the ratings of the run, read once a process."""
    return read_asset_file(morning.assets)


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
            levels, assets=known_ratings(morning), usual=morning.usual, cyclic_ratio=morning.config.risk.cyclic_ratio,
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
    said = json.dumps([__version__, facts, folder, weather, morning.device], sort_keys=True)
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


def numbered(parts: Iterable[NamedTuple]) -> dict[str, Any]:
    """Return the arrays of several records by the number of each and their names."""
    return {f"{number}/{name}": array for number, part in enumerate(parts) for name, array in part._asdict().items()}


def judged_step(step: str, among: str) -> str:
    """Name a step, or a table, of a day that is judged among some groups; judged among others it lies elsewhere."""
    return f"{step}/{among}"


def forecast_group(morning: Morning, group: Group) -> int | GroupFailed:
    """Forecast a group, hold it against its limits, score its days, and keep all that; unless an earlier run did.

    What it leaves to those who judge all groups is kept too.
    """
    return attempt(group, partial(_forecast, morning, group))


def _forecast(morning: Morning, group: Group) -> None:
    folder = morning.folder
    if folder.done(FORECAST, group.number) is not None:
        return
    panel = _read(morning, group, morning.since)
    silent = {"forecast": dict.fromkeys(morning.models, 0), "fallbacks": {}, "over_limit": 0,
              "left_out": dict.fromkeys(morning.models, group.size)}  # fmt: skip
    tables, record = ({}, silent) if panel is None else _forecasts(morning, panel, group)
    days = {} if panel is None else _days(morning, panel, group)
    tables |= {f"days/{name}": frame for name, frame in days.items()}
    record |= {"entities": group.size, "detectors": list(days)}
    leaves = {
        f"leaves/{name}": numbered(
            leaves_of(scores_of_frames([frame], morning.interval_mins), morning.history, morning.day)
        )
        for name, frame in days.items()
    }
    folder.keep(FORECAST, group.number, tables, record, leaves)
    for name in days:
        folder.keep_days(watch_name(morning, name), group.whose, f"days/{name}", group.number)


def _told(morning: Morning, among: str, group: Group) -> dict[str, Any]:
    """Return the tables of scores and alerts of a group's day."""
    ranked = {
        name: morning.folder.read(judged_step(f"ranked/{name}", among), group.number) for name in morning.detectors
    }
    if all(frame is None for frame in ranked.values()):
        return {}
    before = as_datetime(to_instant(morning.day)) - CONTEXT_DAYS * _DAY - _HOUR  # which the clocks may have changed
    panel, tables = _read(morning, group, before), dict[str, Any]()
    if panel is None:
        return tables
    days = _ground(morning, panel).days(morning.day, morning.day + _DAY)
    watched = (morning.folder.done(judged_step("judge", among), 0) or {})["watched"]
    for name, frame in ranked.items():
        if frame is not None:
            limit = watched[name]["odd_from_p_value"][morning.day.isoformat()]
            judged = judged_of_frame(frame, morning.interval_mins, limit)
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
    return attempt(group, partial(_tell, morning, among, group))


def _tell(morning: Morning, among: str, group: Group) -> None:
    folder, step = morning.folder, judged_step("tell", among)
    if folder.done(step, group.number) is None:
        tables = _told(morning, among, group)
        counts = {
            name: count_kinds(tables[f"alerts/{name}"]) for name in morning.detectors if f"alerts/{name}" in tables
        }
        kept = {judged_step(table, among): frame for table, frame in tables.items()}
        folder.keep(step, group.number, kept, {"alerts": counts})
