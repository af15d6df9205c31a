"""The command that finds what is odd in the readings and tells of it."""

import datetime as dt
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer

from loadproof.cli.forecasting import as_moment, open_store, take_knobs
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
)
from loadproof.cli.show import bar, show_detection
from loadproof.config import ExperimentConfig, build_section
from loadproof.errors import ConfigError
from loadproof.runner.detectors import DEFAULT_DETECTOR, DETECTORS, detector_of

__all__ = ["anomaly_command"]

_NAMES: Final = ", ".join(DETECTORS)

DetectorNames = Annotated[
    list[str] | None, typer.Option(help=f"One of {_NAMES}; repeat for more. Default: {DEFAULT_DETECTOR}.")
]
AlertsPerWeek = Annotated[
    float | None,
    typer.Option(
        help="False alarms to put up with, per home and week; "
        f"default: the config's, else {DEFAULTS.anomaly.alerts_per_week}."
    ),
]
OneDay = Annotated[
    str | None, typer.Option(help="Score this UK day alone, by detectors fitted before; else the test block.")
]
Told = Annotated[list[str] | None, typer.Option(help="Whom to tell of; repeat for more. Default: all.")]
Anew = Annotated[bool, typer.Option("--anew", help="Fit again, whatever was fitted before.")]


def _day(text: str) -> dt.date:
    """Return a UK day; an instant is none."""
    moment = as_moment(text)
    if isinstance(moment, dt.datetime):
        raise ConfigError(f"--at {text}: whole days are scored; write one as 2013-12-01")
    return moment


def _with_rate(knobs: ExperimentConfig, alerts_per_week: float | None) -> ExperimentConfig:
    """Return the knobs with the rate of the command line, where one is given."""
    if alerts_per_week is None:
        return knobs
    section = build_section(type(knobs.anomaly), **{**knobs.anomaly.model_dump(), "alerts_per_week": alerts_per_week})
    return knobs.model_copy(update={"anomaly": section})


def anomaly_command(
    *,
    dataset: DatasetOption = "lcl",
    detector: DetectorNames = None,
    alerts_per_week: AlertsPerWeek = None,
    at: OneDay = None,
    entity: Told = None,
    anew: Anew = False,
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
    """Find what is odd in the test block (or one day, with --at), and write scores and alerts.

    Example: loadproof anomaly --dataset lcl --detector ensemble --alerts-per-week 0.1
    """
    knobs = _with_rate(take_knobs(config, seed), alerts_per_week)
    names, chosen = list(dict.fromkeys(detector or [DEFAULT_DETECTOR])), choose_device(device)
    for name in names:
        detector_of(name)
    day = _day(at) if at is not None else None
    if day is not None and anew:
        raise ConfigError("--at takes a detector that was fitted before, and --anew fits one; leave either out")
    store = open_store(dataset, processed_root or knobs.data.processed_root, use_samples)
    from loadproof.runner.detect import detect, detect_day  # brings the detectors, which no other command needs

    watch = partial(detect, anew=anew, tracker=choose_tracker(knobs)) if day is None else partial(detect_day, day=day)
    with open_engine(engine, workers) as map_:
        spread = None if map_ is map else map_  # in this process, threads share what is in memory
        for name in names:
            done = watch(
                store, dataset, name, output_dir=output_dir, config=knobs, models_root=models_root,
                entities=entity or (), device=chosen, map_=spread, track=bar,
            )  # fmt: skip
            show_detection(done)
