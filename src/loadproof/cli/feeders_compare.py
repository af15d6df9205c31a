"""The command that holds pseudo-feeders against real ones."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE
from rich.table import Table

from loadproof.cli.options import DEFAULTS, ProcessedRoot
from loadproof.cli.places import store_at
from loadproof.cli.show import console

if TYPE_CHECKING:
    from loadproof.runner.feeders import ComparisonReport

__all__ = ["compare_command"]

_SIDE = "A dataset of the store, or a Parquet table of readings or feeders"


def compare_command(
    *,
    pseudo: Annotated[str, typer.Option(help=f"{_SIDE}; homes are grouped.")],
    real: Annotated[str, typer.Option(help=f"{_SIDE}.")],
    size: Annotated[
        int | None, typer.Option(min=1, help="Homes per pseudo-feeder; default: sizes drawn from the other side's.")
    ] = None,
    processed_root: ProcessedRoot = DEFAULTS.data.processed_root,
    output_dir: Annotated[Path, typer.Option(help="Where feeders.html and feeders.json go.")] = Path(
        "data/derived/feeders"
    ),
    seed: Annotated[int, typer.Option(min=0, help="The seed of groups and resamples.")] = DEFAULTS.seed,
) -> None:
    """Hold pseudo-feeders against real ones, part by part; too little data concludes nothing and says so.

    Example: loadproof feeders compare --pseudo lcl --real ssen --size 30
    """
    from loadproof.runner.feeders import compare_feeders  # brings the drawing library

    _show(compare_feeders(store_at(processed_root), pseudo, real, output_dir, size=size, seed=seed))


def _show(done: "ComparisonReport") -> None:
    found = done.found
    for line in found.lacking:
        console.print(f"nothing is concluded: {line}", soft_wrap=True)
    if found.parts:
        table = Table(title="pseudo-feeders against real ones, per device", title_justify="left", box=SIMPLE)
        for header in ("part", "pseudo", "real", "unit", "distance", "floor"):
            table.add_column(header, justify="left" if header in ("part", "unit") else "right")
        for part in found.parts:
            floor = "" if part.floor is None else f"{part.floor:.3f}"
            table.add_row(part.name, f"{part.pseudo:.3f}", f"{part.real:.3f}", part.unit, f"{part.distance:.3f}", floor)
        table.add_row("composite, their sum", "", "", "", f"{found.composite:.3f}", "")
        console.print(table)
    console.print(f"page: {done.page}", soft_wrap=True)
    console.print(f"figures: {done.figures}", soft_wrap=True)
