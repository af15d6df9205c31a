"""The stages of the pipeline, each a function of ``params.yaml`` alone."""

from collections.abc import Callable
from typing import Final, Literal, get_args

from loadproof.baselines import BASELINES
from loadproof.config import ExperimentConfig
from loadproof.errors import ConfigError
from loadproof.ingestion.lcl import LCLIngestor
from loadproof.runner.forecast import evaluate, forecast
from loadproof.runner.ingest import ingest
from loadproof.runner.report import report
from loadproof.runner.track import Track, no_track
from loadproof.store import Store

__all__ = ["STAGES", "StageName", "run_stage"]

StageName = Literal["ingest_lcl", "train_baselines", "evaluate_models"]


def ingest_lcl(config: ExperimentConfig, track: Track) -> str:
    """Low Carbon London into the store."""
    data = config.data
    mode = "samples" if data.input_root.name == "samples" else "files"
    done = ingest(
        LCLIngestor(data.input_root, ts_convention=data.ts_convention), Store(data.processed_root), mode=mode,
        max_rejected_share=data.max_rejected_share, track=track,
    )  # fmt: skip
    return f"{done.rows_written:,} readings of {done.entities} homes, {done.rows_rejected} rows set aside"


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


STAGES: Final[dict[StageName, Callable[[ExperimentConfig, Track], str]]] = {
    "ingest_lcl": ingest_lcl,
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
