"""An ingest on its way to the store: staged part by part, merged month by month, swapped in whole.

Each step leaves a mark beside the root, so that a killed run started again skips what is done and ends in the same
bytes. Why so: ``docs/decisions.md``.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import polars as pl

from loadproof.errors import EngineError, not_shared
from loadproof.files import settle, write_atomically, write_parquet
from loadproof.merging import MergedMonth, MonthJob, merge_by_threads, read_month
from loadproof.parts import Batch, Map, Part, SampleCount
from loadproof.schema import REJECTED, Dataset
from loadproof.staged_rows import by_month, counts, first_conflict, iso, with_contested, worst
from loadproof.store import COMMITTING, Store

__all__ = ["Built", "Kept", "Stage", "StagedPart", "finish_commit", "open_stage"]

RawLines = Callable[[int, Sequence[int]], Mapping[int, str]]
"""Part number and line numbers to the lines' text, for rows set aside after their batch was read."""

TrackMonths = Callable[[Iterable[MergedMonth], int], Iterable[MergedMonth]]


@dataclass(frozen=True)
class StagedPart:
    """What one part gave. Counts are rows, those of samples samples; ``sample_rows`` are the rows of those aside."""

    number: int
    name: str
    size_bytes: int
    sha256: str
    rows_read: int
    months: tuple[str, ...]
    samples_read: int = 0
    samples_aside: int = 0
    sample_rows: int = 0


@dataclass(frozen=True)
class Kept:
    """What of the dataset stays as it was: the rows of ``sources``, and all of ``months``, which are not touched."""

    sources: tuple[str, ...] = ()
    months: tuple[str, ...] = ()


@dataclass(frozen=True)
class Built:
    """The dataset as it will be. Counts are rows.

    In words, or null: ``conflict`` is one contested half hour, ``worst`` the first fault of the file that has most.
    """

    months: Mapping[str, int]
    untouched: tuple[str, ...]
    entities: int
    first_ts_utc: str | None
    last_ts_utc: str | None
    rejected_by_reason: Mapping[str, int]
    rejected_by_source: Mapping[str, int]
    faulty_by_source: Mapping[str, int]
    conflict: str | None
    worst: str | None

    @property
    def rows_written(self) -> int:
        """The rows of all months."""
        return sum(self.months.values())


def open_stage(store: Store, dataset: Dataset, key: str) -> "Stage":
    """Return the stage of the ingest ``key``, with what an earlier, killed run of it left; others' are removed."""
    folder = store.staging_root / f"{dataset}-{key}"
    for other in [*store.staging_root.glob(f"{dataset}-*"), *store.staging_root.glob(f".gone-{dataset}-*")]:
        if other != folder:
            _remove(other)
    folder.mkdir(parents=True, exist_ok=True)
    return Stage(store, dataset, folder)


def finish_commit(store: Store, dataset: Dataset) -> None:
    """Finish the swap that a killed run had begun, so that the dataset and its summary speak of the same rows."""
    for mark in sorted(store.begun_commits(dataset)):
        folder, begun = mark.parent, store.read_json(mark)
        if begun is not None:
            Stage(store, dataset, folder).commit(_read_built(begun["built"]), begun["summary"])


class Stage:
    """An ingest under way, on disk beside the root; every step can be cut off and taken up again."""

    def __init__(self, store: Store, dataset: Dataset, folder: Path) -> None:
        self.store = store
        self.dataset: Dataset = dataset
        self.folder = folder
        self.target = store.root / f"dataset={dataset}"
        self.rejected = store.rejected_root / dataset

    def staged(self, part: Part) -> StagedPart | None:
        """Return what ``part`` gave if it was staged to its end."""
        mark = self._mark(part)
        if not mark.is_file():
            return None
        facts = json.loads(mark.read_text())
        return StagedPart(**{**facts, "months": tuple(facts["months"])})

    def stage_part(self, part: Part, batches: Iterable[Batch]) -> StagedPart:
        """Write a part's batches by month; its mark comes last, and only a marked part counts."""
        read, sha256, months, samples = 0, "", set[str](), SampleCount()
        for number, batch in enumerate(batches):
            if batch.rows_read != batch.readings.height + batch.rejected.height:
                raise AssertionError(f"rows went missing in batch {number} of {part.name}")
            name = f"{part.number:05d}-{number:05d}.arrow"
            from_here = pl.lit(part.number, dtype=pl.UInt32).alias("part")
            readings = with_contested(batch).with_columns(from_here, pl.col("energy_kwh").cast(pl.Float32))
            for month, rows in by_month(readings):
                months.add(month)
                self._write(rows, self.folder / "months" / month / name)
            if batch.rejected.height:
                self._write(batch.rejected.select(from_here, "line", "reason", "raw"), self.folder / "rejected" / name)
            read += batch.rows_read
            samples = SampleCount.together([samples, batch.samples])
            sha256 = batch.sha256
        done = StagedPart(part.number, part.name, part.size_bytes, sha256, read, tuple(sorted(months)), *samples)
        write_atomically(self._mark(part), lambda beside: beside.write_text(json.dumps(asdict(done))), alone=False)
        return done

    def forget(self, part: Part) -> None:
        """Drop what a part gave before it turned out to be broken."""
        for file in self.folder.glob(f"*/**/{part.number:05d}-*.arrow"):
            file.unlink()

    def require_here(self, parts: Iterable[StagedPart]) -> None:
        """Refuse parts that were staged where this process does not see them.

        Raises:
            EngineError: If a worker wrote to a folder of its own.
        """
        for part in parts:
            if not self._mark(part).is_file():
                raise EngineError(not_shared(self.folder, part.name))

    def build(
        self, parts: Sequence[StagedPart], kept: Kept, raw_lines: RawLines, track: TrackMonths, map_: Map
    ) -> Built:
        """Merge the staged parts, and what is kept, into whole months beside the root; set rows aside likewise."""
        mark = self.folder / "built.json"
        if mark.is_file():
            return _read_built(json.loads(mark.read_text()))
        out = self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        names = {part.number: part.name for part in parts}
        first_kept = max(names, default=-1) + 1
        at_rest = {name: first_kept + number for number, name in enumerate(kept.sources)}
        sources = {**names, **{number: name for name, number in at_rest.items()}}
        jobs = self._jobs(parts, kept, at_rest, sources)
        merged = list(track(map_(merge_by_threads, jobs), len(jobs)))
        self._require_merged(merged)
        merged += [read_month(month, self.target / f"month={month}") for month in kept.months]
        late = [month.late for month in merged]
        rejected = self._rejected(sources, kept, late, raw_lines)
        write_atomically(out / "rejected" / "part-00000.parquet", lambda beside: write_parquet(rejected, beside))
        built = Built(
            months={month.month: month.rows for month in sorted(merged, key=lambda month: month.month) if month.rows},
            untouched=kept.months,
            entities=len(set[str]().union(*(month.entities for month in merged))),
            first_ts_utc=iso(min((month.first_ts_utc for month in merged if month.first_ts_utc), default=None)),
            last_ts_utc=iso(max((month.last_ts_utc for month in merged if month.last_ts_utc), default=None)),
            rejected_by_reason=counts(rejected, "reason"),
            rejected_by_source=counts(rejected, "file"),
            # A bin that too few samples cover is missing data, and nobody's mistake.
            faulty_by_source=counts(rejected.filter(pl.col("reason") != "low_coverage"), "file"),
            conflict=first_conflict(rejected),
            worst=worst(rejected.filter(pl.col("reason") != "low_coverage")),
        )
        write_atomically(mark, lambda beside: beside.write_text(json.dumps(asdict(built))))
        return built

    def _jobs(
        self, parts: Sequence[StagedPart], kept: Kept, at_rest: Mapping[str, int], sources: Mapping[int, str]
    ) -> list[MonthJob]:
        """Return a job for each month that is not kept as it is."""
        touched = {month for part in parts for month in part.months}
        touched |= self.store.months(self.dataset) - set(kept.months)
        return [
            MonthJob(
                month=month,
                staged=tuple(sorted((self.folder / "months" / month).glob("*.arrow"))),
                at_rest=tuple(sorted((self.target / f"month={month}").glob("*.parquet"))) if at_rest else (),
                kept=at_rest,
                sources=sources,
                folder=self._built_month(month),
            )
            for month in sorted(touched)
        ]

    def _built_month(self, month: str) -> Path:
        return self.folder / "out" / "months" / f"month={month}"

    def _require_merged(self, months: Iterable[MergedMonth]) -> None:
        """Refuse months that a worker wrote to a folder of its own, before anything is put in place.

        Raises:
            EngineError: If one is not here.
        """
        for month in months:
            folder = self._built_month(month.month)
            if month.rows and not folder.is_dir():
                raise EngineError(not_shared(folder, month.month))

    def commit(self, built: Built, summary: Mapping[str, Any]) -> None:
        """Swap the built months in for the dataset's old ones, then the rows set aside and the summary."""
        settle((self.folder / "out").rglob("*.parquet"))
        self.store.write_json(self.folder / COMMITTING, {"built": asdict(built), "summary": summary})
        settle([self.folder / COMMITTING])
        self.target.mkdir(parents=True, exist_ok=True)
        for month in set(built.months) - set(built.untouched):
            self._swap(self._built_month(month), self.target / f"month={month}")
        for stale in self.target.iterdir():
            if stale.name.removeprefix("month=") not in built.months:
                self._discard(stale)
        self._swap(self.folder / "out" / "rejected", self.rejected)
        self.store.write_json(self.store.summary_path(self.dataset), summary)
        settle([self.store.summary_path(self.dataset)])
        _remove(self.folder)

    def abandon(self) -> None:
        """Remove what was staged; nothing was put in place."""
        _remove(self.folder)

    def _mark(self, part: Part | StagedPart) -> Path:
        return self.folder / "parts" / f"{part.number:05d}.json"

    def _write(self, frame: pl.DataFrame, path: Path) -> None:
        compression: Literal["lz4", "uncompressed"] = "lz4" if pl.String in frame.dtypes else "uncompressed"
        write_atomically(path, partial(frame.write_ipc, compression=compression), alone=False)

    def _rejected(
        self, sources: Mapping[int, str], kept: Kept, late: Sequence[pl.DataFrame], raw_lines: RawLines
    ) -> pl.DataFrame:
        """Return all rows set aside, of what is kept, of the parts, and late ones, in the order of the source."""
        columns = ["part", "line", "reason", "raw"]
        files = sorted((self.folder / "rejected").glob("*.arrow"))
        found = [pl.scan_ipc(files, glob=False).select(columns).collect()] if files else []
        for (number,), rows in (pl.concat(late).partition_by("part", as_dict=True) if late else {}).items():
            raw = raw_lines(number, [line for line in rows["line"] if line])
            text = [raw.get(line, at_rest) for line, at_rest in rows.select("line", "at_rest").rows()]
            found.append(rows.with_columns(pl.Series("raw", text, dtype=pl.String)).select(columns))
        rows = pl.concat(found).sort("part", "line") if found else pl.DataFrame(schema={"part": pl.UInt32, **REJECTED})
        file = pl.col("part").replace_strict(sources, return_dtype=pl.String)
        named = rows.with_columns(file=file).select(REJECTED.names())
        old = sorted(self.rejected.glob("*.parquet")) if kept.sources else []
        if not old:
            return named
        stays = pl.read_parquet(old, glob=False).filter(pl.col("file").is_in(kept.sources))
        return pl.concat([named, stays]).unique(maintain_order=True).sort("file", maintain_order=True)

    def _swap(self, new: Path, old: Path) -> None:
        """Put the folder ``new`` in the place of ``old``; done already if ``new`` is gone."""
        if not new.exists():
            return
        old.parent.mkdir(parents=True, exist_ok=True)
        if old.exists():
            self._discard(old)
        new.rename(old)

    def _discard(self, path: Path) -> None:
        grave = self.folder / "old" / path.name
        if grave.exists():
            shutil.rmtree(grave)
        grave.parent.mkdir(parents=True, exist_ok=True)
        path.rename(grave)


def _remove(folder: Path) -> None:
    """Remove a stage under a name that no run takes for one, for a kill in the middle leaves some of it."""
    gone = folder if folder.name.startswith(".gone-") else folder.with_name(f".gone-{folder.name}")
    if gone != folder:
        if gone.exists():
            shutil.rmtree(gone)
        folder.rename(gone)
    shutil.rmtree(gone)


def _read_built(facts: Mapping[str, Any]) -> Built:
    return Built(**{**facts, "untouched": tuple(facts["untouched"])})
