"""What a person sees: bars, tables and errors. Results go to standard output, all else to standard error."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from loadproof.runner.ingest import IngestReport
from loadproof.runner.weather import WeatherReport

__all__ = ["bar", "console", "errors", "print_error", "show_broken", "show_ingest", "show_metrics", "show_readings"]

console, errors = Console(), Console(stderr=True)
if not console.is_terminal:
    console = Console(width=120)  # a log file is not 80 columns wide


def print_error(message: str) -> None:
    """Print one error on one line."""
    # What a file's name or rows hold must neither break the line nor speak to the terminal.
    message = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in message)
    errors.print(f"error: {message}", style="bold red", markup=False, highlight=False, soft_wrap=True)


def bar(items: Iterable[Any], title: str, total: int) -> Iterable[Any]:
    """Show a bar on the terminal; a log file sees nothing of it."""
    columns = (TextColumn("{task.description:<16}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors, disable=not errors.is_terminal) as progress:
        yield from progress.track(items, description=title, total=total)


def show_ingest(done: IngestReport | WeatherReport, counts: Mapping[str, int], whose: tuple[str, str]) -> None:
    """Print what an ingest counted."""
    table = Table(show_header=False, title=f"{done.dataset}, from {done.mode}", title_justify="left", box=SIMPLE)
    rows = [
        ("rows read", f"{done.rows_read:,}"),
        ("written", f"{done.rows_written:,}"),
        ("set aside", f"{done.rows_rejected:,}"),
        *((f"  {reason}", f"{count:,}") for reason, count in counts.items()),
        whose,
        ("span", f"{done.first_ts_utc} to {done.last_ts_utc}"),
    ]
    for row in rows:
        table.add_row(*row)
    console.print(table)


def show_readings(done: IngestReport, output_root: Path) -> None:
    """Print what an ingest did; exit with 1 where a part could not be read, although the others are in."""
    show_ingest(done, done.rejected_by_reason, ("entities", f"{done.entities:,}"))
    console.print(f"readings: {output_root}/dataset={done.dataset}", soft_wrap=True)
    show_broken(done)


def show_broken(done: IngestReport | WeatherReport) -> None:
    """Print what could not be read, and exit with 1 if anything."""
    for part in done.broken:
        print_error(part["error"])
    if done.broken:
        print_error(
            f"{len(done.broken)} part(s) could not be read; the others are in. --strict would have kept all out"
        )
        raise typer.Exit(1)


def show_metrics(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print the overall metrics, a row a model."""
    table = Table(title="all homes, with 95 % intervals", title_justify="left", box=SIMPLE)
    shown = {
        "mae": "MAE, kWh",
        "crps": "CRPS, kWh",
        "mase": "MASE",
        "nrmse": "NRMSE",
        "coverage_80": "in 80 % band",
    }
    for header in ("model", *shown.values()):
        table.add_column(header, justify="left" if header == "model" else "right", no_wrap=True)
    for model in dict.fromkeys(row["subject"] for row in rows):
        cells = {row["metric"]: row for row in rows if row["subject"] == model}
        with_bounds = ("mae", "crps")
        table.add_row(model, *(_figure(cells[metric], bounds=metric in with_bounds) for metric in shown))
    console.print(table)


def _figure(row: Mapping[str, Any], *, bounds: bool) -> str:
    if row["low"] is None or not bounds:
        return f"{row['value']:.3f}"
    return f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
