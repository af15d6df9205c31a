"""How fast SSEN ingestion is at national size against the least anybody must do, and what one feeder's month costs.

The limit is polars' bare streaming scan of the same daily files, sunk to one Parquet file: (a) all 17 columns, stamps
parsed to datetimes and numbers to floats, (a2) only the 7 columns that an ingest uses, parsed likewise. Against them
stands (b) ``loadproof ingest ssen`` end to end, process start, checks, lookup and network table included. All run in
processes of their own, in turn, on the same bytes.

Then one feeder's month is read from what (b) wrote, for a feeder that lies across two row groups, the worst case: the
bytes of the row groups whose statistics admit it, by the Parquet metadata, and those that a polars scan with a filter
takes from the files.

    python benchmarks/ssen.py --feeders 10000 --runs 1
    python benchmarks/ssen.py                            # 86,600 feeders, three days: 12.5 million rows, 2.6 GB

``--work`` wants about 2.5 times the made files.
"""

import argparse
import datetime as dt
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

DAY_STEPS = 48

LIMIT = """
import sys
import polars as pl
folder, out, which = sys.argv[1:]
stamps = ["data_collection_log_timestamp", "insert_time", "last_modified_time"]
numbers = ["aggregated_device_count_active", "primary_consumption_active_import",
           "secondary_consumption_active_import", "total_consumption_active_import",
           "aggregated_device_count_reactive", "total_consumption_reactive_import"]
used = ["dataset_id", numbers[0], numbers[1], numbers[3], numbers[4], numbers[5], stamps[0]]
parsed = {
    **{name: pl.col(name).str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", strict=False, time_unit="us") for name in stamps},
    **{name: pl.col(name).cast(pl.Float64, strict=False) for name in numbers},
}
rows = pl.scan_csv(folder + "/2*.csv", infer_schema=False)
names = used if which == "used" else rows.collect_schema().names()
rows.select(parsed.get(name, pl.col(name)) for name in names).sink_parquet(out)
"""

# How much a scan takes from disk shows where the process counts what it reads, so through reads and not mapped pages.
ONE_FEEDER = """
import json
import sys
from pathlib import Path
import polars as pl

def read_bytes():
    return int(Path("/proc/self/io").read_text().split()[1])

files = sorted(Path(sys.argv[1]).glob("*.parquet"))
pl.scan_parquet(files[0]).head(1).collect()
before = read_bytes()
rows = pl.scan_parquet(files).filter(pl.col("entity_id") == sys.argv[2]).collect()
print(json.dumps({"rows": rows.height, "bytes": read_bytes() - before}))
"""


def make_days(folder: Path, days: int, feeders: int) -> int:
    """Write the daily files and their lookup, in a process of its own so that this one stays small; return the rows."""
    made = [sys.executable, str(Path(__file__).with_name("made_ssen.py")), str(folder), "2024-03-01"]
    subprocess.run([*made, "--days", str(days), "--feeders", str(feeders)], check=True, stdout=subprocess.DEVNULL)
    return days * feeders * DAY_STEPS


def measure(command: list[str]) -> tuple[float, float, float]:
    """Run a command; return wall seconds, its peak memory in MB, and processor seconds."""
    began = time.perf_counter()
    # An installed program finds its modules compiled; a machine that forbids it would time Python's compiler.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    told = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    if status:
        raise SystemExit(f"{command[:3]} failed: {told.decode()[-2000:]}")
    return seconds, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime


def feeder_month(folder: Path, entity: str) -> dict[str, int]:
    """Return the bytes and row groups of a month, and of what statistics admit one feeder to."""
    counts = {"month_bytes": 0, "month_row_groups": 0, "feeder_bytes": 0, "feeder_row_groups": 0}
    for file in sorted(folder.glob("*.parquet")):
        metadata = pq.read_metadata(file)
        for group in (metadata.row_group(number) for number in range(metadata.num_row_groups)):
            columns = [group.column(number) for number in range(group.num_columns)]
            size_bytes = sum(column.total_compressed_size for column in columns)
            (known,) = (column.statistics for column in columns if column.path_in_schema == "entity_id")
            admitted = known is None or not known.has_min_max or known.min <= entity <= known.max
            counts["month_bytes"] += size_bytes
            counts["month_row_groups"] += 1
            counts["feeder_bytes"] += size_bytes * admitted
            counts["feeder_row_groups"] += admitted
    return counts


def read_feeder(folder: Path, entity: str) -> dict[str, int]:
    """Return the rows of one feeder's month, and the bytes that polars took from the files for them."""
    command = [sys.executable, "-c", ONE_FEEDER, str(folder), entity]
    done = subprocess.run(command, check=True, capture_output=True, env={**os.environ, "POLARS_FORCE_ASYNC": "1"})
    return {f"scan_{name}": value for name, value in json.loads(done.stdout).items()}


def spread(name: str, ratios: list[float]) -> dict[str, float]:
    """Return the median and the range of some ratios."""
    figures = {"median": statistics.median(ratios), "min": min(ratios), "max": max(ratios)}
    return {f"ratio_{name}_{which}": round(value, 3) for which, value in figures.items()}


def run_all(work: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Make the days, measure the three in turn, and return the figures."""
    folder, out = work / "raw" / "ssen", work / "out"
    rows = make_days(folder, options.days, options.feeders)
    csv_bytes = sum(path.stat().st_size for path in folder.glob("2*.csv"))
    limits = {which: [sys.executable, "-c", LIMIT, str(folder), str(work / "limit.parquet"), which]
              for which in ("all", "used")}  # fmt: skip
    ours = [sys.executable, "-m", "loadproof", "ingest", "ssen", "--no-use-samples", "--input-root", str(work / "raw"),
            "--output-root", str(out / "processed")]  # fmt: skip
    runs: dict[str, list[tuple[float, float, float]]] = {"all": [], "used": [], "ingest": []}
    for _ in range(options.runs):
        for which, command in {**limits, "ingest": ours}.items():
            shutil.rmtree(out, ignore_errors=True)
            runs[which].append(measure(command))
    figures: dict[str, Any] = {
        "feeders": options.feeders, "days": options.days, "rows": rows, "csv_mb": round(csv_bytes / 1e6),
        "cpus": os.cpu_count(), "runs": options.runs,
    }  # fmt: skip
    for which, label in (("all", "limit_17_columns"), ("used", "limit_7_columns"), ("ingest", "ingest")):
        figures[f"{label}_rows_per_s"] = round(rows / statistics.median(seconds for seconds, *_ in runs[which]))
        figures[f"{label}_peak_mb"] = round(max(peak for _, peak, _ in runs[which]))
    for which, label in (("all", "17_columns"), ("used", "7_columns")):
        pairs = zip(runs[which], runs["ingest"], strict=True)
        figures |= spread(label, [bare[0] / full[0] for bare, full in pairs])
        # A busy machine stretches wall time, and processor time far less.
        pairs = zip(runs[which], runs["ingest"], strict=True)
        figures[f"ratio_{label}_cpu_median"] = round(statistics.median(bare[2] / full[2] for bare, full in pairs), 3)
    return figures | one_feeder(out / "processed" / "dataset=ssen" / "month=2024-03", rows)


def one_feeder(month: Path, rows: int) -> dict[str, Any]:
    """Return what it costs to read a feeder from the middle of the month that ends a row group."""
    files = sorted(month.glob("*.parquet"))
    entity = pq.read_metadata(files[len(files) // 2]).row_group(0).column(0).statistics.max
    counts = {**feeder_month(month, entity), **read_feeder(month, entity)}
    share = {f"{name}_share": round(counts[name] / counts["month_bytes"], 4) for name in ("feeder_bytes", "scan_bytes")}
    return {"one_feeder": entity, **counts, **share, "bytes_a_row": round(counts["month_bytes"] / rows, 2)}


def main() -> None:
    """Measure, print a table, and leave the figures as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--feeders", type=int, default=86_600)
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--work", type=Path, default=None)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    assert dt.date(2024, 3, 1) + dt.timedelta(options.days) <= dt.date(2024, 4, 1), "one month holds 31 days"
    work = Path(tempfile.mkdtemp(dir=options.work, prefix="ssen-benchmark-"))
    try:
        figures = run_all(work, options)
    finally:
        shutil.rmtree(work)
    for name, value in figures.items():
        print(f"{name:28} {value:,}" if not isinstance(value, str) else f"{name:28} {value}")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
