"""What a person sees: bars, tables and errors. Results go to standard output, all else to standard error."""

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:  # what only some commands need is not imported by all
    from loadproof.runner.backtest import BoardReport
    from loadproof.runner.detect import Detection
    from loadproof.runner.ingest_report import IngestReport
    from loadproof.runner.predict import Prediction
    from loadproof.runner.train import TrainReport
    from loadproof.runner.weather import WeatherReport

__all__ = [
    "bar",
    "console",
    "errors",
    "print_error",
    "show_board",
    "show_broken",
    "show_detection",
    "show_detectors",
    "show_ingest",
    "show_metrics",
    "show_outlooks",
    "show_readings",
    "show_training",
]

MOST_SHOWN: Final = 20
"""A terminal shows so many homes; the table on disk holds all."""

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


def show_ingest(done: "IngestReport | WeatherReport", counts: Mapping[str, int], whose: tuple[str, str]) -> None:
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


def show_readings(done: "IngestReport", output_root: Path) -> None:
    """Print what an ingest did; exit with 1 where a part could not be read, although the others are in."""
    show_ingest(done, done.rejected_by_reason, ("entities", f"{done.entities:,}"))
    console.print(f"readings: {output_root}/dataset={done.dataset}", soft_wrap=True)
    show_broken(done)


def show_broken(done: "IngestReport | WeatherReport") -> None:
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


def show_training(done: "TrainReport") -> None:
    """Print how a model came about and where it lies."""
    said = {
        "trained": "trained",
        "continued": "trained on from its weights",
        "kept": "of the same data and knobs, kept",
    }
    windows = f", {done.fit.train_windows:,} windows, {done.fit.valid_windows:,} to validate" if done.fit else ""
    console.print(f"{done.model}: {said[done.how]}{windows}", soft_wrap=True)
    console.print(f"model: {done.folder}", soft_wrap=True)


def show_outlooks(said: "Prediction") -> None:
    """Print a row a home: the energy ahead, the peak with its band, and by what fallbacks it was forecast."""
    table = Table(title=f"{said.model}, from {said.t0_utc:%Y-%m-%d %H:%M} UTC", title_justify="left", box=SIMPLE)
    for header in ("entity", "kWh in all", "peak, UK time", "median", "80 % band", "how"):
        table.add_column(header, justify="left" if header in ("entity", "how") else "right")
    for one in said.outlooks[:MOST_SHOWN]:
        table.add_row(
            one.entity_id,
            f"{one.total_kwh:.2f}",
            f"{one.peak_local:%a %d %b %H:%M}",
            f"{one.peak_kwh:.3f}",
            f"{one.peak_low_kwh:.3f} to {one.peak_high_kwh:.3f}",
            ", ".join(f"{name} {count}/{one.steps}" for name, count in one.fallbacks.items()) or "plainly",
        )
    console.print(table)
    if (more := len(said.outlooks) - MOST_SHOWN) > 0:
        console.print(f"and {more} more in the table")
    if said.weather != "none":
        console.print(f"weather: {said.weather}", soft_wrap=True)
    if said.left_out:
        first = ", ".join(said.left_out[:3]) + (", ..." if len(said.left_out) > 3 else "")
        console.print(f"left out, for less than a day's worth of readings: {len(said.left_out)} ({first})")
    console.print(f"forecasts: {said.path}", soft_wrap=True)


def show_board(done: "BoardReport") -> None:
    """Print the board's rows over all homes, and how many records were made."""
    keys = {"split": "split", "level_of_aggregation": "level", "arm": "arm", "data_lag_steps": "lag",
            "subject": "model", "variant": "variant"}  # fmt: skip
    shown = {"pinball_scaled": "2 x pinball / load", "pinball_ratio_to:persistence_ensemble": "to persistence",
             "coverage_80": "in 80 % band", "nrmse_median": "median NRMSE", "rps_median": "median RPS"}  # fmt: skip
    lines: dict[tuple[str, ...], dict[str, float]] = {}
    for row in done.rows:
        if row["entity_id"] is None and row["slice"] == "all" and row["metric"] in shown:
            key = tuple(str(row[name]) for name in keys)
            lines.setdefault(key, {})[row["metric"]] = row["value"]
    there = [name for name in shown if any(name in cells for cells in lines.values())]
    table = Table(title="the board, over all homes", title_justify="left", box=SIMPLE)
    for header in keys.values():
        table.add_column(header, no_wrap=header == "model")
    for name in there:
        table.add_column(shown[name], justify="right")
    for key, cells in lines.items():
        table.add_row(*key, *(f"{cells[name]:.3f}" if name in cells else "" for name in there))
    console.print(table)
    console.print(f"{done.planned} jobs: {done.made} made, {done.kept} kept, {done.seconds:.0f} s")


def show_detection(done: "Detection") -> None:
    """Print how often a detector alarmed and how that was measured, and its gravest alerts."""
    rate, kinds = done.rate, ", ".join(f"{count} {kind}" for kind, count in done.kinds.items())
    last = done.until - dt.timedelta(days=1)
    span = f"{done.first}" if last == done.first else f"{done.first} to {last}"
    interval = "" if math.isnan(rate.low) else f" [{rate.low:.3f}, {rate.high:.3f}]"
    table = Table(show_header=False, title=f"{done.detector}, {done.how}: {span}", title_justify="left", box=SIMPLE)
    figures = {
        "alerts": kinds or "none",
        "wanted": f"{done.wanted_per_week:g} false alarms per home and week",
        "achieved": f"{rate.per_week:.3f}{interval}: {rate.alerts} in {rate.home_weeks:,.1f} weeks of {rate.homes}",
        "measured": "on these days, every alert taken for false, so it is that or less; what is missing not counted",
    }
    for name, value in figures.items():
        table.add_row(name, value)
    console.print(table)
    if done.worst:
        table = Table(title="the gravest, one a home", title_justify="left", box=SIMPLE)
        for header in ("entity", "UK day", "kind", "severity", "what"):
            table.add_column(header, justify="right" if header == "severity" else "left", no_wrap=header == "entity")
        for alert in done.worst:
            day = alert["start_utc"].astimezone(ZoneInfo("Europe/London"))
            told = (alert["kind"], f"{alert['severity']:.1f}", alert["sentence"])
            table.add_row(alert["entity_id"], f"{day:%Y-%m-%d}", *told)
        console.print(table)
    for said, path in zip(("scores", "alerts", "alerts as JSON"), done.paths, strict=True):
        console.print(f"{said}: {path}", soft_wrap=True)


def show_detectors(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print each table of the board of detectors over all kinds and strengths, the best ranking first."""
    shown = {"vus_pr": "VUS-PR", "vus_roc": "VUS-ROC", "event_f1": "event F1", "range_f1": "range F1",
             "vus_pr_lead_of:ensemble": "ensemble's lead", "achieved_over_chosen": "achieved / chosen"}  # fmt: skip
    tables: dict[tuple[str, str], dict[str, dict[str, Mapping[str, Any]]]] = {}
    for row in rows:
        of_all = row["kind"] in ("all", "clean") or row["table"] == "lead"
        if of_all and row["metric"] in shown and (row["strength"] is None or row["table"] == "clean"):
            about = row["kind"] if row["strength"] is None else f"{row['strength']:g} alerts per home and week"
            cells = tables.setdefault((row["table"], about), {})
            cells.setdefault(row["detector"], {})[row["metric"]] = row
    for (title, about), lines in tables.items():
        there = [name for name in shown if any(name in cells for cells in lines.values())]
        table = Table(title=f"{title}, {about}", title_justify="left", box=SIMPLE)
        table.add_column("detector", no_wrap=True)
        for name in there:
            table.add_column(shown[name], justify="right", no_wrap=True)
        for detector in sorted(lines, key=lambda name: -_value(lines[name].get("vus_pr"))):
            table.add_row(detector, *(_told(lines[detector].get(name)) for name in there))
        console.print(table)


def _value(row: Mapping[str, Any] | None) -> float:
    return 0.0 if row is None or row["value"] is None else float(row["value"])


def _told(row: Mapping[str, Any] | None) -> str:
    if row is None or row["value"] is None or row["value"] != row["value"]:
        return ""
    interval = "" if row["low"] != row["low"] else f" [{row['low']:.3f}, {row['high']:.3f}]"
    return f"{row['value']:.3f}{interval}"
