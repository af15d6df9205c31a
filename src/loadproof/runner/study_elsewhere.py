"""Solvers of a study that was played, asked about homes of another dataset: an illustration, not a test."""

import logging
import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from loadproof import __version__
from loadproof.config import ExperimentConfig
from loadproof.errors import ConfigError
from loadproof.records import Record, write_records
from loadproof.runner.blocks import data_facts, read_all, read_surroundings
from loadproof.runner.board_identity import records_stand
from loadproof.runner.study import WEATHER, StudyReport, identity_of, kept_of
from loadproof.runner.track import Track, no_track
from loadproof.schema import Dataset
from loadproof.selfplay.bout import finished
from loadproof.selfplay.exam import Exam, facts_of_exam, sit
from loadproof.selfplay.plan import BUDGETS, Job
from loadproof.selfplay.tables import set_table, whole_days
from loadproof.store import Store

__all__ = ["study_elsewhere"]

logger = logging.getLogger(__name__)

_Task = tuple[Job, Path, dict[str, Any]]

_NOT_THE_STUDYS: Final = ("judged_on", "judged_sha256")


def _exam(store: Store, dataset: Dataset, config: ExperimentConfig) -> Exam:
    place, weather = read_surroundings(store, config.features.model_copy(update=WEATHER), seed=config.seed)
    if weather is None:
        raise ConfigError("a study needs weather; run 'loadproof ingest weather' first")
    return whole_days(read_all(store, dataset), weather, place, knobs=config.forecast)


def _make(
    todo: Sequence[_Task], store: Store, dataset: Dataset, work_root: Path, exam: Exam, *, budget: str,
    config: ExperimentConfig, device: str,
) -> Iterator[Job]:  # fmt: skip
    panel = read_all(store, dataset)
    place, weather = read_surroundings(store, config.features.model_copy(update=WEATHER), seed=config.seed)
    if weather is None:
        raise ConfigError("a study needs weather; run 'loadproof ingest weather' first")
    for (fold, half), group in groupby(todo, key=lambda task: (task[0].fold, task[0].half)):
        table = set_table(panel, weather, place, fold=fold, half=half, knobs=config.forecast, seed=config.seed)
        for job, path, identity in group:
            studys = {name: value for name, value in identity.items() if name not in _NOT_THE_STUDYS}
            folder, said = kept_of(job, studys, work_root, budget)
            solver = finished(table, job, BUDGETS[budget], folder=folder, identity=said, device=device)
            if solver is None:
                logger.info("%s: is not played to its end in %s, and left out", job.path, work_root)
                continue
            frame, whole = sit(solver, exam)
            facts = identity | whole | facts_of_exam(exam) | {"loadproof_version": __version__, "device": device}
            write_records({path: Record(facts, frame)})
            yield job


def study_elsewhere(
    store: Store, dataset: Dataset, judged_on: Dataset, records_root: Path, work_root: Path, *,
    config: ExperimentConfig, budget: str, planned: Sequence[Job], device: str = "cpu", track: Track = no_track,
) -> StudyReport:  # fmt: skip
    """Have each solver that a study left in ``work_root`` forecast another dataset, and keep one small record each.

    Args:
        store: Where the readings of both datasets and the weather are.
        dataset: Whose homes were learned from.
        judged_on: Whose homes are forecast.
        records_root: Where the records go, by budget and dataset; a study's own are left alone.
        work_root: Where the study's networks lie.
        config: As the study had it.
        budget: One of ``BUDGETS``.
        planned: Whose solvers.
        device: ``cpu`` or ``cuda``.
        track: What shows progress.

    Raises:
        ConfigError: If a budget is unknown, weather is lacking, or no home has a day after a whole context.
    """
    began = time.perf_counter()
    if budget not in BUDGETS:
        raise ConfigError(f"no budget is called {budget!r}; there are: {', '.join(BUDGETS)}")
    data = {"dataset": dataset, **data_facts(store, dataset, with_weather=True)}
    of_judged = {"judged_on": judged_on, "judged_sha256": data_facts(store, judged_on)["data_sha256"]}
    root = records_root / f"{budget}_{judged_on}"
    tasks = [(job, root / f"{job.path}.parquet", identity_of(job, budget, config, data) | of_judged) for job in planned]
    todo = [task for task in tasks if not records_stand({"record": task[1]}, task[2])]
    made = 0
    if todo:
        exam = _exam(store, judged_on, config)
        found = _make(todo, store, dataset, work_root, exam, budget=budget, config=config, device=device)
        for _ in track(found, "forecasting", len(todo)):
            made += 1
    return StudyReport(len(tasks), made, len(tasks) - len(todo), time.perf_counter() - began)
