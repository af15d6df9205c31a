"""The stages of the pipeline, each a function of ``params.yaml`` alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, get_args

from loadproof.baselines import BASELINES
from loadproof.config import ExperimentConfig
from loadproof.errors import ConfigError
from loadproof.ingestion.base import BaseIngestor
from loadproof.ingestion.lcl import LCLIngestor
from loadproof.ingestion.ukdale import UKDALEIngestor
from loadproof.runner.forecast import evaluate, forecast
from loadproof.runner.ingest import IngestReport, ingest
from loadproof.runner.report import report
from loadproof.runner.ssen import Remote, ingest_ssen
from loadproof.runner.track import Track, no_track
from loadproof.store import Store

__all__ = ["STAGES", "StageName", "run_stage"]

StageName = Literal["ingest_lcl", "ingest_ukdale", "ingest_ssen", "train_baselines", "evaluate_models"]


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


def train_baselines(config: ExperimentConfig, track: Track) -> str:
    """Every baseline's forecast table."""
    done = forecast(
        Store(config.data.processed_root), "lcl", sorted(BASELINES), config.data.derived_root,
        knobs=config.forecast, seed=config.seed, track=track,
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
    "train_baselines": train_baselines,
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
