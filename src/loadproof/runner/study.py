"""The experiment on self-play: one small record a job, so that a study that was cut off goes on, here or elsewhere."""

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from loadproof import __version__
from loadproof.config import ExperimentConfig
from loadproof.errors import ConfigError, EngineError, not_shared
from loadproof.parts import Map
from loadproof.records import Record, write_records
from loadproof.runner.blocks import data_facts, read_all, read_surroundings
from loadproof.runner.board_identity import records_stand
from loadproof.runner.track import Track, no_track
from loadproof.schema import Dataset
from loadproof.selfplay.bout import play_out
from loadproof.selfplay.plan import BUDGETS, Job, jobs
from loadproof.selfplay.tables import set_table
from loadproof.store import Store

__all__ = ["WEATHER", "StudyReport", "identity_of", "kept_of", "study"]

logger = logging.getLogger(__name__)

WEATHER: Final = {"weather": "forecast", "weather_error_degc": 1.0}
"""What every arm of the study is told of the weather: a simulated forecast."""


@dataclass(frozen=True)
class StudyReport:
    """What a study did."""

    planned: int
    made: int
    kept: int
    seconds: float


def identity_of(job: Job, budget: str, config: ExperimentConfig, data: dict[str, Any]) -> dict[str, Any]:
    """Return all that decides what is in a job's record."""
    network, knobs = BUDGETS[budget]
    decides = [network.model_dump(mode="json"), knobs.model_dump(mode="json"), config.forecast.context_steps, WEATHER]
    digest = sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
    return {**job._asdict(), "budget": budget, "study_sha256": digest, "study_seed": config.seed, **data}


def kept_of(job: Job, identity: dict[str, Any], work_root: Path, budget: str) -> tuple[Path, str]:
    """Return the folder where a job's networks lie, and what tells those of this study from any other's."""
    study, data, seed = (identity[name] for name in ("study_sha256", "data_sha256", "study_seed"))
    folder = work_root / budget / job.fold / job.half / f"seed{job.seed}"
    return folder, f"{study}/{data}/{seed}/{job.fold}/{job.half}/{job.seed}"


@dataclass(frozen=True)
class _Played:
    """What all lots of a study have in common."""

    store: Store
    dataset: Dataset
    work_root: Path
    budget: str
    config: ExperimentConfig
    device: str


@dataclass(frozen=True)
class _Lot:
    """The jobs of one seed, quarter and half without a record: they share a table, and networks to begin with."""

    tasks: tuple[tuple[Job, Path, dict[str, Any]], ...]

    def __str__(self) -> str:
        job = self.tasks[0][0]
        return f"seed {job.seed} of {job.fold}, half {job.half}"


def _play(played: _Played, lot: _Lot) -> list[Path]:
    """Play the jobs of a lot one by one, and return their records."""
    store, config, budget = played.store, played.config, played.budget
    place, weather = read_surroundings(store, config.features.model_copy(update=WEATHER), seed=config.seed)
    if weather is None:
        raise ConfigError("a study needs weather; run 'loadproof ingest weather' first")
    first, panel = lot.tasks[0][0], read_all(store, played.dataset)
    table = set_table(panel, weather, place, fold=first.fold, half=first.half, knobs=config.forecast, seed=config.seed)
    for job, path, identity in lot.tasks:
        began = time.perf_counter()
        folder, said = kept_of(job, identity, played.work_root, budget)
        done = play_out(table, job, BUDGETS[budget], folder=folder, identity=said, device=played.device)
        seconds = round(time.perf_counter() - began, 1)
        facts = {"loadproof_version": __version__, "device": played.device, "seconds": seconds}
        write_records({path: Record(identity | done.facts | facts, done.frame)})
        beside = played.work_root / budget / f"{job.path}.json"
        store.write_json(beside, {"episodes": done.episodes})
        if done.pictures.height:
            write_records({beside.with_suffix(".pictures.parquet"): Record(identity, done.pictures)})
        logger.info("%s: played and judged", job.path)
    return [path for _, path, _ in lot.tasks]


def _lots(todo: Sequence[tuple[Job, Path, dict[str, Any]]]) -> list[_Lot]:
    # Jobs of one lot begin with the same networks, which the first of them trains.
    together = groupby(todo, key=lambda task: (task[0].seed, task[0].fold, task[0].half))
    return [_Lot(tuple(tasks)) for _, tasks in together]


def study(
    store: Store, dataset: Dataset, records_root: Path, work_root: Path, *, config: ExperimentConfig, budget: str,
    arms: Sequence[str], seeds: int, folds: Sequence[str], halves: Sequence[str], first_seed: int = 1,
    device: str = "cpu", map_: Map = map, track: Track = no_track,
) -> StudyReport:  # fmt: skip
    """Play every job that has no record yet, and keep one record each below ``records_root``.

    Args:
        store: Where the readings and the weather are.
        dataset: Whose readings.
        records_root: Where the small records lie, by budget.
        work_root: Where networks on their way and episodes lie.
        config: For the sizes of windows, the seed of folds and exams, and the place.
        budget: One of ``BUDGETS``.
        arms: Which arms.
        seeds: How many seeds.
        folds: Which quarters are held out.
        halves: Whose homes are learned from.
        first_seed: The first of the seeds.
        device: ``cpu`` or ``cuda``.
        map_: Carries the lots: the jobs of one seed, quarter and half.
        track: What shows progress.

    Raises:
        ConfigError: If a budget, arm, fold or half is unknown, or weather is lacking.
        EngineError: If a record is not here: a worker wrote it to a folder of its own.
    """
    began = time.perf_counter()
    if budget not in BUDGETS:
        raise ConfigError(f"no budget is called {budget!r}; there are: {', '.join(BUDGETS)}")
    data = {"dataset": dataset, **data_facts(store, dataset, with_weather=True)}
    planned = [
        (job, records_root.absolute() / budget / f"{job.path}.parquet", identity_of(job, budget, config, data))
        for job in jobs(arms=arms, seeds=seeds, folds=folds, halves=halves, first_seed=first_seed)
    ]
    todo = [task for task in planned if not records_stand({"record": task[1]}, task[2])]
    if todo:
        lots, played = _lots(todo), _Played(store, dataset, work_root.absolute(), budget, config, device)
        for records in track(map_(partial(_play, played), lots), "playing", len(lots)):
            if lost := [path for path in records if not path.is_file()]:
                raise EngineError(not_shared(lost[0].parent, lost[0].name))
            logger.debug("%d jobs played", len(records))
    return StudyReport(len(planned), len(todo), len(planned) - len(todo), time.perf_counter() - began)
