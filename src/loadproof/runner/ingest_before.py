"""What an ingest finds in the store: the summary before it, what of it stays, and which files it need not read."""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from loadproof import __version__
from loadproof.errors import SourceError
from loadproof.ingestion.base import BaseIngestor
from loadproof.parts import Part
from loadproof.runner.ingest_report import BrokenPart, IngestReport
from loadproof.schema import Dataset
from loadproof.staging import Kept, StagedPart
from loadproof.store import Store

__all__ = ["Ledger", "find_kept", "read_before"]

logger = logging.getLogger(__name__)


def _read_old(store: Store, dataset: Dataset) -> Mapping[str, Any] | None:
    """Return the last summary, if it is of a form that this version wrote; else all is read again."""
    old = store.read_summary(dataset)
    return old if old is not None and {*IngestReport.__dataclass_fields__} == {*old} else None


def _count_anew(store: Store, dataset: Dataset) -> Mapping[str, Any]:
    """Return what a lost summary said of the readings at rest, but for the bytes and digests of their files."""
    sources = [
        {"name": name, "bytes": 0, "sha256": "", "rows_read": sum(months.values()) + aside, "months": sorted(months)}
        for name, (months, aside) in store.count_sources(dataset).items()
    ]
    mode = "samples" if all("_sample." in str(source["name"]) for source in sources) else "files"
    return {"root": store.root.name, "mode": mode, "months": sorted(store.months(dataset)), "sources": sources}


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


def read_before(store: Store, ingestor: BaseIngestor, mode: str) -> Mapping[str, Any] | None:
    """Return the summary of what is at rest, None where an ingest begins anew.

    Raises:
        SourceError: If the store is another root's, or holds real readings before a sample run.
    """
    dataset = ingestor.dataset
    old = _read_old(store, dataset)
    if ingestor.adds and old is None and store.months(dataset):
        logger.warning("%s: is missing or of another version; counted anew from what is at rest",
                       store.summary_path(dataset))  # fmt: skip
        old = _count_anew(store, dataset)
    _refuse_shared_siblings(store, old)
    _refuse_samples_over_files(store, old, mode, dataset)
    # Of a source that adds, simulated rows would stay beside the real ones.
    return old if old is not None and old["mode"] == mode else None


class Ledger:
    """Which files of a source that adds were read as they are now, so that a new day costs a day.

    Lost or out of date it costs time alone: what is not in it is read again, to the same rows.
    """

    def __init__(self, store: Store, ingestor: BaseIngestor, old: Mapping[str, Any] | None) -> None:
        self._store, self._adds = store, ingestor.adds
        self._path = store.staging_root / f"read_{ingestor.dataset}.json"
        self._how = json.dumps([__version__, dict(ingestor.settings)], sort_keys=True)
        there = store.months(ingestor.dataset)
        # A file whose digest is lost is read again, where it is there.
        known = [source for source in (old["sources"] if old else []) if source["sha256"]]
        self._known = {source["name"] for source in known if there.issuperset(source["months"])}
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


def find_kept(
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
