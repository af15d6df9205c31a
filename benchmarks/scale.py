"""What an ingest and a morning's run cost as they grow: rows, feeders, one process and workers of a Dask cluster.

    nice -n 5 python benchmarks/scale.py --work /tmp/scale                  # every point that is not there yet
    python benchmarks/scale.py --work /tmp/scale --job fleet-1000-dask2-next

Each point is a command in processes of its own (``measured.py``) and one small record below
``docs/results/records/scale``; a point that is there is not measured again. Rows are made SSEN days of 2024's format
(``made_ssen.py``), feeders a made fleet of the simulator's homes at rest (``made_fleet.py``). ``day`` is one day more
for a month that has so many rows at rest. ``first`` is a morning that finds nothing kept, ``next`` the one after it;
``judge`` is what no other process shares of judging (``judging.py``). ``docs/make_scale.py`` draws the curves and
writes the page.
"""

import argparse
import datetime as dt
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple

from loadproof.seeds import rng_for
from made_fleet import make_fleet
from made_ssen import write_day, write_lookup

__all__ = ["WARM_UP", "Job", "command_of", "jobs", "main"]

RECORDS: Final = Path(__file__).parents[1] / "docs" / "results" / "records" / "scale"
SEED: Final = 2024
ROWS: Final = (10**6, 10**7, 10**8)
AT_REST: Final = (10**6, 10**7, 3 * 10**7)
FEEDERS: Final = (10**2, 10**3, 10**4, 10**5)
JUDGED: Final = (10**4, 10**5, 4 * 10**5)
ENGINES: Final = ("plain", "dask1", "dask2")
FEEDERS_A_DAY: Final = 20_834  # a million rows
LEARNT_FEEDERS: Final = 150
FIRST_DAY: Final = dt.date(2024, 5, 1)
MORNINGS: Final = {"first": "2024-08-31", "next": "2024-09-01"}
KNOBS: Final = """
forecast: {valid_from: "2024-04-01", test_from: "2024-05-01", test_until: "2024-05-15"}
anomaly: {threads: 1}
evaluation: {bootstrap_draws: 100}
"""


WARM_UP: Final = "import loadproof.cli.app, loadproof.cluster.dask_map, distributed.dashboard.scheduler, bokeh.models"
"""What is compiled once on a user's machine is compiled before a point is taken, not in each of its processes."""


class Job(NamedTuple):
    """One point: what, how many rows or feeders, what carries it, and which morning."""

    what: str
    size: int
    engine: str
    morning: str = ""

    def __str__(self) -> str:
        return "-".join([self.what, str(self.size), self.engine, *([self.morning] if self.morning else [])])

    @property
    def record(self) -> Path:
        """Where its record is."""
        return RECORDS / f"{self}.json"

    @property
    def carried_by(self) -> list[str]:
        """Return the words of the engine."""
        return [] if self.engine == "plain" else ["--engine", "dask", "--workers", self.engine[-1]]


def jobs() -> Iterator[Job]:
    """Yield every point, small ones first; a ``next`` morning needs its ``first``."""
    yield from (Job("ingest", rows, engine) for rows in ROWS for engine in ENGINES)
    yield from (Job("day", rows, engine) for rows in AT_REST for engine in ENGINES)
    for feeders in FEEDERS:
        yield from (Job("fleet", feeders, engine, morning) for engine in ENGINES for morning in MORNINGS)
    yield from (Job("judge", feeders, "plain") for feeders in JUDGED)


def _loadproof(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "loadproof", *map(str, words), "--no-use-samples"]


def _make_days(folder: Path, rows: int) -> None:
    for number in range(rows // ROWS[0]):
        day = FIRST_DAY + dt.timedelta(days=number)
        path = folder / "ssen" / f"{day}.csv"
        if not path.is_file():
            beside = path.with_suffix(".part")
            write_day(beside, day, feeders=FEEDERS_A_DAY, rng=rng_for(SEED, f"made ssen {day}"))
            beside.rename(path)
    write_lookup(folder / "ssen" / "LV_FEEDER_LOOKUP.csv", feeders=FEEDERS_A_DAY)


def _make_models(work: Path) -> Path:
    """Train a forecaster and fit a detector on few feeders, and return their folder."""
    models, knobs = work / "models", work / "knobs.yaml"
    if not (models / "detectors" / "sub_pca" / "config.json").is_file():
        knobs.write_text(KNOBS)
        make_fleet(work / "learnt", feeders=LEARNT_FEEDERS, first=dt.date(2024, 1, 1), days=137, seed=SEED)
        both = ["--dataset", "ssen", "--config", knobs, "--processed-root", work / "learnt" / "processed",
                "--models-root", models]  # fmt: skip
        for words in (
            ["train", "--model", "ridge"],
            ["anomaly", "--detector", "sub_pca", "--output-dir", work / "watch"],
        ):
            subprocess.run(_loadproof(*words, *both), check=True, env={**os.environ, "TRACK": "false"})
    return models


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.parquet"))


def _ingest(job: Job, work: Path) -> tuple[list[str], Path]:
    raw, out = work / f"rows-{job.size}", work / f"out-{job}"
    shutil.rmtree(out, ignore_errors=True)
    _make_days(raw, job.size)
    return _loadproof("ingest", "ssen", "--input-root", raw, "--output-root", out / "processed",
                      *job.carried_by), out / "processed"  # fmt: skip


def _day(job: Job, work: Path) -> tuple[list[str], Path]:
    raw, out = work / f"day-{job.size}", work / f"out-{job}"
    for folder in (raw, out):
        shutil.rmtree(folder, ignore_errors=True)
    _make_days(raw, job.size)
    command = _loadproof("ingest", "ssen", "--input-root", raw, "--output-root", out / "processed")
    subprocess.run(command, check=True, env={**os.environ, "TRACK": "false"})
    _make_days(raw, job.size + ROWS[0])
    return [*command, *job.carried_by], out / "processed"


def _fleet(job: Job, work: Path) -> tuple[list[str], Path]:
    store, out = work / f"fleet-{job.size}", work / f"out-fleet-{job.size}-{job.engine}"
    if job.morning == "first":
        shutil.rmtree(out, ignore_errors=True)
    if not (store / "summaries" / "ingest_ssen.json").is_file():
        make_fleet(store, feeders=job.size, first=FIRST_DAY, days=123, seed=SEED)
    at = MORNINGS[job.morning]
    command = _loadproof("fleet", "--dataset", "ssen", "--at", at, "--config", work / "knobs.yaml", "--processed-root",
                         store / "processed", "--models-root", _make_models(work), "--output-dir", out, "--rating",
                         "ground_315kva", *job.carried_by)  # fmt: skip
    t0 = dt.date.fromisoformat(at) - dt.timedelta(days=1)
    morning = out / "at" / f"{t0}T2300Z"
    if morning.exists():  # with its days kept too, so that a second time would find all of it done
        first, _ = _fleet(job._replace(morning="first"), work)
        subprocess.run(first, check=True, env={**os.environ, "TRACK": "false"})
    return command, morning / "fleet"


def _judge(job: Job, work: Path) -> tuple[list[str], Path]:
    script = Path(__file__).with_name("judging.py")
    command = [sys.executable, str(script), "--work", str(work), "--feeders", str(job.size)]
    subprocess.run([*command, "--make"], check=True)
    return command, work / f"judging-{job.size}"


def command_of(job: Job, work: Path) -> tuple[list[str], Path]:
    """Make what a point wants, and return its command, and the folder of its tables."""
    return {"ingest": _ingest, "day": _day, "fleet": _fleet, "judge": _judge}[job.what](job, work)


def run(job: Job, work: Path) -> dict[str, Any]:
    """Measure a point, keep its record, and return it.

    Raises:
        SystemExit: If the command fails.
    """
    command, out = command_of(job, work)
    told, load = work / "measured.json", os.getloadavg()[0]
    environment = {**os.environ, "TRACK": "false", "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "2"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    subprocess.run([sys.executable, "-c", WARM_UP], check=True, env=environment)
    script = Path(__file__).with_name("measured.py")
    subprocess.run([sys.executable, script, told, "--", *command], check=True, env=environment)
    found = json.loads(told.read_text())
    output = found.pop("output")
    if found.pop("returncode"):
        raise SystemExit(f"{job}: failed\n{output}")
    versions = {name: version(name) for name in ("loadproof", "polars", "numpy", "distributed")}
    kept = _bytes(out.parents[1] / ".fleet-days") if job.what == "fleet" else 0
    facts = {
        **job._asdict(), **found, "out_bytes": _bytes(out), "kept_bytes": kept, "seed": SEED, "cpus": os.cpu_count(),
        "load_before": round(load, 1), "versions": versions, "judged_in": "groups",
    }  # fmt: skip
    job.record.parent.mkdir(parents=True, exist_ok=True)
    job.record.write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")
    return facts


def main() -> None:
    """Measure what is not there yet, and print each point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="a folder for what is made; some 30 GB for all points")
    parser.add_argument("--job", action="append", help="these points alone")
    parser.add_argument("--anew", action="store_true", help="measure again what is there")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    for job in jobs():
        if (given.job and str(job) not in given.job) or (job.record.is_file() and not given.anew):
            continue
        facts = run(job, given.work.resolve())
        cpu_s = facts["main_cpu_s"] + facts["workers_cpu_s"]
        print(f"{job}: {facts['wall_s']} s, {cpu_s:.1f} processor s, {facts['main_peak_mb']} MB, a worker "
              f"{facts['worker_peak_mb']} MB, {facts['wire_bytes']} bytes over the wire", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
