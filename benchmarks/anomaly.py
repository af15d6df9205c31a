"""How fast detectors score a year of many homes, in how much memory, beside a peer's implementation of the method.

    python benchmarks/anomaly.py --processed-root data/derived/run/processed --json docs/results/anomaly_speed.json

Homes are made from those of a store: each is one of them by whole weeks later, scaled and perturbed, with 1 % of its
days missing, and 28 days before the year. Every detector is fitted on 4,000 days and then scores every half hour, in a
process of its own, so that the peak of memory is its own.

The peer is TSB-AD, whose Sub-PCA and isolation forest fit and score one series at a time; it is timed on a few homes.
It pins numpy below 2, so it is installed beside: ``pip install --no-deps TSB-AD hurst numba llvmlite matplotlib arch``.
Without it, it is left out.
"""

import argparse
import contextlib
import datetime as dt
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from loadproof import __version__
from loadproof.anomaly.days import CONTEXT_DAYS, cut_learning_days
from loadproof.anomaly.sweep import Sweep
from loadproof.config import ExperimentConfig
from loadproof.features.panel import Panel
from loadproof.features.selection import read_panel
from loadproof.runner.detectors import DETECTORS, detector_of
from loadproof.seeds import rng_for
from loadproof.store import Store

__all__ = ["TIERS", "main", "make_homes", "measure", "measure_peer"]

TIERS: Final = ("physical", "sub_pca", "autoencoder")
"""What must score a year of 1,000 homes in 180 s on two cores, within 3 GB."""

_START: Final = dt.date(2013, 1, 7)  # a Monday
_DAY: Final = 48
_PEER_WINDOWS: Final = (8, 48)  # half hours: the stretches of our Sub-PCA
_PEERS: Final = ("sub_pca", "isolation_forest")


def _whole(known: Panel) -> NDArray[np.float32]:
    """Return the series of the homes that were read nearly all the time in which most were, ``(E, T)``."""
    there = ~np.isnan(known.energy_kwh)
    most = np.flatnonzero(there.mean(axis=0) > 0.5)
    span = slice(int(most[0]), int(most[-1]) + 1)
    return known.energy_kwh[there[:, span].mean(axis=1) > 0.8, span]


def make_homes(known: Panel, homes: int, days: int, *, rng: np.random.Generator) -> Panel:
    """Return made homes of ``days`` days after 28 days of context."""
    total = (days + CONTEXT_DAYS) * _DAY
    energy = np.empty((homes, total), dtype=np.float32)
    read = _whole(known)
    weeks = read.shape[1] // (7 * _DAY)
    for home in range(homes):
        series = np.roll(read[home % len(read), : weeks * 7 * _DAY], int(rng.integers(weeks)) * 7 * _DAY)
        factor = rng.lognormal(0, 0.3) * rng.normal(1, 0.05, total)
        energy[home] = np.round(np.resize(series, total) * factor, 3)
        energy[home].reshape(-1, _DAY)[rng.random(total // _DAY) < 0.01] = np.nan
    names = np.array([f"lcl:MAC{home:06d}" for home in range(homes)])
    return Panel(names, np.datetime64(_START, "us"), 30, energy)


def _memory_mb() -> int:
    """Return what this process held at most."""
    told = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return round(int(told["VmHWM"].split()[0]) / 1024)


def _clock(work: Callable[[], int]) -> tuple[int, float, float]:
    """Return what came of it, and the seconds of wall and of processor time that it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    rows = work()
    return rows, time.perf_counter() - wall, time.process_time() - cpu


def _figures(rows: int, wall: float, cpu: float) -> dict[str, float]:
    speeds = {"rows_per_s": rows / wall, "rows_per_cpu_s": rows / cpu}
    return {"rows": rows, "seconds": round(wall, 1)} | {name: round(value) for name, value in speeds.items()}


def measure(panel: Panel, names: tuple[str, ...], *, threads: int, config: ExperimentConfig) -> dict[str, Any]:
    """Return how fast detectors score the days after the first 28, one after the other, and how long fits took."""
    first = _START + dt.timedelta(days=CONTEXT_DAYS)
    until = panel.end.astype("datetime64[D]").astype(dt.date)
    middle = first + (until - first) // 2
    learn = [cut_learning_days(panel, *span, most=2000) for span in ((first, middle), (middle, until))]
    sweep, fitting, scoring = Sweep(panel, first, until, threads=threads), 0.0, [0.0, 0.0, 0]
    for name in names:
        detector = detector_of(name)(config)
        _, seconds, _ = _clock(lambda d=detector: d.fit(*learn, rng=rng_for(0, "bench")).train_windows)
        fitting += seconds
        rows, wall, cpu = _clock(lambda d=detector: sum(part.scores.score.size for part in sweep.score(d)))
        scoring = [scoring[0] + wall, scoring[1] + cpu, rows]
    return _figures(int(scoring[2]), scoring[0], scoring[1]) | {
        "fit_seconds": round(fitting, 1),
        "peak_mb": _memory_mb(),
    }


def measure_peer(panel: Panel, name: str, homes: int) -> dict[str, Any]:
    """Return how fast the peer fits and scores a few homes, each by itself, as it is made for; gaps are zero to it."""
    from TSB_AD.models.IForest import IForest
    from TSB_AD.models.PCA import PCA

    def work() -> int:
        for home in range(homes):
            series = np.nan_to_num(panel.energy_kwh[home]).astype(np.float64)[:, None]
            if name == "isolation_forest":
                IForest(slidingWindow=_DAY, n_estimators=100, max_samples=256).fit(series)
            else:
                for window in _PEER_WINDOWS:
                    PCA(slidingWindow=window, n_components=None).fit(series)
        return homes * panel.energy_kwh.shape[1]

    return _figures(*_clock(work)) | {"homes": homes, "peak_mb": _memory_mb()}


def _ask(job: str, options: list[str]) -> dict[str, Any]:
    """Ask a process of its own."""
    command = [sys.executable, __file__, *options, "--job", job]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    print(f"{job}: {told.splitlines()[-1]}", file=sys.stderr)
    return dict(json.loads(told.splitlines()[-1]))


def _versions() -> dict[str, str]:
    found = {"loadproof": __version__}
    for name in ("numpy", "torch", "scikit-learn", "TSB-AD"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = version(name)
    return found


def _jobs(names: list[str]) -> Iterator[str]:
    yield from names
    yield "+".join(TIERS)
    if importlib.util.find_spec("TSB_AD"):
        yield from (f"peer/{name}" for name in _PEERS if name in names)


def main() -> None:
    """Measure, print the figures, and leave them as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--processed-root", type=Path, default=Path("data/processed"), help="whose homes are multiplied"
    )
    parser.add_argument("--homes", type=int, default=1000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--peer-homes", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--detector", action="append", choices=tuple(DETECTORS), help="these alone; repeat for more")
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("--job", default=None, help="one job alone, in this process")
    options = parser.parse_args()
    if options.job is None:
        names = options.detector or ["physical", "seasonal_zscore", "isolation_forest", "sub_pca", "autoencoder"]
        load = round(os.getloadavg()[0], 1)
        jobs = {job: _ask(job, sys.argv[1:]) for job in _jobs(names)}
        facts = {"versions": _versions(), "cpus": os.cpu_count(), "threads": options.threads, "load_before": load,
                 "homes": options.homes, "days": options.days, "jobs": jobs}  # fmt: skip
        print(json.dumps(facts, indent=2))
        if options.json:
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(json.dumps(facts, indent=2) + "\n")
        return
    known = read_panel(Store(options.processed_root).scan_readings("lcl"))
    if known is None:
        parser.error(f"{options.processed_root} holds no readings")
    kind, _, name = options.job.rpartition("/")
    homes = options.peer_homes if kind else options.homes
    panel = make_homes(known, homes, options.days, rng=rng_for(0, "bench/homes"))
    if kind:
        told = measure_peer(panel, name, homes)
    else:
        told = measure(panel, tuple(name.split("+")), threads=options.threads, config=ExperimentConfig())
    print(json.dumps(told))


if __name__ == "__main__":
    main()
