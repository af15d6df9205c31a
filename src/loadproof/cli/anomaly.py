"""The command that finds what is odd in the readings and tells of it."""

import datetime as dt
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
    ModelsRoot,
    OutputDir,
    ProcessedRootOption,
    SeedOption,
    UseSamples,
    choose_device,
    choose_tracker,
)
from loadproof.cli.show import bar, show_detection
from loadproof.config import build_section
from loadproof.errors import ConfigError
from loadproof.runner.detectors import DEFAULT_DETECTOR, DETECTORS, detector_of

__all__ = ["anomaly_command"]

_NAMES: Final = ", ".join(DETECTORS)


def _day(text: str) -> dt.date:
    """Return a UK day; an instant is none."""
    moment = as_moment(text)
    if isinstance(moment, dt.datetime):
        raise ConfigError(f"--at {text}: whole days are scored; write one as 2013-12-01")
    return moment


def anomaly_command(
    *,
    dataset: DatasetOption = "lcl",
    detector: Annotated[
        list[str] | None, typer.Option(help=f"One of {_NAMES}; repeat for more. Default: {DEFAULT_DETECTOR}.")
    ] = None,
    alerts_per_week: Annotated[
        float | None,
        typer.Option(
            help="False alarms to put up with, per home and week; "
            f"default: the config's, else {DEFAULTS.anomaly.alerts_per_week}."
        ),
    ] = None,
    at: Annotated[
        str | None, typer.Option(help="Score this UK day alone, by detectors fitted before; else the test block.")
    ] = None,
    entity: Annotated[list[str] | None, typer.Option(help="Whom to tell of; repeat for more. Default: all.")] = None,
    anew: Annotated[bool, typer.Option("--anew", help="Fit again, whatever was fitted before.")] = False,
    config: ConfigOption = None,
    device: DeviceOption = None,
    processed_root: ProcessedRootOption = None,
    models_root: ModelsRoot = Path("models"),
    output_dir: OutputDir = DERIVED_ROOT,
    use_samples: UseSamples = None,
    seed: SeedOption = None,
) -> None:
    """Find what is odd in the test block (or one day, with --at), and write scores and alerts.

    Example: loadproof anomaly --dataset lcl --detector ensemble --alerts-per-week 0.1
    """
    knobs = take_knobs(config, seed)
    if alerts_per_week is not None:
        section = build_section(
            type(knobs.anomaly), **{**knobs.anomaly.model_dump(), "alerts_per_week": alerts_per_week}
        )
        knobs = knobs.model_copy(update={"anomaly": section})
    names, chosen = list(dict.fromkeys(detector or [DEFAULT_DETECTOR])), choose_device(device)
    for name in names:
        detector_of(name)
    day = _day(at) if at is not None else None
    if day is not None and anew:
        raise ConfigError("--at takes a detector that was fitted before, and --anew fits one; leave either out")
    store = open_store(dataset, processed_root or knobs.data.processed_root, use_samples)
    from loadproof.runner.detect import detect, detect_day  # brings the detectors, which no other command needs

    for name in names:
        if day is not None:
            done = detect_day(
                store, dataset, name, day, output_dir, config=knobs, models_root=models_root, entities=entity or (),
                device=chosen, track=bar,
            )  # fmt: skip
        else:
            done = detect(
                store, dataset, name, output_dir, config=knobs, models_root=models_root, entities=entity or (),
                device=chosen, anew=anew, tracker=choose_tracker(knobs), track=bar,
            )  # fmt: skip
        show_detection(done)
