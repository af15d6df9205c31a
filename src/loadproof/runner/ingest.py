"""From a source to the store: stage the parts, merge the months, refuse what is not to be trusted."""

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, NamedTuple

from loadproof import __version__
from loadproof.errors import SourceError
from loadproof.ingestion.base import BaseIngestor
from loadproof.parts import Part
from loadproof.runner.track import Track, no_track
from loadproof.schema import Dataset
from loadproof.staging import Built, Kept, Stage, StagedPart, finish_commit, open_stage
from loadproof.store import Store

__all__ = ["BrokenPart", "IngestReport", "ingest", "threads"]

logger = logging.getLogger(__name__)


class BrokenPart(NamedTuple):
    """A part that could not be read, and why."""

    name: str
    error: str


@dataclass(frozen=True)
class IngestReport:
    """The dataset after an ingest; the summary on disk holds the same."""

    dataset: str
    root: str
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
    broken: list[dict[str, str]]


def stage_part(ingestor: BaseIngestor, stage: Stage, part: Part) -> StagedPart | BrokenPart:
    """Stage one part, unless an earlier run did; a function of small values, so that any ``map`` can carry it."""
    try:
        return stage.staged(part) or stage.stage_part(part, ingestor.read(part))
    except SourceError as error:
        stage.forget(part)
        return BrokenPart(part.name, str(error))


def threads(
    function: Callable[[Part], StagedPart | BrokenPart], parts: Iterable[Part]
) -> Iterator[StagedPart | BrokenPart]:
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
    strict: bool = False,
    track: Track = no_track,
    lost: Sequence[BrokenPart] = (),
    map_: Callable[..., Iterable[StagedPart | BrokenPart]] = threads,
) -> IngestReport:
    """Bring a source into the store, whole or not at all.

    Args:
        ingestor: The source.
        store: Where its readings, set-aside rows and summary go.
        mode: ``files`` or ``samples``, for the summary; samples never take the place of files.
        max_rejected_share: More rows set aside than this share of those read now fails the ingest.
        accept_conflicts: Set half hours with contradicting values aside instead of failing.
        strict: Fail on the first part that cannot be read, instead of ingesting the others and reporting it.
        track: Shows progress.
        lost: Parts that could not even be fetched; reported like those that cannot be read.
        map_: Carries the parts; each is independent.

    Raises:
        SourceError: If the source cannot be read, contradicts itself, or too much of it was set aside.
    """
    dataset = ingestor.dataset
    parts, unnamed = _named(ingestor.parts())
    lost = [*lost, *unnamed, *(BrokenPart(*table) for table in ingestor.damaged.items())]
    with store.writing(dataset):
        finish_commit(store, dataset)
        old = _read_old(store, dataset)
        if ingestor.adds and old is None and store.months(dataset):
            raise SourceError(
                f"{store.summary_path(dataset)}: is missing or of another version, so nobody can say what the readings "
                f"at rest came from; put it back, or move {store.root / f'dataset={dataset}'} away and ingest all files"
            )
        _refuse_shared_siblings(store, old)
        _refuse_samples_over_files(store, old, mode, dataset)
        if old is not None and old["mode"] != mode:
            old = None  # of a source that adds, simulated rows would stay beside the real ones
        ledger = _Ledger(store, ingestor, old)
        parts = [part for part in parts if not ledger.has(part)]
        if not parts and old is not None:
            logger.info("%s: nothing new to read", dataset)
            return _unchanged(store, old, lost)
        stage = open_stage(store, dataset, _key(ingestor, parts, old))
        results = list(track(map_(partial(stage_part, ingestor, stage), parts), f"reading {dataset}", len(parts)))
        staged = [result for result in results if isinstance(result, StagedPart)]
        broken = [*lost, *(result for result in results if isinstance(result, BrokenPart))]
        if broken and (strict or not staged):
            stage.abandon()
            raise SourceError(broken[0].error)
        by_number = {part.number: part for part in parts}
        built = stage.build(
            staged,
            _kept(ingestor, old, staged, broken),
            lambda number, lines: ingestor.raw_lines(by_number[number], lines) if lines else {},
            lambda months, total: track(months, f"writing {dataset}", total),
        )
        report = _report(ingestor, store.root.name, mode, old, staged, broken, built)
        accepted = accept_conflicts or ingestor.conflicts_are_expected
        if trouble := _trouble(report, staged, built, max_rejected_share, accept_conflicts=accepted):
            stage.abandon()
            raise SourceError(trouble)
        stage.commit(built, asdict(report))
        ledger.add(part for part in parts if part.name not in {part.name for part in broken})
    return report


class _Ledger:
    """Which files of a source that adds were read as they are now, so that a new day costs a day.

    Lost or out of date it costs time alone: what is not in it is read again, to the same rows.
    """

    def __init__(self, store: Store, ingestor: BaseIngestor, old: Mapping[str, Any] | None) -> None:
        self._store, self._adds = store, ingestor.adds
        self._path = store.staging_root / f"read_{ingestor.dataset}.json"
        self._how = json.dumps([__version__, dict(ingestor.settings)], sort_keys=True)
        there = store.months(ingestor.dataset)
        self._known = {source["name"] for source in old["sources"] if there.issuperset(source["months"])} if old else ()
        self._read = (store.read_json(self._path) or {}) if self._adds else {}

    def has(self, part: Part) -> bool:
        """Whether the part's rows are in the store, from this very file."""
        return part.name in self._known and self._read.get(part.name) == self._entry(part)

    def add(self, parts: Iterable[Part]) -> None:
        """Remember parts that are in the store now."""
        if self._adds:
            self._store.write_json(self._path, {**self._read, **{part.name: self._entry(part) for part in parts}})

    def _entry(self, part: Part) -> list[Any]:
        return [part.size_bytes, part.stamp, self._how]


def _key(ingestor: BaseIngestor, parts: Iterable[Part], old: Mapping[str, Any] | None) -> str:
    """Name this ingest by what goes into it, so that a killed run is taken up and another input starts anew."""
    before = old["sources"] if old and ingestor.adds else []
    facts = [__version__, dict(ingestor.settings), [(p.name, p.size_bytes, p.stamp) for p in parts], before]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _read_old(store: Store, dataset: Dataset) -> Mapping[str, Any] | None:
    """Return the last summary, if it is of a form that this version wrote; else all is read again."""
    old = store.read_summary(dataset)
    return old if old is not None and {*IngestReport.__dataclass_fields__} == {*old} else None


def _refuse_shared_siblings(store: Store, old: Mapping[str, Any] | None) -> None:
    """Refuse a second root beside another: they would share summaries and rows set aside."""
    other = store.root.with_name(old["root"]) if old else store.root
    if other != store.root and other.exists():
        raise SourceError(
            f"{store.summaries_root}: belongs to {other}; give {store.root.name} a folder of its own, such as "
            f"--output-root {store.root.with_name(store.root.name + '-data') / 'processed'}"
        )


def _refuse_samples_over_files(store: Store, old: Mapping[str, Any] | None, mode: str, dataset: Dataset) -> None:
    if mode == "samples" and old is not None and old["mode"] != "samples":
        raise SourceError(
            f"{store.root}: holds real {dataset} readings, which a sample run would replace; "
            "name another folder with --output-root, or pass --no-use-samples"
        )


def _kept(
    ingestor: BaseIngestor, old: Mapping[str, Any] | None, staged: Sequence[StagedPart], broken: Sequence[BrokenPart]
) -> Kept:
    """Return what stays as it was: broken parts' old rows, and of a source that adds, all that was not read now."""
    read = {part.name for part in staged}
    lost = {part.name for part in broken}
    before = [source for source in (old["sources"] if old else []) if source["name"] not in read]
    sources = [source for source in before if ingestor.adds or source["name"] in lost]
    if not sources or old is None:
        return Kept()
    gone = [source for source in old["sources"] if source not in sources]
    touched = {month for part in staged for month in part.months} | {month for s in gone for month in s["months"]}
    return Kept(
        tuple(sorted(source["name"] for source in sources)),
        tuple(month for month in sorted(old["months"]) if month not in touched),
    )


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
    report = IngestReport(**{**old, "broken": [part._asdict() for part in lost]})
    if asdict(report) != old:
        store.write_json(store.summary_path(old["dataset"]), asdict(report))
    return report


def _report(
    ingestor: BaseIngestor, root: str, mode: str, old: Mapping[str, Any] | None, staged: Sequence[StagedPart],
    broken: Sequence[BrokenPart], built: Built,
) -> IngestReport:  # fmt: skip
    kept = set(_kept(ingestor, old, staged, broken).sources)
    sources = [source for source in (old["sources"] if old else []) if source["name"] in kept]
    sources += [
        {"name": part.name, "bytes": part.size_bytes, "sha256": part.sha256, "rows_read": part.rows_read,
         "months": list(part.months)}
        for part in staged
    ]  # fmt: skip
    for source in sources:
        source["rows_rejected"] = built.rejected_by_source.get(source["name"], 0)
    report = IngestReport(
        dataset=ingestor.dataset,
        root=root,
        mode=mode,
        loadproof_version=__version__,
        settings=dict(ingestor.settings),
        rows_read=sum(source["rows_read"] for source in sources),
        rows_written=built.rows_written,
        rows_rejected=sum(built.rejected_by_reason.values()),
        rejected_by_reason=dict(built.rejected_by_reason),
        entities=built.entities,
        first_ts_utc=built.first_ts_utc,
        last_ts_utc=built.last_ts_utc,
        months=dict(built.months),
        sources=sorted(sources, key=lambda source: str(source["name"])) if kept else sources,
        broken=[part._asdict() for part in broken],
    )
    if report.rows_read != report.rows_written + report.rows_rejected:
        raise AssertionError(f"rows went missing: {report}")
    return report


def _trouble(
    report: IngestReport, staged: Sequence[StagedPart], built: Built, max_rejected_share: float, *,
    accept_conflicts: bool,
) -> str | None:  # fmt: skip
    counts = ", ".join(f"{count} {reason}" for reason, count in report.rejected_by_reason.items())
    if not report.rows_written:
        why = "; ".join(filter(None, [counts or "none read", built.worst]))
        return f"{report.dataset}: no row of {report.rows_read} could be used ({why}); check the input"
    if built.conflict and not accept_conflicts:
        return (
            f"{report.dataset}: {report.rejected_by_reason['conflict']} rows give one half hour two values: "
            f"{built.conflict}; mend the source, or pass --accept-conflicts to set all of them aside"
        )
    read = sum(part.rows_read for part in staged)
    rejected = sum(built.faulty_by_source.get(part.name, 0) for part in staged)
    if rejected > max_rejected_share * read:
        return (
            f"{report.dataset}: {rejected} of {read} rows ({rejected / read:.1%}) were set aside, more than the limit "
            f"of {max_rejected_share:.1%} ({counts}), most in {built.worst}; mend that file or take it away, or raise "
            "--max-rejected-share"
        )
    return None
