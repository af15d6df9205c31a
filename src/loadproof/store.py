"""Where tables lie on disk; with ``staging.py``, the only file that knows.

``<root>/dataset=<d>/month=YYYY-MM/part-NNNNN.parquet`` holds readings and nothing else. Beside the root stand
``rejected/<d>/`` (rows set aside), ``summaries/`` (one JSON an ingest) and ``.staging/`` (an ingest under way).
Everything is put in place whole or not at all.
"""

import datetime as dt
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from loadproof.errors import SchemaError, SourceError
from loadproof.files import as_json, write_atomically, write_parquet, write_text, write_together
from loadproof.run_tables import RunTables, require
from loadproof.schema import NETWORK, READINGS, REJECTED, WEATHER, Dataset, Ingested

__all__ = ["COMMITTING", "Store"]

COMMITTING: Final = "committing.json"
"""Stands in a stage from the first folder swapped until the summary is written."""

_NAMES_AT_ONCE: Final = 1 << 20


class Store(RunTables):
    """Tables below and beside ``root`` (``data/processed``).

    Raises:
        SourceError: If the root's name is no text, which Arrow and polars cannot write below.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        if os.fsencode(self.root).decode(errors="replace") != str(self.root):
            raise SourceError(f"{str(self.root)!a}: its name holds bytes that are no UTF-8; name another folder")
        beside = self.root.parent
        self.rejected_root = beside / "rejected"
        self.summaries_root = beside / "summaries"
        self.network_root = beside / "network"
        self.weather_root = beside / "weather"
        self.staging_root = beside / ".staging"

    @contextmanager
    def writing(self, dataset: Dataset) -> Iterator[None]:
        """Hold the dataset against a second writer.

        Raises:
            SourceError: If another process writes it now, or the root is no place to swap folders into.
        """
        self._refuse_foreign_files()
        if self.root.is_dir() and self.root.stat().st_dev != self.root.parent.stat().st_dev:
            raise SourceError(
                f"{self.root}: is a file system of its own, so nothing can be moved into it whole; mount its parent "
                "folder instead, or name a folder below it with --output-root"
            )
        self.staging_root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.staging_root / f"{dataset}.lock")
        try:
            with lock.acquire(timeout=0):
                yield
        except Timeout as error:
            raise SourceError(
                f"{self.root}: another ingest of {dataset} runs now, or its features are made; wait for it to end"
            ) from error

    def _refuse_foreign_files(self) -> None:
        """Refuse a root with anything but datasets in it: no reader takes such a folder for one table."""
        there = sorted(self.root.iterdir()) if self.root.is_dir() else []
        foreign = [path.name for path in there if not path.name.startswith((".", "dataset="))]
        if foreign:
            raise SourceError(
                f"{self.root}: holds {foreign[0]!r}, which is no dataset, so that nothing could read the folder as one "
                "table; move it away, or name a folder of the readings' own with --output-root"
            )

    def summary_path(self, dataset: Ingested) -> Path:
        """Where the last ingest of a dataset left its summary."""
        return self.summaries_root / f"ingest_{dataset}.json"

    def read_summary(self, dataset: Ingested) -> dict[str, Any] | None:
        """Return the summary of the last ingest of a dataset, None before the first."""
        return self.read_json(self.summary_path(dataset))

    def begun_commits(self, dataset: Dataset) -> list[Path]:
        """Return the marks of swaps that a killed run left half done; the next ingest finishes them."""
        return list(self.staging_root.glob(f"{dataset}-*/{COMMITTING}"))

    def months(self, dataset: Dataset) -> set[str]:
        """Return the months of a dataset that are at rest."""
        return {path.name.removeprefix("month=") for path in (self.root / f"dataset={dataset}").glob("month=*")}

    def month_files(self, dataset: Dataset, since: dt.datetime | None, until: dt.datetime | None) -> list[Path]:
        """Return the files of the months that have an instant from ``since`` to before ``until``, UTC."""
        first, last = (f"month={at:%Y-%m}" if at else edge for at, edge in ((since, "month="), (until, "month=~")))
        files = sorted((self.root / f"dataset={dataset}").glob("month=*/*.parquet"))
        return [file for file in files if first <= file.parent.name <= last]

    def stamps(self, dataset: Dataset, since: dt.datetime, until: dt.datetime) -> list[tuple[str, int, int]]:
        """Return of each of these files its place, its bytes and when it was written: other readings, other stamps."""
        facts = ((file, file.stat()) for file in self.month_files(dataset, since, until))
        return [(str(file.relative_to(self.root)), told.st_size, told.st_mtime_ns) for file, told in facts]

    def scan_readings(
        self, dataset: Dataset, *, since: dt.datetime | None = None, until: dt.datetime | None = None
    ) -> pl.LazyFrame:
        """Return a dataset's readings, lazily, with the columns of ``READINGS``, ``dataset`` and ``month``.

        Args:
            dataset: Whose readings.
            since: Months before that of this instant, UTC, are left out, unless there are no others.
            until: Months after that of this instant are left out likewise.

        Raises:
            SchemaError: If nothing was ingested, or the files are not ours.
        """
        folder = self.root / f"dataset={dataset}"
        files = self.month_files(dataset, since, until) or self.month_files(dataset, None, None)
        if not files:
            raise SchemaError(f"{folder}: holds no readings; run 'loadproof ingest {dataset}' first")
        if self.begun_commits(dataset):
            raise SchemaError(f"{folder}: an ingest was cut off in its last step; run it again, it goes on from there")
        schema = pl.scan_parquet(files[0], hive_partitioning=False, glob=False).collect_schema()
        if schema != READINGS:
            raise SchemaError(f"{files[0]}: its columns are not those of a reading; ingest {dataset} again")
        frame = pl.scan_parquet(files, hive_partitioning=True, try_parse_hive_dates=False, glob=False)
        return frame.with_columns(dataset=pl.lit(dataset))

    def count_sources(self, dataset: Dataset) -> dict[str, tuple[dict[str, int], int]]:
        """Return of each source at rest its rows by month, and how many of its rows were set aside."""
        readings = self.scan_readings(dataset).group_by("source", "month").len().sort("source", "month").collect()
        aside = [pl.read_parquet(file, glob=False) for file in sorted((self.rejected_root / dataset).glob("*.parquet"))]
        counts = pl.concat([pl.DataFrame(schema=REJECTED), *aside])["file"].value_counts().sort("file")
        found: dict[str, tuple[dict[str, int], int]] = {name: ({}, count) for name, count in counts.rows()}
        for name, month, rows in readings.rows():
            found.setdefault(name, ({}, 0))[0][month] = rows
        return found

    def scan_weather(self) -> pl.LazyFrame | None:
        """Return the weather table, lazily; None where none was ingested."""
        files = sorted(self.weather_root.glob("*.parquet"))
        return pl.scan_parquet(files, glob=False) if files else None

    def read_weather(self) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame] | None:
        """Return the weather table, and the rows and values set aside; None where none was ingested."""
        aside = self.rejected_root / "weather"
        paths = [root / "part-00000.parquet" for root in (self.weather_root, aside, aside.with_name("weather_values"))]
        if not all(path.is_file() for path in paths):
            return None
        weather, rejected, values = (pl.read_parquet(path, glob=False) for path in paths)
        return weather, rejected, values

    def write_weather(
        self, weather: pl.DataFrame, rejected: pl.DataFrame, values: pl.DataFrame, summary: Mapping[str, Any]
    ) -> None:
        """Write the weather table, the rows and values set aside, and the summary, all or none."""
        require(weather, WEATHER, "a weather table")
        aside = self.rejected_root / "weather"
        write_together(
            {
                self.weather_root / "part-00000.parquet": partial(write_parquet, weather),
                aside / "part-00000.parquet": partial(write_parquet, rejected),
                aside.with_name("weather_values") / "part-00000.parquet": partial(write_parquet, values),
                self.summary_path("weather"): partial(write_text, as_json(summary)),
            }
        )

    def entities(self, dataset: Dataset) -> list[str]:
        """Return whose readings a dataset holds, in order, from the dictionaries of its files: no row becomes a text.

        Raises:
            SchemaError: If nothing was ingested, or a file is damaged.
        """
        self.scan_readings(dataset)  # which refuses what is no dataset of ours
        names = set[str]()
        for file in self.month_files(dataset, None, None):
            try:
                reader = pq.ParquetFile(file, read_dictionary=["entity_id"])
                for batch in reader.iter_batches(columns=["entity_id"], batch_size=_NAMES_AT_ONCE, use_threads=False):
                    names.update(batch.column(0).dictionary.to_pylist())
            except (pa.ArrowException, OSError) as error:
                raise SchemaError(f"{file}: cannot be read ({error}); ingest {dataset} again") from error
        return sorted(names)

    def write_network(self, network: pl.DataFrame) -> None:
        """Write the hierarchy of the feeders."""
        require(network, NETWORK, "a network table")
        write_atomically(self.network_root / "part-00000.parquet", partial(write_parquet, network))

    def read_network(self) -> pl.DataFrame | None:
        """Return the hierarchy of the feeders, None where none was ingested."""
        path = self.network_root / "part-00000.parquet"
        return pl.read_parquet(path, glob=False) if path.is_file() else None
