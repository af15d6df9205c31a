"""How fast LCL ingestion is against the least that anybody must do with the same bytes, and in how much memory.

The limit is polars' bare streaming scan of the *extracted* CSV: timestamps and values parsed, sunk to one Parquet
file; no inflating, no checks, no order, no months. Against it stands ``loadproof ingest lcl`` end to end from the ZIP,
process start included. Both run in processes of their own, in turn, on the same bytes.

    python benchmarks/ingest.py --archive 'Partitioned LCL Data.zip' --parts 20
    python benchmarks/ingest.py --archive 'Partitioned LCL Data.zip' --parts 168   # the full release's shape

``--parts`` repeats the archive's first part under new household names. ``--work`` wants about 110 MB a part.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

LIMIT = """
import sys
import polars as pl
stamp = pl.col("DateTime").str.slice(0, 19).str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False, time_unit="us")
value = pl.col("KWH/hh (per half hour) ").str.strip_chars().cast(pl.Float64, strict=False)
pl.scan_csv(sys.argv[1] + "/*.csv").select("LCLid", "stdorToU", stamp, value).sink_parquet(sys.argv[2])
"""


def make_archive(source: Path, work: Path, parts: int) -> tuple[Path, Path, int]:
    """Write ``parts`` parts as CSV and as an archive; return archive, folder of CSV, and rows."""
    folder, archive = work / "csv", work / "zip" / "lcl" / "Partitioned LCL Data.zip"
    folder.mkdir(parents=True, exist_ok=True)
    archive.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(source) as original:
        text = original.read(next(name for name in original.namelist() if name.endswith(".csv")))
    header, body = text.split(b"\n", 1)
    homes = sorted({line[:9] for line in body.split(b"\n") if line})
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        for number in range(parts):
            renamed = body
            for n, home in enumerate(homes):
                renamed = renamed.replace(home, b"MAC%06d" % (100_000 + number * len(homes) + n))
            if number >= parts * 135 // 168:  # the release holds the Std homes first
                renamed = renamed.replace(b",Std,", b",ToU,")
            name = f"LCL-June2015v2_{number}.csv"
            (folder / name).write_bytes(header + b"\n" + renamed)
            made.writestr(f"Small LCL Data/{name}", header + b"\n" + renamed, compresslevel=6)
    return archive.parents[1], folder, body.count(b"\n") * parts


def measure(command: list[str]) -> tuple[float, float, float]:
    """Run a command; return wall seconds, its peak memory in MB, and processor seconds."""
    began = time.perf_counter()
    # An installed program finds its modules compiled; a machine that forbids it would time Python's compiler.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    if status:
        raise SystemExit(f"{command[:3]} failed: {process.stderr.read().decode()[-2000:] if process.stderr else ''}")
    return seconds, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime


def main() -> None:
    """Measure, print a table, and leave the figures as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    real = os.environ.get("LOADPROOF_REAL_DATA", "data/raw")
    parser.add_argument("--archive", type=Path, default=Path(real) / "lcl" / "Partitioned LCL Data.zip")
    parser.add_argument("--parts", type=int, default=20)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--work", type=Path, default=None)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp(dir=options.work, prefix="ingest-benchmark-"))
    try:
        root, folder, rows = make_archive(options.archive, work, options.parts)
        limit = [sys.executable, "-c", LIMIT, str(folder), str(work / "limit.parquet")]
        ours = [sys.executable, "-m", "loadproof", "ingest", "lcl", "--no-use-samples", "--input-root", str(root),
                "--output-root", str(work / "out" / "processed")]  # fmt: skip
        pairs = [(measure(limit), measure(ours)) for _ in range(options.runs)]
    finally:
        shutil.rmtree(work)
    ratios = [bare[0] / full[0] for bare, full in pairs]
    figures = {
        "parts": options.parts,
        "rows": rows,
        "cpus": os.cpu_count(),
        "runs": options.runs,
        "limit_rows_per_s": round(rows / statistics.median(bare[0] for bare, _ in pairs)),
        "limit_peak_mb": round(max(bare[1] for bare, _ in pairs)),
        "ingest_rows_per_s": round(rows / statistics.median(full[0] for _, full in pairs)),
        "ingest_peak_mb": round(max(full[1] for _, full in pairs)),
        # A busy machine stretches wall time, and this far less.
        "limit_cpu_s_per_million_rows": round(1e6 / rows * statistics.median(bare[2] for bare, _ in pairs), 3),
        "ingest_cpu_s_per_million_rows": round(1e6 / rows * statistics.median(full[2] for _, full in pairs), 3),
        "ratio_cpu_median": round(statistics.median(bare[2] / full[2] for bare, full in pairs), 3),
        "ratio_median": round(statistics.median(ratios), 3),
        "ratio_min": round(min(ratios), 3),
        "ratio_max": round(max(ratios), 3),
    }
    for name, value in figures.items():
        print(f"{name:30} {value:,}")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
