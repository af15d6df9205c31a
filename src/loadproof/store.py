"""The only file that knows where tables lie on disk and how they get there whole.

``<root>/dataset=<d>/month=YYYY-MM/part-NNNNN.parquet`` holds readings and nothing else. Beside the root stand
``rejected/<d>/`` (rows set aside), ``summaries/`` (one JSON an ingest) and ``.staging/`` (an ingest under way).

An ingest stages its parts, builds every month beside the root, and then swaps whole months in. Each step leaves a
mark, so that a killed run started again skips what is done and ends in the same bytes.
"""

import datetime as dt
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import polars as pl
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from loadproof.errors import SchemaError, SourceError
from loadproof.parts import Batch, Part
from loadproof.schema import FORECASTS, METRICS, READINGS, REJECTED, Checked, Dataset, set_repeats_aside

__all__ = ["Built", "Stage", "StagedPart", "Store", "write_atomically"]

ROWS_PER_FILE: Final = 4_000_000
"""One file of a month: about 10 MB at rest, and under half a gigabyte while it is sorted."""

ROWS_PER_GROUP: Final = 131_072
"""Small enough that one feeder's month touches one or two row groups of many; explicit, for identical bytes."""

RawLines = Callable[[int, Sequence[int]], Mapping[int, str]]
"""Part number and line numbers to the lines' text, for rows set aside after their batch was read."""


def write_atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """Let ``write`` fill a file beside ``path``, then put it in place, so that ``path`` is whole or absent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _write_parquet(frame: pl.DataFrame, path: Path) -> None:
    frame.rechunk().write_parquet(path, compression="zstd", compression_level=1, statistics=True,
                                  row_group_size=ROWS_PER_GROUP)  # fmt: skip


@dataclass(frozen=True)
class StagedPart:
    """What one part gave. Counts are rows."""

    number: int
    name: str
    size_bytes: int
    sha256: str
    rows_read: int
    rows_rejected: int
    months: tuple[str, ...]


@dataclass(frozen=True)
class Built:
    """What all parts together give. Counts are rows; ``conflict`` is one contested row in words, or null."""

    months: Mapping[str, int]
    entities: int
    first_ts_utc: str | None
    last_ts_utc: str | None
    rejected_by_reason: Mapping[str, int]
    rejected_by_part: Mapping[str, int]
    conflict: str | None

    @property
    def rows_written(self) -> int:
        """The rows of all months."""
        return sum(self.months.values())


class Store:
    """Tables below and beside ``root`` (``data/processed``)."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.rejected_root = root.parent / "rejected"
        self.summaries_root = root.parent / "summaries"
        self.staging_root = root.parent / ".staging"

    @contextmanager
    def writing(self, dataset: Dataset) -> Iterator[None]:
        """Hold the dataset against a second writer.

        Raises:
            SourceError: If another process writes it now.
        """
        self.staging_root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.staging_root / f"{dataset}.lock")
        try:
            with lock.acquire(timeout=0):
                yield
        except Timeout as error:
            raise SourceError(f"{self.root}: another ingest of {dataset} runs now; wait for it to end") from error

    def stage(self, dataset: Dataset, key: str) -> "Stage":
        """Return the stage of the ingest ``key``, with what an earlier, killed run of it left; others' are removed."""
        folder = self.staging_root / f"{dataset}-{key}"
        for other in self.staging_root.glob(f"{dataset}-*"):
            if other != folder:
                shutil.rmtree(other)
        folder.mkdir(parents=True, exist_ok=True)
        return Stage(self, dataset, folder)

    def summary_path(self, dataset: Dataset) -> Path:
        """Where the last ingest of a dataset left its summary."""
        return self.summaries_root / f"ingest_{dataset}.json"

    def read_summary(self, dataset: Dataset) -> dict[str, Any] | None:
        """Return the summary of the last ingest of a dataset, None before the first."""
        return self.read_json(self.summary_path(dataset))

    def scan_readings(self, dataset: Dataset) -> pl.LazyFrame:
        """Return a dataset's readings, lazily, with the columns of ``READINGS``, ``dataset`` and ``month``.

        Raises:
            SchemaError: If nothing was ingested, or the files are not ours.
        """
        folder = self.root / f"dataset={dataset}"
        files = sorted(folder.glob("month=*/*.parquet"))
        if not files:
            raise SchemaError(f"{folder}: holds no readings; run 'loadproof ingest {dataset}' first")
        schema = pl.read_parquet_schema(files[0])
        if schema != READINGS:
            raise SchemaError(f"{files[0]}: its columns are not those of a reading; ingest {dataset} again")
        frame = pl.scan_parquet(files, hive_partitioning=True, try_parse_hive_dates=False)
        return frame.with_columns(dataset=pl.lit(dataset))

    def write_forecasts(self, path: Path, forecasts: pl.DataFrame) -> None:
        """Write one model's forecast table, whole or not at all."""
        _require(forecasts, FORECASTS, "a forecast table")
        write_atomically(path, lambda beside: _write_parquet(forecasts, beside))

    def forecast_tables(self, folder: Path) -> list[Callable[[], pl.DataFrame]]:
        """Return a reader of each forecast table in a folder, so that one is in memory at a time."""
        return [partial(pl.read_parquet, file) for file in sorted(folder.glob("*.parquet"))]

    def scan_forecasts(self, folder: Path) -> pl.LazyFrame | None:
        """Return all forecast tables of a folder, lazily; None where there is none."""
        files = sorted(folder.glob("*.parquet"))
        return pl.scan_parquet(files) if files else None

    def write_metrics(self, folder: Path, judged: Sequence[pl.DataFrame]) -> list[dict[str, Any]]:
        """Write the metrics as ``metrics.parquet``, ``.csv`` and ``.json``; return the rows over all entities."""
        if not judged:
            raise SchemaError(f"{folder}/forecasts: holds no forecast table; run 'loadproof forecast' first")
        metrics = pl.concat(judged)
        _require(metrics, METRICS, "a metrics table")
        write_atomically(folder / "metrics.parquet", lambda beside: _write_parquet(metrics, beside))
        write_atomically(folder / "metrics.csv", metrics.write_csv)
        write_atomically(folder / "metrics.json", metrics.write_json)
        return self.overall_metrics(folder)

    def overall_metrics(self, folder: Path) -> list[dict[str, Any]]:
        """Return the rows over all entities and times; empty where nothing was judged."""
        metrics = self.read_metrics(folder)
        if metrics is None:
            return []
        return metrics.filter(pl.col("entity_id").is_null(), pl.col("slice") == "all").rows(named=True)

    def read_metrics(self, folder: Path) -> pl.DataFrame | None:
        """Return the metrics table of a folder, None where there is none."""
        path = folder / "metrics.parquet"
        return pl.read_parquet(path) if path.is_file() else None

    def write_json(self, path: Path, facts: Mapping[str, Any]) -> None:
        """Write a mapping, keys sorted."""
        self.write_text(path, json.dumps(facts, indent=2, sort_keys=True, ensure_ascii=False) + "\n")

    def read_json(self, path: Path) -> dict[str, Any] | None:
        """Return a mapping, None where there is none."""
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    def write_text(self, path: Path, text: str) -> None:
        """Write a text, UTF-8."""
        write_atomically(path, lambda beside: beside.write_text(text, encoding="utf-8"))


def _require(frame: pl.DataFrame, schema: pl.Schema, what: str) -> None:
    if frame.schema != schema:
        raise SchemaError(f"not {what}: has {dict(frame.schema)}, wants {dict(schema)}")


class Stage:
    """An ingest under way, on disk beside the root; every step can be cut off and taken up again."""

    def __init__(self, store: Store, dataset: Dataset, folder: Path) -> None:
        self.store = store
        self.dataset: Dataset = dataset
        self.folder = folder

    def staged(self, part: Part) -> StagedPart | None:
        """Return what ``part`` gave if it was staged to its end."""
        mark = self._mark(part)
        if not mark.is_file():
            return None
        facts = json.loads(mark.read_text())
        return StagedPart(**{**facts, "months": tuple(facts["months"])})

    def stage_part(self, part: Part, batches: Iterable[Batch]) -> StagedPart:
        """Write a part's batches by month; its mark comes last, and only a marked part counts."""
        read = rejected = 0
        sha256, months = "", set[str]()
        for number, batch in enumerate(batches):
            name = f"{part.number:05d}-{number:05d}.arrow"
            for month, rows in _by_month(_with_contested(batch)):
                months.add(month)
                self._write(rows, self.folder / "months" / month / name)
            if batch.rejected.height:
                self._write(batch.rejected.select("line", "reason", "raw"), self.folder / "rejected" / name)
            read += batch.rows_read
            rejected += batch.rejected.height
            sha256 = batch.sha256
        done = StagedPart(part.number, part.name, part.size_bytes, sha256, read, rejected, tuple(sorted(months)))
        write_atomically(self._mark(part), lambda beside: beside.write_text(json.dumps(asdict(done))))
        return done

    def build(self, parts: Sequence[StagedPart], raw_lines: RawLines, track: Callable[..., Iterable[str]]) -> Built:
        """Merge the staged parts into whole months beside the root, and the rows set aside into one table."""
        mark = self.folder / "built.json"
        if mark.is_file():
            return Built(**json.loads(mark.read_text()))
        out = self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        sources = {part.number: part.name for part in parts}
        late: list[pl.DataFrame] = []
        counts: dict[str, int] = {}
        entities, stamps = set[str](), list[dt.datetime]()
        for month in track(sorted({month for part in parts for month in part.months})):
            rows = 0
            for number, (readings, repeated) in enumerate(self._merge(month)):
                # A contested half hour without a value was counted when its batch was staged.
                late.append(repeated.filter(pl.col("energy_kwh").is_not_null()).select(_LATE))
                if readings.is_empty():
                    continue
                entities.update(readings["entity_id"].unique().cast(pl.String))
                stamps.extend(readings.select(first=pl.col("ts_utc").min(), last=pl.col("ts_utc").max()).row(0))
                rows += readings.height
                self._write_month(readings, sources, out / "months" / f"month={month}" / f"part-{number:05d}.parquet")
            if rows:
                counts[month] = rows
        rejected = self._rejected(sources, late, raw_lines)
        write_atomically(out / "rejected" / "part-00000.parquet", lambda beside: _write_parquet(rejected, beside))
        built = Built(
            months=counts,
            entities=len(entities),
            first_ts_utc=_iso(min(stamps, default=None)),
            last_ts_utc=_iso(max(stamps, default=None)),
            rejected_by_reason=_counts(rejected, "reason"),
            rejected_by_part=_counts(rejected, "file"),
            conflict=_first_conflict(rejected),
        )
        write_atomically(mark, lambda beside: beside.write_text(json.dumps(asdict(built))))
        return built

    def commit(self, built: Built, summary: Mapping[str, Any]) -> None:
        """Swap the built months in for the dataset's old ones, then the rows set aside and the summary."""
        target = self.store.root / f"dataset={self.dataset}"
        target.mkdir(parents=True, exist_ok=True)
        keep = {f"month={month}" for month in built.months}
        for name in sorted(keep):
            self._swap(self.folder / "out" / "months" / name, target / name)
        for stale in target.iterdir():
            if stale.name not in keep:
                self._discard(stale)
        self._swap(self.folder / "out" / "rejected", self.store.rejected_root / self.dataset)
        self.store.write_json(self.store.summary_path(self.dataset), summary)
        shutil.rmtree(self.folder)

    def abandon(self) -> None:
        """Remove what was staged; nothing was put in place."""
        shutil.rmtree(self.folder)

    def _mark(self, part: Part) -> Path:
        return self.folder / "parts" / f"{part.number:05d}.json"

    def _write(self, frame: pl.DataFrame, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        frame.write_ipc(path, compression="lz4")

    def _merge(self, month: str) -> Iterator[Checked]:
        """Yield a month's readings in order of entity and time, file by file, with the repeats set aside."""
        files = sorted((self.folder / "months" / month).glob("*.arrow"))
        rows = pl.concat([pl.scan_ipc(file).with_columns(part=_part_number(file)) for file in files])
        for names in _shards(rows):
            here = rows.filter(pl.col("entity_id").is_in(names.implode()))
            shard = here.with_columns(pl.col("entity_id").cast(pl.Enum(names.cast(pl.String)))).collect()
            # Files come in the order of parts and lines, and the sort is stable, so that order decides among repeats.
            yield set_repeats_aside(shard.sort("entity_id", "ts_utc", maintain_order=True))

    def _write_month(self, readings: pl.DataFrame, sources: Mapping[int, str], path: Path) -> None:
        names = pl.Enum(sorted(set(sources.values())))
        frame = readings.select(
            "entity_id",
            "ts_utc",
            "interval_mins",
            pl.col("energy_kwh").cast(pl.Float32),
            source=pl.col("part").replace_strict(sources, return_dtype=names),
            extras="extras",
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        # Arrow writes the categories as they are, as dictionary pages, and without its own schema on top a reader sees
        # plain strings: half the time and half the bytes of casting to strings first (docs/decisions.md).
        pq.write_table(
            frame.rechunk().to_arrow(),
            path,
            row_group_size=ROWS_PER_GROUP,
            compression="zstd",
            compression_level=1,
            use_dictionary=["entity_id", "interval_mins", "energy_kwh", "source", "extras"],
            column_encoding={"ts_utc": "DELTA_BINARY_PACKED"},
            store_schema=False,
        )

    def _rejected(self, sources: Mapping[int, str], late: Sequence[pl.DataFrame], raw_lines: RawLines) -> pl.DataFrame:
        """Return all rows set aside, early and late, in the order of the source."""
        early = [
            pl.read_ipc(file).select(_part_number(file).alias("part"), "line", "reason", "raw")
            for file in sorted((self.folder / "rejected").glob("*.arrow"))
        ]
        found_late = pl.concat(late).partition_by("part", as_dict=True) if late else {}
        for (number,), rows in found_late.items():
            raw = raw_lines(number, rows["line"].to_list())
            text = pl.Series("raw", [raw[line] for line in rows["line"]], dtype=pl.String)
            early.append(rows.select("part", "line", "reason").with_columns(text))
        if not early:
            return pl.DataFrame(schema=REJECTED)
        rows = pl.concat(early).sort("part", "line")
        return rows.select(file=pl.col("part").replace_strict(sources, return_dtype=pl.String), line="line",
                           reason="reason", raw="raw")  # fmt: skip

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


_LATE: Final = ("part", "line", "reason")


def _with_contested(batch: Batch) -> pl.DataFrame:
    """Return the readings and, without a value, each half hour contested in this batch, so that later ones join it."""
    contested = batch.rejected.filter(pl.col("reason") == "conflict")
    if contested.is_empty():
        return batch.readings
    return pl.concat([batch.readings, contested.select("line", "entity_id", "ts_utc")], how="diagonal_relaxed")


def _by_month(readings: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    keyed = readings.with_columns(_month=pl.col("ts_utc").dt.year() * 100 + pl.col("ts_utc").dt.month())
    for (month,), rows in keyed.partition_by("_month", as_dict=True, include_key=False).items():
        yield f"{month // 100:04d}-{month % 100:02d}", rows


def _shards(rows: pl.LazyFrame) -> list[pl.Series]:
    """Return the entities in the order of their names, cut into runs of about ``ROWS_PER_FILE`` rows each."""
    sizes = rows.group_by("entity_id").len().collect().sort(pl.col("entity_id").cast(pl.String))
    before = pl.col("len").cum_sum() - pl.col("len")
    runs = sizes.with_columns(run=before // ROWS_PER_FILE).partition_by("run", maintain_order=True)
    return [run["entity_id"] for run in runs]


def _part_number(file: Path) -> pl.Expr:
    return pl.lit(int(file.name[:5]), dtype=pl.UInt32)


def _counts(frame: pl.DataFrame, column: str) -> dict[str, int]:
    return dict(sorted(frame[column].value_counts().rows()))


def _first_conflict(rejected: pl.DataFrame) -> str | None:
    rows = rejected.filter(pl.col("reason") == "conflict").head(2).rows(named=True)
    return " against ".join(f"{row['file']}, line {row['line']}: {row['raw']!r}" for row in rows) or None


def _iso(ts: dt.datetime | None) -> str | None:
    return None if ts is None else ts.strftime("%Y-%m-%dT%H:%M:%SZ")
