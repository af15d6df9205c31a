"""From readings to alerts at once: those of the test block, or of one day alone."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadproof.anomaly.days import CONTEXT_DAYS
from loadproof.anomaly.watch import AchievedRate, worst_alerts
from loadproof.config import ExperimentConfig
from loadproof.errors import ConfigError
from loadproof.features.calendar import to_instant
from loadproof.features.selection import as_datetime, read_panel
from loadproof.parts import Map
from loadproof.runner.alerts import cut_alerts
from loadproof.runner.detect_group import Span, Spread
from loadproof.runner.detector_folder import How, read_detector
from loadproof.runner.detectors import detector_of
from loadproof.runner.ground import clean_history
from loadproof.runner.score import Scored, Watcher, judge_days, score_block, watcher
from loadproof.runner.track import Track, no_track
from loadproof.schema import Dataset
from loadproof.store import Store
from loadproof.tracker import NO_TRACKER, Tracker

__all__ = ["Detection", "detect", "detect_day"]

_DAY = dt.timedelta(days=1)


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
        paths: The scores, the alerts, and the alerts as JSON; what the scores are of stands beside them as JSON too.
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


def _require_entities(store: Store, dataset: Dataset, entities: Sequence[str]) -> None:
    names = store.entities(dataset) if entities else []
    if strange := [name for name in entities if name not in set(names)]:
        raise ConfigError(
            f"{strange[0]}: the store has no reading of it, but of {len(names)} others such as {names[0]}; "
            "name those with --entity"
        )


def _tell(store: Store, who: Watcher, scored: Scored, output_dir: Path) -> Detection:
    """Cut the alerts of days that were judged, write them beside the scores, and return what they say."""
    facts, name, config = scored.facts, who.facts.model, who.ground.config
    cut = cut_alerts(scored.days, scored.judged, facts, draws=config.evaluation.bootstrap_draws, seed=config.seed)
    alerts = cut.told.alerts
    store.write_watch(output_dir, name, scores=(scored.judged.table(name), facts), alerts=(alerts, cut.facts))
    scores, table = (store.watch_path(output_dir, what, name) for what in ("scores", "alerts"))
    first, until = (dt.date.fromisoformat(facts[edge]) for edge in ("first", "until"))
    return Detection(
        name, scored.how, first, until, facts["alerts_per_week"], cut.told.rate, cut.kinds, worst_alerts(alerts),
        (scores, table, table.with_suffix(".json")), who.folder,
    )  # fmt: skip


def detect(
    store: Store, dataset: Dataset, name: str, output_dir: Path, *, config: ExperimentConfig, models_root: Path,
    entities: Sequence[str] = (), device: str = "cpu", anew: bool = False, tracker: Tracker = NO_TRACKER,
    map_: Map | None = None, track: Track = no_track,
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
        map_: Carries chunks of homes, which each task reads for itself; None scores them here, by threads.
        track: What shows progress.

    Raises:
        ConfigError: If there is no such detector or entity, too little to learn from or to rank among, or another
            process fits it now.
    """
    detector_of(name)
    _require_entities(store, dataset, entities)
    spread = None if map_ is None else Spread(map_, store, dataset, device)
    who = watcher(store, dataset, name, config, models_root, spread=spread)
    with who.recorded(tracker) as run:
        scored = score_block(who, device=device, anew=anew, track=track, entities=entities)
        told = _tell(store, who, scored, output_dir)
        run.metrics({key: value for key, value in told.rate.as_json().items() if value is not None})
        run.tags({"how": told.how})
        run.artifact(told.folder)
        run.artifact(told.paths[2])
    return told


def detect_day(
    store: Store, dataset: Dataset, name: str, day: dt.date, output_dir: Path, *, config: ExperimentConfig,
    models_root: Path, entities: Sequence[str] = (), device: str = "cpu", map_: Map | None = None,
    track: Track = no_track,
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
        map_: As of :func:`detect`.
        track: What shows progress.

    Raises:
        ConfigError: If there is no such detector, entity or reading, or the day is not after the clean history.
        SchemaError: If the detector was not fitted, is damaged, or is of other knobs.
    """
    detector_of(name)
    _require_entities(store, dataset, entities)
    first = clean_history(config).needed_from(day)
    since, until = (as_datetime(to_instant(date)) for date in (first - CONTEXT_DAYS * _DAY, day + _DAY))
    panel = read_panel(store.scan_readings(dataset), since=since, until=until)
    if panel is None or panel.end <= to_instant(day):
        raise ConfigError(f"{store.root}: holds no reading of {day}; ingest it first, or name another day with --at")
    spread = None if map_ is None else Spread(map_, store, dataset, device, Span(since, until))
    who = watcher(store, dataset, name, config, models_root, panel=panel, spread=spread)
    ready = read_detector(who.folder, who.facts, who.ground.config, device)
    found = who.scores(who.ground.days(first, day + _DAY), ready, track)
    scored = judge_days(who, found, ready.how, (day, day + _DAY), entities)
    return _tell(store, who, scored, output_dir / "at" / day.isoformat())
