"""Tables of runs: forecasts, scores, alerts, metrics, risk. Each lies in a folder that the caller names."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import polars as pl

from loadproof.errors import EngineError, SchemaError, not_shared
from loadproof.files import as_json, sink_parquet, write_atomically, write_parquet, write_text, write_together
from loadproof.schema import ALERTS, FORECASTS, METRICS, RISK, RISK_STEPS, SCORES

__all__ = ["RunTables", "WatchTable", "WithFacts", "require"]

WithFacts: TypeAlias = tuple[pl.DataFrame, Mapping[str, Any]]
"""A table, and the facts that stand beside it as JSON."""

WatchTable = Literal["scores", "alerts"]
_WATCH: Final[dict[WatchTable, pl.Schema]] = {"scores": SCORES, "alerts": ALERTS}


def require(frame: pl.DataFrame, schema: pl.Schema, what: str) -> None:
    """Raise ``SchemaError`` unless the frame has the schema's columns, in order and kind."""
    if frame.schema != schema:
        raise SchemaError(f"not {what}: has {dict(frame.schema)}, wants {dict(schema)}")


class RunTables:
    """What a run leaves in a folder, written whole or not at all, and read again."""

    def scan_table(self, path: Path) -> pl.LazyFrame:
        """Return any Parquet table, a file or a folder of them, lazily.

        Raises:
            SchemaError: If there is none.
        """
        files = sorted(path.glob("**/*.parquet")) if path.is_dir() else [path]
        if not files or not all(file.is_file() for file in files):
            raise SchemaError(f"{path}: is no Parquet file and no folder of them; name a table or a dataset")
        return pl.scan_parquet(files, hive_partitioning=False, glob=False)

    def write_risk(
        self, folder: Path, ranked: pl.DataFrame, steps: pl.DataFrame, forecasts: pl.DataFrame, recent: pl.DataFrame,
        facts: Mapping[str, Any],
    ) -> None:  # fmt: skip
        """Write a ranked risk (Parquet, CSV, JSON), half hours, forecasts, what came before and facts, all or none."""
        require(ranked, RISK, "a table of risk")
        require(steps, RISK_STEPS, "a table of risk per half hour")
        require(forecasts, FORECASTS, "a forecast table")
        write_together(
            {
                folder / "risk.parquet": partial(write_parquet, ranked),
                folder / "risk.csv": ranked.write_csv,
                folder / "risk.json": ranked.write_json,
                folder / "risk_half_hours.parquet": partial(write_parquet, steps),
                folder / "risk_forecasts.parquet": partial(write_parquet, forecasts),
                folder / "risk_recent.parquet": partial(write_parquet, recent),
                folder / "risk_run.json": partial(write_text, as_json(facts)),
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
                folder / f"{name}_run.json": partial(write_text, as_json(facts)),
            }
        )

    def write_fit(self, beside: Path, facts: Mapping[str, Any], pictures: pl.DataFrame | None) -> None:
        """Write what a training saw beside its model's folder: its curve, and what there is to look at."""
        fit, table = (beside.with_name(f"{beside.name}.{kind}") for kind in ("fit.json", "pictures.parquet"))
        shown = {} if pictures is None else {table: partial(write_parquet, pictures)}
        write_together({fit: partial(write_text, as_json(facts)), **shown})

    def read_fit(self, beside: Path) -> tuple[dict[str, Any], pl.DataFrame] | None:
        """Return what :meth:`write_fit` left beside a model's folder; None where there is nothing."""
        facts = self.read_json(beside.with_name(f"{beside.name}.fit.json"))
        if facts is None:
            return None
        table = beside.with_name(f"{beside.name}.pictures.parquet")
        return facts, pl.read_parquet(table, glob=False) if table.is_file() else pl.DataFrame()

    def write_forecasts(self, path: Path, forecasts: pl.DataFrame, *, alone: bool = True) -> None:
        """Write one model's forecast table, whole or not at all; ``alone`` says that nobody else writes it now."""
        require(forecasts, FORECASTS, "a forecast table")
        write_atomically(path, partial(write_parquet, forecasts), alone=alone)

    def join_forecasts(self, path: Path, parts: Sequence[Path]) -> None:
        """Make one forecast table of several, in their order, a little at a time.

        Raises:
            EngineError: If one is not here: a worker wrote it to a folder of its own.
        """
        if lost := [part for part in parts if not part.is_file()]:
            raise EngineError(not_shared(lost[0].parent, lost[0].name))
        if len(parts) == 1:
            parts[0].replace(path)
        else:
            write_atomically(path, partial(sink_parquet, pl.scan_parquet(list(parts), glob=False)))

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
        self, folder: Path, detector: str, *, scores: WithFacts | None = None, alerts: WithFacts | None = None
    ) -> None:
        """Write a detector's scores, its alerts, or both, each with its facts as JSON, all or none."""
        files: dict[Path, Callable[[Path], Any]] = {}

        def lay(what: WatchTable, table: pl.DataFrame, said: Mapping[str, Any]) -> None:
            require(table, _WATCH[what], f"a table of {what}")
            path = self.watch_path(folder, what, detector)
            files[path] = partial(write_parquet, table)
            files[path.with_suffix(".json")] = partial(write_text, as_json(said))

        if scores is not None:
            lay("scores", *scores)
        if alerts is not None:
            times = pl.col("start_utc", "end_utc").dt.strftime("%Y-%m-%dT%H:%M:%SZ")
            lay("alerts", alerts[0], {**alerts[1], "alerts": alerts[0].with_columns(times).rows(named=True)})
        write_together(files)

    def watch_path(self, folder: Path, what: WatchTable, detector: str) -> Path:
        """Return where a detector's table lies; its facts lie beside it as JSON."""
        return folder / what / f"{detector}.parquet"

    def detectors(self, folder: Path, what: WatchTable) -> list[str]:
        """Return of which detectors a folder holds a table."""
        return sorted(path.stem for path in (folder / what).glob("*.parquet"))

    def read_watch(self, folder: Path, what: WatchTable, detector: str) -> WithFacts:
        """Return a detector's table, and its facts.

        Raises:
            SchemaError: If the table is not of this version's columns.
        """
        path = self.watch_path(folder, what, detector)
        table = pl.read_parquet(path, glob=False)
        if table.schema != _WATCH[what]:
            raise SchemaError(f"{path}: is no table of {what} of this version; let the detector score again")
        return table, self.read_json(path.with_suffix(".json")) or {}

    def write_metrics(self, folder: Path, judged: Sequence[pl.DataFrame]) -> list[dict[str, Any]]:
        """Write the metrics as ``metrics.parquet``, ``.csv`` and ``.json``; return the rows over all entities."""
        if not judged:
            raise SchemaError(f"{folder}/forecasts: holds no forecast table; run 'loadproof forecast' first")
        metrics = pl.concat(judged)
        require(metrics, METRICS, "a metrics table")
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
        require(frame, METRICS, "a metrics table")
        return frame

    def digest(self, path: Path) -> str:
        """Return the SHA-256 of a file."""
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def write_csv(self, path: Path, frame: pl.DataFrame) -> None:
        """Write a small table as CSV."""
        write_atomically(path, frame.write_csv)

    def write_figure(self, folder: Path, name: str, svg: str, png: bytes) -> None:
        """Write a figure in both forms, or none."""

        def write_png(path: Path) -> None:
            path.write_bytes(png)

        write_together({folder / f"{name}.svg": partial(write_text, svg), folder / f"{name}.png": write_png})

    def write_poster(self, folder: Path, table: pl.DataFrame, facts: Mapping[str, Any], text: str) -> None:
        """Write a poster's numbers as CSV, JSON and Markdown, all or none."""
        write_together(
            {
                folder / "poster.csv": table.write_csv,
                folder / "poster.json": partial(write_text, as_json(facts)),
                folder / "poster.md": partial(write_text, text),
            }
        )

    def write_json(self, path: Path, facts: Mapping[str, Any]) -> None:
        """Write a mapping, keys sorted."""
        self.write_text(path, as_json(facts))

    def read_json(self, path: Path) -> dict[str, Any] | None:
        """Return a mapping, None where there is none."""
        try:
            return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
        except ValueError as error:
            raise SchemaError(f"{path}: is damaged ({error}); remove it, and ingest all files anew") from error

    def write_text(self, path: Path, text: str) -> None:
        """Write a text, UTF-8."""
        write_atomically(path, partial(write_text, text))
