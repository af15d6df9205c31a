"""The feature table at rest: ``features/dataset=<d>/month=YYYY-MM/part-NNNNN.parquet`` beside the readings."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from loadproof.config import ExperimentConfig
from loadproof.features.calendar import UK_ZONE
from loadproof.features.table import build_features, spec_from_config
from loadproof.files import write_parquet
from loadproof.runner.blocks import read_surroundings
from loadproof.schema import Dataset
from loadproof.store import Store

__all__ = ["FeaturesReport", "write_features"]


@dataclass(frozen=True)
class FeaturesReport:
    """What was written: where, how many rows, and which columns of features."""

    folder: Path
    rows: int
    names: tuple[str, ...]


def write_features(store: Store, dataset: Dataset, *, config: ExperimentConfig) -> FeaturesReport:
    """Write a dataset's feature table, whole or not at all; the same readings and knobs give the same bytes.

    Raises:
        SchemaError: If there are no readings.
        ConfigError: If the knobs want weather that is not there, or name no feature.
    """
    surroundings, spec = read_surroundings(store, config.features, seed=config.seed), spec_from_config(config.features)
    folder = store.root.parent / "features" / f"dataset={dataset}"
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
    shutil.rmtree(folder, ignore_errors=True)
    beside.rename(folder)
    return FeaturesReport(folder, rows, spec.names)
