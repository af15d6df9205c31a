"""The stages of the pipeline, each a function of ``params.yaml`` alone."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple, get_args

from loadproof.config import ExperimentConfig
from loadproof.errors import ConfigError
from loadproof.features.table import FeaturesOf
from loadproof.ingestion.base import BaseIngestor
from loadproof.ingestion.lcl import LCLIngestor
from loadproof.ingestion.ukdale import UKDALEIngestor
from loadproof.parts import Map
from loadproof.runner.evaluate import evaluate_runs
from loadproof.runner.features import read_features, write_features
from loadproof.runner.feeders_risk import RiskAsked, risk
from loadproof.runner.forecast import forecast
from loadproof.runner.ingest import ingest, threads
from loadproof.runner.ingest_report import IngestReport
from loadproof.runner.poster import write_poster
from loadproof.runner.score import score
from loadproof.runner.ssen import Remote, ingest_ssen
from loadproof.runner.track import Track, no_track
from loadproof.runner.weather import ingest_weather
from loadproof.store import Store
from loadproof.tracker import NO_TRACKER, Tracker

__all__ = ["ALONE", "STAGES", "StageName", "run_stage"]


class At(NamedTuple):
    """What a stage shows itself by, is recorded by, and is carried by; None for a map of each step's own."""

    track: Track = no_track
    tracker: Tracker = NO_TRACKER
    map_: Map | None = None

    def seen(self, folder: Path) -> Path:
        """Return a folder as a worker finds it, which stands in another place."""
        return folder if self.map_ is None else folder.absolute()


StageName = Literal[
    "ingest_lcl",
    "ingest_ukdale",
    "ingest_ssen",
    "feature_engineering",
    "train_baselines",
    "train_custom",
    "train_selfplay",
    "evaluate_models",
    "poster_numbers",
]

CUSTOM: Final = ("patchtst",)
"""Models of our own, which a stage of their own trains, as self-play has its own; all others are baselines."""

PLAYED: Final = ("selfplay",)

RUNS: Final = ("baselines", "custom", "selfplay")
"""A folder of ``derived_root`` for what each training stage leaves."""


def ingest_lcl(config: ExperimentConfig, at: At) -> str:
    """Low Carbon London into the store."""
    root = at.seen(config.data.input_root)
    return _ingest(LCLIngestor(root, ts_convention=config.data.ts_convention), config, at)


def ingest_ukdale(config: ExperimentConfig, at: At) -> str:
    """UK-DALE into the store."""
    return _ingest(UKDALEIngestor(at.seen(config.data.input_root)), config, at)


def ingest_ssen_files(config: ExperimentConfig, at: At) -> str:
    """SSEN's files into the store, and the network table."""
    data = config.data
    done = ingest_ssen(
        at.seen(data.input_root), Store(data.processed_root), source="files", remote=Remote(Path("data/.cache")),
        api_key=None, mode=config.data.input_kind, max_rejected_share=data.max_rejected_share, strict=True,
        track=at.track, map_=at.map_ or threads,
    )  # fmt: skip
    return _say(done)


def feature_engineering(config: ExperimentConfig, at: At) -> str:
    """The weather table, and the feature table of Low Carbon London."""
    store, data = Store(config.data.processed_root), config.data
    ingest_weather(
        data.input_root, store, mode=data.input_kind, max_rejected_share=data.max_rejected_share, strict=True,
        track=at.track,
    )  # fmt: skip
    done = write_features(store, "lcl", config=config, map_=at.map_ or map, track=at.track)
    return f"{done.rows:,} rows of {len(done.names)} features in {done.folder}"


def train_baselines(config: ExperimentConfig, at: At) -> str:
    """Every baseline's forecast table, of trees learned from the feature table; detectors' scores; feeders' risk."""
    knobs = config.pipeline
    features = read_features(Store(config.data.processed_root), "lcl", config=config)
    said = _train(knobs.baselines, knobs.baseline_detectors, "baselines", config, at, features)
    asked = RiskAsked(None, config.forecast.horizon_steps, usual=knobs.usual_rating)
    folder = config.data.derived_root / "baselines" / "feeders"
    found = risk(Store(config.data.processed_root), "lcl", folder, config=config, asked=asked)
    return f"{said}, {found.feeders} feeders held against {knobs.usual_rating}"


def train_custom(config: ExperimentConfig, at: At) -> str:
    """The same of the models of our own: the network that forecasts and the one that watches."""
    return _train(CUSTOM, config.pipeline.custom_detectors, "custom", config, at)


def train_selfplay(config: ExperimentConfig, at: At) -> str:
    """The same of the model that plays; it shares its homes with a reference, and so needs four."""
    return _train(PLAYED, (), "selfplay", config, at)


def _train(
    models: Sequence[str], detectors: Sequence[str], run: str, config: ExperimentConfig, at: At,
    features: FeaturesOf | None = None,
) -> str:  # fmt: skip
    """Leave forecasts, scores and models in the run's own folder, so that a stage writes nothing of another."""
    store, folder = Store(config.data.processed_root), config.data.derived_root / run
    done = forecast(
        store, "lcl", models, folder, config=config, models_root=folder / "models", features=features,
        tracker=at.tracker, track=at.track, map_=at.map_ or map,
    )  # fmt: skip
    for name in detectors:
        score(
            store, "lcl", name, folder, config=config, models_root=folder / "models", tracker=at.tracker, track=at.track
        )
    said = f"{len(done.models)} models, {done.test_windows:,} windows each"
    return f"{said}, {len(detectors)} detectors" if detectors else said


def evaluate_models(config: ExperimentConfig, at: At) -> str:
    """Metrics of every forecast table, alerts of every table of scores, and the report; no model is read."""
    derived = config.data.derived_root
    runs = [derived / name for name in RUNS]
    return str(
        evaluate_runs(
            Store(config.data.processed_root), "lcl", runs, derived / "evaluation", config, at.tracker, at.track
        )
    )


def poster_numbers(config: ExperimentConfig, at: At) -> str:
    """The poster's numbers out of the metrics, as JSON, CSV and Markdown."""
    del at
    derived = config.data.derived_root
    done = write_poster(Store(config.data.processed_root), derived / "evaluation", derived / "poster")
    return f"{len(done)} numbers in {derived / 'poster'}"


def _ingest(ingestor: BaseIngestor, config: ExperimentConfig, at: At) -> str:
    store, share = Store(config.data.processed_root), config.data.max_rejected_share
    done = ingest(
        ingestor, store, mode=config.data.input_kind, max_rejected_share=share, strict=True, track=at.track,
        map_=at.map_ or threads,
    )  # fmt: skip
    return _say(done)


def _say(done: IngestReport) -> str:
    return f"{done.rows_written:,} readings of {done.entities} entities, {done.rows_rejected} rows set aside"


STAGES: Final[dict[StageName, Callable[[ExperimentConfig, At], str]]] = {
    "ingest_lcl": ingest_lcl,
    "ingest_ukdale": ingest_ukdale,
    "ingest_ssen": ingest_ssen_files,
    "feature_engineering": feature_engineering,
    "train_baselines": train_baselines,
    "train_custom": train_custom,
    "train_selfplay": train_selfplay,
    "evaluate_models": evaluate_models,
    "poster_numbers": poster_numbers,
}


ALONE: Final[tuple[StageName, ...]] = ("evaluate_models", "poster_numbers")
"""Stages that spread nothing, and so want no cluster."""


def run_stage(
    name: str, config: ExperimentConfig, *, tracker: Tracker = NO_TRACKER, track: Track = no_track,
    map_: Map | None = None,
) -> str:  # fmt: skip
    """Run one stage, record its trainings and its judging, and return what it did, in a sentence.

    ``map_`` carries what can be spread; None has each step carry it in its own way, in this process.

    Raises:
        ConfigError: If there is no such stage.
    """
    for stage in get_args(StageName):
        if stage == name:
            return STAGES[stage](config, At(track, tracker, map_))
    raise ConfigError(f"no stage is called {name!r}; there are: {', '.join(STAGES)}")
