"""How much memory a long UK-DALE meter takes: the same made meter at several lengths, each ingested by its own process.

House 1's sound card has some 1.2e8 samples at 1 s in NILMTK's HDF5. A meter of such a shape (one row a second, active,
apparent and voltage, Blosc) is written piece by piece; memory that grew with the meter would show between its lengths.

    python benchmarks/ukdale.py --samples 1200000 12000000
    python benchmarks/ukdale.py                             # up to 120 million samples: 1 GB on disk, some minutes
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np

FIRST_S = 1_363_547_563  # 2013-03-17 19:12:43, when house 1's sound card begins
PIECE = 2**20
KIND = b"(lp0\n(Vpower\np1\nVactive\np2\ntp3\na(g1\nVapparent\np4\ntp5\na(Vvoltage\np6\nV\np7\ntp8\na."


def make_meter(path: Path, samples: int, *, rng: np.random.Generator) -> None:
    """Write house 1's sound card with that many samples, in memory of one piece."""
    dtype = [("index", "<i8"), ("values_block_0", "<f4", (3,))]
    with h5py.File(path, "w") as file:
        table = file.create_group("/building1/elec/meter54").create_dataset(
            "table", shape=(samples,), dtype=dtype, chunks=(min(16_384, samples),), **hdf5plugin.Blosc()
        )
        table.attrs["index_kind"] = np.bytes_(b"datetime64")
        table.attrs["values_block_0_kind"] = np.bytes_(KIND)
        for start in range(0, samples, PIECE):
            rows = np.zeros(min(PIECE, samples - start), dtype)
            rows["index"] = (FIRST_S + np.arange(start, start + len(rows))) * 1_000_000_000
            watts = 200 + 10 * rng.integers(0, 300, len(rows) // 60 + 1).repeat(60)[: len(rows)]
            rows["values_block_0"] = np.stack([watts, 1.06 * watts, np.full(len(rows), 241.0)], axis=1)
            table[start : start + len(rows)] = rows


def measure(root: Path, out: Path) -> tuple[float, float]:
    """Ingest and return the wall seconds and the peak memory in MB."""
    command = [sys.executable, "-m", "loadproof", "ingest", "ukdale", "--no-use-samples",
               "--input-root", str(root), "--output-root", str(out)]  # fmt: skip
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{' '.join(command)} ended with {status}")
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def main() -> None:
    """Make, ingest and print each length."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, nargs="+", default=[1_200_000, 12_000_000, 120_000_000])
    parser.add_argument("--work", type=Path, default=None, help="where the made files go, some 1 GB")
    parser.add_argument("--json", type=Path, default=None, help="where the figures go as well")
    options = parser.parse_args()
    figures: dict[str, Any] = {"cpus": os.cpu_count()}
    for samples in options.samples:
        with tempfile.TemporaryDirectory(dir=options.work) as work:
            folder = Path(work) / "ukdale"
            folder.mkdir()
            make_meter(folder / "ukdale.h5", samples, rng=np.random.default_rng(54))
            wall_s, peak_mb = measure(Path(work), Path(work) / "out" / "processed")
            summary = json.loads((Path(work) / "out" / "summaries" / "ingest_ukdale.json").read_text())
            figures |= {
                f"{samples}_samples_bins": summary["rows_written"],
                f"{samples}_samples_per_s": round(samples / wall_s),
                f"{samples}_samples_peak_mb": round(peak_mb),
            }
    print(json.dumps(figures, indent=2))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
