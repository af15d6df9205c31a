"""What the cluster's tests send to workers: module-level functions of small values."""

import os
import signal
import time
from pathlib import Path
from unittest import mock
from uuid import uuid4

import dask
from distributed import Status, get_worker
from tests.runner.test_study import SMALL, TINY

from loadproof.ingestion.lcl import LCLIngestor
from loadproof.ingestion.ssen import SSENIngestor
from loadproof.ingestion.ukdale import UKDALEIngestor
from loadproof.records import write_records
from loadproof.runner import study
from loadproof.selfplay import exam, plan, solver
from loadproof.selfplay.verifier import Limits

ROOT = Path(__file__).parents[2]


def environment_of(names, number):
    return {name: os.environ[name] for name in names if name in os.environ}


def dask_setting(name):
    return dask.config.get(name)


def double(number):
    return 2 * number, os.getpid()


def fail_at(bad, number):
    if number in bad:
        raise ValueError(f"{number} is bad")
    return number


def _first_time(folder, item):
    """Whether a task has not been begun before, by whichever worker."""
    try:
        (Path(folder) / str(item).replace("/", "_")).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def die_after(function, folder, victim, item):
    """Do the work, and at one item's first time die before telling of it."""
    done = function(item)
    if str(item) == victim and _first_time(folder, item):
        os.kill(os.getpid(), signal.SIGKILL)
    return done


def play_small(function, folder, victim, lot):
    """Play a lot of the small study, and die once where its second record would be put in place."""
    records = []

    def mortal(made):
        if str(lot) == victim and len(records) == 1 and _first_time(folder, lot):
            os.kill(os.getpid(), signal.SIGKILL)
        records.append(made)
        write_records(made)

    with (
        mock.patch.multiple(study, **SMALL, write_records=mortal),
        mock.patch.object(exam, "_NIGHTS", 1),
        mock.patch.object(solver, "Limits", lambda: Limits(feeder_kva=0.5)),
        mock.patch.dict(plan.BUDGETS, tiny=TINY),
    ):
        return function(lot)


def fail(function, victim, item):
    """Do the work, but for one item, which always fails."""
    if str(item) == victim:
        raise RuntimeError("as it was told to")
    return function(item)


def raise_once(folder, number):
    if _first_time(folder, number):
        raise OSError(f"{number} for the first time")
    return number


def kill_itself(numbers, number):
    if number in numbers:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def eat(number):
    """Take 1.5 GB at one number, at a pace that a look every 100 ms can follow, and hold it for a minute."""
    held, until = [], time.monotonic() + 60
    while number == 2 and time.monotonic() < until:
        if len(held) < 75:
            held.append(b"x" * 20_000_000)
        time.sleep(0.01)
    return number


def mark(folder, victim, number):
    """Leave a mark of each time, and die at a number."""
    (Path(folder) / f"{number}-{uuid4().hex}").touch()
    if number == victim:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def pause(number):
    """Have this worker take no other task, as one does that is near its limit of memory."""
    worker = get_worker()
    worker.loop.add_callback(setattr, worker, "status", Status.paused)
    time.sleep(0.5)
    return number


def unpause(dask_worker):
    dask_worker.status = Status.running


def wait_a_little(number):
    time.sleep(0.2)
    return number


class _Dying:
    """An ingestor whose process dies once in the middle of a part, with its first rows written and it not yet told."""

    def __init__(self, root, marks, victim, **options):
        super().__init__(root, **options)
        self.marks, self.victim = marks, victim

    def read(self, part):
        for batch in super().read(part):
            yield batch
            if part.name == self.victim and _first_time(self.marks, part):
                os.kill(os.getpid(), signal.SIGKILL)


class DyingLCL(_Dying, LCLIngestor):
    """Low Carbon London's."""


class DyingSSEN(_Dying, SSENIngestor):
    """SSEN's."""


class DyingUKDALE(_Dying, UKDALEIngestor):
    """UK-DALE's."""
