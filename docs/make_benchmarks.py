"""Write docs/results/benchmarks.md from the figures that the benchmarks left.

python benchmarks/ingest.py --parts 12 --runs 5 --json docs/results/ingest_lcl.json
python benchmarks/ingest.py --parts 168 --runs 1 --json docs/results/ingest_lcl_full.json
python benchmarks/ssen.py --runs 1 --json docs/results/ingest_ssen.json
python benchmarks/ukdale.py --json docs/results/ingest_ukdale.json
python docs/make_benchmarks.py
"""

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results")
BENCHMARKS = {
    "ingest_lcl": "Low Carbon London: the archive's parts repeated under new household names (`benchmarks/ingest.py`)",
    "ingest_lcl_full": "Low Carbon London at the full release's shape, 168 parts (`benchmarks/ingest.py --parts 168`)",
    "ingest_ssen": "SSEN at national width, made days (`benchmarks/ssen.py`)",
    "ingest_ukdale": "UK-DALE: memory alone, one made meter at several lengths (`benchmarks/ukdale.py`)",
}
HEAD = """# Benchmarks

Made by `python docs/make_benchmarks.py` from the figures that the commands below left beside this page. Each compares
with a named limit, in turn, in processes of their own, on the same bytes: polars' bare streaming scan, which parses and
sinks to one Parquet file and does nothing else. A ratio of 1 would mean that inflating, checking, sorting by entity and
month, removing repeats, counting and hashing cost nothing. Ratios travel between machines; rows per second do not.
Some were taken on a machine of two cores that others used too. That favours
an ingest: what it does in one thread, starting above all, then costs it less against the limit. So the ratio of
processor seconds stands beside that of wall time, and is the steadier.

**The aim is a ratio of 0.4.** Low Carbon London, measured on a quiet machine, comes near it in rows a second and
reaches it in processor time; it gave 0.29 before lines were read by the word. SSEN's figures are of a crowded machine,
which flatters the ratio of rows a second, and reach it against the scan of all columns alone.
"""


def section(name: str, title: str, figures: dict[str, Any]) -> str:
    """Return one benchmark's table."""
    rows = "\n".join(f"| {key.replace('_', ' ')} | {_figure(value)} |" for key, value in figures.items())
    return f"## {name}\n\n{title}.\n\n| figure | value |\n|---|---:|\n{rows}\n"


def _figure(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) else f"`{value}`"


def page() -> str:
    """Return the page, of what was measured."""
    found = {name: RESULTS / f"{name}.json" for name in BENCHMARKS}
    sections = [
        section(name, BENCHMARKS[name], json.loads(path.read_text())) for name, path in found.items() if path.is_file()
    ]
    return "\n".join([HEAD, *sections])


if __name__ == "__main__":
    (RESULTS / "benchmarks.md").write_text(page(), encoding="utf-8")
