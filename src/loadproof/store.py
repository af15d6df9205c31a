"""Where tables lie on disk; with ``staging.py``, the only file that knows.

``<root>/dataset=<d>/month=YYYY-MM/part-NNNNN.parquet`` holds readings and nothing else. Beside the root stand
``rejected/<d>/`` (rows set aside), ``summaries/`` (one JSON an ingest) and ``.staging/`` (an ingest under way).
Everything is put in place whole or not at all.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import polars as pl
from filelock import FileLock, Timeout

from loadproof.errors import SchemaError, SourceError
from loadproof.schema import (
    ALERTS,
    FORECASTS,
    METRICS,
    NETWORK,
    READINGS,
    REJECTED,
    RISK,
    RISK_STEPS,
    SCORES,
    WEATHER,
    Dataset,
    Ingested,
)

__all__ = ["ROWS_PER_GROUP", "Store", "naming", "write_atomically", "write_parquet", "write_together"]

ROWS_PER_GROUP: Final = 131_072
"""Small enough that one feeder's month touches one or two row groups of many; explicit, for identical bytes."""


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name the file in what goes wrong as it is written, which Arrow and polars do not.

    Raises:
        OSError: Also where polars calls a full disk a ``ComputeError``.
    """
    try:
        yield
    except (pl.exceptions.ComputeError, OSError) as error:
        told = re.search(r"os error (\d+)", str(error))
        number = getattr(error, "errno", None) or (int(told[1]) if told else None)
        if number is None or getattr(error, "filename", None) is not None:
            raise
        raise OSError(number, os.strerror(number), str(path)) from error


def write_together(files: Mapping[Path, Callable[[Path], Any]]) -> None:
    """Let each function fill a file beside its path, then put all in place: none before every one is whole."""
    # One name each, so that a killed run leaves no more than one.
    beside = {path: path.with_name(f".{path.name}.tmp") for path in files}
    try:
        for path, write in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with naming(path):
                write(beside[path])
        for path in files:
            beside[path].replace(path)
    finally:
        for leftover in beside.values():
            leftover.unlink(missing_ok=True)


def write_atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """Let ``write`` fill a file beside ``path``, then put it in place, so that ``path`` is whole or absent."""
    write_together({path: write})


def write_parquet(frame: pl.DataFrame, path: Path) -> None:
    """Write a frame in its order, with statistics; the same frame gives the same bytes."""
    frame.rechunk().write_parquet(path, compression="zstd", compression_level=1, statistics=True,
                                  row_group_size=ROWS_PER_GROUP)  # fmt: skip


COMMITTING: Final = "committing.json"
"""Stands in a stage from the first folder swapped until the summary is written."""


class Store:
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
            raise SourceError(f"{self.root}: another ingest of {dataset} runs now; wait for it to end") from error

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

    def scan_readings(self, dataset: Dataset) -> pl.LazyFrame:
        """Return a dataset's readings, lazily, with the columns of ``READINGS``, ``dataset`` and ``month``.

        Raises:
            SchemaError: If nothing was ingested, or the files are not ours.
        """
        folder = self.root / f"dataset={dataset}"
        files = sorted(folder.glob("month=*/*.parquet"))
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

    def scan_table(self, path: Path) -> pl.LazyFrame:
        """Return any Parquet table, a file or a folder of them, lazily.

        Raises:
            SchemaError: If there is none.
        """
        files = sorted(path.glob("**/*.parquet")) if path.is_dir() else [path]
        if not files or not all(file.is_file() for file in files):
            raise SchemaError(f"{path}: is no Parquet file and no folder of them; name a table or a dataset")
        return pl.scan_parquet(files, hive_partitioning=False, glob=False)

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
        _require(weather, WEATHER, "a weather table")
        aside = self.rejected_root / "weather"
        write_together(
            {
                self.weather_root / "part-00000.parquet": partial(write_parquet, weather),
                aside / "part-00000.parquet": partial(write_parquet, rejected),
                aside.with_name("weather_values") / "part-00000.parquet": partial(write_parquet, values),
                self.summary_path("weather"): partial(_write_text, _as_json(summary)),
            }
        )

    def entities(self, dataset: Dataset) -> list[str]:
        """Return whose readings a dataset holds, in order."""
        names = self.scan_readings(dataset).select(pl.col("entity_id").unique()).collect(engine="streaming")
        return names["entity_id"].sort().to_list()

    def write_network(self, network: pl.DataFrame) -> None:
        """Write the hierarchy of the feeders."""
        _require(network, NETWORK, "a network table")
        write_atomically(self.network_root / "part-00000.parquet", partial(write_parquet, network))

    def read_network(self) -> pl.DataFrame | None:
        """Return the hierarchy of the feeders, None where none was ingested."""
        path = self.network_root / "part-00000.parquet"
        return pl.read_parquet(path, glob=False) if path.is_file() else None

    def write_risk(
        self, folder: Path, ranked: pl.DataFrame, steps: pl.DataFrame, forecasts: pl.DataFrame, recent: pl.DataFrame,
        facts: Mapping[str, Any],
    ) -> None:  # fmt: skip
        """Write a ranked risk (Parquet, CSV, JSON), half hours, forecasts, what came before and facts, all or none."""
        _require(ranked, RISK, "a table of risk")
        _require(steps, RISK_STEPS, "a table of risk per half hour")
        _require(forecasts, FORECASTS, "a forecast table")
        write_together(
            {
                folder / "risk.parquet": partial(write_parquet, ranked),
                folder / "risk.csv": ranked.write_csv,
                folder / "risk.json": ranked.write_json,
                folder / "risk_half_hours.parquet": partial(write_parquet, steps),
                folder / "risk_forecasts.parquet": partial(write_parquet, forecasts),
                folder / "risk_recent.parquet": partial(write_parquet, recent),
                folder / "risk_run.json": partial(_write_text, _as_json(facts)),
            }
        )

    def read_risk(self, folder: Path) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, dict[str, Any]] | None:
        """Return the ranking of a folder, its forecasts, what came before, and its facts; None where there is none."""
        facts = self.read_json(folder / "risk_run.json")
        if facts is None:
            return None
        ranked, forecasts, recent = (
            pl.read_parquet(folder / f"{name}.parquet", glob=False)
            for name in ("risk", "risk_forecasts", "risk_recent")
        )
        return ranked, forecasts, recent, facts

    def write_table(self, folder: Path, name: str, frame: pl.DataFrame, facts: Mapping[str, Any]) -> None:
        """Write a small table as Parquet, CSV and JSON, and the facts of its run, all or none."""
        write_together(
            {
                folder / f"{name}.parquet": partial(write_parquet, frame),
                folder / f"{name}.csv": frame.write_csv,
                folder / f"{name}.json": frame.write_json,
                folder / f"{name}_run.json": partial(_write_text, _as_json(facts)),
            }
        )

    def write_fit(self, beside: Path, facts: Mapping[str, Any], pictures: pl.DataFrame | None) -> None:
        """Write what a training saw beside its model's folder: its curve, and what there is to look at."""
        fit, table = (beside.with_name(f"{beside.name}.{kind}") for kind in ("fit.json", "pictures.parquet"))
        shown = {} if pictures is None else {table: partial(write_parquet, pictures)}
        write_together({fit: partial(_write_text, _as_json(facts)), **shown})

    def read_fit(self, beside: Path) -> tuple[dict[str, Any], pl.DataFrame] | None:
        """Return what :meth:`write_fit` left beside a model's folder; None where there is nothing."""
        facts = self.read_json(beside.with_name(f"{beside.name}.fit.json"))
        if facts is None:
            return None
        table = beside.with_name(f"{beside.name}.pictures.parquet")
        return facts, pl.read_parquet(table, glob=False) if table.is_file() else pl.DataFrame()

    def write_forecasts(self, path: Path, forecasts: pl.DataFrame) -> None:
        """Write one model's forecast table, whole or not at all."""
        _require(forecasts, FORECASTS, "a forecast table")
        write_atomically(path, lambda beside: write_parquet(forecasts, beside))

    def clear_run(self, folder: Path) -> int:
        """Remove the tables that a run left in a folder, and nothing else; return how many there were."""
        files = [*(folder / "forecasts").glob("*.parquet"), *folder.glob("metrics.*"), *folder.glob("run.json")]
        for file in files:
            file.unlink()
        return len(files)

    def forecast_tables(self, folder: Path) -> list[Callable[[], pl.DataFrame]]:
        """Return a reader of each forecast table in a folder, so that one is in memory at a time."""
        return [partial(pl.read_parquet, file, glob=False) for file in sorted(folder.glob("*.parquet"))]

    def scan_forecasts(self, *folders: Path) -> pl.LazyFrame | None:
        """Return all forecast tables of some folders, lazily; None where there is none."""
        files = [file for folder in folders for file in sorted(folder.glob("*.parquet"))]
        return pl.scan_parquet(files, glob=False) if files else None

    def write_watch(
        self, folder: Path, detector: str, scores: pl.DataFrame, alerts: pl.DataFrame, facts: Mapping[str, Any]
    ) -> tuple[Path, Path, Path]:
        """Write one detector's scores and alerts, the alerts with ``facts`` as JSON too, all or none; return where."""
        _require(scores, SCORES, "a table of scores")
        _require(alerts, ALERTS, "a table of alerts")
        rows = alerts.with_columns(pl.col("start_utc", "end_utc").dt.strftime("%Y-%m-%dT%H:%M:%SZ")).rows(named=True)
        table, text = (folder / "alerts" / f"{detector}.{kind}" for kind in ("parquet", "json"))
        paths = (folder / "scores" / f"{detector}.parquet", table, text)
        said = _as_json({**facts, "alerts": rows})
        writers = (partial(write_parquet, scores), partial(write_parquet, alerts), partial(_write_text, said))
        write_together(dict(zip(paths, writers, strict=True)))
        return paths

    def read_alerts(self, folder: Path) -> dict[str, tuple[pl.DataFrame, dict[str, Any]]]:
        """Return the alerts in a folder by detector, each with the facts of its watch."""
        files = sorted((folder / "alerts").glob("*.parquet"))
        return {
            file.stem: (pl.read_parquet(file, glob=False), self.read_json(file.with_suffix(".json")) or {})
            for file in files
        }

    def write_metrics(self, folder: Path, judged: Sequence[pl.DataFrame]) -> list[dict[str, Any]]:
        """Write the metrics as ``metrics.parquet``, ``.csv`` and ``.json``; return the rows over all entities."""
        if not judged:
            raise SchemaError(f"{folder}/forecasts: holds no forecast table; run 'loadproof forecast' first")
        metrics = pl.concat(judged)
        _require(metrics, METRICS, "a metrics table")
        write_atomically(folder / "metrics.parquet", lambda beside: write_parquet(metrics, beside))
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
        return pl.read_parquet(path, glob=False) if path.is_file() else None

    def metrics(self, folder: Path, name: str = "metrics") -> pl.DataFrame:
        """Return a table of ``METRICS``.

        Raises:
            SchemaError: If there is none.
        """
        path = folder / f"{name}.parquet"
        if not path.is_file():
            raise SchemaError(f"{path}: is not there; run 'loadproof run evaluate_models' first")
        frame = pl.read_parquet(path, glob=False)
        _require(frame, METRICS, "a metrics table")
        return frame

    def digest(self, path: Path) -> str:
        """Return the SHA-256 of a file."""
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def write_alerts(self, path: Path, tables: Sequence[pl.DataFrame]) -> None:
        """Write the alerts of all detectors as one table."""
        alerts = pl.concat([pl.DataFrame(schema=ALERTS), *tables])
        write_atomically(path, partial(write_parquet, alerts))

    def write_csv(self, path: Path, frame: pl.DataFrame) -> None:
        """Write a small table as CSV."""
        write_atomically(path, frame.write_csv)

    def write_figure(self, folder: Path, name: str, svg: str, png: bytes) -> None:
        """Write a figure in both forms, or none."""

        def write_png(path: Path) -> None:
            path.write_bytes(png)

        write_together({folder / f"{name}.svg": partial(_write_text, svg), folder / f"{name}.png": write_png})

    def write_poster(self, folder: Path, table: pl.DataFrame, facts: Mapping[str, Any], text: str) -> None:
        """Write a poster's numbers as CSV, JSON and Markdown, all or none."""
        write_together(
            {
                folder / "poster.csv": table.write_csv,
                folder / "poster.json": partial(_write_text, _as_json(facts)),
                folder / "poster.md": partial(_write_text, text),
            }
        )

    def write_json(self, path: Path, facts: Mapping[str, Any]) -> None:
        """Write a mapping, keys sorted."""
        self.write_text(path, _as_json(facts))

    def read_json(self, path: Path) -> dict[str, Any] | None:
        """Return a mapping, None where there is none."""
        try:
            return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
        except ValueError as error:
            raise SchemaError(f"{path}: is damaged ({error}); remove it, and ingest all files anew") from error

    def write_text(self, path: Path, text: str) -> None:
        """Write a text, UTF-8."""
        write_atomically(path, partial(_write_text, text))


def _as_json(facts: Mapping[str, Any]) -> str:
    return json.dumps(facts, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _write_text(text: str, path: Path) -> None:
    # The bytes of a path may be no UTF-8; escaped they are text, and valid JSON.
    path.write_text(text, encoding="utf-8", errors="backslashreplace")


def _require(frame: pl.DataFrame, schema: pl.Schema, what: str) -> None:
    if frame.schema != schema:
        raise SchemaError(f"not {what}: has {dict(frame.schema)}, wants {dict(schema)}")
