"""From a source to the store: stage the parts, merge the months, refuse what is not to be trusted."""

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from loadproof import __version__
from loadproof.errors import SourceError
from loadproof.ingestion.base import BaseIngestor
from loadproof.parts import Part
from loadproof.runner.track import Track, no_track
from loadproof.schema import Dataset
from loadproof.store import Built, Stage, StagedPart, Store

__all__ = ["IngestReport", "ingest", "threads"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class IngestReport:
    """What an ingest did; the summary on disk holds the same."""

    dataset: str
    mode: str
    loadproof_version: str
    settings: dict[str, str]
    rows_read: int
    rows_written: int
    rows_rejected: int
    rejected_by_reason: dict[str, int]
    entities: int
    first_ts_utc: str | None
    last_ts_utc: str | None
    months: dict[str, int]
    sources: list[dict[str, Any]]


def stage_part(ingestor: BaseIngestor, stage: Stage, part: Part) -> StagedPart:
    """Stage one part, unless an earlier run did; a function of small values, so that any ``map`` can carry it."""
    return stage.staged(part) or stage.stage_part(part, ingestor.read(part))


def threads(function: Callable[[Part], StagedPart], parts: Iterable[Part]) -> Iterator[StagedPart]:
    """Map with two threads: one inflates while the other parses, both outside the interpreter's lock."""
    with ThreadPoolExecutor(2) as pool:
        yield from pool.map(function, parts)


def ingest(
    ingestor: BaseIngestor,
    store: Store,
    *,
    mode: str,
    max_rejected_share: float,
    accept_conflicts: bool = False,
    track: Track = no_track,
    map_: Callable[..., Iterable[StagedPart]] = threads,
) -> IngestReport:
    """Bring a source into the store, whole or not at all.

    Args:
        ingestor: The source.
        store: Where its readings, set-aside rows and summary go.
        mode: ``files`` or ``samples``, for the summary; samples never take the place of files.
        max_rejected_share: More rows set aside than this share of those read fails the ingest.
        accept_conflicts: Set half hours with contradicting values aside instead of failing.
        track: Shows progress.
        map_: Carries the parts; each is independent.

    Raises:
        SourceError: If the source cannot be read, contradicts itself, or too much of it was set aside.
    """
    dataset = ingestor.dataset
    parts = ingestor.parts()
    with store.writing(dataset):
        _refuse_samples_over_files(store, dataset, mode)
        stage = store.stage(dataset, _key(ingestor, parts))
        work = map_(partial(stage_part, ingestor, stage), parts)
        staged = list(track(work, f"reading {dataset}", len(parts)))
        by_number = {part.number: part for part in parts}
        built = stage.build(
            staged,
            lambda number, lines: ingestor.raw_lines(by_number[number], lines),
            lambda months: track(months, f"writing {dataset}", len(months)),
        )
        report = _report(ingestor, mode, staged, built)
        trouble = _trouble(report, built, max_rejected_share, accept_conflicts=accept_conflicts)
        if trouble:
            stage.abandon()
            raise SourceError(trouble)
        stage.commit(built, asdict(report))
    return report


def _key(ingestor: BaseIngestor, parts: Iterable[Part]) -> str:
    """Name this ingest by what goes into it, so that a killed run is taken up and another input starts anew."""
    facts = [__version__, dict(ingestor.settings), [(p.name, p.size_bytes, p.stamp) for p in parts]]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _refuse_samples_over_files(store: Store, dataset: Dataset, mode: str) -> None:
    summary = store.read_summary(dataset)
    if mode == "samples" and summary is not None and summary["mode"] != "samples":
        raise SourceError(
            f"{store.root}: holds real {dataset} readings, which a sample run would replace; "
            "name another folder with --output-root, or pass --no-use-samples"
        )


def _report(ingestor: BaseIngestor, mode: str, staged: list[StagedPart], built: Built) -> IngestReport:
    sources = [
        {"name": part.name, "bytes": part.size_bytes, "sha256": part.sha256, "rows_read": part.rows_read,
         "rows_rejected": built.rejected_by_part.get(part.name, 0)}
        for part in staged
    ]  # fmt: skip
    report = IngestReport(
        dataset=ingestor.dataset,
        mode=mode,
        loadproof_version=__version__,
        settings=dict(ingestor.settings),
        rows_read=sum(part.rows_read for part in staged),
        rows_written=built.rows_written,
        rows_rejected=sum(built.rejected_by_reason.values()),
        rejected_by_reason=dict(built.rejected_by_reason),
        entities=built.entities,
        first_ts_utc=built.first_ts_utc,
        last_ts_utc=built.last_ts_utc,
        months=dict(built.months),
        sources=sources,
    )
    if report.rows_read != report.rows_written + report.rows_rejected:
        raise AssertionError(f"rows went missing: {report}")
    return report


def _trouble(report: IngestReport, built: Built, max_rejected_share: float, *, accept_conflicts: bool) -> str | None:
    counts = ", ".join(f"{count} {reason}" for reason, count in report.rejected_by_reason.items())
    if not report.rows_written:
        return f"{report.dataset}: no row of {report.rows_read} could be used ({counts or 'none read'}); check it"
    if built.conflict and not accept_conflicts:
        return (
            f"{report.dataset}: {report.rejected_by_reason['conflict']} rows give one half hour two values: "
            f"{built.conflict}; mend the source, or pass --accept-conflicts to set all of them aside"
        )
    share = report.rows_rejected / report.rows_read
    if share > max_rejected_share:
        return (
            f"{report.dataset}: {report.rows_rejected} of {report.rows_read} rows ({share:.1%}) were set aside, more "
            f"than the limit of {max_rejected_share:.1%} ({counts}); mend the source or raise --max-rejected-share"
        )
    return None
