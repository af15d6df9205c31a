"""From a source to the store: stage the parts, merge the months, refuse what is not to be trusted."""

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from typing import Any

from loadproof import __version__
from loadproof.errors import SourceError
from loadproof.ingestion.base import BaseIngestor
from loadproof.parts import Map, Part
from loadproof.runner.ingest_before import Ledger, find_kept, read_before
from loadproof.runner.ingest_report import BrokenPart, IngestReport, find_trouble, make_report
from loadproof.runner.passing_faults import insist
from loadproof.runner.track import Track, no_track
from loadproof.staging import Built, Kept, Stage, StagedPart, finish_commit, open_stage
from loadproof.store import Store

__all__ = ["ingest", "threads"]

logger = logging.getLogger(__name__)


def stage_part(ingestor: BaseIngestor, stage: Stage, part: Part) -> StagedPart | BrokenPart:
    """Stage one part, unless an earlier run did; a function of small values, so that any ``map`` can carry it."""
    try:
        return insist(partial(_stage, ingestor, stage, part))
    except SourceError as error:
        return BrokenPart(part.name, str(error))


def _stage(ingestor: BaseIngestor, stage: Stage, part: Part) -> StagedPart:
    try:
        return stage.staged(part) or stage.stage_part(part, ingestor.read(part))
    except SourceError:
        stage.forget(part)
        raise


def threads(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """Map with two threads: one inflates while the other parses, one sorts while the other writes."""
    with ThreadPoolExecutor(2) as pool:
        yield from pool.map(function, items)


def _key(ingestor: BaseIngestor, parts: Iterable[Part], old: Mapping[str, Any] | None) -> str:
    """Name this ingest by what goes into it, so that a killed run is taken up and another input starts anew."""
    before = old["sources"] if old and ingestor.adds else []
    facts = [__version__, dict(ingestor.settings), [(p.name, p.size_bytes, p.stamp) for p in parts], before]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _named(parts: Iterable[Part]) -> tuple[list[Part], list[BrokenPart]]:
    """Return the parts whose names can be written down, and the others as broken."""
    good, bad = list[Part](), list[BrokenPart]()
    for part in parts:
        if part.name.isprintable():
            good.append(part)
        else:
            shown = ascii(part.name)
            bad.append(BrokenPart(shown, f"{shown}: its name holds bytes that are no text; rename the file"))
    return good, bad


def _unchanged(store: Store, old: Mapping[str, Any], lost: Sequence[BrokenPart]) -> IngestReport:
    """Return the dataset as it was; only what could not be had this time is news."""
    logger.info("%s: nothing new to read", old["dataset"])
    report = IngestReport(**{**old, "broken": [part._asdict() for part in lost]})
    if asdict(report) != old:
        store.write_json(store.summary_path(old["dataset"]), asdict(report))
    return report


def _stage_all(
    ingestor: BaseIngestor, stage: Stage, parts: Sequence[Part], lost: Sequence[BrokenPart], *, strict: bool,
    track: Track, map_: Map,
) -> tuple[list[StagedPart], list[BrokenPart]]:  # fmt: skip
    """Return what each part gave, and what is broken, which with ``strict`` or without a sound part fails."""
    work = map_(partial(stage_part, ingestor, stage), parts)
    results = list(track(work, f"reading {ingestor.dataset}", len(parts)))
    staged = [result for result in results if isinstance(result, StagedPart)]
    stage.require_here(staged)
    broken = [*lost, *(result for result in results if isinstance(result, BrokenPart))]
    if broken and (strict or not staged):
        raise SourceError(broken[0].error)
    return staged, broken


def _build(
    ingestor: BaseIngestor, stage: Stage, parts: Sequence[Part], staged: Sequence[StagedPart], kept: Kept,
    track: Track, map_: Map,
) -> Built:  # fmt: skip
    by_number = {part.number: part for part in parts}
    return stage.build(
        staged,
        kept,
        lambda number, lines: ingestor.raw_lines(by_number[number], lines) if lines else {},
        lambda months, total: track(months, f"writing {ingestor.dataset}", total),
        map_,
    )


def ingest(
    ingestor: BaseIngestor, store: Store, *, mode: str, max_rejected_share: float, accept_conflicts: bool = False,
    strict: bool = False, track: Track = no_track, lost: Sequence[BrokenPart] = (), map_: Map = threads,
) -> IngestReport:  # fmt: skip
    """Bring a source into the store, whole or not at all.

    Args:
        ingestor: The source.
        store: Where its readings, set-aside rows and summary go.
        mode: ``files`` or ``samples``, for the summary; samples never take the place of files.
        max_rejected_share: More set aside than this share of what is read now fails the ingest.
        accept_conflicts: Set half hours with contradicting values aside instead of failing.
        strict: Fail on the first part that cannot be read, instead of ingesting the others and reporting it.
        track: Shows progress.
        lost: Parts that could not even be fetched; reported like those that cannot be read.
        map_: Carries the parts, then the months; each is independent.

    Raises:
        SourceError: If the source cannot be read, contradicts itself, or too much of it was set aside.
    """
    parts, unnamed = _named(ingestor.parts())
    lost = [*lost, *unnamed, *(BrokenPart(*table) for table in ingestor.damaged.items())]
    with store.writing(ingestor.dataset):
        finish_commit(store, ingestor.dataset)
        old = read_before(store, ingestor, mode)
        ledger = Ledger(store, ingestor, old)
        parts = [part for part in parts if not ledger.has(part)]
        if not parts and old is not None:
            return _unchanged(store, old, lost)
        stage = open_stage(store, ingestor.dataset, _key(ingestor, parts, old))
        try:
            staged, broken = _stage_all(ingestor, stage, parts, lost, strict=strict, track=track, map_=map_)
            kept = find_kept(ingestor, old, staged, broken)
            built = _build(ingestor, stage, parts, staged, kept, track, map_)
            report = make_report(ingestor, store.root.name, mode, old, kept, staged, broken, built)
            expected = accept_conflicts or ingestor.conflicts_are_expected
            if trouble := find_trouble(report, staged, built, max_rejected_share, accept_conflicts=expected):
                raise SourceError(trouble)
        except SourceError:
            stage.abandon()
            raise
        stage.commit(built, asdict(report))
        ledger.add(part for part in parts if part.name not in {part.name for part in broken})
    return report
