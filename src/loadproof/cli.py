"""The command line: arguments, environment, logging and progress bars. Each command calls one runner function."""

import logging
import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from loadproof import __version__, runner
from loadproof.config import DataConfig, Environment, SampleMode
from loadproof.errors import LoadproofError
from loadproof.ingestion.lcl import LCLIngestor
from loadproof.samples import write_samples
from loadproof.store import Store

__all__ = ["app", "main"]

logger = logging.getLogger("loadproof")
console, errors = Console(), Console(stderr=True)
T = TypeVar("T")

SAMPLES_ROOT = Path("data/samples")
DEFAULTS = DataConfig()

app = typer.Typer(
    help="Forecasts and alerts from half-hourly smart-meter data that hold when things go wrong.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
ingest_app = typer.Typer(help="Turn a source into checked Parquet.", no_args_is_help=True)
app.add_typer(ingest_app, name="ingest")


class Convention(StrEnum):
    """Which end of its half hour a stamp marks."""

    end = "end"
    start = "start"


class Layout(StrEnum):
    """The forms in which Low Carbon London is published."""

    archive = "archive"
    parts = "parts"
    single = "single"
    kaggle = "kaggle"


InputRoot = Annotated[Path, typer.Option(help="Folder that holds lcl/, ukdale/ and ssen/.")]
OutputRoot = Annotated[Path, typer.Option(help="Folder of the readings; summaries and set-aside rows go beside it.")]
UseSamples = Annotated[
    bool | None,
    typer.Option(
        "--use-samples/--no-use-samples",
        help="Take the bundled samples; default: USE_SAMPLES, else CI.",
    ),
]
MaxRejected = Annotated[float, typer.Option(min=0, max=1, help="Fail when more than this share of rows is set aside.")]


def main() -> None:
    """Run the command line; an error that a user can mend is one line and exit code 1."""
    try:
        app()
    except LoadproofError as error:
        errors.print(f"error: {error}", style="bold red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)
    except OSError as error:
        mend = "nothing was put in place; free space or mend the permissions, then run the same command again"
        errors.print(f"error: {error}; {mend}", style="bold red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)


@app.callback()
def _set_up(
    *,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s - %(name)s - %(levelname)s - %(message)s",
        stream=sys.stderr,
    )
    if version:
        console.print(__version__)
        raise typer.Exit


@ingest_app.command("lcl")
def ingest_lcl(
    *,
    input_root: InputRoot = DEFAULTS.input_root,
    output_root: OutputRoot = DEFAULTS.processed_root,
    use_samples: UseSamples = None,
    ts_convention: Annotated[
        Convention, typer.Option(help="Whether a stamp marks the end or the start of its half hour.")
    ] = Convention.end,
    layout: Annotated[Layout | None, typer.Option(help="Insist on one layout; default: the first found.")] = None,
    max_rejected_share: MaxRejected = DEFAULTS.max_rejected_share,
    accept_conflicts: Annotated[
        bool, typer.Option("--accept-conflicts", help="Set contradicting rows aside instead of failing.")
    ] = False,
) -> None:
    """Ingest Low Carbon London homes.

    Example: loadproof ingest lcl --input-root data/raw --output-root data/processed
    """
    root, mode = _input(input_root, use_samples)
    ingestor = LCLIngestor(root, ts_convention=ts_convention.value, layout=layout.value if layout else None)
    report = runner.ingest(
        ingestor, Store(output_root), mode=mode, max_rejected_share=max_rejected_share,
        accept_conflicts=accept_conflicts, track=_bar,
    )  # fmt: skip
    _show_ingest(report, output_root)


@app.command()
def sample(
    *,
    output_dir: Annotated[Path, typer.Option(help="Where the samples go.")] = SAMPLES_ROOT,
    seed: Annotated[int, typer.Option(min=0, help="The seed of the simulated homes.")] = 2013,
) -> None:
    """Write small simulated files in each source's own raw layout.

    Example: loadproof sample --output-dir data/samples
    """
    for path in write_samples(output_dir, seed=seed):
        console.print(f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB)")


def _input(input_root: Path, use_samples: bool | None) -> tuple[Path, str]:
    """Return where to read from and the mode's name; the first log line says which and why."""
    mode = SampleMode.decide(use_samples, Environment())
    if mode.on:
        logger.info("sample mode is on (%s): reads %s", mode.why, SAMPLES_ROOT)
        return SAMPLES_ROOT, "samples"
    logger.info("sample mode is off (%s): reads %s", mode.why, input_root)
    return input_root, "files"


def _bar(items: Iterable[T], title: str, total: int) -> Iterable[T]:
    """Show a bar on the terminal; log files see nothing of it."""
    columns = (TextColumn("{task.description:<24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=not errors.is_terminal) as progress:
        yield from progress.track(items, description=title, total=total)


def _show_ingest(report: runner.IngestReport, output_root: Path) -> None:
    table = Table("", "", show_header=False, title=f"{report.dataset}: {report.mode}", title_justify="left")
    rows: list[tuple[str, Any]] = [
        ("rows read", f"{report.rows_read:,}"),
        ("written", f"{report.rows_written:,}"),
        ("set aside", f"{report.rows_rejected:,}"),
        *((f"  {reason}", f"{count:,}") for reason, count in report.rejected_by_reason.items()),
        ("entities", f"{report.entities:,}"),
        ("span", f"{report.first_ts_utc} to {report.last_ts_utc}"),
    ]
    for name, value in rows:
        table.add_row(name, value)
    console.print(table)
    console.print(f"readings: {output_root}/dataset={report.dataset}", soft_wrap=True)
