"""What a person sees of the risk of feeders."""

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import typer
from rich.box import SIMPLE
from rich.table import Table

from loadproof.cli.show import console, print_error
from loadproof.features.calendar import UK_ZONE

if TYPE_CHECKING:
    from loadproof.runner.feeders_risk import RiskReport

__all__ = ["show_risk"]

_LEAST_SHOWN: Final = 0.0005


def _chance(value: float) -> str:
    return f"{100 * value:.1f} %" if value >= _LEAST_SHOWN else "< 0.1 %"


def _local(moment: dt.datetime) -> str:
    return f"{moment.astimezone(ZoneInfo(UK_ZONE)):%a %d %b %H:%M}"


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
    for bad in done.bad_rows:
        print_error(str(bad))
    if done.bad_rows:
        print_error(f"{len(done.bad_rows)} row(s) of the assets file were set aside; theirs have no limit")
        raise typer.Exit(1)
