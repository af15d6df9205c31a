"""From readings to forecast tables, and from forecast tables to metrics. Judging never meets a model."""

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from loadproof import __version__
from loadproof.baselines.persistence import PersistenceEnsemble
from loadproof.config import EvaluationConfig, ExperimentConfig, ForecastConfig
from loadproof.evaluation.comparison import compare_models
from loadproof.evaluation.coverage import after_gap, home_sizes, score_coverage
from loadproof.evaluation.metrics import score_sums, seasonal_scale
from loadproof.evaluation.plain_tables import SCORED
from loadproof.evaluation.sums import sum_scores
from loadproof.features.splits import Split
from loadproof.features.table import FeaturesOf
from loadproof.features.windows import cut_truth
from loadproof.forecaster import Forecast, forecast_from_table, forecast_table
from loadproof.parts import Map
from loadproof.runner.block_group import HOMES_A_BLOCK, BlockAsked, forecast_block
from loadproof.runner.blocks import Surroundings, cut_blocks, data_facts, read_all, read_surroundings
from loadproof.runner.forecasters import AT_ONCE, builder_of
from loadproof.runner.track import Track, no_track
from loadproof.runner.train import fit_or_read
from loadproof.schema import Dataset
from loadproof.seeds import rng_for
from loadproof.store import Store
from loadproof.tracker import NO_TRACKER, Tracker

__all__ = ["ForecastReport", "evaluate", "forecast"]

logger = logging.getLogger(__name__)

HELD: Final = ("all", "season", "size", "after_gap")
"""By what coverage is told apart, besides the half hour."""


@dataclass(frozen=True)
class ForecastReport:
    """What a backtest did: windows per block, and what each model's table is called."""

    dataset: Dataset
    models: tuple[str, ...]
    train_windows: int
    valid_windows: int
    test_windows: int
    windows_without_context: int
    windows_without_truth: int


def forecast(
    store: Store,
    dataset: Dataset,
    models: Sequence[str],
    output_dir: Path,
    *,
    config: ExperimentConfig,
    models_root: Path,
    features: FeaturesOf | None = None,
    device: str = "cpu",
    tracker: Tracker = NO_TRACKER,
    track: Track = no_track,
    homes_a_task: int = HOMES_A_BLOCK,
    map_: Map = map,
) -> ForecastReport:
    """Backtest models day-ahead over the test block and write a forecast table each, and ``run.json``.

    A model that learns is taken from ``models_root`` where it is of the same data and knobs, else trained and kept; its
    quantiles are calibrated as the config says. Naive models are left as they are. ``features`` tells what
    :func:`loadproof.runner.features.read_features` read, for the models that learn from such a table. ``map_`` carries
    the homes that a fitted model is asked about, ``homes_a_task`` at a time; fitting and calibrating are done here.

    Raises:
        ConfigError: If a model is unknown, or the blocks lie outside the data.
    """
    for model in models:
        builder_of(model)
    surroundings = read_surroundings(store, config.features, seed=config.seed)
    split, skipped = cut_blocks(read_all(store, dataset), config.forecast, surroundings)
    identity = _identity(store, dataset, output_dir, config)
    earlier = _join_run(store, output_dir, identity)
    ask = partial(forecast_block, map_=map_, homes_a_task=homes_a_task)
    for name in track(models, "forecasting", len(models)):
        judged = _forecast_of(
            store, dataset, name, models_root, split, surroundings, config, device, tracker, features, ask
        )
        table = forecast_table(name, judged, split.test.inputs)
        store.write_forecasts(output_dir / "forecasts" / f"{name}.parquet", table)
    report = ForecastReport(
        dataset=dataset,
        models=tuple(dict.fromkeys([*earlier, *models])),
        train_windows=len(split.train),
        valid_windows=len(split.valid),
        test_windows=len(split.test),
        windows_without_context=skipped.no_context,
        windows_without_truth=skipped.no_truth,
    )
    store.write_json(output_dir / "run.json", {**report.__dict__, **identity})
    return report


def _identity(store: Store, dataset: Dataset, output_dir: Path, config: ExperimentConfig) -> dict[str, Any]:
    """Return all that must agree of forecasts that are judged together."""
    return {
        "dataset": dataset,
        "knobs": config.forecast.model_dump(mode="json"),
        "features": config.features.model_dump(mode="json"),
        "calibration": config.calibration.model_dump(mode="json"),
        "weather": config.features.weather_label,
        "seed": config.seed,
        "loadproof_version": __version__,
        "processed_root": os.path.relpath(store.root, output_dir.resolve()),
        **data_facts(store, dataset, with_weather=config.features.weather != "none"),
    }


def _forecast_of(
    store: Store, dataset: Dataset, name: str, models_root: Path, split: Split, surroundings: Surroundings,
    config: ExperimentConfig, device: str, tracker: Tracker, features: FeaturesOf | None,
    ask: Callable[..., Forecast],
) -> Forecast:  # fmt: skip
    """Return one model's forecast of the test block."""
    asked = BlockAsked(store, dataset, name, config, device, models_root.resolve() / name)
    homes, block = split.test.inputs.entity.tolist(), split.test
    if name in AT_ONCE:
        forecaster = builder_of(name)(config)
        forecaster.fit(split.train, split.valid, rng=rng_for(config.seed, f"forecast/{name}"))
        return ask(replace(asked, state=forecaster.state()), homes)
    fitted = fit_or_read(
        store, dataset, name, models_root, split=split, surroundings=surroundings, config=config, device=device,
        tracker=tracker, features=features,
    )  # fmt: skip
    # An adaptive calibration follows the truths of earlier windows as they are published, and no others; all homes
    # teach it together, so it is not spread.
    return fitted.calibration.apply(ask(asked, homes), block.inputs, block.truth_kwh)


def evaluate(
    store: Store, dataset: Dataset, output_dir: Path, *, knobs: ForecastConfig, judging: EvaluationConfig, seed: int,
    runs: Sequence[Path] = (), bars: Sequence[str] = (PersistenceEnsemble.name,), tracker: Tracker = NO_TRACKER,
    track: Track = no_track,
) -> Sequence[dict[str, Any]]:  # fmt: skip
    """Judge every forecast table of some runs and write the metrics; return the overall rows.

    Args:
        store: Where the truth is.
        dataset: Whose readings.
        output_dir: The metrics go here.
        knobs: What was forecast.
        judging: How sure the figures shall be.
        seed: Of the resamples.
        runs: Folders of :func:`forecast`, of the same data and knobs; ``output_dir`` alone by default.
        bars: Models that each other is compared with.
        tracker: What records the figures.
        track: What shows progress.
    """
    panel = read_all(store, dataset)
    scales = seasonal_scale(panel, until=knobs.valid_from)
    sizes = home_sizes(panel, until=knobs.valid_from, edges_from=panel.entities)
    tables = [table for run in runs or (output_dir,) for table in store.forecast_tables(run / "forecasts")]
    judged, overall = [], []
    for table in track(tables, "judging", len(tables)):
        rows = forecast_from_table(table())
        truth = cut_truth(panel, rows.entity, rows.t0, horizon_steps=rows.forecast.mean_kwh.shape[1])
        sums = sum_scores(rows, truth, interval_mins=panel.interval_mins, scales_kwh=scales)
        draws = judging.bootstrap_draws
        judged.append(score_sums(sums, dataset=dataset, draws=draws, rng=rng_for(seed, "evaluate")))
        overall.append(sums.over_all_times())
        gaps = after_gap(panel, rows.entity, rows.t0, data_lag_steps=knobs.data_lag_steps)
        held = score_coverage(
            rows, truth, interval_mins=panel.interval_mins, sizes=sizes, gaps=gaps, dataset=dataset, kinds=HELD,
            draws=draws, rng=rng_for(seed, "coverage"),
        )  # fmt: skip
        # What is over all times and homes stands in the sums' metrics already, but for the count of homes.
        judged.append(held.filter((held["slice"] != "all") | held["metric"].str.starts_with("homes_within")))
    if overall:
        rng = rng_for(seed, "compare")
        judged.append(compare_models(overall, dataset=dataset, against=bars, draws=judging.bootstrap_draws, rng=rng))
    told = store.write_metrics(output_dir, judged)
    params = {"seed": seed, "forecast": knobs.model_dump(mode="json"), "evaluation": judging.model_dump(mode="json")}
    tags = {"dataset": dataset, "data_sha256": data_facts(store, dataset)["data_sha256"], "seed": str(seed)}
    with tracker.run("evaluate", params=params, tags=tags) as run:
        run.metrics({f"{row['subject']}.{row['metric']}": row["value"] for row in told if row["metric"] in SCORED})
        run.artifact(output_dir / "metrics.csv")
    return told


def _join_run(store: Store, output_dir: Path, identity: dict[str, Any]) -> list[str]:
    """Return the models of the run in the folder, if it is of the same data and knobs; else clear that run away.

    Models are compared on the same windows or not at all.
    """
    run = store.read_json(output_dir / "run.json") or {}
    if run and all(run.get(name) == value for name, value in identity.items()):
        return list(run["models"])
    if cleared := store.clear_run(output_dir):
        logger.info("%s: held a run of other data or knobs, of which %d file(s) are removed", output_dir, cleared)
    return []
