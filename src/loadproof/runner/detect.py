"""From readings to scores and alerts: fit on one block, rank among the next, judge the last; or one day alone."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from loadproof.anomaly.balance import submeters_of, with_balance
from loadproof.anomaly.days import CONTEXT_DAYS
from loadproof.anomaly.following import CleanHistory
from loadproof.anomaly.sweep import DayScores, Sweep, join_scores
from loadproof.anomaly.watch import AchievedRate, count_kinds, watch, worst_alerts
from loadproof.config import ExperimentConfig
from loadproof.errors import ConfigError
from loadproof.features.calendar import to_instant
from loadproof.features.panel import Panel
from loadproof.features.selection import as_datetime, read_panel
from loadproof.model_folder import ModelFacts, StoredModel, write_model
from loadproof.runner.blocks import Surroundings, read_all, read_surroundings
from loadproof.runner.detector_folder import (
    How,
    Ready,
    detector_facts,
    fit_detector,
    read_detector,
    standing_detector,
)
from loadproof.runner.detectors import detector_of
from loadproof.runner.track import Track, no_track
from loadproof.schema import Dataset
from loadproof.seeds import rng_for
from loadproof.store import Store
from loadproof.tracking import NO_TRACKER, Tracker

__all__ = ["Detection", "Ground", "clean_history", "detect", "detect_day", "of_dataset"]

_DAY = dt.timedelta(days=1)
_OF_LIMITS = ("physical", "ensemble")
"""Detectors that know limits of the equipment; what sub-meters read beyond their mains is one."""


@dataclass(frozen=True)
class Detection:
    """What a detector found, and where it lies.

    Attributes:
        detector: Its name.
        how: Whether it was fitted now, or stood in its folder.
        first: First UK day judged.
        until: The UK day after the last.
        wanted_per_week: The false alarms per home and week to put up with.
        rate: How often one stood.
        kinds: How many alerts of each kind.
        worst: The gravest alerts, as rows of ``ALERTS``.
        paths: The scores, the alerts, and the alerts as JSON.
        folder: The detector at rest.
    """

    detector: str
    how: How
    first: dt.date
    until: dt.date
    wanted_per_week: float
    rate: AchievedRate
    kinds: dict[str, int]
    worst: Sequence[dict[str, Any]]
    paths: tuple[Path, Path, Path]
    folder: Path


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


def _require_entities(store: Store, dataset: Dataset, entities: Sequence[str]) -> None:
    names = store.entities(dataset) if entities else []
    if strange := [name for name in entities if name not in set(names)]:
        raise ConfigError(
            f"{strange[0]}: the store has no reading of it, but of {len(names)} others such as {names[0]}; "
            "name those with --entity"
        )


def _score(days: Sweep, ready: Ready, submeters: dict[str, list[str]], track: Track) -> DayScores:
    found = join_scores(track(days.score(ready.detector), "scoring", days.chunks))
    return with_balance(found, days.panel, submeters) if ready.facts.model in _OF_LIMITS else found


def _submeters(store: Store, dataset: Dataset) -> dict[str, list[str]]:
    return submeters_of(store.scan_readings(dataset)) if dataset == "ukdale" else {}


def _fit_and_score(
    ground: Ground, facts: ModelFacts, folder: Path, device: str, anew: bool, submeters: dict[str, list[str]],
    track: Track,
) -> tuple[Ready, DayScores]:  # fmt: skip
    """Take the detector that stands in the folder, or fit one and keep it once it has scored every day."""
    config = ground.config
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder.with_name(f".{folder.name}.lock")).acquire(timeout=0):
            ready = None if anew else standing_detector(folder, facts, config, device)
            ready = ready or fit_detector(ground.panel, ground.surroundings, config, facts, device)
            found = _score(
                ground.days(clean_history(config).first, config.forecast.test_until), ready, submeters, track
            )
            if ready.how == "fitted":
                write_model(folder, StoredModel(facts, ready.detector.state()))
    except Timeout as error:
        raise ConfigError(f"{folder}: another process fits it now; wait for it to end") from error
    return ready, found


def _tell(
    store: Store, ground: Ground, found: DayScores, ready: Ready, span: tuple[dt.date, dt.date],
    where: tuple[Path, Path], entities: Sequence[str],
) -> Detection:  # fmt: skip
    """Turn the scores of a span of days into tables, write them, and return what they say."""
    (first, until), (output_dir, folder), config = span, where, ground.config
    days, name, clean = ground.days(first, until, entities=entities), ready.facts.model, clean_history(config)
    wanted = config.anomaly.alerts_per_week
    told = watch(
        days, found, clean, alerts_per_week=wanted, detector=name, draws=config.evaluation.bootstrap_draws,
        rng=rng_for(config.seed, "anomaly/rate"),
    )  # fmt: skip
    kinds = count_kinds(told.alerts)
    history = {"first": clean.first.isoformat(), "days": clean.days, "rule_days": clean.rule_days}
    facts = {
        **ready.facts.model_dump(mode="json"), "detector": name, "first": first.isoformat(), "until": until.isoformat(),
        "alerts_per_week": wanted, "rate": told.rate.as_json(), "kinds": kinds, "odd_from_p_value": told.limits,
        "clean_history": {**history, "refresh_days": clean.refresh_days},
    }  # fmt: skip
    paths = store.write_watch(output_dir, name, told.scores, told.alerts, facts)
    return Detection(name, ready.how, first, until, wanted, told.rate, kinds, worst_alerts(told.alerts), paths, folder)


def detect(
    store: Store, dataset: Dataset, name: str, output_dir: Path, *, config: ExperimentConfig, models_root: Path,
    entities: Sequence[str] = (), device: str = "cpu", anew: bool = False, tracker: Tracker = NO_TRACKER,
    track: Track = no_track,
) -> Detection:  # fmt: skip
    """Score every day of the test block, and write the scores and the alerts.

    The detector is fitted on the days before the clean history, which ends at ``test_from``, and kept below
    ``models_root``; one that stands there, of the same data and knobs, is taken.

    Args:
        store: Where the readings are, and the weather if the config wants it.
        dataset: Whose readings.
        name: One of ``DETECTORS``.
        output_dir: ``scores/`` and ``alerts/`` go below it.
        config: All knobs.
        models_root: Where detectors are kept, below ``detectors/``.
        entities: Whom to tell of; none for all. It is fitted and ranked among all in any case.
        device: ``cpu`` or ``cuda``.
        anew: Fit again, whatever stands there.
        tracker: What records it.
        track: What shows progress.

    Raises:
        ConfigError: If there is no such detector or entity, too little to learn from or to rank among, or another
            process fits it now.
    """
    detector_of(name)
    _require_entities(store, dataset, entities)
    config = of_dataset(dataset, config)
    ground = Ground(read_all(store, dataset), read_surroundings(store, config.features, seed=config.seed), config)
    folder = models_root / "detectors" / name
    facts = detector_facts(store, dataset, name, ground.panel.interval_mins, ground.surroundings, config)
    params, tags = {"seed": config.seed, **facts.settings}, {"dataset": dataset, "data_sha256": facts.data_sha256}
    with tracker.run(f"watch {name}", params=params, tags={**tags, "seed": str(config.seed)}) as run:
        ready, found = _fit_and_score(ground, facts, folder, device, anew, _submeters(store, dataset), track)
        span = (config.forecast.test_from, config.forecast.test_until)
        told = _tell(store, ground, found, ready, span, (output_dir, folder), entities)
        run.metrics({key: value for key, value in told.rate.as_json().items() if value is not None})
        run.tags({"how": told.how})
        run.artifact(folder)
        run.artifact(told.paths[2])
    return told


def detect_day(
    store: Store, dataset: Dataset, name: str, day: dt.date, output_dir: Path, *, config: ExperimentConfig,
    models_root: Path, entities: Sequence[str] = (), device: str = "cpu", track: Track = no_track,
) -> Detection:  # fmt: skip
    """Score one UK day by a detector that was fitted before, and write its scores and alerts.

    The scores and p-values are those that :func:`detect` finds for that day.

    Args:
        store: Where the readings are, and the weather if the config wants it.
        dataset: Whose readings.
        name: One of ``DETECTORS``; it must have been fitted.
        day: The UK day.
        output_dir: Tables go below ``at/<day>/`` in it.
        config: Its blocks and clean history; the knobs of the fit must be those that the detector was fitted by.
        models_root: Where detectors are kept, below ``detectors/``.
        entities: Whom to tell of; none for all.
        device: ``cpu`` or ``cuda``.
        track: What shows progress.

    Raises:
        ConfigError: If there is no such detector, entity or reading, or the day is not after the clean history.
        SchemaError: If the detector was not fitted, is damaged, or is of other knobs.
    """
    detector_of(name)
    _require_entities(store, dataset, entities)
    config, folder = of_dataset(dataset, config), models_root / "detectors" / name
    surroundings = read_surroundings(store, config.features, seed=config.seed)
    first = clean_history(config).needed_from(day)
    since, until = (as_datetime(to_instant(date)) for date in (first - CONTEXT_DAYS * _DAY, day + _DAY))
    panel = read_panel(store.scan_readings(dataset), since=since, until=until)
    if panel is None or panel.end <= to_instant(day):
        raise ConfigError(f"{store.root}: holds no reading of {day}; ingest it first, or name another day with --at")
    ground = Ground(panel, surroundings, config)
    wanted = detector_facts(store, dataset, name, panel.interval_mins, surroundings, config)
    ready = read_detector(folder, wanted, config, device)
    found = _score(ground.days(first, day + _DAY), ready, _submeters(store, dataset), track)
    where = (output_dir / "at" / day.isoformat(), folder)
    return _tell(store, ground, found, ready, (day, day + _DAY), where, entities)
