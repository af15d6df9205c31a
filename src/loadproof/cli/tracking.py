"""The commands on the record of trainings and evaluations."""

import typer

from loadproof.cli.forecasting import take_knobs
from loadproof.cli.options import ConfigOption, choose_tracker
from loadproof.cli.show import console
from loadproof.errors import ConfigError
from loadproof.tracking import MLflowTracker

__all__ = ["track_app"]

track_app = typer.Typer(help="The record of trainings and evaluations, in data/mlflow.", no_args_is_help=True)


@track_app.callback()
def _group() -> None:
    """Keep ``track`` a group, though it has one command."""


@track_app.command("sync")
def sync_command(*, config: ConfigOption = None) -> None:
    """Send the runs that the server of MLFLOW_TRACKING_URI lacks: none lost, none doubled.

    Example: loadproof track sync
    """
    tracker = choose_tracker(take_knobs(config, None))
    if not isinstance(tracker, MLflowTracker):
        raise ConfigError("nothing is recorded here; install loadproof[pipeline], and leave TRACK unset")
    done = tracker.sync()
    console.print(f"{done.sent} runs sent, {done.already} there already, {done.running} not ended yet", soft_wrap=True)
