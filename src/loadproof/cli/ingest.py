"""The ingest commands, one a source."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from loadproof.cli import options
from loadproof.cli.options import (
    CACHE_ROOT,
    DEFAULTS,
    EngineOption,
    InputRoot,
    MaxRejected,
    OutputRoot,
    Strict,
    UseSamples,
    WorkersOption,
    choose_input,
    open_engine,
)
from loadproof.cli.places import store_to_fill
from loadproof.cli.show import bar, console, show_broken, show_ingest, show_readings
from loadproof.ingestion.layouts import LCLLayout, TsConvention, UKDALELayout
from loadproof.ingestion.sources import PACKAGE_ID, SSENSource
from loadproof.store import Store

if TYPE_CHECKING:  # each command imports what it needs, so that none waits for another's libraries
    from loadproof.runner.ingest_report import IngestReport

__all__ = ["ingest_app", "ingest_samples"]

ingest_app = typer.Typer(help="Turn a source into checked Parquet.", no_args_is_help=True)


@ingest_app.command("lcl")
def ingest_lcl(
    *,
    input_root: InputRoot = DEFAULTS.data.input_root,
    output_root: OutputRoot = DEFAULTS.data.processed_root,
    use_samples: UseSamples = None,
    ts_convention: Annotated[
        TsConvention, typer.Option(help="Whether a stamp marks the end or the start of its half hour.")
    ] = "end",
    layout: Annotated[LCLLayout | None, typer.Option(help="Insist on one layout; default: the first found.")] = None,
    max_rejected_share: MaxRejected = DEFAULTS.data.max_rejected_share,
    accept_conflicts: Annotated[
        bool, typer.Option("--accept-conflicts", help="Set contradicting rows aside instead of failing.")
    ] = False,
    strict: Strict = False,
    engine: EngineOption = None,
    workers: WorkersOption = 2,
) -> None:
    """Ingest Low Carbon London homes.

    Example: loadproof ingest lcl --input-root data/raw --output-root data/processed
    """
    from loadproof.ingestion.lcl import LCLIngestor
    from loadproof.runner.ingest import ingest, threads

    root, mode = choose_input(input_root, use_samples, engine)
    ingestor = LCLIngestor(root, ts_convention=ts_convention, layout=layout)
    with store_to_fill(output_root) as store, open_engine(engine, workers, plain=threads) as map_:
        done = ingest(
            ingestor,
            store,
            mode=mode,
            max_rejected_share=max_rejected_share,
            accept_conflicts=accept_conflicts,
            strict=strict,
            track=bar,
            map_=map_,
        )
    show_readings(done, output_root)


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
    layout: Annotated[UKDALELayout | None, typer.Option(help="Insist on one layout; default: the first found.")] = None,
    max_rejected_share: MaxRejected = DEFAULTS.data.max_rejected_share,
    strict: Strict = False,
    engine: EngineOption = None,
    workers: WorkersOption = 2,
) -> None:
    """Ingest UK-DALE houses and their appliances, power to energy.

    Example: loadproof ingest ukdale --house 2 --min-coverage 0.9
    """
    from loadproof.ingestion.ukdale import UKDALEIngestor
    from loadproof.runner.ingest import ingest, threads

    root, mode = choose_input(input_root, use_samples, engine)
    ingestor = UKDALEIngestor(
        root,
        houses=house,
        min_coverage=min_coverage,
        sample_period_s=sample_period,
        downsample_30min=downsample_30min,
        layout=layout,
    )
    with store_to_fill(output_root) as store, open_engine(engine, workers, plain=threads) as map_:
        done = ingest(
            ingestor, store, mode=mode, max_rejected_share=max_rejected_share, strict=strict, track=bar, map_=map_
        )
    show_readings(done, output_root)


@ingest_app.command("ssen")
def ingest_ssen_command(
    *,
    input_root: InputRoot = DEFAULTS.data.input_root,
    output_root: OutputRoot = DEFAULTS.data.processed_root,
    use_samples: UseSamples = None,
    source: Annotated[SSENSource, typer.Option(help="Files, the listing of days, or CKAN.")] = "files",
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
    engine: EngineOption = None,
    workers: WorkersOption = 2,
) -> None:
    """Ingest SSEN's low-voltage feeders; a day that is read again replaces its own rows and no others.

    Example: loadproof ingest ssen --source listing --since 2024-02-12 --until 2024-02-14
    """
    from loadproof.environment import read_environment
    from loadproof.runner.ingest import threads
    from loadproof.runner.ssen import Remote, ingest_ssen

    root, mode = choose_input(input_root, use_samples, engine)
    environment = read_environment()
    remote = Remote(
        cache_root=CACHE_ROOT,
        ckan_url=ckan_url or environment.ssen_ckan_url,
        package_id=package_id,
        rate_limit_s=rate_limit,
        force_refresh=force_refresh,
    )
    with store_to_fill(output_root) as store, open_engine(engine, workers, plain=threads) as map_:
        done = ingest_ssen(
            root,
            store,
            source="files" if mode == "samples" else source,
            remote=remote,
            api_key=api_key or environment.ssen_api_key_text,
            mode=mode,
            max_rejected_share=max_rejected_share,
            since=since.date() if since else None,
            until=until.date() if until else None,
            strict=strict,
            track=bar,
            map_=map_,
        )
    show_readings(done, output_root)


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
    strict: Strict = False,
) -> None:
    """Ingest Met Office MIDAS Open files, or Kaggle's weather_hourly_darksky.csv, into data/weather.

    Example: loadproof ingest weather --input-root data/raw
    """
    from loadproof.runner.weather import ingest_weather

    root, mode = choose_input(input_root, use_samples)
    with store_to_fill(output_root) as store:
        done = ingest_weather(
            root,
            store,
            mode=mode,
            max_rejected_share=max_rejected_share,
            keep_suspect=keep_suspect,
            strict=strict,
            track=bar,
        )
    counts = {**done.rejected_by_reason, **done.values_set_aside}
    show_ingest(done, counts, ("stations", ", ".join(done.stations)))
    console.print(f"weather: {store.weather_root}", soft_wrap=True)
    show_broken(done)


def ingest_samples(store: Store) -> "IngestReport":
    """Bring the bundled homes into a store that holds none."""
    from loadproof.ingestion.lcl import LCLIngestor
    from loadproof.runner.ingest import ingest

    share = DEFAULTS.data.max_rejected_share
    return ingest(LCLIngestor(options.SAMPLES_ROOT), store, mode="samples", max_rejected_share=share, track=bar)
