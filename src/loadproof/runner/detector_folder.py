"""Detectors at rest: fitted on the days before the test block, kept in a folder, and read again."""

import datetime as dt
import itertools
import logging
from pathlib import Path
from typing import Literal, NamedTuple

from loadproof.anomaly.days import CONTEXT_DAYS, cut_learning_days
from loadproof.anomaly.following import CleanHistory
from loadproof.config import ExperimentConfig
from loadproof.detector import Detector
from loadproof.errors import ConfigError, SchemaError
from loadproof.features.panel import Panel
from loadproof.features.selection import as_datetime
from loadproof.model_folder import ModelFacts, StoredModel, read_facts, read_model
from loadproof.runner.blocks import Surroundings, data_facts
from loadproof.runner.detectors import detector_of, sections_of
from loadproof.schema import Dataset
from loadproof.seeds import rng_for
from loadproof.store import Store

__all__ = ["Ready", "detector_facts", "fit_detector", "read_detector", "restored_detector",
           "standing_detector"]  # fmt: skip

logger = logging.getLogger(__name__)

How = Literal["fitted", "kept"]

_FREE = ("alerts_per_week", "rule_days", "refresh_days", "threads")
"""What a fit does not depend upon."""


class Ready(NamedTuple):
    """A fitted detector, and how it came about."""

    detector: Detector
    facts: ModelFacts
    how: How


def detector_facts(
    store: Store, dataset: Dataset, name: str, interval_mins: int, surroundings: Surroundings, config: ExperimentConfig
) -> ModelFacts:
    """Return the facts of the detector that a fit on such readings makes."""
    steps = 24 * 60 // interval_mins
    settings = config.model_dump(mode="json", include=sections_of(name, config))
    for free in _FREE:
        settings["anomaly"].pop(free)
    return ModelFacts(
        model=name, dataset=dataset, interval_mins=interval_mins, known_names=(),
        context_steps=CONTEXT_DAYS * steps, horizon_steps=steps, data_lag_steps=0, seed=config.seed,
        trained_until=config.forecast.test_from.isoformat(), settings=settings,
        **data_facts(store, dataset, with_weather=surroundings.weather is not None),
    )  # fmt: skip


def fit_detector(
    panel: Panel, surroundings: Surroundings, config: ExperimentConfig, facts: ModelFacts, device: str
) -> Ready:
    """Return the detector of these facts, fitted on the days before ``test_from``.

    Raises:
        ConfigError: If a block holds no day to learn from.
    """
    most, clean = config.anomaly.fit_windows, CleanHistory.of(config.forecast.test_from, config.anomaly)
    first = (as_datetime(panel.start) + dt.timedelta(days=CONTEXT_DAYS)).date()
    borders = {"the readings' first weeks": first, "the clean history": clean.first, "test_from": clean.judged_from}
    found = []
    for (begin, since), (end, until) in itertools.pairwise(borders.items()):
        days = cut_learning_days(panel, since, until, most=most, weather=surroundings.weather, place=surroundings.place)
        if not len(days):
            raise ConfigError(
                f"there is no day to learn from between {begin} ({since}) and {end} ({until}): the readings begin on "
                f"{as_datetime(panel.start):%Y-%m-%d}, and each day needs {CONTEXT_DAYS} before it; set "
                "test_from inside the data, in the forecast section of the config, or clean_days lower, in the anomaly "
                "section"
            )
        found.append(days)
    detector = detector_of(facts.model)(config, device)
    detector.fit(found[0], found[1], rng=rng_for(config.seed, f"anomaly/{facts.model}"))
    return Ready(detector, facts, "fitted")


def standing_detector(folder: Path, facts: ModelFacts, config: ExperimentConfig, device: str) -> Ready | None:
    """Return the detector that stands in a folder, None unless it is of these facts."""
    try:
        return _restored(read_model(folder), config, device) if read_facts(folder) == facts else None
    except SchemaError as error:
        logger.info("%s; fitting it anew", error)
        return None


def _restored(stored: StoredModel, config: ExperimentConfig, device: str) -> Ready:
    detector = detector_of(stored.facts.model)(config, device)
    detector.restore(stored.state)
    return Ready(detector, stored.facts, "kept")


def restored_detector(folder: Path, config: ExperimentConfig, device: str) -> Detector:
    """Return the detector in a folder, whose facts somebody has looked at."""
    return _restored(read_model(folder), config, device).detector


def read_detector(folder: Path, wanted: ModelFacts, config: ExperimentConfig, device: str) -> Ready:
    """Return the detector in a folder; newer readings do not make it another one, other knobs do.

    Raises:
        SchemaError: If there is none, it is damaged, or it is of other facts than those that are wanted.
    """
    again = f"run 'loadproof anomaly --detector {folder.name}' without --at"
    if read_facts(folder) is None:
        raise SchemaError(f"{folder}: holds no detector; {again} first")
    stored, free = read_model(folder), {"data_sha256"}
    if stored.facts.model_dump(exclude=free) != wanted.model_dump(exclude=free):
        raise SchemaError(
            f"{folder}: was fitted with other knobs or on another dataset; give the config that it was fitted by, or "
            f"{again}"
        )
    return _restored(stored, config, device)
