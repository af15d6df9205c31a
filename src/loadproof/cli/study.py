"""The commands that run experiments."""

from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from loadproof.cli.forecasting import take_knobs
from loadproof.cli.options import ConfigOption, DatasetOption, DeviceOption, ProcessedRootOption, choose_device
from loadproof.cli.show import bar, console
from loadproof.store import Store

__all__ = ["study_app"]

study_app = typer.Typer(help="Run an experiment whose protocol stands in docs/.", no_args_is_help=True)

_ARMS: Final = "real, uniform, grounded, full, ..."


@study_app.command("selfplay")
def selfplay_command(
    *,
    dataset: DatasetOption = "lcl",
    arms: Annotated[list[str] | None, typer.Option(help=f"These arms alone; repeat for more: {_ARMS}")] = None,
    seeds: Annotated[int, typer.Option(min=1, max=100, help="How many seeds, from 1.")] = 5,
    budget: Annotated[
        Literal["pilot", "small", "full"], typer.Option(help="For one busy core, for two cores, or for a GPU.")
    ] = "small",
    fold: Annotated[list[str] | None, typer.Option(help="Quarters held out; default: the pilot's.")] = None,
    half: Annotated[list[str] | None, typer.Option(help="Whose homes are learned from, A or B; default: A.")] = None,
    records: Annotated[
        Path, typer.Option(help="Where the records go; those that are there are not made again.")
    ] = Path("data/derived/selfplay/records"),
    work: Annotated[Path, typer.Option(help="Where networks on their way lie.")] = Path("data/derived/selfplay/work"),
    config: ConfigOption = None,
    device: DeviceOption = None,
    processed_root: ProcessedRootOption = None,
) -> None:
    """Play the arms of the experiment in docs/selfplay.md; a study that was killed goes on where it stopped.

    Example: loadproof study selfplay --budget small --seeds 3 --arms real --arms uniform --arms full
    """
    from loadproof.runner.study import study
    from loadproof.selfplay.arms import ARMS
    from loadproof.selfplay.plan import PILOT_FOLDS

    knobs = take_knobs(config, None)
    done = study(
        Store(processed_root or knobs.data.processed_root), dataset, records, work, config=knobs, budget=budget,
        arms=arms or list(ARMS), seeds=seeds, folds=fold or PILOT_FOLDS, halves=half or ("A",),
        device=choose_device(device), track=bar,
    )  # fmt: skip
    console.print(f"{done.planned} jobs: {done.made} played, {done.kept} kept, {done.seconds:.0f} s")
    console.print(f"records: {records}", soft_wrap=True)
