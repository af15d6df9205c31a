"""From readings to forecast tables, and from forecast tables to metrics. Judging never meets a model."""

import datetime as dt
import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadproof import __version__
from loadproof.baselines import BASELINES
from loadproof.baselines.persistence import PersistenceEnsemble
from loadproof.config import EvaluationConfig, ForecastConfig
from loadproof.errors import ConfigError
from loadproof.evaluation.backtest import run_backtest
from loadproof.evaluation.comparison import compare_models
from loadproof.evaluation.metrics import score_sums, seasonal_scale
from loadproof.evaluation.sums import sum_scores
from loadproof.features.calendar import local_midnights
from loadproof.features.panel import Panel, panel_from_readings
from loadproof.features.windows import Split, cut_truth, cut_windows, split_by_time
from loadproof.forecaster import forecast_from_table, forecast_table
from loadproof.runner.track import Track, no_track
from loadproof.schema import Dataset
from loadproof.seeds import rng_for
from loadproof.store import Store

__all__ = ["ForecastReport", "evaluate", "forecast"]

logger = logging.getLogger(__name__)


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
    knobs: ForecastConfig,
    seed: int,
    track: Track = no_track,
) -> ForecastReport:
    """Backtest models day-ahead over the test block and write a forecast table each, and ``run.json``.

    Raises:
        ConfigError: If a model is unknown, or the blocks lie outside the data.
    """
    unknown = [model for model in models if model not in BASELINES]
    if unknown:
        raise ConfigError(f"no model is called {unknown[0]!r}; there are: {', '.join(sorted(BASELINES))}")
    panel = _panel(store, dataset)
    split, skipped = _split(panel, knobs)
    identity = {"dataset": dataset, "knobs": knobs.model_dump(mode="json"), **_provenance(store, dataset, seed)}
    earlier = _join_run(store, output_dir, identity)
    for name in track(models, "forecasting", len(models)):
        result = run_backtest(BASELINES[name](), split, rng=rng_for(seed, f"forecast/{name}"))
        table = forecast_table(name, result.forecast, split.test.inputs)
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


def evaluate(
    store: Store, dataset: Dataset, output_dir: Path, *, knobs: ForecastConfig, judging: EvaluationConfig, seed: int,
    track: Track = no_track,
) -> Sequence[dict[str, Any]]:  # fmt: skip
    """Judge every forecast table below ``output_dir`` and write the metrics; return the overall rows."""
    panel = _panel(store, dataset)
    scales = seasonal_scale(panel, until=knobs.valid_from)
    tables = store.forecast_tables(output_dir / "forecasts")
    judged, overall = [], []
    for table in track(tables, "judging", len(tables)):
        rows = forecast_from_table(table())
        truth = cut_truth(panel, rows.entity, rows.t0, horizon_steps=rows.forecast.mean_kwh.shape[1])
        sums = sum_scores(rows, truth, interval_mins=panel.interval_mins, scales_kwh=scales)
        draws = judging.bootstrap_draws
        judged.append(score_sums(sums, dataset=dataset, draws=draws, rng=rng_for(seed, "evaluate")))
        overall.append(sums.over_all_times())
    if overall:
        bar, rng = [PersistenceEnsemble.name], rng_for(seed, "compare")
        judged.append(compare_models(overall, dataset=dataset, against=bar, draws=judging.bootstrap_draws, rng=rng))
    return store.write_metrics(output_dir, judged)


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


def _panel(store: Store, dataset: Dataset) -> Panel:
    columns = ["entity_id", "ts_utc", "interval_mins", "energy_kwh"]
    return panel_from_readings(store.scan_readings(dataset).select(columns).collect())


def _split(panel: Panel, knobs: ForecastConfig) -> tuple[Split, Any]:
    first = panel.start.astype(dt.datetime).replace(tzinfo=dt.UTC)
    windows = cut_windows(
        panel,
        context_steps=knobs.context_steps,
        horizon_steps=knobs.horizon_steps,
        origins=local_midnights(first, knobs.test_until),
        data_lag_steps=knobs.data_lag_steps,
    )
    split = split_by_time(windows, valid_from=knobs.valid_from, test_from=knobs.test_from, test_until=knobs.test_until)
    for block, name in ((split.train, "before valid_from"), (split.test, "between test_from and test_until")):
        if not len(block):
            raise ConfigError(
                f"no window lies {name} ({knobs.valid_from}, {knobs.test_from} to {knobs.test_until}); the readings "
                f"begin on {first:%Y-%m-%d}: set the blocks inside the data"
            )
    return split, windows.skipped


def _provenance(store: Store, dataset: Dataset, seed: int) -> dict[str, Any]:
    summary = store.read_summary(dataset) or {"sources": [], "mode": "unknown"}
    digests = json.dumps([source["sha256"] for source in summary["sources"]])
    return {
        "seed": seed,
        "loadproof_version": __version__,
        "mode": summary["mode"],
        "processed_root": str(store.root),
        "data_sha256": hashlib.sha256(digests.encode()).hexdigest(),
    }
