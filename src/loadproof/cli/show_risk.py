"""What a person sees of the risk of feeders."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import typer
from rich.box import SIMPLE
from rich.table import Table

from loadproof.cli.show import console, print_error
from loadproof.features.calendar import UK_ZONE

if TYPE_CHECKING:
    from loadproof.feeders.assets import BadRow
    from loadproof.runner.feeders_headroom import HeadroomReport
    from loadproof.runner.feeders_reliability import ReliabilityReport
    from loadproof.runner.feeders_risk import RiskReport

__all__ = ["show_headroom", "show_reliability", "show_risk"]

_LEAST_SHOWN: Final = 0.0005


def _chance(value: float) -> str:
    return f"{100 * value:.1f} %" if value >= _LEAST_SHOWN else "< 0.1 %"


def _local(moment: dt.datetime) -> str:
    return f"{moment.astimezone(ZoneInfo(UK_ZONE)):%a %H:%M}"


def _cells(row: Mapping[str, Any]) -> list[str]:
    low, high = _chance(row["any_low"]), _chance(row["any_high"])
    return [
        str(row["rank"]),
        row["entity_id"],
        f"{row['limit']} {row['limit_kwh']:.0f}",
        low if low == high else f"{low.removesuffix(' %')} to {high}",
        f"{row['expected_excess_kwh']:.2f}",
        f"{row['peak_kwh']:.1f}",
        _local(row["peak_utc"]),
        f"{row['headroom_95_kwh']:.1f}",
    ]


def _tell_bad(rows: "Sequence[BadRow]") -> None:
    """Print what was set aside of an assets file, and exit with 1 if anything."""
    for bad in rows:
        print_error(str(bad))
    if rows:
        print_error(f"{len(rows)} row(s) of the assets file were set aside; theirs have no limit")
        raise typer.Exit(1)


def show_risk(done: "RiskReport", *, top: int) -> None:
    """Print the ranking's head and what it rests on; exit with 1 where rows of the assets file were set aside."""
    table = Table(
        title=f"{done.dataset}, {done.model}, from {done.t0_utc:%Y-%m-%d %H:%M} UTC: {done.feeders:,} feeder(s), "
        f"{done.substations:,} substation(s); kWh per half hour, UK time", title_justify="left", box=SIMPLE,
    )  # fmt: skip
    for header in ("#", "entity", "limit", "chance", "excess", "peak", "at", "room at 95 %"):
        table.add_column(header, justify="left" if header in ("entity", "limit") else "right", no_wrap=True)
    for row in done.rows[:top]:
        table.add_row(*_cells(row))
    console.print(table)
    for note in done.notes:
        console.print(f"note: {note}", soft_wrap=True)
    if done.left_out:
        first = ", ".join(done.left_out[:3]) + (", ..." if len(done.left_out) > 3 else "")
        console.print(f"left out, for less than a day's worth of readings: {len(done.left_out):,} ({first})")
    console.print(f"risk: {done.folder}", soft_wrap=True)
    _tell_bad(done.bad_rows)


def _fit(number: int) -> str:
    return str(number) if number >= 0 else "-"


def show_headroom(done: "HeadroomReport") -> None:
    """Print a row an entity, limit, chance and number of heat pumps, and what it rests on."""
    table = Table(
        title=f"{done.dataset}, the year to {done.until_utc:%Y-%m-%d}: winter peak in kWh per half hour with its 80 % "
        "interval, and cars that fit", title_justify="left", box=SIMPLE,
    )  # fmt: skip
    for header in (
        "entity",
        "limit",
        "homes",
        "winter peak",
        "now",
        "accepted",
        "cars (with heat pumps)",
        "heat pumps",
    ):
        table.add_column(header, justify="left" if header in ("entity", "limit") else "right")
    lines: dict[tuple[str, str, float], list[Mapping[str, Any]]] = {}
    for row in done.rows:
        lines.setdefault((row["entity_id"], row["limit"], row["accept"]), []).append(row)
    for (entity, limit, accept), rows in lines.items():
        row, low, high = rows[0], rows[0]["winter_peak_low_kwh"], rows[0]["winter_peak_high_kwh"]
        cars = ", ".join(f"{_fit(each['evs_fit'])} ({each['heat_pumps']})" for each in rows)
        table.add_row(
            entity, f"{limit} {row['limit_kwh']:.0f}", str(row["homes"]),
            f"{row['winter_peak_kwh']:.1f} [{low:.1f}, {high:.1f}]", _chance(row["chance_now"]), f"{100 * accept:g} %",
            cars, _fit(row["heat_pumps_fit"]),
        )  # fmt: skip
    console.print(table)
    for note in done.notes:
        console.print(f"note: {note}", soft_wrap=True)
    for name, why in sorted(done.left_out.items())[:3]:
        console.print(f"left out: {name}: {why}", soft_wrap=True)
    console.print(f"headroom: {done.folder}", soft_wrap=True)
    _tell_bad(done.bad_rows)


def show_reliability(done: "ReliabilityReport") -> None:
    """Print each subject's Brier score of the first day ahead, its skill over recent frequency, and how far it errs."""
    table = Table(
        title=f"{done.dataset}: {done.feeders} feeders of {done.homes} homes, one day ahead, their own training "
        "percentiles as limits", title_justify="left", box=SIMPLE,
    )  # fmt: skip
    shown = {"brier": "Brier", "brier_skill:recent": "skill over recent", "reliability_error": "reliability error"}
    for header in ("percentile", "subject", *shown.values()):
        table.add_column(header, justify="left" if header == "subject" else "right", no_wrap=True)
    lines: dict[tuple[float, str], dict[str, float]] = {}
    for row in done.rows:
        if row["days_ahead"] == 1 and row["slice"] == "all" and row["metric"] in shown:
            lines.setdefault((row["percentile"], row["subject"]), {})[row["metric"]] = row["value"]
    for (percentile, subject), cells in sorted(lines.items()):
        figures = (f"{cells[metric]:.4f}" if metric in cells else "" for metric in shown)
        table.add_row(f"{percentile:g}", subject, *figures)
    console.print(table)
    console.print(f"record: {done.path}", soft_wrap=True)
