"""Write docs/commands.md: the help of every command, as the command line itself prints it.

python docs/make_commands.py
"""

import os
from collections.abc import Iterator
from pathlib import Path

os.environ.update(COLUMNS="100", TERM="dumb", NO_COLOR="1")

import click
from typer.main import get_command

from loadproof.cli.app import app

HEAD = """# Commands

Made by `python docs/make_commands.py` from the command line itself; a test holds the two together.
"""


def commands(command: click.Command, names: tuple[str, ...] = ("loadproof",)) -> Iterator[tuple[str, str]]:
    """Yield each command's full name and its help, groups before their members."""
    context = click.Context(command, info_name=" ".join(names), terminal_width=100, max_content_width=100)
    yield " ".join(names), command.get_help(context)
    for name, member in getattr(command, "commands", {}).items():
        yield from commands(member, (*names, name))


def render() -> str:
    """Return the page."""
    sections = [f"## `{name}`\n\n```text\n{text.strip()}\n```\n" for name, text in commands(get_command(app))]
    return "\n".join([HEAD, *sections])


if __name__ == "__main__":
    Path(__file__).with_name("commands.md").write_text(render(), encoding="utf-8")
