"""The commands that run experiments."""

from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from loadproof.cli.forecasting import take_knobs
from loadproof.cli.options import (
    ConfigOption,
    DatasetOption,
    DeviceOption,
    EngineOption,
    ProcessedRootOption,
    WorkersOption,
    choose_device,
    open_engine,
)
from loadproof.cli.places import store_at
from loadproof.cli.show import bar, console

__all__ = ["study_app"]

study_app = typer.Typer(help="Run an experiment whose protocol stands in docs/.", no_args_is_help=True)

_ARMS: Final = "real, uniform, grounded, full, ..."


@study_app.command("selfplay")
def selfplay_command(
    *,
    dataset: DatasetOption = "lcl",
    stage: Annotated[
        Literal["pilot", "screen", "confirmation", "further", "third", "plain"],
        typer.Option(help="Whose arms, seeds, quarters and half are played where the next four say nothing."),
    ] = "screen",
    arms: Annotated[list[str] | None, typer.Option(help=f"These arms alone; repeat for more: {_ARMS}")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, max=100, help="How many seeds, from the stage's first.")] = None,
    fold: Annotated[list[str] | None, typer.Option(help="Quarters held out, such as held_2013-01-01.")] = None,
    half: Annotated[list[str] | None, typer.Option(help="Whose homes are learned from, A or B.")] = None,
    budget: Annotated[
        Literal["pilot", "small", "full"], typer.Option(help="For one busy core, for two cores, or for a GPU.")
    ] = "small",
    records: Annotated[
        Path, typer.Option(help="Where the records go; those that are there are not made again.")
    ] = Path("data/derived/selfplay/records"),
    work: Annotated[Path, typer.Option(help="Where networks on their way lie.")] = Path("data/derived/selfplay/work"),
    config: ConfigOption = None,
    device: DeviceOption = None,
    processed_root: ProcessedRootOption = None,
    engine: EngineOption = None,
    workers: WorkersOption = 2,
) -> None:
    """Play the arms of the experiment in docs/selfplay.md; a study that was killed goes on where it stopped.

    Example: loadproof study selfplay --stage confirmation --budget small --fold held_2013-04-01
    """
    from loadproof.runner.study import study
    from loadproof.selfplay.plan import STAGES

    knobs, plan = take_knobs(config, None), STAGES[stage]
    with open_engine(engine, workers) as map_:
        done = study(
            store_at(processed_root or knobs.data.processed_root), dataset, records, work, config=knobs, budget=budget,
            arms=arms or plan.arms, seeds=seeds or plan.seeds, first_seed=plan.first_seed, folds=fold or plan.folds,
            halves=half or plan.halves, device=choose_device(device), map_=map_, track=bar,
        )  # fmt: skip
    console.print(f"{done.planned} jobs: {done.made} played, {done.kept} kept, {done.seconds:.0f} s")
    console.print(f"records: {records}", soft_wrap=True)


@study_app.command("selfplay-elsewhere")
def selfplay_elsewhere_command(
    *,
    judged_on: Annotated[Literal["lcl", "ukdale"], typer.Option(help="Whose homes are forecast.")] = "ukdale",
    dataset: DatasetOption = "lcl",
    stage: Annotated[
        Literal["pilot", "screen", "confirmation"], typer.Option(help="Whose solvers forecast.")
    ] = "confirmation",
    budget: Annotated[
        Literal["pilot", "small", "full"], typer.Option(help="At which budget they were played.")
    ] = "small",
    records: Annotated[
        Path, typer.Option(help="Where the records go; those that are there are not made again.")
    ] = Path("data/derived/selfplay/records"),
    work: Annotated[Path, typer.Option(help="Where the study's networks lie.")] = Path("data/derived/selfplay/work"),
    config: ConfigOption = None,
    device: DeviceOption = None,
    processed_root: ProcessedRootOption = None,
) -> None:
    """Have the solvers of a study that was played forecast another dataset's homes: an illustration, not a test.

    Example: loadproof study selfplay-elsewhere --judged-on ukdale --stage confirmation
    """
    from loadproof.runner.study_elsewhere import study_elsewhere
    from loadproof.selfplay.plan import STAGES, jobs

    knobs = take_knobs(config, None)
    done = study_elsewhere(
        store_at(processed_root or knobs.data.processed_root), dataset, judged_on, records, work, config=knobs,
        budget=budget, planned=list(jobs(**STAGES[stage]._asdict())), device=choose_device(device), track=bar,
    )  # fmt: skip
    console.print(f"{done.planned} jobs: {done.made} forecast, {done.kept} kept, {done.seconds:.0f} s")
    console.print(f"records: {records}", soft_wrap=True)
