"""Write docs/results/benchmarks.md from the figures that the benchmarks left.

python benchmarks/ingest.py --parts 12 --runs 5 --json docs/results/ingest_lcl.json
python benchmarks/ingest.py --parts 168 --runs 1 --json docs/results/ingest_lcl_full.json
python benchmarks/ssen.py --runs 1 --json docs/results/ingest_ssen.json
python benchmarks/anomaly.py --processed-root data/processed --json docs/results/anomaly_speed.json
python docs/make_benchmarks.py

Each job of anomaly_speed.json may as well be run by itself, with --job.
"""

import json
import textwrap
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results")
BENCHMARKS = {
    "ingest_lcl": "Low Carbon London: the archive's parts repeated under new household names (`benchmarks/ingest.py`)",
    "ingest_lcl_full": "Low Carbon London at the full release's shape, 168 parts (`benchmarks/ingest.py --parts 168`)",
    "ingest_ssen": "SSEN at national width, made days (`benchmarks/ssen.py`)",
}
HEAD = """# Benchmarks

Made by `python docs/make_benchmarks.py` from the figures that the commands below left beside this page. Each compares
with a named limit, in turn, in processes of their own, on the same bytes: polars' bare streaming scan, which parses and
sinks to one Parquet file and does nothing else. A ratio of 1 would mean that inflating, checking, sorting by entity and
month, removing repeats, counting and hashing cost nothing. Ratios travel between machines; rows per second do not.
Some were taken on a machine of two cores that others used too. That favours
an ingest: what it does in one thread, starting above all, then costs it less against the limit. So the ratio of
processor seconds stands beside that of wall time, and is the steadier.

**The aim is a ratio of 0.4.** The ingest of Low Carbon London comes to {lcl} of the scan by wall time, with the machine
to itself; SSEN's to {ssen} of the scan of all 17 columns ({ssen_min} in the worst of {ssen_runs} runs, on a machine
that others used, which shows in its rows per second), and to {ssen_cpu} in processor time.
"""


def section(name: str, title: str, figures: dict[str, Any]) -> str:
    """Return one benchmark's table."""
    rows = "\n".join(f"| {key.replace('_', ' ')} | {_figure(value)} |" for key, value in figures.items())
    return f"## {name}\n\n{title}.\n\n| figure | value |\n|---|---:|\n{rows}\n"


def detectors(figures: dict[str, Any]) -> str:
    """Return the table of what detectors score a year of homes in, the peer's rows last."""
    head = "| | rows | s | processor s | rows/s | rows/processor s | fit, s | peak, MB |\n|---|" + "---:|" * 7
    shown = ("rows", "seconds", "cpu_seconds", "rows_per_s", "rows_per_cpu_s", "fit_seconds", "peak_mb")
    rows = [
        f"| `{name}` | " + " | ".join(f"{told[key]:,}" if key in told else "" for key in shown) + " |"
        for name, job in figures["jobs"].items()
        for told in [job | {"cpu_seconds": round(job["rows"] / job["rows_per_cpu_s"], 1)}]
    ]
    versions = ", ".join(f"{name} {number}" for name, number in figures["versions"].items())
    about = (
        f"A year of {figures['homes']:,} made homes, {figures['threads']} threads on {figures['cpus']} cores "
        f"(`benchmarks/anomaly.py`); {versions}. **The aim**: `physical+sub_pca+autoencoder` over 17.5 million half "
        "hours in 180 s and 3,000 MB. A peer's row is TSB-AD's implementation of the method, which fits each series "
        f"that it scores. The load before was {figures['load_before']}: the more others use the machine, the more of "
        "the seconds are theirs, and two free cores take about half the processor seconds. `peak` is of the whole "
        "process, with the libraries and the made homes in it."
    )
    return "\n".join(["## anomaly_speed\n", textwrap.fill(about, 120), "", head, *rows, ""])


def _figure(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) else f"`{value}`"


def page() -> str:
    """Return the page, of what was measured."""
    found = {name: RESULTS / f"{name}.json" for name in BENCHMARKS}
    sections = [
        section(name, BENCHMARKS[name], json.loads(path.read_text())) for name, path in found.items() if path.is_file()
    ]
    speed = RESULTS / "anomaly_speed.json"
    sections += [detectors(json.loads(speed.read_text()))] if speed.is_file() else []
    lcl, ssen = (json.loads((RESULTS / f"{name}.json").read_text()) for name in ("ingest_lcl", "ingest_ssen"))
    head = HEAD.format(
        lcl=lcl["ratio_median"],
        ssen=ssen["ratio_17_columns_median"],
        ssen_min=ssen["ratio_17_columns_min"],
        ssen_cpu=ssen["ratio_17_columns_cpu_median"],
        ssen_runs=ssen["runs"],
    )
    return "\n".join([head, *sections])


if __name__ == "__main__":
    (RESULTS / "benchmarks.md").write_text(page(), encoding="utf-8")
