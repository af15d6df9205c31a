"""The command line: arguments, environment, logging and progress bars. Each command calls one runner function."""

import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from loadproof import __version__
from loadproof.baselines import BASELINES
from loadproof.config import Environment, ExperimentConfig, ForecastConfig, SampleMode, build_section, read_config
from loadproof.errors import LoadproofError
from loadproof.ingestion.download import Progress as Step
from loadproof.ingestion.lcl import LCLIngestor
from loadproof.ingestion.ukdale import UKDALEIngestor
from loadproof.runner.download import fetch_source
from loadproof.runner.forecast import evaluate, forecast
from loadproof.runner.ingest import IngestReport, ingest
from loadproof.runner.report import report
from loadproof.runner.ssen import PACKAGE_ID, Remote, ingest_ssen
from loadproof.runner.stages import STAGES, run_stage
from loadproof.runner.weather import WeatherReport, ingest_weather
from loadproof.store import Store

__all__ = ["app", "main"]

logger = logging.getLogger("loadproof")
console, errors = Console(), Console(stderr=True)
if not console.is_terminal:
    console = Console(width=120)  # a log file is not 80 columns wide

SAMPLES_ROOT = Path("data/samples")
CACHE_ROOT = Path("data/.cache")
DERIVED_ROOT = Path("data/derived/forecast")
DEFAULTS = ExperimentConfig()
KNOBS = DEFAULTS.forecast

app = typer.Typer(
    help="Forecasts and alerts from half-hourly smart-meter data that hold when things go wrong.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
ingest_app = typer.Typer(help="Turn a source into checked Parquet.", no_args_is_help=True)
app.add_typer(ingest_app, name="ingest")


class Source(StrEnum):
    """The datasets."""

    lcl = "lcl"
    ukdale = "ukdale"
    ssen = "ssen"


class Downloads(StrEnum):
    """What can be fetched."""

    lcl = "lcl"
    ukdale = "ukdale"
    ssen = "ssen"
    weather = "weather"


class SSENWay(StrEnum):
    """Where SSEN's readings come from."""

    files = "files"
    listing = "listing"
    ckan = "ckan"


class UKDALEForm(StrEnum):
    """The forms in which UK-DALE is published."""

    hdf5 = "hdf5"
    text = "text"
    csv = "csv"


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
Strict = Annotated[bool, typer.Option("--strict", help="Fail on the first part that cannot be read; take no others.")]
ProcessedRoot = Annotated[Path, typer.Option(help="Folder of the readings.")]
OutputDir = Annotated[Path, typer.Option(help="Folder of the run: forecasts, metrics, report.")]
DatasetOption = Annotated[Source, typer.Option(help="Whose readings.")]
MaxRejected = Annotated[float, typer.Option(min=0, max=1, help="Fail when more than this share of rows is set aside.")]


def main() -> None:
    """Run the command line; an error that a user can mend is one line and exit code 1."""
    try:
        app()
    except LoadproofError as error:
        _print_error(str(error))
        sys.exit(1)
    except OSError as error:
        _print_error(
            f"{error}; free space or mend the permissions, then run the same command again: it goes on from here"
        )
        sys.exit(1)


def _print_error(message: str) -> None:
    errors.print(f"error: {message}", style="bold red", markup=False, highlight=False, soft_wrap=True)


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


@ingest_app.command("lcl")
def ingest_lcl(
    *,
    input_root: InputRoot = DEFAULTS.data.input_root,
    output_root: OutputRoot = DEFAULTS.data.processed_root,
    use_samples: UseSamples = None,
    ts_convention: Annotated[
        Convention, typer.Option(help="Whether a stamp marks the end or the start of its half hour.")
    ] = Convention.end,
    layout: Annotated[Layout | None, typer.Option(help="Insist on one layout; default: the first found.")] = None,
    max_rejected_share: MaxRejected = DEFAULTS.data.max_rejected_share,
    accept_conflicts: Annotated[
        bool, typer.Option("--accept-conflicts", help="Set contradicting rows aside instead of failing.")
    ] = False,
    strict: Strict = False,
) -> None:
    """Ingest Low Carbon London homes.

    Example: loadproof ingest lcl --input-root data/raw --output-root data/processed
    """
    root, mode = _input(input_root, use_samples)
    ingestor = LCLIngestor(root, ts_convention=ts_convention.value, layout=layout.value if layout else None)
    done = ingest(
        ingestor,
        Store(output_root),
        mode=mode,
        max_rejected_share=max_rejected_share,
        accept_conflicts=accept_conflicts,
        strict=strict,
        track=_bar,
    )
    _show_readings(done, output_root)


@ingest_app.command("ukdale")
def ingest_ukdale(
    *,
    input_root: InputRoot = DEFAULTS.data.input_root,
    output_root: OutputRoot = DEFAULTS.data.processed_root,
    use_samples: UseSamples = None,
    downsample_30min: Annotated[
        bool, typer.Option("--downsample-30min/--no-downsample-30min", help="Half hours, or the meters' own period.")
    ] = True,
    house: Annotated[list[int] | None, typer.Option(min=1, help="A house; repeat for more. Default: all.")] = None,
    min_coverage: Annotated[float, typer.Option(min=0, max=1, help="Share of a bin that samples must cover.")] = 0.9,
    sample_period: Annotated[
        float | None, typer.Option(help="Seconds between samples; default: the meter model's, or the data's if longer.")
    ] = None,
    layout: Annotated[UKDALEForm | None, typer.Option(help="Insist on one layout; default: the first found.")] = None,
    max_rejected_share: MaxRejected = DEFAULTS.data.max_rejected_share,
    strict: Strict = False,
) -> None:
    """Ingest UK-DALE houses and their appliances, power to energy.

    Example: loadproof ingest ukdale --house 2 --min-coverage 0.9
    """
    root, mode = _input(input_root, use_samples)
    ingestor = UKDALEIngestor(
        root,
        houses=house,
        min_coverage=min_coverage,
        sample_period_s=sample_period,
        downsample_30min=downsample_30min,
        layout=layout.value if layout else None,
    )
    store = Store(output_root)
    done = ingest(ingestor, store, mode=mode, max_rejected_share=max_rejected_share, strict=strict, track=_bar)
    _show_readings(done, output_root)


@ingest_app.command("ssen")
def ingest_ssen_command(
    *,
    input_root: InputRoot = DEFAULTS.data.input_root,
    output_root: OutputRoot = DEFAULTS.data.processed_root,
    use_samples: UseSamples = None,
    source: Annotated[SSENWay, typer.Option(help="Files below --input-root, the listing of days, or CKAN.")] = (
        SSENWay.files
    ),
    ckan_url: Annotated[
        str | None, typer.Option(help="The CKAN site, used alone; default: SSEN_CKAN_URL, else SSEN's own two.")
    ] = None,
    package_id: Annotated[str, typer.Option(help="The CKAN package.")] = PACKAGE_ID,
    api_key: Annotated[str | None, typer.Option(help="The token; better: SSEN_API_KEY.")] = None,
    rate_limit: Annotated[float, typer.Option(min=0, help="Seconds between two requests to one host.")] = 1.0,
    force_refresh: Annotated[bool, typer.Option("--force-refresh", help="Ask anew, past the cache.")] = False,
    since: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day.")] = None,
    until: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day, included.")] = None,
    max_rejected_share: MaxRejected = DEFAULTS.data.max_rejected_share,
    strict: Strict = False,
) -> None:
    """Ingest SSEN's low-voltage feeders; a day that is read again replaces its own rows and no others.

    Example: loadproof ingest ssen --source listing --since 2024-02-12 --until 2024-02-14
    """
    root, mode = _input(input_root, use_samples)
    environment = Environment()
    remote = Remote(
        cache_root=CACHE_ROOT,
        ckan_url=ckan_url or environment.ssen_ckan_url,
        package_id=package_id,
        rate_limit_s=rate_limit,
        force_refresh=force_refresh,
    )
    done = ingest_ssen(
        root,
        Store(output_root),
        source="files" if mode == "samples" else source.value,
        remote=remote,
        api_key=api_key or environment.ssen_api_key_text,
        mode=mode,
        max_rejected_share=max_rejected_share,
        since=since.date() if since else None,
        until=until.date() if until else None,
        strict=strict,
        track=_bar,
    )
    _show_readings(done, output_root)


@ingest_app.command("weather")
def ingest_weather_command(
    *,
    input_root: InputRoot = DEFAULTS.data.input_root,
    output_root: OutputRoot = DEFAULTS.data.processed_root,
    use_samples: UseSamples = None,
    max_rejected_share: MaxRejected = DEFAULTS.data.max_rejected_share,
    keep_suspect: Annotated[
        bool, typer.Option("--keep-suspect", help="Keep values that the Met Office's quality control doubts.")
    ] = False,
) -> None:
    """Ingest Met Office MIDAS Open files, or Kaggle's weather_hourly_darksky.csv, into data/weather.

    Example: loadproof ingest weather --input-root data/raw
    """
    root, mode = _input(input_root, use_samples)
    store = Store(output_root)
    done = ingest_weather(
        root, store, mode=mode, max_rejected_share=max_rejected_share, keep_suspect=keep_suspect, track=_bar
    )
    counts = {**done.rejected_by_reason, **done.values_set_aside}
    _show_ingest(done, counts, ("stations", ", ".join(done.stations)))
    console.print(f"weather: {store.weather_root}", soft_wrap=True)


@app.command("download")
def download_command(
    source: Annotated[Downloads, typer.Argument(help="Which source to fetch.")],
    *,
    to: Annotated[Path, typer.Option(help="Folder of all raw data; makes the source's own.")] = Path("data/raw"),
    force: Annotated[bool, typer.Option("--force", help="Fetch again what is there.")] = False,
) -> None:
    """Fetch a source's published files; what broke off is continued.

    Example: loadproof download lcl --to data/raw
    """
    columns = (TextColumn("{task.description:<28}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=errors, disable=not errors.is_terminal) as progress:
        tasks: dict[str, TaskID] = {}

        def show(step: Step) -> None:
            if step.name not in tasks:
                tasks[step.name] = progress.add_task(step.name, total=step.total_bytes)
            progress.update(tasks[step.name], completed=step.done_bytes)

        fetch_source(source.value, to, token=Environment().ceda_token_text, force=force, tell=console.print, show=show)
    console.print(f"{source.value}: {to / source.value}", soft_wrap=True)


@app.command("forecast")
def forecast_command(
    *,
    dataset: DatasetOption = Source.lcl,
    model: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(BASELINES)}; repeat for more.")] = None,
    horizon: Annotated[int, typer.Option(min=1, max=336, help="Half hours ahead.")] = KNOBS.horizon_steps,
    valid_from: Annotated[str, typer.Option(help="First UK day of the validation block.")] = str(KNOBS.valid_from),
    test_from: Annotated[str, typer.Option(help="First UK day of the test block.")] = str(KNOBS.test_from),
    test_until: Annotated[str, typer.Option(help="First UK day after the test block.")] = str(KNOBS.test_until),
    processed_root: ProcessedRoot = DEFAULTS.data.processed_root,
    output_dir: OutputDir = DERIVED_ROOT,
    use_samples: UseSamples = None,
    seed: Annotated[int, typer.Option(min=0, help="The seed of all chance.")] = DEFAULTS.seed,
) -> None:
    """Forecast each UK day of the test block from its midnight, and judge the forecasts.

    Example: loadproof forecast --dataset lcl --model seasonal_naive --horizon 48
    """
    store = Store(processed_root)
    if _mode(use_samples, f"readings come from {processed_root}") == "samples" and not store.read_summary(
        dataset.value
    ):
        _show_readings(_ingest_samples(store), processed_root)
    knobs = build_section(
        ForecastConfig, horizon_steps=horizon, valid_from=valid_from, test_from=test_from, test_until=test_until
    )
    models = list(dict.fromkeys(model or ["seasonal_naive"]))
    forecast(store, dataset.value, models, output_dir, knobs=knobs, seed=seed, track=_bar)
    rows = evaluate(store, dataset.value, output_dir, knobs=knobs, judging=DEFAULTS.evaluation, seed=seed, track=_bar)
    _show_metrics(rows)
    console.print(f"forecasts and metrics: {output_dir}", soft_wrap=True)


@app.command("report")
def report_command(
    *,
    dataset: DatasetOption = Source.lcl,
    processed_root: ProcessedRoot = DEFAULTS.data.processed_root,
    output_dir: OutputDir = DERIVED_ROOT,
    report_path: Annotated[
        Path | None, typer.Option("--report", help="The page to write; default: report.html in --output-dir.")
    ] = None,
) -> None:
    """Write the HTML report on what was ingested and forecast.

    Example: loadproof report --output-dir data/derived/forecast
    """
    store = Store(processed_root)
    path = report(store, dataset.value, output_dir, report_path or output_dir / "report.html")
    rows = store.overall_metrics(output_dir)
    if rows:
        _show_metrics(rows)
    console.print(f"report: {path} ({path.stat().st_size / 1e6:.1f} MB)", soft_wrap=True)


@app.command("run")
def run_command(
    stage: Annotated[str, typer.Argument(help=f"One of {', '.join(STAGES)}.")],
    *,
    config: Annotated[Path, typer.Option(help="The experiment's knobs.")] = Path("params.yaml"),
) -> None:
    """Run one stage of the pipeline; it obeys the config file alone, never the environment.

    Example: loadproof run ingest_lcl --config params.yaml
    """
    console.print(f"{stage}: {run_stage(stage, read_config(config), track=_bar)}", soft_wrap=True)


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


def _mode(use_samples: bool | None, where: str) -> str:
    """Return the mode's name; the first log line says which it is and why."""
    mode = SampleMode.decide(use_samples, Environment())
    logger.info("sample mode is %s (%s): %s", "on" if mode.on else "off", mode.why, where)
    return "samples" if mode.on else "files"


def _input(input_root: Path, use_samples: bool | None) -> tuple[Path, str]:
    """Return where to read from, and the mode's name."""
    mode = _mode(use_samples, f"samples lie in {SAMPLES_ROOT}, files in {input_root}")
    return (SAMPLES_ROOT if mode == "samples" else input_root), mode


def _ingest_samples(store: Store) -> IngestReport:
    share = DEFAULTS.data.max_rejected_share
    return ingest(LCLIngestor(SAMPLES_ROOT), store, mode="samples", max_rejected_share=share, track=_bar)


def _bar(items: Iterable[Any], title: str, total: int) -> Iterable[Any]:
    """Show a bar on the terminal; a log file sees nothing of it."""
    columns = (TextColumn("{task.description:<16}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors, disable=not errors.is_terminal) as progress:
        yield from progress.track(items, description=title, total=total)


def _show_ingest(done: IngestReport | WeatherReport, counts: Mapping[str, int], whose: tuple[str, str]) -> None:
    table = Table(show_header=False, title=f"{done.dataset}, from {done.mode}", title_justify="left", box=SIMPLE)
    rows = [
        ("rows read", f"{done.rows_read:,}"),
        ("written", f"{done.rows_written:,}"),
        ("set aside", f"{done.rows_rejected:,}"),
        *((f"  {reason}", f"{count:,}") for reason, count in counts.items()),
        whose,
        ("span", f"{done.first_ts_utc} to {done.last_ts_utc}"),
    ]
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _show_readings(done: IngestReport, output_root: Path) -> None:
    """Print what an ingest did; exit with 1 where a part could not be read, although the others are in."""
    _show_ingest(done, done.rejected_by_reason, ("entities", f"{done.entities:,}"))
    console.print(f"readings: {output_root}/dataset={done.dataset}", soft_wrap=True)
    for part in done.broken:
        _print_error(part["error"])
    if done.broken:
        _print_error(
            f"{len(done.broken)} part(s) could not be read; the others are in. --strict would have kept all out"
        )
        raise typer.Exit(1)


def _show_metrics(rows: Sequence[Mapping[str, Any]]) -> None:
    table = Table(title="all homes, with 95 % intervals", title_justify="left", box=SIMPLE)
    shown = {
        "mae": "MAE, kWh",
        "crps": "CRPS, kWh",
        "mase": "MASE",
        "nrmse": "NRMSE",
        "coverage_80": "in 80 % band",
    }
    for header in ("model", *shown.values()):
        table.add_column(header, justify="left" if header == "model" else "right", no_wrap=True)
    for model in dict.fromkeys(row["subject"] for row in rows):
        cells = {row["metric"]: row for row in rows if row["subject"] == model}
        with_bounds = ("mae", "crps")
        table.add_row(model, *(_figure(cells[metric], bounds=metric in with_bounds) for metric in shown))
    console.print(table)


def _figure(row: Mapping[str, Any], *, bounds: bool) -> str:
    if row["low"] is None or not bounds:
        return f"{row['value']:.3f}"
    return f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
