"""The board of detectors: each kind of event in each half of the homes a small record, LEAD's buildings beside."""

import hashlib
import json
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from loadproof import __version__
from loadproof.anomaly.bench import HALVES, Singles, fit_bench, lay_ground, single_detectors
from loadproof.anomaly.changes import CHANGES
from loadproof.anomaly.following import CleanHistory
from loadproof.anomaly.injection import FAULTS, Alteration
from loadproof.anomaly.lead import buildings_of, judge_building
from loadproof.anomaly.trial import Trial
from loadproof.config import ExperimentConfig
from loadproof.detector import Detector
from loadproof.errors import ConfigError, SchemaError
from loadproof.evaluation.detection_table import ENSEMBLE, Table, detection_tables, one_board
from loadproof.features.panel import Panel
from loadproof.ingestion.lead import LeadReadings, read_lead
from loadproof.limits import SERVICE_FUSE_A
from loadproof.records import Record, find_records, read_record, write_records
from loadproof.runner.blocks import data_facts, read_all
from loadproof.runner.board_identity import known_facts
from loadproof.runner.detectors import detector_of
from loadproof.runner.track import Track, no_track
from loadproof.schema import Dataset
from loadproof.seeds import rng_for
from loadproof.selfplay.arms import PLAYED
from loadproof.store import Store

__all__ = ["BOARD", "SELF_PLAY", "AnomalyBoardReport", "BenchOf", "anomaly_board", "anomaly_board_of"]

logger = logging.getLogger(__name__)

_CLEAN: Final = "clean"
_LEAD: Final = "lead"
_EVENTS: Final[dict[str, Alteration]] = {**FAULTS, **CHANGES}  # type: ignore[dict-item]
_AGREE: Final = ("dataset", "mode", "data_sha256", "seed", "knobs_sha256")


class BenchOf(NamedTuple):
    """Who is put on trial, and the sections of the config and the loop of self-play that decide what they become."""

    singles: Singles
    sections: tuple[str, ...]
    loop: str | None = None


def _of_self_play(config: ExperimentConfig, *, fuse_a: float | None = SERVICE_FUSE_A) -> dict[str, Detector]:
    """Return the detector that self-play leaves, between the residual of a plain forecaster, the limits and chance."""
    plain = single_detectors(config, fuse_a=fuse_a)
    return {
        name: plain[name] if name in plain else detector_of(name)(config)
        for name in ("physical", "residual", "verdict", "random")
    }


BOARD: Final = BenchOf(single_detectors, ("anomaly_board", "autoencoder", "ridge"))
SELF_PLAY: Final = BenchOf(_of_self_play, ("anomaly_board", "ridge", "selfplay", "patchtst"), PLAYED)
"""A trial of its own: what it learns from is the board's, and so are the events; it knows no hourly buildings."""


@dataclass(frozen=True)
class AnomalyBoardReport:
    """What a benchmark did, and the figures of all records, as rows."""

    planned: int
    made: int
    seconds: float
    rows: list[dict[str, Any]]


class _Job(NamedTuple):
    """What one record is of: a half of the homes (or LEAD) and a kind of event (or ``clean``, or a building)."""

    part: str
    kind: str

    def path(self, root: Path) -> Path:
        """Return where its record lies."""
        return root / self.part / f"{self.kind.replace(':', '_')}.parquet"


def _digest(values: object) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()


def _knobs(config: ExperimentConfig, bench: BenchOf) -> dict[str, Any]:
    knobs = config.model_dump(mode="json")
    history = {name: knobs["anomaly"][name] for name in ("clean_days", "rule_days", "refresh_days")}
    loop = {"loop": bench.loop} if bench.loop else {}
    return {"history": history, **{name: knobs[name] for name in bench.sections}, **loop}


def _stands(path: Path, identity: dict[str, Any]) -> bool:
    facts = known_facts(path)
    return all(facts.get(name) == value for name, value in identity.items())


def _of_half(
    panel: Panel, half: str, jobs: list[_Job], config: ExperimentConfig, singles: Singles
) -> Iterator[tuple[_Job, Any]]:
    """Fit the detectors on one half, and yield what each job finds on the other."""
    knobs, seed = config.anomaly_board, config.seed
    clean = CleanHistory.of(knobs.test_from, config.anomaly)
    ground = lay_ground(panel, half, knobs, clean, seed=seed)
    rng_of = partial(_rng_of, seed, f"anomaly_board/{half}")
    bench = fit_bench(
        singles(config), ground.train, ground.valid, slow=knobs.slow, fault_homes=knobs.fault_homes,
        rng_of=rng_of,
    )  # fmt: skip
    logger.info("half %s: fitted", half)
    trial = Trial(bench, ground.judged, clean=clean, homes=ground.homes)
    for job in jobs:
        if job.kind == _CLEAN:
            yield job, trial.clean_alerts(knobs.rates)
        else:
            yield (
                job,
                trial.event(
                    job.kind, _EVENTS[job.kind], alerts_per_week=knobs.alerts_per_week, rng=rng_of(f"event/{job.kind}")
                ),
            )


def _rng_of(seed: int, prefix: str, name: str) -> Any:  # noqa: ANN401  a generator; the runner does not know numpy
    return rng_for(seed, f"{prefix}/{name}")


def _of_lead(
    lead: LeadReadings, jobs: list[_Job], config: ExperimentConfig, singles: Singles
) -> Iterator[tuple[_Job, Any]]:
    buildings = buildings_of(lead.frame)
    for job in jobs:
        found = judge_building(
            buildings, job.kind, singles(config, fuse_a=None),
            alerts_per_week=config.anomaly_board.lead_alerts_per_week, knobs=config.anomaly,
            rng_of=partial(_rng_of, config.seed, f"anomaly_board/{job.kind}"),
        )  # fmt: skip
        yield job, found


def anomaly_board(
    store: Store, dataset: Dataset, records_root: Path, *, config: ExperimentConfig, lead: Path | None = None,
    kinds: tuple[str, ...] = (), bench: BenchOf = BOARD, track: Track = no_track,
) -> AnomalyBoardReport:  # fmt: skip
    """Judge every detector on every kind of event, and keep a record of each below ``records_root``.

    A board that was cut off goes on where it stopped; records of other data or knobs are made anew.

    Args:
        store: Where the readings are.
        dataset: Whose readings.
        records_root: Where the records lie.
        config: All knobs; ``anomaly_board`` says what the board consists of.
        lead: The folder of LEAD's files; None leaves these out.
        kinds: These kinds of event alone; empty for all.
        bench: Who is put on trial.
        track: What shows progress.

    Raises:
        ConfigError: If a kind is unknown.
        SourceError: If LEAD's folder holds none of it.
    """
    began = time.perf_counter()
    if unknown := sorted(set(kinds) - {*_EVENTS, _CLEAN, _LEAD}):
        raise ConfigError(f"no event is called {unknown[0]!r}; there are: {', '.join([*_EVENTS, _CLEAN, _LEAD])}")
    identity = {"dataset": dataset, **data_facts(store, dataset), "seed": config.seed}
    identity["knobs_sha256"] = _digest(_knobs(config, bench))
    wanted = [kind for kind in (_CLEAN, *_EVENTS) if not kinds or kind in kinds]
    jobs = [_Job(half, kind) for half in HALVES for kind in wanted]
    readings = read_lead(lead) if lead is not None and (not kinds or _LEAD in kinds) else None
    if readings is not None:
        jobs += [_Job(_LEAD, name) for name in buildings_of(readings.frame).panel.entities.tolist()]
    todo = [job for job in jobs if not _stands(job.path(records_root), _identity(identity, job, readings))]
    if todo:
        store.write_json(records_root / "knobs.json", _knobs(config, bench))
    for job, frame in track(_made(store, dataset, todo, readings, config, bench.singles), "judging", len(todo)):
        facts = _identity(identity, job, readings) | {"loadproof_version": __version__}
        write_records({job.path(records_root): Record(facts, frame)})
        logger.info("%s, %s: judged", *job)
    rows = anomaly_board_of(records_root, draws=config.evaluation.bootstrap_draws)
    return AnomalyBoardReport(len(jobs), len(todo), time.perf_counter() - began, rows)


def _identity(common: dict[str, Any], job: _Job, readings: LeadReadings | None) -> dict[str, Any]:
    of_lead = {"lead_sha256": readings.sha256} if job.part == _LEAD and readings is not None else {}
    return {**common, "part": job.part, "kind": job.kind, **of_lead}


def _made(
    store: Store,
    dataset: Dataset,
    todo: list[_Job],
    readings: LeadReadings | None,
    config: ExperimentConfig,
    singles: Singles,
) -> Iterator[tuple[_Job, Any]]:
    for half in HALVES:
        if mine := [job for job in todo if job.part == half]:
            yield from _of_half(read_all(store, dataset), half, mine, config, singles)
    if readings is not None and (mine := [job for job in todo if job.part == _LEAD]):
        yield from _of_lead(readings, mine, config, singles)


def _tables(records_root: Path) -> tuple[list[Table], dict[str, Any]]:
    """Return the records below a folder, and what they agree in."""
    records = [read_record(path) for path in find_records(records_root)]
    if not records:
        raise SchemaError(f"{records_root}: holds no record; run 'loadproof benchmark anomaly' first")
    for name in _AGREE:
        if len(found := {str(record.facts[name]) for record in records}) > 1:
            raise SchemaError(
                f"the records are of several boards ({name}: {', '.join(sorted(found))}); make them again"
            )
    tables = [Table(record.facts["part"], record.facts["kind"], record.frame) for record in records]
    return tables, {name: records[0].facts[name] for name in _AGREE}


def anomaly_board_of(
    records_root: Path, *, draws: int, beside: Path | None = None, subjects: tuple[str, ...] = (ENSEMBLE,),
    without: tuple[str, ...] = (),
) -> list[dict[str, Any]]:  # fmt: skip
    """Return the rows that all records below a folder come to.

    Args:
        records_root: Where the records lie.
        draws: Resamples of homes.
        beside: Where those of a trial lie that was held apart, of the same data; its detectors join the board.
        subjects: Detectors whose lead over each other one is told.
        without: Kinds of event that are left out.

    Raises:
        SchemaError: If there is none, or they are not of one board: other data, another seed or other knobs.
    """
    tables, agreed = _tables(records_root)
    if beside is not None:
        others, said = _tables(beside)
        if any(said[name] != agreed[name] for name in _AGREE if name != "knobs_sha256"):
            raise SchemaError(f"{beside}: is of other data than {records_root}; make the records of both from the same")
        tables = one_board(tables, others)
    tables = [table for table in tables if table.kind not in without]
    return detection_tables(tables, faults=tuple(FAULTS), draws=draws, seed=agreed["seed"], subjects=subjects)
