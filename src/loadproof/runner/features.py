"""The feature table at rest: ``features/dataset=<d>/month=YYYY-MM/part-NNNNN.parquet`` beside the readings.

What it is of stands in ``summaries/features_<d>.json``.
"""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from loadproof import __version__
from loadproof.config import ExperimentConfig
from loadproof.errors import EngineError, SchemaError, not_shared
from loadproof.features.stored import StoredFeatures
from loadproof.features.table import FeatureMonth, FeaturesOf, feature_months, spec_from_config
from loadproof.parts import Map
from loadproof.runner.blocks import data_facts, read_surroundings
from loadproof.runner.features_group import FeaturesAsked, FeatureTask, MonthMade, make_month
from loadproof.runner.predict_group import HOMES_A_TASK, groups_of
from loadproof.runner.track import Track, no_track
from loadproof.schema import Dataset
from loadproof.store import Store

__all__ = ["FeaturesReport", "read_features", "write_features"]


@dataclass(frozen=True)
class FeaturesReport:
    """What was written: where, how many rows, and which columns of features."""

    folder: Path
    rows: int
    names: tuple[str, ...]


def _folder(store: Store, dataset: Dataset) -> Path:
    return store.root.parent / "features" / f"dataset={dataset}"


def _facts_path(store: Store, dataset: Dataset) -> Path:
    return store.summaries_root / f"features_{dataset}.json"


def _facts(store: Store, dataset: Dataset, config: ExperimentConfig) -> dict[str, Any]:
    """Return all that decides what a feature table holds."""
    knobs = config.model_dump(mode="json", include={"features", "seed"})
    steps = config.forecast.model_dump(mode="json", include={"context_steps", "data_lag_steps"})
    names = list(spec_from_config(config.features).names)
    data = data_facts(store, dataset, with_weather=config.features.weather != "none")
    return {**knobs, **steps, **data, "names": names, "loadproof_version": __version__}


def read_features(store: Store, dataset: Dataset, *, config: ExperimentConfig) -> FeaturesOf:
    """Return the feature table as what tells the features of windows.

    Raises:
        SchemaError: If there is none, or it is of other readings, weather or knobs.
    """
    folder = _folder(store, dataset)
    stands, wanted = store.read_json(_facts_path(store, dataset)), _facts(store, dataset, config)
    again = "run 'loadproof run feature_engineering' first"
    if stands is None:
        raise SchemaError(f"{folder}: is no feature table; {again}")
    if unlike := [name for name, value in wanted.items() if stands.get(name) != value]:
        raise SchemaError(f"{folder}: is a feature table of another {unlike[0]}; {again}")
    return StoredFeatures(store.scan_table(folder)).matrix


def write_features(
    store: Store, dataset: Dataset, *, config: ExperimentConfig, homes_a_task: int = HOMES_A_TASK, map_: Map = map,
    track: Track = no_track,
) -> FeaturesReport:  # fmt: skip
    """Write a dataset's feature table, whole or not at all; the same readings and knobs give the same bytes.

    A run that was cut off goes on with what an earlier one of the same readings and knobs had made.

    Args:
        store: Where the readings are, and the weather if the config wants it; the table goes beside them.
        dataset: Whose readings.
        config: The knobs.
        homes_a_task: A task is a month of so many homes at most, whatever carries it; a file is of one task.
        map_: Carries the tasks.
        track: Shows progress.

    Raises:
        SchemaError: If there are no readings.
        ConfigError: If the knobs want weather that is not there, or name no feature.
        SourceError: If another process writes the dataset or its features now.
    """
    read_surroundings(store, config.features, seed=config.seed)  # which is refused before anything is made
    spec, facts = spec_from_config(config.features), _facts(store, dataset, config)
    months = feature_months(store.scan_readings(dataset))
    folder = _folder(store, dataset)
    with store.writing(dataset):  # or a second run would remove the stage of this one, and an ingest its readings
        stage = _stage(store, dataset, facts, months, homes_a_task)
        asked = FeaturesAsked(store, dataset, config.features, config.forecast, config.seed, stage)
        groups = list(groups_of(store.entities(dataset), homes_a_task))
        tasks = [FeatureTask(month, homes) for month in months for homes in groups]
        made = list(track(map_(partial(make_month, asked), tasks), "making features", len(tasks)))
        _put_in_place(stage, made, folder, _facts_path(store, dataset))
        store.write_json(_facts_path(store, dataset), facts)
    return FeaturesReport(folder, sum(month.rows for month in made), spec.names)


def _stage(
    store: Store, dataset: Dataset, facts: Mapping[str, Any], months: Sequence[FeatureMonth], homes_a_task: int
) -> Path:
    """Return the folder where these features are made, with what a run that was cut off left; others' are removed."""
    since, until = months[0].span(int(facts["context_steps"]))[0], months[-1].span(0)[1]
    key = json.dumps([facts, store.stamps(dataset, since, until), homes_a_task], sort_keys=True)
    name = f"features-{dataset}"
    stage = store.staging_root / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    for other in store.staging_root.glob(f"{name}-*"):
        if other != stage:
            shutil.rmtree(other)
    return stage


def _put_in_place(stage: Path, made: Sequence[MonthMade], folder: Path, facts: Path) -> None:
    """Move all files of a stage into the table's folder, numbered by month, and so take the old table's place.

    Raises:
        EngineError: If one is not here: a worker wrote it to a folder of its own.
    """
    if lost := [file for month in made for file in month.files if not file.is_file()]:
        raise EngineError(not_shared(stage, f"{lost[0].parent.name}/{lost[0].name}"))
    ending = stage.with_name(f"{stage.name}-ending")  # which no run goes on from: some of it is gone
    beside = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    if stage.is_dir():
        stage.rename(ending)
    numbers = Counter[str]()
    for month in made:
        for file in month.files:
            path = beside / f"month={month.month}" / f"part-{numbers[month.month]:05d}.parquet"
            numbers[month.month] += 1
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(ending / file.relative_to(stage), path)
    facts.unlink(missing_ok=True)  # until the folder is of these facts, it is of none
    shutil.rmtree(folder, ignore_errors=True)
    beside.rename(folder)
    shutil.rmtree(ending, ignore_errors=True)
