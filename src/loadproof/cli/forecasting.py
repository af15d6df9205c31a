"""The commands that train models, forecast with them, and set them side by side."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from loadproof.cli.ingest import ingest_samples
from loadproof.cli.options import (
    DEFAULTS,
    DERIVED_ROOT,
    ConfigOption,
    DatasetOption,
    DeviceOption,
    EngineOption,
    ModelsRoot,
    OutputDir,
    ProcessedRootOption,
    SeedOption,
    UseSamples,
    WorkersOption,
    choose_device,
    choose_tracker,
    open_engine,
    sample_mode,
)
from loadproof.cli.places import store_at
from loadproof.cli.ranks import joined_ranks
from loadproof.cli.show import bar, console, show_board, show_metrics, show_outlooks, show_readings, show_training
from loadproof.config import ExperimentConfig, build_section, read_config
from loadproof.errors import ConfigError
from loadproof.parts import Map
from loadproof.runner.forecasters import AT_ONCE, FORECASTERS
from loadproof.schema import FIRST_TS_UTC, LAST_TS_UTC, Dataset
from loadproof.store import Store
from loadproof.tracker import NO_TRACKER

__all__ = ["as_moment", "backtest_command", "forecast_command", "open_store", "take_knobs", "train_command"]

_NAMES: Final = ", ".join(FORECASTERS)
_LEARNERS: Final = ", ".join(name for name in FORECASTERS if name not in AT_ONCE)
_BLOCKS: Final = DEFAULTS.forecast

DataLag = Annotated[
    int | None, typer.Option(min=0, max=2016, help="Half hours until a reading is published; default: the config's.")
]

ModelNames = Annotated[list[str] | None, typer.Option(help=f"One of {_NAMES}; repeat for more.")]
Horizon = Annotated[int | None, typer.Option(min=1, max=336, help="Half hours ahead; default: 48.")]
Once = Annotated[
    str | None, typer.Option(help="Forecast once, from this UK midnight (or instant, with Z); else the test block.")
]
Whom = Annotated[list[str] | None, typer.Option(help="Whom, with --at; repeat for more. Default: all.")]
ValidFrom = Annotated[
    str | None, typer.Option(help=f"First UK day of the validation block; default: {_BLOCKS.valid_from}.")
]
TestFrom = Annotated[str | None, typer.Option(help=f"First UK day of the test block; default: {_BLOCKS.test_from}.")]
TestUntil = Annotated[
    str | None, typer.Option(help=f"First UK day after the test block; default: {_BLOCKS.test_until}.")
]


def take_knobs(config: Path | None, seed: int | None, **forecast: object) -> ExperimentConfig:
    """Return the config of a file, or the defaults, with what was said on the command line in its place."""
    knobs = read_config(config) if config else DEFAULTS
    said = {name: value for name, value in forecast.items() if value is not None}
    section = build_section(type(knobs.forecast), **{**knobs.forecast.model_dump(), **said})
    return knobs.model_copy(update={"forecast": section} | ({} if seed is None else {"seed": seed}))


def open_store(dataset: Dataset, processed_root: Path, use_samples: bool | None) -> Store:
    """Return the store; in sample mode, bring the samples into one that is empty."""
    store = store_at(processed_root)
    mode, summary = sample_mode(use_samples, f"readings come from {processed_root}"), store.read_summary(dataset)
    if mode == "samples" and not summary:
        show_readings(ingest_samples(store), processed_root)
    elif use_samples and summary and summary["mode"] != "samples":
        raise ConfigError(
            f"{processed_root}: holds real readings and no samples; name another folder with --processed-root, "
            "or pass --no-use-samples"
        )
    return store


def as_moment(text: str) -> dt.date | dt.datetime:
    """Return a day, or an instant with its zone."""
    try:
        moment = dt.date.fromisoformat(text) if len(text) <= 10 else dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(
            f"--at {text}: {error}; write a day as 2013-12-01 or an instant as 2013-12-01T06:00Z"
        ) from error
    if not FIRST_TS_UTC.year <= moment.year < LAST_TS_UTC.year:
        raise ConfigError(f"--at {text}: choose a year from {FIRST_TS_UTC.year} to {LAST_TS_UTC.year - 1}")
    return moment


def train_command(
    *,
    dataset: DatasetOption = "lcl",
    model: Annotated[list[str] | None, typer.Option(help=f"One of {_LEARNERS}; repeat for more.")] = None,
    config: ConfigOption = None,
    data_lag: DataLag = None,
    device: DeviceOption = None,
    episodes: Annotated[
        int | None, typer.Option(min=1, max=100_000, help="Of self-play; default: the config's.")
    ] = None,
    anew: Annotated[
        bool, typer.Option("--anew/--resume", help="Start from nothing, or go on with whatever is there.")
    ] = False,
    processed_root: ProcessedRootOption = None,
    models_root: ModelsRoot = Path("models"),
    use_samples: UseSamples = None,
    seed: SeedOption = None,
) -> None:
    """Train models and keep them; a training that was killed goes on where it stopped.

    Of selfplay an experiment found, by a protocol written first, that it forecasts worse than real days alone, and no
    better than scenarios drawn by lot: docs/selfplay.md, docs/results/selfplay.md.

    Under torchrun its processes share the batches of patchtst and selfplay, and come to what one would.

    Example: loadproof train --dataset lcl --model patchtst --config params.yaml
    """
    from loadproof.runner.train import train

    knobs = take_knobs(config, seed, data_lag_steps=data_lag)
    if episodes is not None:
        play = knobs.selfplay.model_copy(update={"episodes": episodes})
        knobs = knobs.model_copy(update={"selfplay": play})
    with joined_ranks(choose_device(device)) as (ranks, place):
        if not ranks.leads:
            ranks.wait()  # until samples are in
        store = open_store(dataset, processed_root or knobs.data.processed_root, use_samples)
        if ranks.leads:
            ranks.wait()
        tracker = choose_tracker(knobs) if ranks.leads else NO_TRACKER
        for name in dict.fromkeys(model or ["patchtst"]):
            done = train(
                store, dataset, name, models_root, config=knobs, device=place, anew=anew, tracker=tracker, ranks=ranks
            )
            show_training(done)


def _say_once(
    store: Store, dataset: Dataset, models: Sequence[str], moment: dt.date | dt.datetime, output_dir: Path, *,
    knobs: ExperimentConfig, models_root: Path, entities: Sequence[str], device: str, map_: Map,
) -> None:  # fmt: skip
    """Forecast from one instant, and show it."""
    from loadproof.runner.predict import predict

    for name in models:
        said = predict(
            store, dataset, name, moment, output_dir, config=knobs, horizon_steps=knobs.forecast.horizon_steps,
            models_root=models_root, entities=entities, device=device, map_=map_, track=bar,
        )  # fmt: skip
        show_outlooks(said)


def _say_and_judge(
    store: Store, dataset: Dataset, models: Sequence[str], output_dir: Path, *, knobs: ExperimentConfig,
    models_root: Path, device: str, map_: Map,
) -> None:  # fmt: skip
    """Forecast the test block, judge that, and show the metrics."""
    from loadproof.runner.forecast import evaluate, forecast

    tracker = choose_tracker(knobs)
    forecast(
        store, dataset, models, output_dir, config=knobs, models_root=models_root, device=device, tracker=tracker,
        track=bar, map_=map_,
    )  # fmt: skip
    rows = evaluate(
        store, dataset, output_dir, knobs=knobs.forecast, judging=knobs.evaluation, seed=knobs.seed, tracker=tracker,
        track=bar,
    )  # fmt: skip
    show_metrics(rows)
    if knobs.features.weather != "none":
        console.print(f"weather: {knobs.features.weather_label}", soft_wrap=True)
    console.print(f"forecasts and metrics: {output_dir}", soft_wrap=True)


def forecast_command(
    *,
    dataset: DatasetOption = "lcl",
    model: ModelNames = None,
    horizon: Horizon = None,
    at: Once = None,
    entity: Whom = None,
    valid_from: ValidFrom = None,
    test_from: TestFrom = None,
    test_until: TestUntil = None,
    data_lag: DataLag = None,
    config: ConfigOption = None,
    device: DeviceOption = None,
    processed_root: ProcessedRootOption = None,
    models_root: ModelsRoot = Path("models"),
    output_dir: OutputDir = DERIVED_ROOT,
    use_samples: UseSamples = None,
    seed: SeedOption = None,
    engine: EngineOption = None,
    workers: WorkersOption = 2,
) -> None:
    """Forecast once with --at; without it, from each UK midnight of the test block, and judge the forecasts.

    Example: loadproof forecast --dataset lcl --model patchtst --horizon 48 --at 2013-12-01 --entity lcl:MAC000003
    """
    knobs = take_knobs(
        config, seed, horizon_steps=horizon, data_lag_steps=data_lag, valid_from=valid_from, test_from=test_from,
        test_until=test_until,
    )  # fmt: skip
    if entity and at is None:
        raise ConfigError("--entity is for a forecast from one instant; name that with --at")
    moment = as_moment(at) if at is not None else None
    store = open_store(dataset, processed_root or knobs.data.processed_root, use_samples)
    models, chosen = list(dict.fromkeys(model or ["seasonal_naive"])), choose_device(device)
    with open_engine(engine, workers) as map_:
        if moment is None:
            _say_and_judge(
                store, dataset, models, output_dir, knobs=knobs, models_root=models_root, device=chosen, map_=map_
            )
            return
        _say_once(
            store, dataset, models, moment, output_dir, knobs=knobs, models_root=models_root, entities=entity or (),
            device=chosen, map_=map_,
        )  # fmt: skip


def backtest_command(
    *,
    dataset: DatasetOption = "lcl",
    config: ConfigOption = None,
    model: Annotated[list[str] | None, typer.Option(help="These models alone; repeat for more.")] = None,
    level: Annotated[list[str] | None, typer.Option(help="These levels alone: home, group_10, sum_50, ...")] = None,
    fold: Annotated[
        list[str] | None, typer.Option(help="These folds alone: chronological, held_2013-01-01, ...")
    ] = None,
    arm: Annotated[list[str] | None, typer.Option(help="These arms of weather alone: none, perfect, ...")] = None,
    records: Annotated[
        Path, typer.Option(help="Where the board's records go; those that are there are not made again.")
    ] = Path("data/derived/board"),
    data_lag: DataLag = None,
    device: DeviceOption = None,
    processed_root: ProcessedRootOption = None,
    use_samples: UseSamples = None,
    seed: SeedOption = None,
    engine: EngineOption = None,
    workers: WorkersOption = 2,
) -> None:
    """Judge models over folds of time and unseen homes: the board of results. A killed run goes on where it stopped.

    Example: loadproof backtest --config params.yaml --model ridge --level home --fold chronological
    """
    from loadproof.runner.backtest import Only, backtest

    knobs = take_knobs(config, seed, data_lag_steps=data_lag)
    store = open_store(dataset, processed_root or knobs.data.processed_root, use_samples)
    only = Only(models=tuple(model or ()), levels=tuple(level or ()), folds=tuple(fold or ()), arms=tuple(arm or ()))
    with open_engine(engine, workers) as map_:
        done = backtest(
            store, dataset, records, config=knobs, only=only, device=choose_device(device), map_=map_, track=bar
        )
    show_board(done)
    console.print(f"records: {records}", soft_wrap=True)
