"""The command that judges a tree of feeders before and after its forecasts are made to add up."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE
from rich.table import Table

from loadproof.cli.options import DEFAULTS, ConfigOption, DatasetOption, ProcessedRoot
from loadproof.cli.places import store_at
from loadproof.cli.show import console
from loadproof.config import read_config

if TYPE_CHECKING:
    from loadproof.runner.feeder_board import TreeReport

__all__ = ["board_command"]


def board_command(
    *,
    dataset: DatasetOption = "lcl",
    config: ConfigOption = None,
    processed_root: ProcessedRoot = DEFAULTS.data.processed_root,
    records: Annotated[Path, typer.Option(help="Folder of the record.")] = Path("data/derived/feeder_board"),
) -> None:
    """Judge homes, feeders and a substation before and after reconciliation; a record of the same data is kept.

    Example: loadproof feeders board --records docs/results/records/feeders
    """
    from loadproof.runner.feeder_board import feeder_board

    _show(feeder_board(store_at(processed_root), dataset, records, config=read_config(config) if config else DEFAULTS))


def _show(done: "TreeReport") -> None:
    shown = {"crps_scaled": "CRPS / load", "crps_ratio_to:direct": "to its direct", "coverage_80": "in 80 % band"}
    table = Table(title=f"{done.facts['model']}, with 95 % intervals", title_justify="left", box=SIMPLE)
    for header in ("level", "variant", *shown.values()):
        table.add_column(header, justify="left" if header in ("level", "variant") else "right", no_wrap=True)
    cells = {(row["level"], row["variant"], row["metric"]): row for row in done.rows}
    for level, variant in dict.fromkeys((row["level"], row["variant"]) for row in done.rows):
        found = [cells.get((level, variant, metric)) for metric in shown]
        table.add_row(level, variant, *(_figure(row) if row else "" for row in found))
    console.print(table)
    console.print(f"record: {done.path} ({'made' if done.made else 'kept'})", soft_wrap=True)


def _figure(row: dict[str, float]) -> str:
    if row["low"] is None:
        return f"{row['value']:.4f}"
    return f"{row['value']:.4f} [{row['low']:.4f}, {row['high']:.4f}]"
