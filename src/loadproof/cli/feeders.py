"""The commands on feeders, gathered below one name."""

import typer

from loadproof.cli.feeders_board import board_command
from loadproof.cli.feeders_compare import compare_command
from loadproof.cli.feeders_risk import headroom_command, reliability_command, risk_command

__all__ = ["feeders_app"]

feeders_app = typer.Typer(help="From homes to feeders, substations and their limits.", no_args_is_help=True)
feeders_app.command("risk")(risk_command)
feeders_app.command("compare")(compare_command)
feeders_app.command("board")(board_command)
feeders_app.command("headroom")(headroom_command)
feeders_app.command("reliability")(reliability_command)
