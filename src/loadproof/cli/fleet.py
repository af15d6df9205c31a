"""The command of every morning: all entities forecast, watched, and held against their limits."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE
from rich.table import Table

from loadproof.cli.feeders_risk import AssetsOption, RatingOption, usual_rating
from loadproof.cli.forecasting import DataLag, as_moment, open_store, take_knobs
from loadproof.cli.options import (
    CACHE_ROOT,
    DERIVED_ROOT,
    ConfigOption,
    DatasetOption,
    DeviceOption,
    EngineOption,
    InputRoot,
    ModelsRoot,
    OutputDir,
    ProcessedRootOption,
    SeedOption,
    UseSamples,
    WorkersOption,
    choose_device,
    open_engine,
)
from loadproof.cli.show import bar, console, print_error
from loadproof.config import ExperimentConfig
from loadproof.ingestion.sources import SSENSource
from loadproof.schema import DATASETS, Dataset
from loadproof.store import Store

if TYPE_CHECKING:
    from loadproof.runner.fleet import FleetReport

__all__ = ["fleet_command"]

At = Annotated[str, typer.Option(help="From this UK midnight (or instant, with Z).")]
Models = Annotated[list[str] | None, typer.Option(help="Saved forecasters; repeat for more. Default: ridge.")]
Detectors = Annotated[
    list[str] | None, typer.Option(help="Fitted detectors; repeat for more. Default: those that lie with the models.")
]
Ingest = Annotated[
    SSENSource | None, typer.Option(help="First bring in what is new: files below --input-root, listing or ckan.")
]
GroupSize = Annotated[int, typer.Option(min=1, help="Entities that are worked on together; memory is bounded by it.")]


def fleet_command(
    *,
    at: At,
    dataset: DatasetOption = "ssen",
    model: Models = None,
    detector: Detectors = None,
    horizon: Annotated[int, typer.Option(min=1, max=336, help="Half hours ahead.")] = 48,
    assets: AssetsOption = None,
    rating: RatingOption = None,
    data_lag: DataLag = None,
    ingest: Ingest = None,
    input_root: InputRoot = Path("data/raw"),
    group_size: GroupSize = 1024,
    config: ConfigOption = None,
    device: DeviceOption = None,
    engine: EngineOption = None,
    workers: WorkersOption = 2,
    processed_root: ProcessedRootOption = None,
    models_root: ModelsRoot = Path("models"),
    output_dir: OutputDir = DERIVED_ROOT,
    use_samples: UseSamples = None,
    seed: SeedOption = None,
) -> None:
    """Do the morning's run: forecast every feeder, tell of the last published day, rank the risk.

    Run again after any failure, it does what is missing and nothing twice; a group of feeders that fails is named, the
    others are done, and the exit code is 1.

    Example: loadproof fleet --at 2024-03-01 --dataset ssen --model ridge --rating ground_315kva
    """
    from loadproof.runner.fleet import FleetAsked, fleet

    began = time.perf_counter()
    knobs, moment = take_knobs(config, seed, data_lag_steps=data_lag), as_moment(at)
    store = open_store(dataset, processed_root or knobs.data.processed_root, use_samples)
    broken = _bring(store, dataset, ingest, input_root, knobs) if ingest else []
    usual = usual_rating(rating, assets) if dataset == "ssen" else rating
    asked = FleetAsked(
        tuple(dict.fromkeys(model or ["ridge"])),
        tuple(dict.fromkeys(_fitted_detectors(models_root) if detector is None else detector)),
        horizon, assets, usual, group_size,
    )  # fmt: skip
    with open_engine(engine, workers) as map_:
        done = fleet(
            store, dataset, moment, output_dir, config=knobs, asked=asked, models_root=models_root,
            device=choose_device(device), track=bar, map_=map_,
        )  # fmt: skip
    _show(done, DATASETS[dataset].entities, assets, time.perf_counter() - began)
    _show_failed([*broken, *done.failed])


def _fitted_detectors(models_root: Path) -> list[str]:
    """Return the names of those that lie with the models."""
    return sorted(path.name for path in (models_root / "detectors").glob("[!.]*") if path.is_dir())


def _bring(store: Store, dataset: Dataset, source: SSENSource, input_root: Path, knobs: ExperimentConfig) -> list[str]:
    from loadproof.environment import read_environment
    from loadproof.runner.newest import bring_newest
    from loadproof.runner.ssen import Remote

    environment = read_environment()
    remote = Remote(CACHE_ROOT, environment.ssen_ckan_url)
    key = environment.ssen_api_key_text
    return bring_newest(store, dataset, source, input_root, knobs, remote=remote, api_key=key, track=bar)


def _of(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items()) or "none"


def _show(done: "FleetReport", entities: str, assets: Path | None, seconds: float) -> None:
    """Print what a morning's run found, how long it took, and which rows of ``assets`` give no rating."""
    said = done.summary
    table = Table(show_header=False, title=f"fleet, from {said['t0_utc']}", title_justify="left", box=SIMPLE)
    rows = [(entities, f"{said['entities']:,} in {said['groups']:,} groups")]
    for model, count in said["forecast"].items():
        rows.append((f"forecast by {model}", f"{count:,}; left out, for too few readings: {said['left_out'][model]:,}"))
        rows.append(("  by a fallback", _of(said["fallbacks"].get(model, {}))))
    rows += [(f"alerts of {name}, {said['day']}", _of(kinds)) for name, kinds in said["alerts"].items()]
    rows += [] if said["alerts"] else [("alerts", "no detector was fitted: run 'loadproof anomaly' first")]
    over = f"{said['over_limit']:,} pass a limit at the 95 % quantile; {said['limits']:,} limits"
    rows.append(("risk", over if said["limits"] else "no limit is known: name --assets or --rating"))
    failed = len(said["failed"])
    rows.append(("seconds", f"{seconds:.1f}" + (", all was there already" if done.stood else "")))
    rows += [("groups that failed", f"{failed:,}")] if failed else []
    for row in rows:
        table.add_row(*row)
    console.print(table)
    console.print(f"tables: {done.folder}", soft_wrap=True)
    for row in said["bad_ratings"]:
        console.print(f"{assets}: {row}", soft_wrap=True)


def _show_failed(sentences: list[str]) -> None:
    """Print what failed, and exit with 1 if anything."""
    for sentence in sentences:
        print_error(sentence)
    if sentences:
        raise typer.Exit(1)
