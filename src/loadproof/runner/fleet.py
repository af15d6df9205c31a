"""A morning's run over all entities: forecasts, risk and alerts, group by group, and gone on with after any failure."""

import datetime as dt
import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from loadproof import __version__
from loadproof.anomaly.days import CONTEXT_DAYS
from loadproof.anomaly.watch import join_alerts
from loadproof.config import ExperimentConfig
from loadproof.errors import ConfigError, SchemaError
from loadproof.features.calendar import Moment, last_whole_day, to_instant
from loadproof.features.selection import as_datetime, read_seen
from loadproof.feeders.risk import count_over, rank_together
from loadproof.morning_folder import MorningFolder
from loadproof.parts import Map
from loadproof.runner.detectors import detector_of
from loadproof.runner.fleet_group import (
    FORECAST,
    Morning,
    forecast_group,
    judged_step,
    known_ratings,
    saved_detector,
    saved_model,
    tell_group,
    watch_name,
)
from loadproof.runner.fleet_judge import Judgement, judge_groups
from loadproof.runner.forecasters import AT_ONCE, builder_of
from loadproof.runner.ground import clean_history
from loadproof.runner.groups import Group, carry, name_of, numbered_groups
from loadproof.runner.predict_group import HOMES_A_TASK
from loadproof.runner.saved_forecast import followed_from, looks_back, read_saved, require_features
from loadproof.runner.track import Track, no_track
from loadproof.schema import Dataset
from loadproof.store import Store

__all__ = ["FleetAsked", "FleetReport", "fleet"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FleetAsked:
    """What is asked of a morning's run, besides the config's knobs.

    Attributes:
        models: Who forecasts, saved ones; the first is held against the limits.
        detectors: Who watches, fitted ones; none for no alerts.
        horizon_steps: How far ahead.
        assets: A file of ratings, if any.
        usual: The usual rating of all others, if any; without both there is no risk.
        group_size: Entities that are worked on together.
    """

    models: tuple[str, ...]
    detectors: tuple[str, ...]
    horizon_steps: int
    assets: Path | None = None
    usual: str | None = None
    group_size: int = HOMES_A_TASK


@dataclass(frozen=True)
class FleetReport:
    """What a morning's run found, and what it could not do.

    Attributes:
        summary: What ``fleet.json`` holds.
        failed: The groups that failed, each in a sentence; run again, they alone are done.
        stood: Whether all of it was there already, so that nothing was done.
        folder: The tables.
    """

    summary: Mapping[str, Any]
    failed: Sequence[str]
    stood: bool
    folder: Path


def fleet(
    store: Store, dataset: Dataset, at: Moment, output_dir: Path, *, config: ExperimentConfig, asked: FleetAsked,
    models_root: Path, device: str = "cpu", map_: Map = map, track: Track = no_track,
) -> FleetReport:  # fmt: skip
    """Forecast all entities from one instant, hold them against limits, and tell of the last day published by then.

    What each model and detector says is what it says of the same entity by itself. A run that was killed is gone on
    with, group by group; one that ended is not done again.

    Args:
        store: Where the readings are.
        dataset: Whose readings; ``ukdale`` is no fleet.
        at: The instant; a date is its UK midnight.
        output_dir: The tables go to ``at/<t0>/fleet/`` below it.
        config: The knobs of the detectors, of the risk, and of the data lag.
        asked: Who forecasts and watches, and how far ahead.
        models_root: Where models and detectors lie.
        device: ``cpu`` or ``cuda``.
        map_: Carries the groups; each is independent.
        track: Shows progress.

    Raises:
        ConfigError: If a name is none, a model is not a saved one, there is nothing to forecast, the tables there are
            another dataset's, or another process is at the same instant.
        SchemaError: If a model or detector is not there, is damaged, or was made for other data.
    """
    where = output_dir.resolve(), models_root.resolve()  # another process may stand in another folder
    morning, groups = _plan(store, dataset, as_datetime(to_instant(at)), *where, config, asked, device)
    with morning.folder.writing():
        return _run(morning, groups, map_, track)


def _run(morning: Morning, groups: Sequence[Group], map_: Map, track: Track) -> FleetReport:
    folder = morning.folder
    if (standing := folder.standing()) is not None and not standing["failed"]:
        return FleetReport(standing, (), stood=True, folder=folder.final)
    failed = carry(map_, partial(forecast_group, morning), groups, folder, FORECAST, track)
    done = [group for group in groups if folder.done(FORECAST, group.number) is not None]
    if not done:
        raise ConfigError(failed[groups[0].number])
    judged = Judgement(name_of(()), [], {}, {})
    if morning.detectors:
        judged = _judged(morning, done, failed, map_, track)
        tell, step = partial(tell_group, morning, judged.among), judged_step("tell", judged.among)
        failed |= judged.failed | carry(map_, tell, judged.groups, folder, step, track)
    summary = _publish(morning, groups, done, failed, judged)
    if not failed:
        for name in morning.detectors:
            folder.forget_days(watch_name(morning, name), (group.whose for group in groups))
        folder.clear()
    return FleetReport(summary, tuple(failed.values()), stood=False, folder=folder.final)


def _judged(morning: Morning, done: Sequence[Group], failed: Mapping[int, str], map_: Map, track: Track) -> Judgement:
    """Judge what is done; where nothing can be judged, what failed before is told too."""
    try:
        return judge_groups(morning, done, map_, track)
    except (ConfigError, SchemaError) as error:
        if not failed:
            raise
        raise type(error)(f"{error}; and before that {'; '.join(failed.values())}") from error


def _plan(
    store: Store, dataset: Dataset, t0: dt.datetime, output_dir: Path, models_root: Path, config: ExperimentConfig,
    asked: FleetAsked, device: str,
) -> tuple[Morning, list[Group]]:  # fmt: skip
    """Return what all groups share, and the groups, once it is sure that models and detectors can be used."""
    if dataset == "ukdale":
        raise ConfigError("ukdale is single houses of different years and no fleet; take lcl or ssen")
    for name in asked.models:
        builder_of(name)
        if name in AT_ONCE:
            raise ConfigError(
                f"{name} is fitted on all entities where it is used, and a fleet is forecast by saved models; train "
                "one with 'loadproof train', such as ridge"
            )
    for name in asked.detectors:
        detector_of(name)
    ready = [read_saved(store, dataset, models_root / name, device, asked.horizon_steps) for name in asked.models]
    for one in ready:
        require_features(one, config)
        if one.facts is not None and dt.date.fromisoformat(one.facts.trained_until) > t0.date():
            logger.warning("%s was trained until %s, after %s: this is no measure of it", one.folder.name,
                           one.facts.trained_until, t0.date())  # fmt: skip
    lag_steps = max([config.forecast.data_lag_steps, *(one.config.forecast.data_lag_steps for one in ready)])
    day = last_whole_day(t0 - dt.timedelta(minutes=30 * lag_steps))
    begins = [(followed_from(one, t0) or t0) - looks_back(one) for one in ready]
    if asked.detectors:
        first = clean_history(config).needed_from(day)
        begins.append(as_datetime(to_instant(first)) - dt.timedelta(days=CONTEXT_DAYS, hours=1))
    since = min(begins)
    seen = read_seen(store.scan_readings(dataset, since=since, until=t0), since, t0)
    if seen is None or seen.end <= as_datetime(to_instant(day)):
        raise ConfigError(
            f"{store.root}: holds no reading of {dataset} from {day} to {t0:%Y-%m-%d %H:%M} UTC; ingest it first, name "
            "another instant with --at, or say with --data-lag when readings are published"
        )
    groups = numbered_groups(store.entities(dataset), asked.group_size)
    facts = [*_what_is_read(store, dataset, t0, since, config, asked, models_root), device, name_of(groups)]
    key = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:16]
    folder = MorningFolder(output_dir / "at" / f"{t0:%Y-%m-%dT%H%MZ}", dataset, key)
    morning = Morning(
        folder, store.root, dataset, t0, since, seen.interval_mins, asked.models, asked.detectors, day, models_root,
        config, asked.horizon_steps, device, asked.assets.resolve() if asked.assets else None, asked.usual,
    )  # fmt: skip
    known_ratings(morning)
    for name in morning.models:
        saved_model(morning, name)
    for name in morning.detectors:
        saved_detector(morning, name)
    return morning, groups


def _what_is_read(
    store: Store, dataset: Dataset, t0: dt.datetime, since: dt.datetime, config: ExperimentConfig, asked: FleetAsked,
    models_root: Path,
) -> list[Any]:  # fmt: skip
    """Return all that decides what a run finds, so that another input is another run."""
    folders = [*asked.models, *(f"detectors/{name}" for name in asked.detectors)]
    configs = [models_root / name / "config.json" for name in folders]
    digests = [store.digest(path) if path.is_file() else None for path in configs]
    ratings = None if asked.assets is None else store.digest(asked.assets)
    weather = (store.read_summary("weather") or {}).get("sources")
    return [
        __version__, dataset, t0, config.model_dump(mode="json"), folders, digests, asked.horizon_steps, ratings,
        asked.usual, asked.group_size, store.stamps(dataset, since, t0), weather,
    ]  # fmt: skip


def _counted(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return the sums by name, in order of names."""
    found = Counter[str]()
    for count in counts:
        found.update(count)
    return dict(sorted(found.items()))


def _tables(
    morning: Morning, judged: Judgement, numbers: Sequence[int], told: Sequence[int]
) -> tuple[dict[str, tuple[str, list[int]]], dict[str, Any]]:
    """Return the tables that stay a file a group, as ``MorningFolder.publish`` takes them, and those that are one file.

    Args:
        morning: The run.
        judged: What the day was judged among.
        numbers: Groups that were forecast.
        told: Those whose day was told of.
    """
    folder, step = morning.folder, judged_step("tell", judged.among)
    stay = [*(f"forecasts/{name}" for name in morning.models), "risk_half_hours"]
    parts = {table: (table, folder.kept(FORECAST, table, numbers)) for table in stay}
    whole = {"risk": rank_together(folder.read_all("risk", folder.kept(FORECAST, "risk", numbers)))}
    for name in judged.watched:
        scores, alerts = (judged_step(f"{kind}/{name}", judged.among) for kind in ("scores", "alerts"))
        parts[f"scores/{name}"] = (scores, folder.kept(step, scores, told))
        whole[f"alerts/{name}"] = join_alerts(folder.read_all(alerts, folder.kept(step, alerts, told)))
    return parts, whole


def _publish(
    morning: Morning, groups: Sequence[Group], done: Sequence[Group], failed: Mapping[int, str], judged: Judgement
) -> dict[str, Any]:  # fmt: skip
    """Put the tables of all groups that are done in place, and return what there is to say of them."""
    folder, among, watched = morning.folder, judged.among, judged.watched
    numbers, assets = [group.number for group in done], known_ratings(morning)
    records = [folder.done(FORECAST, number) or {} for number in numbers]
    tell = {number: folder.done(judged_step("tell", among), number) for number in numbers}
    told = [number for number, record in tell.items() if record is not None]
    parts, whole = _tables(morning, judged, numbers, told)
    summary = {
        "loadproof_version": __version__, "t0_utc": morning.t0.isoformat(),
        "day": morning.day.isoformat(), "horizon_steps": morning.horizon_steps, "seed": morning.config.seed,
        "groups": len(groups), "entities": sum(record["entities"] for record in records),
        "failed": {str(number): why for number, why in sorted(failed.items())},
        "forecast": _counted(record["forecast"] for record in records),
        "left_out": _counted(record["left_out"] for record in records),
        "fallbacks": {
            name: _counted(record["fallbacks"].get(name, {}) for record in records) for name in morning.models
        },
        "alerts": {
            name: _counted(record["alerts"].get(name, {}) for record in tell.values() if record) for name in watched
        },
        "watched": {name: dict(facts) for name, facts in watched.items()},
        "limits": len(whole["risk"]), "over_limit": count_over(whole["risk"]), "usual": morning.usual,
        "bad_ratings": [str(row) for row in assets.bad] if assets else [],
        "assets": None if morning.assets is None else morning.assets.name,
    }  # fmt: skip
    return folder.publish(parts, whole, summary)
