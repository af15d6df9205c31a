"""The board: every model on every fold, half, level and arm, each kept as a small record, and what they come to."""

import json
import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, NamedTuple

from loadproof import __version__
from loadproof.config import ExperimentConfig
from loadproof.errors import ConfigError, EngineError, SchemaError, not_shared
from loadproof.evaluation.board import Part, board_rows
from loadproof.evaluation.board_ground import Ground, lay_ground
from loadproof.evaluation.board_hourly import hourly_rows
from loadproof.evaluation.board_judge import Judged, judge, judge_hourly, variants_of
from loadproof.evaluation.board_plan import EVERY_JOB, HOURLY, Job, Only, Setting, plan_board
from loadproof.forecaster import Forecaster
from loadproof.parts import Map
from loadproof.records import Record, find_records, read_record, write_records
from loadproof.runner.blocks import data_facts, read_all, read_surroundings
from loadproof.runner.board_identity import (
    board_knobs,
    everys,
    group_knobs,
    identity_of,
    known_facts,
    record_paths,
    records_stand,
)
from loadproof.runner.forecasters import FORECASTERS, Builder
from loadproof.runner.track import Track, no_track
from loadproof.schema import Dataset
from loadproof.seeds import rng_for
from loadproof.store import Store

__all__ = ["BoardReport", "Only", "backtest", "board_of"]

logger = logging.getLogger(__name__)

_LIBRARIES: Final = ("numpy", "lightgbm", "statsforecast", "torch")

_AGREE: Final = ("dataset", "mode", "data_sha256", "seed", "board_sha256")
"""What all records of one board have in common."""


@dataclass(frozen=True)
class BoardReport:
    """What a backtest did, and the figures of all records of its jobs, as rows of ``BOARD``."""

    dataset: Dataset
    planned: int
    made: int
    kept: int
    seconds: float
    rows: list[dict[str, Any]]


class _Task(NamedTuple):
    """A job, where its records go, and what they must agree with."""

    job: Job
    paths: dict[str, Path]
    identity: dict[str, Any]

    def __str__(self) -> str:
        return self.job.path


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "absent"


def _knobs_of(setting: Setting, config: ExperimentConfig) -> ExperimentConfig:
    """Return the knobs as a setting wants them: its arm's features, and a lookback that a lag does not shorten."""
    kind, _, error_degc = setting.arm.partition("_")
    weather = {"weather": kind, "weather_error_degc": float(error_degc or 0)}
    lookback = {"lookback_steps": config.patchtst.lookback_steps + setting.data_lag_steps}
    return config.model_copy(
        update={
            "features": config.features.model_copy(update=weather),
            "patchtst": config.patchtst.model_copy(update=lookback),
        }
    )


def _judge(task: _Task, ground: Ground, forecaster: Forecaster, config: ExperimentConfig) -> Judged:
    job, variants = task.job, variants_of(config.calibration)
    # Arms and lags of one model share their chance, so that they differ by what was known alone.
    rng = rng_for(config.seed, f"board/{job.model}/{job.setting.level}/{job.setting.half}/{job.fold}")
    fold = ground.folds[job.fold]
    if job.setting.level == HOURLY:
        return judge_hourly(forecaster, ground, fold, variants=variants, rng=rng, clock=time.perf_counter)
    every, also = everys(job, config)
    return judge(
        forecaster, ground, fold, variants=variants, every=every, also_every=also,
        refit_days=config.backtest.refit_days, rng=rng, clock=time.perf_counter,
    )  # fmt: skip


def _tasks(store: Store, dataset: Dataset, root: Path, config: ExperimentConfig, only: Only) -> list[_Task]:
    facts = {"dataset": dataset, **data_facts(store, dataset)}
    with_weather = facts | {"weather_sha256": data_facts(store, dataset, with_weather=True)["data_sha256"]}
    names = list(variants_of(config.calibration))
    return [
        _Task(job, record_paths(root, job, names), identity_of(job, config, facts if job.plain else with_weather))
        for job in plan_board(config, only)
    ]


@dataclass(frozen=True)
class _Board:
    """What all jobs of a board have in common; boards of one ``key`` stand on the same ground."""

    store: Store
    dataset: Dataset
    config: ExperimentConfig
    forecasters: Mapping[str, Builder] | None
    device: str
    weather: str
    key: str


class _Ground:
    """The windows of the setting that a process works at, cut once for all its jobs."""

    def __init__(self) -> None:
        self._of: tuple[str, Setting] | None = None
        self._laid: Ground | None = None

    def at(self, board: _Board, setting: Setting) -> Ground:
        """Return the windows of a setting."""
        if self._laid is None or self._of != (board.key, setting):
            self._laid = None  # before the next is laid
            knobs = board.config.features.model_copy(update={"weather": board.weather})
            place, weather = read_surroundings(board.store, knobs, seed=board.config.seed)
            panel = read_all(board.store, board.dataset)
            self._laid = lay_ground(panel, setting, board.config, weather=weather, place=place)
            self._of = (board.key, setting)
        return self._laid


_GROUND: Final = _Ground()


def _do(board: _Board, task: _Task) -> _Task:
    """Do a job, write its records, and return it."""
    job, builders = task.job, board.forecasters or FORECASTERS
    ground = _GROUND.at(board, job.setting)
    forecaster = builders[job.model](_knobs_of(job.setting, board.config), board.device)
    judged = _judge(task, ground, forecaster, board.config)
    libraries = {name: _version(name) for name in _LIBRARIES}
    by_whom = {"loadproof_version": __version__, "device": board.device, "libraries": libraries}
    facts = task.identity | judged.facts | by_whom
    write_records({path: Record(facts | {"variant": name}, judged.frames[name]) for name, path in task.paths.items()})
    return task


def _say_how_long(tasks: Sequence[_Task], root: Path) -> None:
    """Log how long the tasks will take by the records that are there, as far as these tell."""
    taken: dict[tuple[str, str], list[float]] = defaultdict(list)
    for path in find_records(root):
        if facts := known_facts(path):
            taken[facts["model"], facts["level"]].append(facts["fit_seconds"] + facts["predict_seconds"])
    known = [seconds for task in tasks if (seconds := taken.get((task.job.model, task.job.setting.level)))]
    minutes = sum(sum(seconds) / len(seconds) for seconds in known) / 60
    logger.info(
        "%d job(s) to do; by earlier records %d of them take about %.0f min of fitting and forecasting",
        len(tasks), len(known), minutes,
    )  # fmt: skip


def backtest(
    store: Store, dataset: Dataset, records_root: Path, *, config: ExperimentConfig,
    forecasters: Mapping[str, Builder] | None = None, only: Only = EVERY_JOB, device: str = "cpu",
    map_: Map = map, track: Track = no_track,
) -> BoardReport:  # fmt: skip
    """Judge every model of the board, and keep a record of each job below ``records_root``.

    A board that was cut off goes on where it stopped. Records of other data or knobs are made anew.

    Args:
        store: Where the readings are, and the weather if an arm wants it.
        dataset: Whose readings.
        records_root: Where the records lie.
        config: All knobs; ``backtest`` says what the board consists of.
        forecasters: How each model is built; None takes ``FORECASTERS``.
        only: Which jobs to do.
        device: ``cpu`` or ``cuda``, for those that can use one.
        map_: Carries the jobs.
        track: What shows progress.

    Raises:
        ConfigError: If a model is unknown, no job is left, a block lies outside the data, or weather is lacking.
        EngineError: If a record is not here: a worker wrote it to a folder of its own.
    """
    began = time.perf_counter()
    builders = {str(name): build for name, build in (FORECASTERS if forecasters is None else forecasters).items()}
    tasks = _tasks(store, dataset, records_root.absolute(), config, only)
    if unknown := sorted({task.job.model for task in tasks} - set(builders)):
        raise ConfigError(f"no model is called {unknown[0]!r}; there are: {', '.join(sorted(builders))}")
    todo = [task for task in tasks if not records_stand(task.paths, task.identity)]
    if todo:
        store.write_json(records_root / "knobs.json", board_knobs(config) | {"groups": group_knobs(config)})
        _say_how_long(todo, records_root)
        wants = "none" if all(task.job.plain for task in todo) else "perfect"
        facts = data_facts(store, dataset, with_weather=True)
        key = json.dumps([str(store.root), dataset, facts, wants, config.model_dump_json()])
        board = _Board(store, dataset, config, forecasters, device, wants, key)
        for task in track(map_(partial(_do, board), todo), "judging", len(todo)):
            if lost := [path for path in task.paths.values() if not path.is_file()]:
                raise EngineError(not_shared(lost[0].parent, lost[0].name))
            logger.info("%s: judged", task)
    paths = [path for task in tasks for path in task.paths.values()]
    rows = board_of(paths, draws=config.evaluation.bootstrap_draws)
    seconds = time.perf_counter() - began
    return BoardReport(dataset, len(tasks), len(todo), len(tasks) - len(todo), seconds, rows)


def board_of(paths: Iterable[Path], *, draws: int) -> list[dict[str, Any]]:
    """Return the rows of ``BOARD`` that records come to.

    Raises:
        SchemaError: If they are not of one board: other data, another seed or other knobs.
    """
    parts = [Part(*read_record(path)) for path in sorted(paths)]
    if not parts:
        raise SchemaError("there are no records to make a board of; run 'loadproof backtest' first")
    for name in _AGREE:
        if len(found := {str(part.facts[name]) for part in parts}) > 1:
            raise SchemaError(
                f"the records are of several boards ({name}: {', '.join(sorted(found))}); make them again"
            )
    dataset, seed = parts[0].facts["dataset"], parts[0].facts["seed"]
    rows = board_rows(parts, dataset=dataset, draws=draws, seed=seed).rows(named=True)
    return [*rows, *hourly_rows(parts, dataset=dataset, seed=seed).rows(named=True)]
