"""The feature table at rest: ``features/dataset=<d>/month=YYYY-MM/part-NNNNN.parquet`` beside the readings.

What it is of stands in ``summaries/features_<d>.json``.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadproof import __version__
from loadproof.config import ExperimentConfig
from loadproof.errors import SchemaError
from loadproof.features.calendar import UK_ZONE
from loadproof.features.stored import StoredFeatures
from loadproof.features.table import FeaturesOf, build_features, spec_from_config
from loadproof.files import write_parquet
from loadproof.runner.blocks import data_facts, read_surroundings
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


def write_features(store: Store, dataset: Dataset, *, config: ExperimentConfig) -> FeaturesReport:
    """Write a dataset's feature table, whole or not at all; the same readings and knobs give the same bytes.

    Raises:
        SchemaError: If there are no readings.
        ConfigError: If the knobs want weather that is not there, or name no feature.
    """
    surroundings, spec = read_surroundings(store, config.features, seed=config.seed), spec_from_config(config.features)
    folder = _folder(store, dataset)
    beside = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(beside, ignore_errors=True)
    knobs, rows = config.forecast, 0
    parts: dict[str, int] = {}
    frames = build_features(
        store.scan_readings(dataset), surroundings.weather, spec, context_steps=knobs.context_steps,
        data_lag_steps=knobs.data_lag_steps, place=surroundings.place,
    )  # fmt: skip
    for frame in frames:
        month = frame["t0_utc"].dt.convert_time_zone(UK_ZONE).dt.strftime("%Y-%m")[0]
        parts[month] = parts.get(month, -1) + 1
        path = beside / f"month={month}" / f"part-{parts[month]:05d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_parquet(frame, path)
        rows += frame.height
    facts = _facts_path(store, dataset)
    facts.unlink(missing_ok=True)  # until the folder is of these facts, it is of none
    shutil.rmtree(folder, ignore_errors=True)
    beside.rename(folder)
    store.write_json(facts, _facts(store, dataset, config))
    return FeaturesReport(folder, rows, spec.names)
