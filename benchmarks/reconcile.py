"""What it costs to make a day's paths add up, by the number of leaves: processor seconds and peak memory of each way.

    python benchmarks/reconcile.py --output docs/results/reconcile_cost.json

Each size and way runs in a process of its own. A tree has 30 homes a feeder, 4 feeders a secondary substation and 10
substations a primary; errors and paths are drawn at random, for cost depends on shapes alone. Paths are made to add up
4 at a time, as a run of that size would, so that memory does not grow with their number. Set OMP_NUM_THREADS=1:
processor seconds of one thread do not depend on what else the machine does.
"""

import argparse
import json
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, get_args

import numpy as np

from loadproof.feeders.hierarchy import Hierarchy, hierarchy_of_paths
from loadproof.feeders.reconcile import DENSE_LIMIT, Way, fit_reconciler, reconcile
from loadproof.seeds import rng_for

__all__ = ["main", "tree_of"]

LEAVES: Final = (100, 1_000, 10_000, 100_000)
LEVELS: Final = ("primary", "substation", "feeder", "home")
PAST_STEPS: Final = 336
PATHS, CHUNK, STEPS = 20, 4, 48


def tree_of(n_leaves: int) -> Hierarchy:
    """Return a tree of homes, feeders, secondary and primary substations."""
    feeders = [number // 30 for number in range(n_leaves)]
    return hierarchy_of_paths(
        LEVELS, [(f"p{f // 40}", f"s{f // 4}", f"f{f}", f"h{number}") for number, f in enumerate(feeders)]
    )


def _mebibytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts in KiB


def measure(n_leaves: int, way: Way) -> dict[str, object]:
    """Return seconds and peak memory of one size and way, in this process."""
    small = tree_of(30)
    fit_reconciler(small, np.ones((len(small), 48)) * np.arange(48) % 7, way)  # what a library takes to load is no cost
    tree = tree_of(n_leaves)
    rng = rng_for(2013, "benchmark/reconcile")
    errors = rng.normal(size=(len(tree), PAST_STEPS))
    before = _mebibytes()
    began = time.process_time()
    fitted = fit_reconciler(tree, errors, way)
    learned = time.process_time()
    largest = 0.0
    taken = 0.0
    for _ in range(PATHS // CHUNK):
        paths = rng.gamma(1.0, 0.3, (CHUNK, len(tree), STEPS))
        start = time.process_time()
        found = reconcile(paths, fitted, tree)
        taken += time.process_time() - start
        parents = np.unique(tree.parent[tree.parent >= 0])
        for path in found:
            largest = max(largest, float(np.abs(tree.edges[parents] @ path - path[parents]).max()))
    return {
        "leaves": n_leaves, "nodes": len(tree), "way": way, "fit_seconds": round(learned - began, 3),
        "seconds_per_path_day": round(taken / PATHS, 4), "peak_mib": round(_mebibytes()),
        "peak_before_mib": round(before), "largest_gap_kwh": largest,
    }  # fmt: skip


def main() -> None:
    """Measure every size and way, or one of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--one", nargs=2, metavar=("LEAVES", "WAY"))
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(measure(int(asked.one[0]), asked.one[1])))
        return
    rows = []
    for way in get_args(Way):
        for leaves in LEAVES:
            if way == "mint_shrink" and len(tree_of(leaves)) > DENSE_LIMIT:
                rows.append({"leaves": leaves, "way": way, "refused": f"above {DENSE_LIMIT} nodes"})
                continue
            done = subprocess.run(
                [sys.executable, __file__, "--one", str(leaves), way], capture_output=True, text=True, check=True
            )
            rows.append(json.loads(done.stdout))
            print(rows[-1])
    about = {"paths": PATHS, "paths_at_once": CHUNK, "steps": STEPS, "past_steps": PAST_STEPS,
             "python": platform.python_version(), "numpy": np.__version__}  # fmt: skip
    if asked.output:
        asked.output.write_text(json.dumps({"about": about, "rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
