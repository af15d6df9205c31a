"""From the tables of one run to the page that a person reads."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from loadproof.anomaly.pictures import pictures, span_needed
from loadproof.anomaly.watch import alerts_to_show
from loadproof.errors import SchemaError
from loadproof.evaluation.report import ReportContent, build_report
from loadproof.evaluation.report_chapters_alerts import Alerts
from loadproof.evaluation.report_chapters_feeders import RiskContent
from loadproof.evaluation.report_chapters_play import PlayContent
from loadproof.features.selection import read_panel
from loadproof.runner.blocks import data_facts
from loadproof.runner.detectors import DEFAULT_DETECTOR
from loadproof.schema import Dataset
from loadproof.store import Store

__all__ = ["report"]

logger = logging.getLogger(__name__)


_SHOWN = {
    "loadproof_version": "loadproof",
    "mode": "input",
    "seed": "seed",
    "data_sha256": "SHA-256 of the sources' digests",
    "test_windows": "windows judged",
    "weather": "weather used",
}


def report(
    store: Store, dataset: Dataset, output_dir: Path, path: Path, *, risk_dir: Path | None = None,
    models_root: Path | None = None, runs: Sequence[Path] = (), alerts_dir: Path | None = None,
) -> Path:  # fmt: skip
    """Write the report on whatever of the run is there; what is not says so in its chapter. Return ``path``.

    Args:
        store: Where the readings are.
        dataset: What the report is about.
        output_dir: Where the metrics are.
        path: The page.
        risk_dir: The folder of a run of ``feeders risk``; ``feeders`` in the first of the runs by default.
        models_root: Where a training by self-play left its curve and its pictures.
        runs: Folders with forecasts, of the same data and knobs; ``output_dir`` alone by default.
        alerts_dir: The folder with ``alerts/``; ``output_dir`` by default.
    """
    runs = runs or (output_dir,)
    found = {name: store.read_summary(name) for name in (dataset, *get_args(Dataset))}
    run = store.read_json(runs[0] / "run.json") or {}
    if not any(found.values()) and not run:
        raise SchemaError(f"{store.root} and {output_dir}: hold nothing to report on; run 'loadproof ingest' first")
    content = ReportContent(
        summaries=[summary for summary in found.values() if summary],
        readings=store.scan_readings(dataset) if found[dataset] else None,
        forecasts=store.scan_forecasts(*(run / "forecasts" for run in runs)),
        metrics=store.read_metrics(output_dir),
        alerts=_alerts(store, dataset, alerts_dir or output_dir) if found[dataset] else None,
        provenance={label: str(run[key]) for key, label in _SHOWN.items() if key in run},
        risk=_risk(store, risk_dir or runs[0] / "feeders"),
        play=_play(store, dataset, models_root),
    )
    store.write_text(path, build_report(content))
    return path


def _digests(store: Store, dataset: Dataset) -> list[str]:
    """Return the digests of the readings as they stand, without the weather and with it."""
    return [data_facts(store, dataset, with_weather=known)["data_sha256"] for known in (False, True)]


def _alerts(store: Store, dataset: Dataset, folder: Path) -> Alerts | None:
    """Return the alerts of the ensemble, else of another detector, that are of the readings as they stand."""
    told = {name: store.read_watch(folder, "alerts", name) for name in store.detectors(folder, "alerts")}
    digests = _digests(store, dataset)
    for name in [name for name, (_, facts) in told.items() if facts.get("dataset") != dataset]:
        del told[name]
    for name in [name for name, (_, facts) in told.items() if facts["data_sha256"] not in digests]:
        logger.info("%s: its alerts are of other readings, and left out; run 'loadproof anomaly' again", name)
        del told[name]
    if not told:
        return None
    chosen = DEFAULT_DETECTOR if DEFAULT_DETECTOR in told else min(told)
    table, facts = told.pop(chosen)
    others = {name: beside["rate"]["alerts"] for name, (_, beside) in told.items()}
    if not (shown := alerts_to_show(table)):
        return Alerts(table, facts, others=others)
    since, until = span_needed(shown)
    names = [alert["entity_id"] for alert in shown]
    panel = read_panel(store.scan_readings(dataset), entities=names, since=since, until=until)
    steps = list(pictures(panel, shown)) if panel is not None else []
    return Alerts(table, facts, shown if steps else (), steps, others)


def _risk(store: Store, folder: Path) -> RiskContent | None:
    found = store.read_risk(folder)
    return RiskContent(*found) if found else None


def _play(store: Store, dataset: Dataset, models_root: Path | None) -> PlayContent | None:
    """Return what a training by self-play left behind, if it was upon the readings as they stand."""
    found = store.read_fit(models_root / "selfplay") if models_root else None
    if found is None:
        return None
    if found[0]["data_sha256"] not in _digests(store, dataset) or found[0]["dataset"] != dataset:
        logger.info("the training by self-play was of other readings, and is left out; run 'loadproof train' again")
        return None
    return PlayContent(*found)
