"""What a standing worker's allocator costs: a morning of 1,000 feeders as Dask sets it, and as docs/cluster.md does.

    python benchmarks/worker_settings.py --work /tmp/scale --rounds 3 --json docs/results/worker_settings.json

A scheduler and one worker, as processes of their own on loopback, carry ``scale.py``'s first morning; the settings take
turns. Processor seconds are those of the worker and its nanny from their start to the morning's end.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import psutil

from scale import WARM_UP, Job, command_of

__all__ = ["main"]

SETTINGS: Final[dict[str, dict[str, str]]] = {
    "as delivered": {},
    "as on the page": {"MALLOC_TRIM_THRESHOLD_": "134217728", "MALLOC_MMAP_THRESHOLD_": "33554432"},
}
FEEDERS: Final = 1000


@contextmanager
def _process(words: list[str], environment: dict[str, str]) -> Iterator[psutil.Process]:
    process = psutil.Popen(
        [sys.executable, "-m", *words], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        children = process.children(recursive=True)
        for one in (process, *children):
            one.kill()
        psutil.wait_procs([process, *children], timeout=30)


def _cpu_s(process: psutil.Process) -> float:
    return sum(sum(one.cpu_times()[:2]) for one in (process, *process.children(recursive=True)))


def measure(work: Path, settings: dict[str, str]) -> dict[str, float]:
    """Return the processor seconds of a worker, and the seconds of the clock, of one morning."""
    environment = {**os.environ, "TRACK": "false", "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "2"}
    for name in ("PYTHONDONTWRITEBYTECODE", *SETTINGS["as on the page"]):
        environment.pop(name, None)
    subprocess.run([sys.executable, "-c", WARM_UP], check=True, env=environment)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    serve = ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    help_ = [
        "distributed.cli.dask_worker",
        address,
        "--nthreads",
        "1",
        "--no-dashboard",
        "--local-directory",
        str(work),
    ]
    command, out = command_of(Job("fleet", FEEDERS, "plain", "first"), work)
    with _process(serve, environment), _process(help_, environment | settings) as worker:
        began = time.perf_counter()
        asked = {**environment, "LOADPROOF_ENGINE": "dask", "DASK_SCHEDULER_ADDRESS": address}
        subprocess.run(command, check=True, env=asked, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        found = {"worker_cpu_s": round(_cpu_s(worker), 1), "wall_s": round(time.perf_counter() - began, 1)}
    shutil.rmtree(out.parents[2], ignore_errors=True)
    return found


def main() -> None:
    """Let the settings take turns, print each, and write all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="scale.py's folder")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, required=True)
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[Any]] = {name: [] for name in SETTINGS}
    load = os.getloadavg()[0]
    for _ in range(given.rounds):
        for name, settings in SETTINGS.items():
            found[name].append(measure(given.work.resolve(), settings))
            print(name, found[name][-1], flush=True)
    versions = {name: version(name) for name in ("loadproof", "polars", "numpy", "distributed")}
    facts = {"feeders": FEEDERS, "settings": SETTINGS, "rounds": found, "cpus": os.cpu_count(),
             "load_before": round(load, 1), "versions": versions}  # fmt: skip
    given.json.write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
