"""How fast our PatchTST trains on two cores: as one process of one and of two threads, and as two ranks of one thread.

    python -m benchmarks.train_ranks --json docs/results/train_ranks.json

Network, batch and series are those of ``train_speed.py``; the two ranks share each batch, over gloo on loopback, and
are started by ``torchrun``. Each way is a process (or two) of its own in each round, which takes one burst to warm up
and times the next; ways take turns, and the figure is the median of the rounds.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from benchmarks.train_speed import Shape, Side, Way, make_ours, make_series

from loadproof import __version__
from loadproof.cli.ranks import joined_ranks
from loadproof.ranks import Ranks
from loadproof.seeds import rng_for

__all__ = ["WAYS", "Cores", "main", "measure", "summarise"]


class Cores(NamedTuple):
    """How two cores are used."""

    ranks: int
    threads: int


WAYS: Final = {"one thread": Cores(1, 1), "two threads": Cores(1, 2), "two ranks": Cores(2, 1)}

_BURST: Final = 3
"""Batches in a burst."""


def measure(side: Side, ranks: Ranks) -> dict[str, float]:
    """Return how fast all ranks together take a burst after the first one, by wall and by processor time."""
    side.train()
    ranks.wait()
    wall, cpu = time.perf_counter(), time.process_time()
    windows = side.train()
    ranks.wait()
    wall = time.perf_counter() - wall
    every = float(ranks.sum(torch.tensor([time.process_time() - cpu], dtype=torch.float64)))
    return {"windows_per_s": windows / wall, "windows_per_cpu_s": windows / every}


def summarise(found: dict[str, list[dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Return each way's medians, and the medians, least and greatest of its ratios to one thread in the same round."""
    told = {}
    for name, rounds in found.items():
        pairs = zip(rounds, found["one thread"], strict=True)
        ratios = [one["windows_per_s"] / least["windows_per_s"] for one, least in pairs]
        speeds = {key: round(statistics.median(one[key] for one in rounds), 1) for key in rounds[0]}
        middle, least, most = (round(value, 2) for value in (statistics.median(ratios), min(ratios), max(ratios)))
        told[name] = speeds | {"ratio": middle, "ratio_min": least, "ratio_max": most}
    return told


def _ask(cores: Cores, shape: Shape) -> dict[str, float]:
    """Measure one way in processes of its own."""
    start = [sys.executable]
    if cores.ranks > 1:
        start += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(cores.ranks)]
    command = [*start, "-m", "benchmarks.train_ranks", "--one", str(cores.threads), "--batch", str(shape.batch)]
    environment = os.environ | {"GLOO_SOCKET_IFNAME": "lo"}
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout
    return dict(json.loads(told.splitlines()[-1]))


def _one(shape: Shape, threads: int) -> None:
    """Measure as the process that this is, and print it if it leads."""
    torch.set_num_threads(threads)
    with joined_ranks("cpu") as (ranks, _):
        series = make_series(shape, rng=rng_for(0, "series"))
        found = measure(make_ours(series, shape, Way(steps=_BURST), ranks=ranks), ranks)
        if ranks.leads:
            print(json.dumps(found))


def main() -> None:
    """Measure, print the figures, and leave them as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--batch", type=int, default=Shape().batch, help="windows a batch, of all ranks together")
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("--one", type=int, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    shape = Shape(batch=options.batch)
    if options.one:
        _one(shape, options.one)
        return
    load_before = round(os.getloadavg()[0], 1)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in WAYS}
    for _ in range(options.rounds):
        for name, cores in WAYS.items():
            found[name].append(_ask(cores, shape))
    side = make_ours(make_series(shape, rng=rng_for(0, "series")), shape, Way())
    figures: dict[str, Any] = {
        "versions": {"loadproof": __version__, "torch": version("torch")}, "cpus": os.cpu_count(),
        "rounds": options.rounds, "load_before": load_before, "shape": shape._asdict(),
        "parameters": side.parameters, "ways": summarise(found),
    }  # fmt: skip
    print(json.dumps(figures, indent=2))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
