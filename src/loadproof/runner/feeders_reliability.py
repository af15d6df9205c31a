"""The study of risk's probabilities on history, kept as one small record."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from loadproof import __version__
from loadproof.config import ExperimentConfig
from loadproof.errors import ConfigError
from loadproof.features.calendar import local_midnights
from loadproof.features.selection import as_datetime, read_panel
from loadproof.feeders.risk_study import Study, draw_feeders
from loadproof.records import Record, write_records
from loadproof.runner.blocks import data_facts
from loadproof.runner.forecasters import AT_ONCE, builder_of
from loadproof.schema import Dataset
from loadproof.seeds import rng_for
from loadproof.store import Store

__all__ = ["RECORD", "ReliabilityReport", "study_reliability"]

RECORD: Final = "risk_reliability.parquet"

_TRAIN_DAYS: Final = 243
"""Days before validation that are read: January to August of the one year that the homes share."""


@dataclass(frozen=True)
class ReliabilityReport:
    """What was judged, on how many feeders of how many homes, and the figures."""

    dataset: Dataset
    feeders: int
    homes: int
    rows: Sequence[Mapping[str, Any]]
    path: Path


def study_reliability(
    store: Store, dataset: Dataset, models: Sequence[str], records: Path, *, config: ExperimentConfig
) -> ReliabilityReport:
    """Judge on history how likely models said that a feeder exceeds its own percentiles, and keep the record.

    Raises:
        ConfigError: If the dataset has no homes, or too few for a feeder.
    """
    if dataset != "lcl":
        raise ConfigError(f"{dataset}: the study is of groups of homes; take lcl")
    builders = {name: builder_of(name) for name in models}
    knobs = config.forecast.model_copy(
        update={"horizon_steps": config.risk.study_days * 48, "context_steps": max(config.forecast.context_steps, 1344)}
    )
    config = config.model_copy(update={"forecast": knobs})
    borders = (knobs.valid_from - dt.timedelta(days=_TRAIN_DAYS), knobs.test_until)
    since, until = (as_datetime(local_midnights(day, day + dt.timedelta(days=1))[0]) for day in borders)
    homes = read_panel(store.scan_readings(dataset), since=since, until=until)
    if homes is None:
        raise ConfigError(
            f"{dataset} has no readings from {borders[0]} to {borders[1]}; set the blocks inside the data"
        )
    feeders = draw_feeders(
        homes, knobs, size=config.risk.feeder_homes, partitions=config.risk.partitions,
        min_reporting=config.risk.min_reporting, rng=rng_for(config.seed, "feeders/partitions"),
    )  # fmt: skip
    study = Study(feeders.panel, knobs, draws=config.evaluation.bootstrap_draws, seed=config.seed)
    table = study.judge({name: build(config) for name, build in builders.items()}, plain=AT_ONCE)
    facts = {
        "dataset": dataset, "seed": config.seed, "loadproof_version": __version__, "homes": feeders.homes,
        "feeders": len(feeders.panel.entities), "risk": config.risk.model_dump(mode="json"),
        "forecast": knobs.model_dump(mode="json"), "draws": config.evaluation.bootstrap_draws,
        "models": list(models), **data_facts(store, dataset),
    }  # fmt: skip
    write_records({records / RECORD: Record(facts, table)})
    return ReliabilityReport(dataset, facts["feeders"], feeders.homes, table.rows(named=True), records / RECORD)
