"""The commands that make a board of results beside the forecasters' own."""

from pathlib import Path
from typing import Annotated

import typer

from loadproof.cli.options import DEFAULTS, ConfigOption, DatasetOption, ProcessedRootOption, SeedOption
from loadproof.cli.places import store_at
from loadproof.cli.show import bar, console, show_detectors
from loadproof.config import read_config
from loadproof.errors import ConfigError

__all__ = ["benchmark_app"]

benchmark_app = typer.Typer(help="Judge methods side by side.", no_args_is_help=True)


@benchmark_app.callback()
def _several() -> None:
    """Judge methods side by side."""


@benchmark_app.command("anomaly")
def anomaly_command(
    *,
    dataset: DatasetOption = "lcl",
    config: ConfigOption = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(help="These kinds of event alone: theft, ev, ..., clean, lead; repeat for more. Default: all."),
    ] = None,
    lead: Annotated[Path | None, typer.Option(help="Folder of LEAD's CSV files, judged beside the homes.")] = None,
    self_play: Annotated[
        bool,
        typer.Option("--self-play/--board", help="The detector that self-play leaves, beside a few of the board's."),
    ] = False,
    records: Annotated[
        Path, typer.Option(help="Where the board's records go; those that are there are not made again.")
    ] = Path("data/derived/anomaly_board"),
    processed_root: ProcessedRootOption = None,
    seed: SeedOption = None,
) -> None:
    """Judge every detector on faults set into homes it never saw, and on LEAD. A killed run goes on where it stopped.

    Example: loadproof benchmark anomaly --dataset lcl --kind theft --records data/derived/anomaly_board
    """
    from loadproof.runner.anomaly_board import BOARD, SELF_PLAY, anomaly_board

    knobs = read_config(config) if config else DEFAULTS
    knobs = knobs if seed is None else knobs.model_copy(update={"seed": seed})
    store = store_at(processed_root or knobs.data.processed_root)
    if self_play and lead is not None:
        raise ConfigError("self-play knows half-hourly homes alone; leave --lead or --self-play out")
    bench = SELF_PLAY if self_play else BOARD
    done = anomaly_board(
        store, dataset, records, config=knobs, lead=lead, kinds=tuple(kind or ()), bench=bench, track=bar
    )
    show_detectors(done.rows)
    console.print(f"{done.made} of {done.planned} records made, {done.seconds:.0f} s: {records}", soft_wrap=True)
