"""Write docs/results/baselines.md from one run's metrics.

    loadproof ingest lcl --no-use-samples --input-root data/raw --output-root data/processed
    loadproof forecast --model persistence_ensemble --model seasonal_naive --model seasonal_naive_week
    python docs/make_results.py --run data/derived/forecast

The figures are kept in docs/results/baselines.json, so that a test can hold the page against them.
"""

import argparse
import json
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
FIGURES = DOCS / "results" / "baselines.json"
SHOWN = {
    "mae": "MAE, kWh",
    "crps": "CRPS, kWh",
    "pinball_scaled": "2 x pinball / mean load",
    "nrmse": "NRMSE",
    "mase": "MASE",
    "coverage_50": "in 50 % band",
    "coverage_80": "in 80 % band",
    "coverage_90": "in 90 % band",
}


def keep(run: Path) -> None:
    """Copy what the pages show from a run's folder."""
    facts = json.loads((run / "run.json").read_text())
    rows = json.loads((run / "metrics.json").read_text())
    overall = [row for row in rows if row["entity_id"] is None and row["slice"] == "all" and row["metric"] in SHOWN]
    kept = [{key: row[key] for key in ("subject", "metric", "value", "low", "high", "n", "unit")} for row in overall]
    names = ("dataset", "mode", "seed", "loadproof_version", "data_sha256", "test_windows", "knobs")
    FIGURES.write_text(json.dumps({"run": {name: facts[name] for name in names}, "metrics": kept}, indent=1) + "\n")


def table(figures: dict[str, Any], metrics: tuple[str, ...]) -> str:
    """Return a Markdown table, a row a model, best CRPS first."""
    cells = {(row["subject"], row["metric"]): row for row in figures["metrics"]}
    models = sorted({subject for subject, _ in cells}, key=lambda model: cells[model, "crps"]["value"])
    lines = ["| model | " + " | ".join(SHOWN[metric] for metric in metrics) + " |", "|---|" + "---|" * len(metrics)]
    for model in models:
        row = [cells[model, metric] for metric in metrics]
        lines.append(f"| `{model}` | " + " | ".join(_figure(cell) for cell in row) + " |")
    return "\n".join(lines)


def _figure(row: dict[str, Any]) -> str:
    digits = 4 if row["unit"] == "kWh" else 3
    if row["low"] is None:
        return f"{row['value']:.{digits}f}"
    return f"{row['value']:.{digits}f} [{row['low']:.{digits}f}, {row['high']:.{digits}f}]"


def page(figures: dict[str, Any]) -> str:
    """Return docs/results/baselines.md."""
    run, knobs = figures["run"], figures["run"]["knobs"]
    return f"""# Baselines on {run["dataset"]} ({run["mode"]})

Made by `python docs/make_results.py --run FOLDER` (its first lines hold the commands before). Day-ahead,
{knobs["horizon_steps"]} half hours from each UK midnight, from {knobs["test_from"]} until {knobs["test_until"]}:
{run["test_windows"]:,} windows, single homes. Fitted on what lay before {knobs["valid_from"]}. In brackets, 95 %
intervals by resampling homes crossed with weeks.
loadproof {run["loadproof_version"]}, seed {run["seed"]}, sources' digest `{run["data_sha256"][:12]}`.

{table(figures, tuple(SHOWN))}

NRMSE is pooled over all half hours of all homes; MASE divides by each home's own day-naive error before
{knobs["valid_from"]}. Definitions: [nomenclature](../nomenclature.md).
"""


def main() -> None:
    """Keep the figures of a run, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="the folder that 'loadproof forecast' wrote")
    keep(parser.parse_args().run)
    figures = json.loads(FIGURES.read_text())
    (DOCS / "results" / "baselines.md").write_text(page(figures), encoding="utf-8")


if __name__ == "__main__":
    main()
