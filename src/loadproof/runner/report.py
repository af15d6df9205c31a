"""From the tables of one run to the page that a person reads."""

from pathlib import Path
from typing import get_args

from loadproof.errors import SchemaError
from loadproof.evaluation.report import ReportContent, build_report
from loadproof.schema import Dataset
from loadproof.store import Store

__all__ = ["report"]

_SHOWN = {
    "loadproof_version": "loadproof",
    "mode": "input",
    "seed": "seed",
    "data_sha256": "SHA-256 of the sources' digests",
    "test_windows": "windows judged",
}


def report(store: Store, dataset: Dataset, output_dir: Path, path: Path) -> Path:
    """Write the report on whatever of the run is there; what is not says so in its chapter. Return ``path``."""
    found = {name: store.read_summary(name) for name in (dataset, *get_args(Dataset))}
    run = store.read_json(output_dir / "run.json") or {}
    if not any(found.values()) and not run:
        raise SchemaError(f"{store.root} and {output_dir}: hold nothing to report on; run 'loadproof ingest' first")
    content = ReportContent(
        summaries=[summary for summary in found.values() if summary],
        readings=store.scan_readings(dataset) if found[dataset] else None,
        forecasts=store.scan_forecasts(output_dir / "forecasts"),
        metrics=store.read_metrics(output_dir),
        provenance={label: str(run[key]) for key, label in _SHOWN.items() if key in run},
    )
    store.write_text(path, build_report(content))
    return path
