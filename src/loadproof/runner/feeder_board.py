"""The board of the tree: one small record, kept while data and knobs stay, and the rows it comes to."""

import hashlib
import json
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from loadproof import __version__
from loadproof.baselines.seasonal import SeasonalNaive
from loadproof.config import ExperimentConfig
from loadproof.features.panel import Panel
from loadproof.feeders.tree_board import sum_tree, tree_rows
from loadproof.feeders.tree_ground import lay_tree
from loadproof.feeders.tree_walk import walk_tree
from loadproof.records import Record, read_record, write_records
from loadproof.runner.blocks import data_facts, read_all
from loadproof.runner.board_identity import known_facts
from loadproof.runner.forecasters import builder_of
from loadproof.schema import Dataset
from loadproof.seeds import rng_for
from loadproof.store import Store

__all__ = ["TreeReport", "feeder_board", "rows_of_record"]


@dataclass(frozen=True)
class TreeReport:
    """What the board of the tree came to, and whether its record was made now."""

    made: bool
    path: Path
    facts: dict[str, Any]
    rows: list[dict[str, Any]]


def _identity(config: ExperimentConfig, facts: dict[str, Any]) -> dict[str, Any]:
    """Return all that decides what is in the record."""
    knobs = config.model_dump(mode="json")
    parts = {name: knobs.get(name) for name in ("tree", "forecast", "calibration", config.tree.model)}
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return {"seed": config.seed, "model": config.tree.model, "knobs_sha256": digest, **facts}


def _make(panel: Panel, identity: dict[str, Any], config: ExperimentConfig) -> Record:
    began = time.perf_counter()
    ground = lay_tree(
        panel, partial(builder_of(config.tree.model), config), SeasonalNaive, knobs=config.tree,
        forecast=config.forecast, calibration=config.calibration, seed=config.seed,
    )  # fmt: skip
    laid = time.perf_counter()
    walked = walk_tree(
        ground, most_paths=config.tree.paths, calibration=config.calibration, rng=rng_for(config.seed, "tree/paths")
    )
    about = {
        "nodes": {level: len(ground.tree.at(level)) for level in ground.tree.levels},
        "homes_left_out": ground.homes_left_out,
        "days": int(ground.tested.sum()),
        "filled_forecasts": ground.filled,
        "paths": list(walked.paths),
        "largest_gap_kwh": walked.largest_gap_kwh,
        "forecast_seconds": round(laid - began, 1),
        "reconcile_seconds": round(time.perf_counter() - laid, 1),
        "loadproof_version": __version__,
        "knobs": config.tree.model_dump(mode="json"),
        "test": [str(config.forecast.test_from), str(config.forecast.test_until)],
    }
    return Record(identity | about, sum_tree(ground, walked.quantiles_kwh))


def rows_of_record(path: Path, *, draws: int) -> list[dict[str, Any]]:
    """Return the rows of ``TREE_ROWS`` that a record comes to.

    Raises:
        SchemaError: If it is absent or no record.
    """
    record = read_record(path)
    return tree_rows(record.frame, draws=draws, seed=record.facts["seed"]).rows(named=True)


def feeder_board(store: Store, dataset: Dataset, records_root: Path, *, config: ExperimentConfig) -> TreeReport:
    """Judge a tree of homes, feeders and one substation before and after reconciliation; keep a record.

    A record of the same data and knobs stays; any other is made anew.

    Raises:
        ConfigError: If the homes fill no feeder, or the model is unknown.
        SchemaError: If there are no readings.
    """
    identity = _identity(config, {"dataset": dataset, **data_facts(store, dataset)})
    path = records_root / f"tree-{config.tree.model}.parquet"
    facts = known_facts(path)
    made = any(facts.get(name) != value for name, value in identity.items())
    if made:
        write_records({path: _make(read_all(store, dataset), identity, config)})
    rows = rows_of_record(path, draws=config.evaluation.bootstrap_draws)
    return TreeReport(made, path, read_record(path).facts, rows)
