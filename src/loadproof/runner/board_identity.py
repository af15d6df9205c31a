"""Where a job's records lie, and what must agree for them to stand."""

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from loadproof.config import ExperimentConfig
from loadproof.errors import SchemaError
from loadproof.evaluation.board_plan import BARS, Job, group_size
from loadproof.records import read_facts

__all__ = ["board_knobs", "everys", "group_knobs", "identity_of", "known_facts", "record_paths", "records_stand"]

logger = logging.getLogger(__name__)

_CHOICES: Final = {
    "models", "levels", "chronological", "every", "more_lags_steps", "weather_arms", "weather_models",
    "weather_levels", "buildingsbench_models",
}  # fmt: skip
"""Knobs that say which records there are, and nothing of what is in one."""

_GROUPS: Final = ("training_groups", "min_reporting")
"""Knobs of sums of homes alone."""


def _digest(values: object) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()


def board_knobs(config: ExperimentConfig) -> dict[str, Any]:
    """Return the knobs that decide every record, as JSON has them."""
    knobs = config.model_dump(mode="json")
    board = {name: value for name, value in knobs["backtest"].items() if name not in _CHOICES.union(_GROUPS)}
    return {
        "backtest": board,
        "forecast": knobs["forecast"],
        "calibration": knobs["calibration"],
        "features": {name: value for name, value in knobs["features"].items() if not name.startswith("weather")},
    }


def group_knobs(config: ExperimentConfig) -> dict[str, Any]:
    """Return the knobs that decide the records of sums of homes besides, as JSON has them."""
    return {name: getattr(config.backtest, name) for name in _GROUPS}


def record_paths(root: Path, job: Job, variants: Iterable[str]) -> dict[str, Path]:
    """Return where the record of each variant lies."""
    return {name: root / f"{job.path}-{name}.parquet" for name in variants}


def everys(job: Job, config: ExperimentConfig) -> tuple[int, tuple[int, ...]]:
    """Return of how many days a job judges one, and which other such windows it sums up beside: the bars do."""
    every = config.backtest.every
    mine = every.get(job.model, 1)
    also = {days for model, days in every.items() if model in config.backtest.models and days > 1}
    return mine, tuple(sorted(also)) if mine == 1 and job.model in BARS else ()


def identity_of(job: Job, config: ExperimentConfig, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return all that decides what is in a job's records."""
    setting, (every, also) = job.setting, everys(job, config)
    groups = group_knobs(config) if group_size(setting.level) else {}
    return {
        "fold": job.fold,
        "half": setting.half,
        "level": setting.level,
        "model": job.model,
        "arm": setting.arm,
        "data_lag_steps": setting.data_lag_steps,
        "seed": config.seed,
        "board_sha256": _digest(board_knobs(config)),
        "model_knobs": config.model_dump(mode="json").get(job.model, {}),
        "also_every": list(also),
        "every": every,
        **groups,
        **data,
    }


def known_facts(path: Path) -> dict[str, Any]:
    """Return the facts of a record, none where it is absent or damaged."""
    try:
        return read_facts(path) or {}
    except SchemaError as error:
        logger.warning("%s", error)
        return {}


def records_stand(paths: Mapping[str, Path], identity: Mapping[str, Any]) -> bool:
    """Return whether the records of a job are there, and of this data and these knobs."""
    found = [known_facts(path) for path in paths.values()]
    return all(facts.get(name) == value for facts in found for name, value in identity.items())
