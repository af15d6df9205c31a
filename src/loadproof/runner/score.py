"""From readings to scores and thresholds: fit on one block, rank among the next, score the last."""

import datetime as dt
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from loadproof.anomaly.balance import submeters_of, with_balance
from loadproof.anomaly.sweep import DayScores, Sweep, join_scores
from loadproof.anomaly.watch import Judged, judge
from loadproof.config import ExperimentConfig
from loadproof.errors import ConfigError
from loadproof.features.panel import Panel
from loadproof.model_folder import ModelFacts, StoredModel, write_model
from loadproof.runner.blocks import read_all, read_surroundings
from loadproof.runner.detect_group import Spread, scores_by_homes
from loadproof.runner.detector_folder import How, Ready, detector_facts, fit_detector, standing_detector
from loadproof.runner.detectors import detector_of
from loadproof.runner.ground import Ground, clean_history, of_dataset
from loadproof.runner.track import Track, no_track
from loadproof.schema import Dataset
from loadproof.store import Store
from loadproof.tracker import NO_TRACKER, Run, Tracker

__all__ = ["Scored", "Watcher", "judge_days", "score", "score_block", "watcher"]

_OF_LIMITS = ("physical", "ensemble")
"""Detectors that know limits of the equipment; what sub-meters read beyond their mains is one."""


class Watcher(NamedTuple):
    """A detector by what it will be, where it is kept, and what it watches."""

    facts: ModelFacts
    folder: Path
    ground: Ground
    submeters: dict[str, list[str]]
    spread: Spread | None = None

    def scores(self, days: Sweep, ready: Ready, track: Track) -> DayScores:
        """Return the scores of days, once it is ready; where they are spread, it must stand in its folder."""
        spread, config = self.spread, self.ground.config
        scores = days.score(ready.detector) if spread is None else scores_by_homes(days, self.folder, config, spread)
        found = join_scores(track(scores, "scoring", days.chunks))
        return with_balance(found, days.panel, self.submeters) if self.facts.model in _OF_LIMITS else found

    def recorded(self, tracker: Tracker) -> AbstractContextManager[Run]:
        """Return the run that its watch is recorded as."""
        facts = self.facts
        tags = {"dataset": facts.dataset, "data_sha256": facts.data_sha256, "seed": str(facts.seed)}
        return tracker.run(f"watch {facts.model}", params={"seed": facts.seed, **facts.settings}, tags=tags)


class Scored(NamedTuple):
    """What a detector made of some days: all that alerts are cut from, and what stands beside the scores."""

    days: Sweep
    judged: Judged
    facts: dict[str, Any]
    how: How


def watcher(
    store: Store, dataset: Dataset, name: str, config: ExperimentConfig, models_root: Path, *,
    panel: Panel | None = None, spread: Spread | None = None,
) -> Watcher:  # fmt: skip
    """Return a detector that watches all readings, or a panel of some, and scores them here or spread over tasks.

    Raises:
        ConfigError: If there is no such detector, or no weather that the config wants.
        SchemaError: If there are no readings.
    """
    detector_of(name)
    config = of_dataset(dataset, config)
    surroundings = read_surroundings(store, config.features, seed=config.seed)
    panel = read_all(store, dataset) if panel is None else panel
    facts = detector_facts(store, dataset, name, panel.interval_mins, surroundings, config)
    meters = submeters_of(store.scan_readings(dataset)) if dataset == "ukdale" else {}
    return Watcher(facts, models_root / "detectors" / name, Ground(panel, surroundings, config), meters, spread)


def judge_days(
    who: Watcher, found: DayScores, how: How, span: tuple[dt.date, dt.date], entities: Sequence[str]
) -> Scored:
    """Judge a span of days by their history, and say beside them what they are of."""
    (first, until), ground = span, who.ground
    clean, knobs, days = clean_history(ground.config), ground.config.anomaly, ground.days(*span, entities=entities)
    judged = judge(found, clean, days.dates, days.panel.entities, alerts_per_week=knobs.alerts_per_week)
    history = {"first": clean.first.isoformat(), "days": clean.days, "rule_days": clean.rule_days}
    facts = {
        **who.facts.model_dump(mode="json"), "detector": who.facts.model, "first": first.isoformat(),
        "until": until.isoformat(), "alerts_per_week": knobs.alerts_per_week, "odd_from_p_value": judged.limits(),
        "clean_history": {**history, "refresh_days": clean.refresh_days},
    }  # fmt: skip
    return Scored(days, judged, facts, how)


def score_block(who: Watcher, *, device: str, anew: bool, track: Track, entities: Sequence[str] = ()) -> Scored:
    """Score and judge the test block by the detector that stands in its folder, or by one that is fitted and kept."""
    ground, folder, config = who.ground, who.folder, who.ground.config
    blocks, first = config.forecast, clean_history(config).first
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder.with_name(f".{folder.name}.lock")).acquire(timeout=0):
            ready = None if anew else standing_detector(folder, who.facts, config, device)
            ready = ready or fit_detector(ground.panel, ground.surroundings, config, who.facts, device)
            if ready.how == "fitted":
                write_model(folder, StoredModel(who.facts, ready.detector.state()))
            found = who.scores(ground.days(first, blocks.test_until), ready, track)
    except Timeout as error:
        raise ConfigError(f"{folder}: another process fits it now; wait for it to end") from error
    return judge_days(who, found, ready.how, (blocks.test_from, blocks.test_until), entities)


def score(
    store: Store, dataset: Dataset, name: str, output_dir: Path, *, config: ExperimentConfig, models_root: Path,
    device: str = "cpu", tracker: Tracker = NO_TRACKER, track: Track = no_track,
) -> Scored:  # fmt: skip
    """Score every day of the test block, and write the scores with the thresholds of the days; no alert is cut.

    Args:
        store: Where the readings are, and the weather if the config wants it.
        dataset: Whose readings.
        name: One of ``DETECTORS``.
        output_dir: ``scores/`` goes below it.
        config: All knobs.
        models_root: Where detectors are kept, below ``detectors/``; one of the same data and knobs is taken.
        device: ``cpu`` or ``cuda``.
        tracker: What records it.
        track: What shows progress.

    Raises:
        ConfigError: If there is no such detector, too little to learn from or to rank among, or another process fits it
            now.
    """
    who = watcher(store, dataset, name, config, models_root)
    with who.recorded(tracker) as run:
        done = score_block(who, device=device, anew=False, track=track)
        scores = done.judged.table(name)
        store.write_watch(output_dir, name, scores=(scores, done.facts))
        run.metrics({"homes": len(done.days.panel.entities), "readings_scored": scores.height})
        run.tags({"how": done.how})
        run.artifact(who.folder)
        run.artifact(store.watch_path(output_dir, "scores", name).with_suffix(".json"))
    return done
