"""From the runs of the training stages to tables, figures and the report. Nothing here meets a model."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from loadproof.config import ExperimentConfig
from loadproof.errors import SchemaError
from loadproof.evaluation.plain_tables import alarms_table, by_half_hour, scores
from loadproof.evaluation.print_figures import print_figures
from loadproof.runner.alerts import cut_runs
from loadproof.runner.forecast import evaluate
from loadproof.runner.report import report
from loadproof.runner.track import Track, no_track
from loadproof.schema import Dataset
from loadproof.store import Store
from loadproof.tracker import NO_TRACKER, Tracker

__all__ = ["evaluate_runs"]

_BARS = ("persistence_ensemble", "patchtst")
"""Whom every model is compared with: what learns nothing, and the network that did not play."""

_OWN = ("models", "test_windows", "train_windows", "valid_windows", "windows_without_context", "windows_without_truth")
"""What one run may say otherwise than the next."""


def _joined(store: Store, runs: Sequence[Path]) -> dict[str, object]:
    """Return what all runs say of themselves.

    Raises:
        SchemaError: If one is not there, or they are of different data or knobs.
    """
    said = {run: store.read_json(run / "run.json") for run in runs}
    if lacking := [run for run, facts in said.items() if facts is None]:
        raise SchemaError(f"{lacking[0]}: holds no run; run its training stage first")
    (first, facts), *others = [(run, facts) for run, facts in said.items() if facts is not None]
    for run, other in others:
        unlike = [name for name in facts if name not in _OWN and facts[name] != other.get(name)]
        if unlike:
            raise SchemaError(f"{run}: is of another {unlike[0]} than {first}; run the training stages again")
    return {**facts, "models": [model for run in said.values() if run is not None for model in run["models"]]}


def _judge(
    store: Store, dataset: Dataset, runs: Sequence[Path], tables: Path, facts: Mapping[str, object],
    config: ExperimentConfig, track: Track,
) -> dict[str, float]:  # fmt: skip
    """Write the tables and the alerts of all runs together, and return what is recorded of them, by name."""
    evaluate(
        store, dataset, tables, knobs=config.forecast, judging=config.evaluation, seed=config.seed, runs=runs,
        bars=_BARS, track=track,
    )  # fmt: skip
    told = cut_runs(store, dataset, runs, tables.parent, config, track)
    store.write_table(tables, "alarms", alarms_table(told), {"data_sha256": facts["data_sha256"]})
    store.write_json(tables / "run.json", facts)
    found = scores(store.metrics(tables))
    store.write_json(tables.parent / "scores.json", found)
    rates = {f"{name}.alerts_per_home_week": of["rate"]["per_week"] for name, of in told.items()}
    rates = {name: rate for name, rate in rates.items() if rate is not None}
    return {f"{model}.{metric}": value for model, of in found.items() for metric, value in of.items()} | rates


def evaluate_runs(
    store: Store, dataset: Dataset, runs: Sequence[Path], folder: Path, config: ExperimentConfig,
    tracker: Tracker = NO_TRACKER, track: Track = no_track,
) -> Path:  # fmt: skip
    """Judge all runs together, cut their alerts, and write the report beside; return the report's path.

    Args:
        store: Where the truth is.
        dataset: Whose readings.
        runs: Folders of ``forecast`` and ``score``; feeders' risk in the first, self-play's curve in the last.
        folder: ``tables/``, ``alerts/``, ``plots/``, ``figures/``, ``scores.json`` and ``report.html`` go here.
        config: What was forecast, and how sure the figures shall be.
        tracker: What records the figures, the tables and the page.
        track: What shows progress.

    Raises:
        SchemaError: If a run is missing, or of other data or knobs than the rest.
    """
    facts = _joined(store, runs)
    params = config.model_dump(mode="json", include={"seed", "forecast", "evaluation"})
    tags = {"dataset": dataset, "data_sha256": str(facts["data_sha256"]), "seed": str(config.seed)}
    with tracker.run("evaluate", params=params, tags=tags) as run:
        found = _judge(store, dataset, runs, folder / "tables", facts, config, track)
        for metric in ("crps", "coverage_80"):
            table = by_half_hour(store.metrics(folder / "tables"), metric)
            store.write_csv(folder / "plots" / f"{metric}_by_half_hour.csv", table)
        for drawn in print_figures(store.metrics(folder / "tables")):
            store.write_figure(folder / "figures", *drawn)
        page = report(
            store, dataset, folder / "tables", folder / "report.html", models_root=runs[-1] / "models", runs=runs,
            alerts_dir=folder,
        )  # fmt: skip
        run.metrics(found)
        for path in (*(folder / name for name in ("tables", "alerts", "plots", "figures")), page):
            run.artifact(path)
    return page
