"""What several commands take, and which input a command reads."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final, Literal, get_args

import typer

from loadproof.cluster.engine import EngineName, engine
from loadproof.config import ExperimentConfig
from loadproof.errors import ConfigError, SourceError
from loadproof.parts import Map
from loadproof.schema import Dataset
from loadproof.tracker import NO_TRACKER, Tracker
from loadproof.tracking import MLflowTracker

__all__ = [
    "CACHE_ROOT",
    "DEFAULTS",
    "DERIVED_ROOT",
    "SAMPLES_ROOT",
    "TRACK_ROOT",
    "ConfigOption",
    "DatasetOption",
    "Device",
    "DeviceOption",
    "EngineOption",
    "InputRoot",
    "MaxRejected",
    "ModelsRoot",
    "OutputDir",
    "OutputRoot",
    "ProcessedRoot",
    "ProcessedRootOption",
    "SeedOption",
    "Strict",
    "UseSamples",
    "WorkersOption",
    "choose_device",
    "choose_input",
    "choose_tracker",
    "open_engine",
    "sample_mode",
]

logger = logging.getLogger("loadproof")

SAMPLES_ROOT = Path("data/samples")
CACHE_ROOT: Final = Path("data/.cache")
TRACK_ROOT: Final = Path("data/mlflow")
DERIVED_ROOT: Final = Path("data/derived/forecast")
DEFAULTS: Final = ExperimentConfig()

InputRoot = Annotated[Path, typer.Option(help="Folder that holds lcl/, ukdale/ and ssen/.")]
OutputRoot = Annotated[
    Path,
    typer.Option(help="Folder of the readings, or s3://, az://, abfs://; summaries and set-aside rows go beside it."),
]
UseSamples = Annotated[
    bool | None,
    typer.Option(
        "--use-samples/--no-use-samples",
        help="Take the bundled samples; default: USE_SAMPLES, else CI.",
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Fail on the first part that cannot be read; take no others.")]
ProcessedRoot = Annotated[Path, typer.Option(help="Folder of the readings, or s3://, az://, abfs://.")]
ProcessedRootOption = Annotated[
    Path | None,
    typer.Option(
        help="Folder of the readings, or s3://, az://, abfs://; default: the config's, else "
        f"{DEFAULTS.data.processed_root}."
    ),
]
ModelsRoot = Annotated[Path, typer.Option(help="Folder of the model folders.")]
ConfigOption = Annotated[Path | None, typer.Option(help="The experiment's knobs; default: those built in.")]
SeedOption = Annotated[
    int | None, typer.Option(min=0, help=f"The seed of all chance; default: the config's, else {DEFAULTS.seed}.")
]
Device = Literal["cpu", "cuda"]
DeviceOption = Annotated[Device | None, typer.Option(help="Where networks run; default: DEVICE, else cpu.")]
EngineOption = Annotated[
    EngineName | None, typer.Option(help="What carries the tasks; default: LOADPROOF_ENGINE, else plain.")
]
WorkersOption = Annotated[
    int, typer.Option(min=1, help="Processes that dask starts here; at DASK_SCHEDULER_ADDRESS it has its own.")
]
OutputDir = Annotated[Path, typer.Option(help="Folder of the run: forecasts, metrics, report.")]
DatasetOption = Annotated[Dataset, typer.Option(help="Whose readings.")]
MaxRejected = Annotated[float, typer.Option(min=0, max=1, help="Fail when more than this share of rows is set aside.")]


def sample_mode(use_samples: bool | None, where: str) -> str:
    """Return the mode's name; the first log line says which it is and why."""
    from loadproof.environment import SampleMode, read_environment

    mode = SampleMode.decide(use_samples, read_environment())
    logger.info("sample mode is %s (%s): %s", "on" if mode.on else "off", mode.why, where)
    return "samples" if mode.on else "files"


def choose_input(input_root: Path, use_samples: bool | None, engine: EngineName | None = None) -> tuple[Path, str]:
    """Return where to read from, absolute if the workers of a cluster shall find it too, and the mode's name."""
    mode = sample_mode(use_samples, f"samples lie in {SAMPLES_ROOT}, files in {input_root}")
    if mode == "samples" and not SAMPLES_ROOT.is_dir():
        raise SourceError(
            f"{SAMPLES_ROOT}: is not here; run 'loadproof sample' to write the samples, or pass --no-use-samples"
        )
    root = SAMPLES_ROOT if mode == "samples" else input_root
    return (root.absolute() if choose_engine(engine) == "dask" else root), mode


def choose_engine(flag: EngineName | None) -> EngineName:
    """Return the flag's engine, else the environment's, else this process.

    Raises:
        ConfigError: If the environment names no engine.
    """
    from loadproof.environment import read_environment

    chosen = flag or read_environment().loadproof_engine
    if chosen not in get_args(EngineName):
        raise ConfigError(
            f"LOADPROOF_ENGINE={chosen}: is no engine; set it to one of {', '.join(get_args(EngineName))}"
        )
    return "dask" if chosen == "dask" else "plain"


def choose_device(flag: Device | None) -> str:
    """Return the flag's device, else the environment's, else the processor.

    Raises:
        ConfigError: If the environment names no device.
    """
    from loadproof.environment import read_environment

    chosen = flag or read_environment().device
    if chosen not in get_args(Device):
        raise ConfigError(f"DEVICE={chosen}: is no device; set it to one of {', '.join(get_args(Device))}")
    return chosen


def choose_tracker(knobs: ExperimentConfig, *, stage: str | None = None) -> Tracker:
    """Return what records trainings and evaluations: MLflow where it is installed and TRACK does not say no."""
    from loadproof.environment import read_environment

    environment = read_environment()
    if not environment.track or find_spec("mlflow") is None:
        return NO_TRACKER
    from loadproof.runner.provenance import code_tags, dvc_tags

    tags = code_tags() | (dvc_tags(stage, Path()) if stage else {})
    return MLflowTracker(
        TRACK_ROOT, knobs.mlflow_experiment, server=environment.mlflow_tracking_uri_text,
        run_name=knobs.mlflow_run_name, tags=tags,
    )  # fmt: skip


@contextmanager
def open_engine(flag: EngineName | None, workers: int, *, plain: Map = map) -> Iterator[Map]:
    """Yield what carries a stage's tasks: the flag's engine, else the environment's, else this process.

    Raises:
        ConfigError: If the environment names no engine, or the cluster's libraries are not installed.
        EngineError: If the cluster fails.
    """
    from loadproof.cli.show import errors
    from loadproof.environment import read_environment

    def tell(line: str) -> None:
        errors.print(line, soft_wrap=True, highlight=False)

    address = read_environment().dask_scheduler_address
    with engine(choose_engine(flag), address=address, workers=workers, plain=plain, tell=tell) as map_:
        yield map_
