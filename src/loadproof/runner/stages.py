"""The stages of the pipeline, each a function of ``params.yaml`` alone."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal, get_args

from loadproof.config import ExperimentConfig
from loadproof.errors import ConfigError
from loadproof.ingestion.base import BaseIngestor
from loadproof.ingestion.lcl import LCLIngestor
from loadproof.ingestion.ukdale import UKDALEIngestor
from loadproof.runner.features import write_features
from loadproof.runner.forecast import evaluate, forecast
from loadproof.runner.forecasters import FORECASTERS
from loadproof.runner.ingest import ingest
from loadproof.runner.ingest_report import IngestReport
from loadproof.runner.report import report
from loadproof.runner.ssen import Remote, ingest_ssen
from loadproof.runner.track import Track, no_track
from loadproof.runner.weather import ingest_weather
from loadproof.store import Store

__all__ = ["STAGES", "StageName", "run_stage"]

StageName = Literal[
    "ingest_lcl",
    "ingest_ukdale",
    "ingest_ssen",
    "feature_engineering",
    "train_baselines",
    "train_custom",
    "train_selfplay",
    "evaluate_models",
]

CUSTOM: Final = ("patchtst",)
"""Models of our own, which a stage of their own trains, as self-play has its own; all others are baselines."""

PLAYED: Final = ("selfplay",)


def ingest_lcl(config: ExperimentConfig, track: Track) -> str:
    """Low Carbon London into the store."""
    return _ingest(LCLIngestor(config.data.input_root, ts_convention=config.data.ts_convention), config, track)


def ingest_ukdale(config: ExperimentConfig, track: Track) -> str:
    """UK-DALE into the store."""
    return _ingest(UKDALEIngestor(config.data.input_root), config, track)


def ingest_ssen_files(config: ExperimentConfig, track: Track) -> str:
    """SSEN's files into the store, and the network table."""
    data = config.data
    done = ingest_ssen(
        data.input_root, Store(data.processed_root), source="files", remote=Remote(Path("data/.cache")), api_key=None,
        mode=config.data.input_kind, max_rejected_share=data.max_rejected_share, strict=True, track=track,
    )  # fmt: skip
    return _say(done)


def feature_engineering(config: ExperimentConfig, track: Track) -> str:
    """The feature table of Low Carbon London, and the weather if the features want it."""
    store, data = Store(config.data.processed_root), config.data
    if config.features.weather != "none":
        ingest_weather(
            data.input_root, store, mode=data.input_kind, max_rejected_share=data.max_rejected_share, strict=True,
            track=track,
        )  # fmt: skip
    done = write_features(store, "lcl", config=config)
    return f"{done.rows:,} rows of {len(done.names)} features in {done.folder}"


def train_baselines(config: ExperimentConfig, track: Track) -> str:
    """Every baseline's forecast table, and the folders of those that learn."""
    return _train([name for name in FORECASTERS if name not in (*CUSTOM, *PLAYED)], config, track)


def train_custom(config: ExperimentConfig, track: Track) -> str:
    """The same of the models of our own."""
    return _train(CUSTOM, config, track)


def train_selfplay(config: ExperimentConfig, track: Track) -> str:
    """The same of the model that plays; it shares its homes with a reference, and so needs four."""
    return _train(PLAYED, config, track)


def _train(models: Sequence[str], config: ExperimentConfig, track: Track) -> str:
    done = forecast(
        Store(config.data.processed_root), "lcl", [name for name in models if name in FORECASTERS],
        config.data.derived_root, config=config, models_root=config.data.derived_root / "models", track=track,
    )  # fmt: skip
    return f"{len(done.models)} models, {done.test_windows:,} windows each"


def evaluate_models(config: ExperimentConfig, track: Track) -> str:
    """Metrics of every forecast table, and the report."""
    store, derived = Store(config.data.processed_root), config.data.derived_root
    evaluate(store, "lcl", derived, knobs=config.forecast, judging=config.evaluation, seed=config.seed, track=track)
    return str(report(store, "lcl", derived, derived / "report.html"))


def _ingest(ingestor: BaseIngestor, config: ExperimentConfig, track: Track) -> str:
    store, share = Store(config.data.processed_root), config.data.max_rejected_share
    return _say(
        ingest(ingestor, store, mode=config.data.input_kind, max_rejected_share=share, strict=True, track=track)
    )


def _say(done: IngestReport) -> str:
    return f"{done.rows_written:,} readings of {done.entities} entities, {done.rows_rejected} rows set aside"


STAGES: Final[dict[StageName, Callable[[ExperimentConfig, Track], str]]] = {
    "ingest_lcl": ingest_lcl,
    "ingest_ukdale": ingest_ukdale,
    "ingest_ssen": ingest_ssen_files,
    "feature_engineering": feature_engineering,
    "train_baselines": train_baselines,
    "train_custom": train_custom,
    "train_selfplay": train_selfplay,
    "evaluate_models": evaluate_models,
}


def run_stage(name: str, config: ExperimentConfig, *, track: Track = no_track) -> str:
    """Run one stage and return what it did, in a sentence.

    Raises:
        ConfigError: If there is no such stage.
    """
    for stage in get_args(StageName):
        if stage == name:
            return STAGES[stage](config, track)
    raise ConfigError(f"no stage is called {name!r}; there are: {', '.join(STAGES)}")
