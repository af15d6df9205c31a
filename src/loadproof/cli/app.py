"""The commands, and ``main``, which turns errors that a user can mend into one line."""

import logging
import re
import signal
import sys
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from loadproof import __version__
from loadproof.cli.anomaly import anomaly_command
from loadproof.cli.benchmark import benchmark_app
from loadproof.cli.feeders import feeders_app
from loadproof.cli.fleet import fleet_command
from loadproof.cli.forecasting import backtest_command, forecast_command, train_command
from loadproof.cli.ingest import ingest_app
from loadproof.cli.options import (
    DEFAULTS,
    DERIVED_ROOT,
    SAMPLES_ROOT,
    DatasetOption,
    EngineOption,
    ModelsRoot,
    OutputDir,
    ProcessedRoot,
    WorkersOption,
    choose_tracker,
    open_engine,
)
from loadproof.cli.places import store_at
from loadproof.cli.show import bar, console, errors, print_error, show_metrics
from loadproof.cli.study import study_app
from loadproof.cli.tracking import track_app
from loadproof.config import read_config
from loadproof.errors import LoadproofError
from loadproof.ingestion.sources import Downloadable

__all__ = ["app", "main"]

INTERRUPTED: Final = 128 + signal.SIGINT
"""The exit code of a command that Ctrl-C ended."""

app = typer.Typer(
    help="Forecasts and alerts from half-hourly smart-meter data that hold when things go wrong.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(ingest_app, name="ingest")
app.add_typer(feeders_app, name="feeders")
app.add_typer(study_app, name="study")
app.add_typer(benchmark_app, name="benchmark")
app.add_typer(track_app, name="track")


def main() -> None:
    """Run the command line; an error that a user can mend is one line and exit code 1."""
    try:
        app()
    except LoadproofError as error:
        print_error(str(error))
        sys.exit(1)
    except OSError as error:
        print_error(
            f"{error}; free space or mend the permissions, then run the same command again: it goes on from here"
        )
        sys.exit(1)
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            errors.print("interrupted; what is in place is whole, so run the same command again", soft_wrap=True)
        raise


def _without_query(record: logging.LogRecord) -> bool:
    """Cut what follows a question mark from urllib3's lines, for it may be a signature."""
    if record.name.startswith("urllib3"):
        record.msg, record.args = re.sub(r"\?[^\s'\"]+", "?...", record.getMessage()), ()
    return True


def _dask_is_at_work(record: logging.LogRecord) -> bool:
    """Leave out what Dask says of workers and connections that come and go."""
    return record.levelno >= logging.WARNING or not record.name.startswith("distributed.")


def _print_version(value: bool) -> None:
    if value:
        console.print(__version__)
        raise typer.Exit


@app.callback()
def _set_up(
    *,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    del version
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s - %(name)s - %(levelname)s - %(message)s",
        stream=sys.stderr,
    )
    for handler in logging.getLogger().handlers:
        handler.addFilter(_without_query)
        if not verbose:
            handler.addFilter(_dask_is_at_work)


@app.command("download")
def download_command(
    source: Annotated[Downloadable, typer.Argument(help="Which source to fetch.")],
    *,
    to: Annotated[Path, typer.Option(help="Folder of all raw data; makes the source's own.")] = Path("data/raw"),
    force: Annotated[bool, typer.Option("--force", help="Fetch again what is there.")] = False,
) -> None:
    """Fetch a source's published files; what broke off is continued.

    Example: loadproof download lcl --to data/raw
    """
    from loadproof.environment import read_environment
    from loadproof.ingestion.download import Progress as Step
    from loadproof.runner.download import fetch_source

    columns = (TextColumn("{task.description:<28}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=errors, disable=not errors.is_terminal) as progress:
        tasks: dict[str, TaskID] = {}

        def show(step: Step) -> None:
            if step.name not in tasks:
                tasks[step.name] = progress.add_task(step.name, total=step.total_bytes)
            progress.update(tasks[step.name], completed=step.done_bytes)

        fetch_source(source, to, token=read_environment().ceda_token_text, force=force, tell=console.print, show=show)
    console.print(f"{source}: {to / source}", soft_wrap=True)


app.command("train")(train_command)
app.command("forecast")(forecast_command)
app.command("backtest")(backtest_command)
app.command("anomaly")(anomaly_command)
app.command("fleet")(fleet_command)


@app.command("report")
def report_command(
    *,
    dataset: DatasetOption = "lcl",
    processed_root: ProcessedRoot = DEFAULTS.data.processed_root,
    output_dir: OutputDir = DERIVED_ROOT,
    report_path: Annotated[
        Path | None, typer.Option("--report", help="The page to write; default: report.html in --output-dir.")
    ] = None,
    risk_dir: Annotated[
        Path | None, typer.Option("--risk", help="Folder of 'feeders risk'; default: feeders in --output-dir.")
    ] = None,
    models_root: ModelsRoot = Path("models"),
) -> None:
    """Write the HTML report on what was ingested and forecast.

    Example: loadproof report --output-dir data/derived/forecast
    """
    from loadproof.runner.report import report  # brings the drawing library, a second that no other command waits for

    store = store_at(processed_root)
    page = report_path or output_dir / "report.html"
    path = report(store, dataset, output_dir, page, risk_dir=risk_dir, models_root=models_root)
    rows = store.overall_metrics(output_dir)
    if rows:
        show_metrics(rows)
    console.print(f"report: {path} ({path.stat().st_size / 1e6:.1f} MB)", soft_wrap=True)


@app.command("run")
def run_command(
    stage: Annotated[str, typer.Argument(help="Such as ingest_lcl; an unknown one lists them all.")],
    *,
    config: Annotated[Path, typer.Option(help="The experiment's knobs.")] = Path("params.yaml"),
    engine: EngineOption = None,
    workers: WorkersOption = 2,
) -> None:
    """Run one stage of the pipeline by the config file; the environment says where it is recorded and what carries it.

    Example: loadproof run ingest_lcl --config params.yaml
    """
    from loadproof.runner.stages import ALONE, run_stage

    knobs = read_config(config)
    with open_engine("plain" if stage in ALONE else engine, workers) as map_:
        carried = None if map_ is map else map_  # in this process each step has its own
        said = run_stage(stage, knobs, tracker=choose_tracker(knobs, stage=stage), track=bar, map_=carried)
    console.print(f"{stage}: {said}", soft_wrap=True)


@app.command("sample")
def sample_command(
    *,
    output_dir: Annotated[Path, typer.Option(help="Where the samples go.")] = SAMPLES_ROOT,
    seed: Annotated[int, typer.Option(min=0, help="The seed of the simulated homes.")] = DEFAULTS.seed,
) -> None:
    """Write small simulated files in each source's own raw layout.

    Example: loadproof sample --output-dir data/samples
    """
    from loadproof.samples import write_samples  # takes a third of a second that no other command should wait for

    for path in write_samples(output_dir, seed=seed):
        console.print(f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB)", soft_wrap=True)
