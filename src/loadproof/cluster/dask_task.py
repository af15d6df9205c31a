"""A task on its way to the workers of a Dask cluster: it is waited for until it is settled, whatever dies meanwhile."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple

from distributed import Client, Future, KilledWorker

from loadproof.errors import EngineError, LoadproofError

__all__ = ["AGAIN", "PATIENCE_S", "Outcome", "Task", "nobody_works", "scheduler_gone", "settle"]

logger = logging.getLogger(__name__)

PATIENCE_S: Final = 60
"""A cluster without a worker is waited for so long, and so is a scheduler that is being restarted."""

AGAIN: Final = "run the same command again, it goes on from what it has kept"

_LOOK_S: Final = 5


class Outcome(NamedTuple):
    """What came of a task: its result, or the error that it ended with."""

    result: Any
    error: str | None = None


@dataclass
class Task:
    """A task on its way, under the name that people know it by, and how to give it out a second time.

    ``ended`` holds its result and its error, from when it is settled on: then the cluster keeps nothing of it.
    """

    name: str
    future: Future
    again: Callable[[], Future]
    ended: tuple[Any, BaseException | None] | None = None


def settle(client: Client, task: Task, others: Iterable[Task]) -> Outcome:
    """Wait for a task, and say what came of it.

    Dask blames a worker's death on all tasks that it had been given, those in its queue too. So one that is blamed is
    given out a second time, when no other runs, and when no result is left on the workers that would be lost with
    them, made again beside the killer, and blamed in its turn.

    Raises:
        EngineError: If the scheduler is lost, or all workers are.
    """
    result, error = _end(client, task)
    if isinstance(error, KilledWorker):
        logger.warning("%s: %d workers died with it; it is tried again", task.name, error.allowed_failures + 1)
        for other in others:
            _end(client, other)
        task.future, task.ended = task.again(), None
        result, error = _end(client, task)
    if isinstance(error, KilledWorker):
        return Outcome(None, f"{task.name}: {_killed(client, error)}")
    if isinstance(error, LoadproofError):  # which says itself what to mend
        return Outcome(None, f"{task.name}: {error}")
    if error is not None:
        logger.error("%s: failed", task.name, exc_info=error)
        return Outcome(None, f"{task.name}: {type(error).__name__}: {error}")
    return Outcome(result)


def _end(client: Client, task: Task) -> tuple[Any, BaseException | None]:
    """Wait until a task's result or error is here, and have the cluster forget it."""
    while task.ended is None:
        error = _wait(client, task.future)
        if error is not None:
            task.ended = None, error
        elif task.future.status == "cancelled":
            raise scheduler_gone(task.name)
        elif task.future.status == "finished":
            for result in _gathered(client, task.future):
                task.ended = result, None
    task.future.release()
    return task.ended


def _gathered(client: Client, future: Future) -> list[Any]:
    """Return a finished task's result in a list, which is empty if it was lost with its worker on the way here."""
    gather = partial(client.gather, [future], errors="skip", asynchronous=True)
    try:
        return list(client.sync(gather, callback_timeout=PATIENCE_S))
    except TimeoutError:
        return []


def _wait(client: Client, future: Future) -> BaseException | None:
    """Wait until a task is settled one way or the other, and return its error if it has one.

    One without an error may be lost with its worker before the next look: then it is done again.
    """
    idle_s, newest = 0, None
    while idle_s < PATIENCE_S:
        try:
            error: BaseException | None = future.exception(timeout=_LOOK_S)
            return error
        except TimeoutError:
            if _somebody_works(client):
                idle_s = 0
                continue
            came = _newest_worker(client)  # one that came and died between two looks was there too
            idle_s, newest = (0 if came != newest else idle_s + _LOOK_S), came
    raise nobody_works(client)


def _somebody_works(client: Client) -> bool:
    """Whether a worker takes tasks, or is at one: a worker that is paused takes no new one."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return any(one["status"] == "running" or one["metrics"]["task_counts"].get("executing") for one in workers)


def _newest_worker(client: Client) -> str | None:
    """Return the address of the worker that came last, None where the scheduler has forgotten, or none ever came."""
    for _, said in reversed(client.get_events("all") or ()):
        if isinstance(said, dict) and said.get("action") == "add-worker":
            return str(said["worker"])
    return None


def _killed(client: Client, error: KilledWorker) -> str:
    """Say how workers died of a task that ran alone: the scheduler is told when one is ended for its memory."""
    count = error.allowed_failures + 1
    ended = {event["worker"]: event["rss"] for _, event in client.get_events("worker-restart-memory") or ()}
    if rss := ended.get(error.last_worker.address):
        said = f"alone on a worker took more memory than that has, {count} times, the last at {rss / 1e9:.1f} GB"
        return f"{said}; give workers more"
    return f"{count} workers died of it alone, the last at {error.last_worker.address}; see that one's log"


def nobody_works(client: Client) -> EngineError:
    """Return the error of a cluster that has no worker, or none that takes tasks."""
    address, workers = client.scheduler.address, client.scheduler_info(n_workers=-1)["workers"]
    if any(one["status"] == "paused" for one in workers.values()):
        return EngineError(
            f"{address}: all workers are paused, for memory that they do not give back, and none has done anything "
            f"for {PATIENCE_S} s; restart them with DASK_DISTRIBUTED__WORKER__MEMORY__PAUSE=false or a higher "
            f"--memory-limit, and {AGAIN}"
        )
    return EngineError(f"{address}: has had no worker for {PATIENCE_S} s; start one ('dask worker') and {AGAIN}")


def scheduler_gone(during: str) -> EngineError:
    """Return the error of a scheduler that was lost."""
    return EngineError(f"the scheduler went away during {during}; start it and {AGAIN}")
