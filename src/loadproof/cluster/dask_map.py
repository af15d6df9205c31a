"""A map over the workers of a Dask cluster: in order, few on their way, every failed task by its name."""

import logging
import re
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from multiprocessing.resource_tracker import ensure_running
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener
from uuid import uuid4

import dask
from distributed import Client, Future, KilledWorker, LocalCluster
from distributed.security import Security

from loadproof.errors import ConfigError, EngineError, TasksError
from loadproof.parts import Map

__all__ = ["ALLOWED_FAILURES", "local_cluster", "standing_cluster"]

logger = logging.getLogger(__name__)

RETRIES: Final = 2
"""A task that raises is tried so many times more: a shared folder has its moments."""

ALLOWED_FAILURES: Final = 1
"""So many workers may die of a task before it is blamed, and again when it runs alone; a scheduler started elsewhere
has its own number."""

PATIENCE_S: Final = 60
"""A cluster without a worker is waited for so long, and so is a scheduler that is being restarted."""

QUIETER: Final = {
    "distributed.scheduler.allowed-failures": ALLOWED_FAILURES,
    "distributed.worker.profile.enabled": False,  # a hundred looks a second at each thread's stack
    "distributed.admin.tick.interval": "500ms",
    "distributed.admin.system-monitor.interval": "2s",
    "distributed.deploy.lost-worker-timeout": "1h",  # a nanny whose worker is not back by then is ended for good
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,  # else every big array freed is mapped anew
}
"""How a cluster of this machine is set: what it would spend on watching itself goes to tasks, and workers come back."""

_LOOK_S: Final = 5
_LEAST_ON_THEIR_WAY: Final = 64
_A_THREAD: Final = 4
_SAME: Final = ("loadproof", "numpy", "polars", "pyarrow")
"""What must be of one version everywhere, for the same bytes to come out."""

_AGAIN: Final = "run the same command again, it goes on from here"
_LOOK_AT_DASHBOARD_S: Final = 2
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class _Held:
    """What all tasks of a map have in common: sent once, and kept by each worker that wants it."""

    function: Callable[[Any], Any]


@dataclass(frozen=True)
class _Item:
    """One item, as it is: without a wrapper Dask would look into tuples and lists for results of other tasks."""

    value: Any


@dataclass(frozen=True)
class _Task:
    """A task on its way, under the name that people know it by, and how to give it out a second time."""

    name: str
    future: Future
    again: Callable[[], Future]


def _hold(held: _Held) -> _Held:
    return held


def _do(held: _Held, item: _Item) -> Any:  # noqa: ANN401
    return held.function(item.value)


@contextmanager
def standing_cluster(address: str, tell: Callable[[str], None]) -> Iterator[Map]:
    """Yield a map over the workers of the scheduler at an address; TLS is as Dask's own settings say.

    Raises:
        ConfigError: If the address is none, or TLS is wanted and no certificate is named, or none is where it is named.
        EngineError: If nobody answers there.
    """
    place = urlsplit(address)
    _require_address(address)
    if place.scheme == "tls":
        _require_certificates(address)
    if place.scheme != "tls" and place.hostname not in _LOOPBACK:
        logger.warning("%s: is open, and who reaches it runs code as its workers do; docs/cluster.md says how to close "
                       "it with TLS", address)  # fmt: skip
    with _connect(address) as client:
        link = client.dashboard_link
    tell(f"dask: {address}, dashboard {link}" if _answers(link) else f"dask: {address}, without a dashboard")
    yield partial(_map, partial(_connect, address))


@contextmanager
def local_cluster(workers: int, tell: Callable[[str], None]) -> Iterator[Map]:
    """Yield a map over processes started on this machine, which talk TLS, so that no other user can speak to them."""
    with ExitStack() as opened:
        opened.enter_context(dask.config.set(QUIETER))
        with _spared_interrupts():
            started = LocalCluster(
                n_workers=workers, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0",
                security=True,
            )  # fmt: skip
            cluster = opened.enter_context(started)
        tell(f"dask: {workers} workers on this machine, dashboard {cluster.dashboard_link}")
        yield partial(_map, partial(Client, cluster, set_as_default=False))


@contextmanager
def _spared_interrupts() -> Iterator[None]:
    """Hold Ctrl-C back, and for good from what begins meanwhile: it is for the command, not for its workers."""
    ensure_running()  # beforehand, for in its beginning it lets the signal in again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _require_address(address: str) -> None:
    """Refuse what Dask would stumble over half-way, with a client that waits two minutes to be closed."""
    if not re.fullmatch(r"(tls|tcp)://([^/:]+|\[[^/]+\]):\d{1,5}", address):
        raise ConfigError(
            f"{address}: is no address of a scheduler; write DASK_SCHEDULER_ADDRESS as tls://HOST:PORT, or as "
            "tcp://HOST:PORT where all is on this machine"
        )
    if address.startswith("tcp") and Security().require_encryption:
        raise ConfigError(
            f"{address}: is open, and DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION wants encryption; write tls:// in "
            "DASK_SCHEDULER_ADDRESS"
        )


def _require_certificates(address: str) -> None:
    security = Security()
    named = {
        "CA_FILE": security.tls_ca_file, "CLIENT__CERT": security.tls_client_cert,
        "CLIENT__KEY": security.tls_client_key or security.tls_client_cert,  # a key may lie in the certificate's file
    }  # fmt: skip
    if not all(named.values()):
        raise ConfigError(
            f"{address}: wants a certificate, and none is named; set DASK_DISTRIBUTED__COMM__TLS__CA_FILE, "
            "__CLIENT__CERT and __CLIENT__KEY, as docs/cluster.md says"
        )
    for name, said in named.items():
        if "\n" not in said and not Path(said).is_file():  # else it is the certificate itself
            raise ConfigError(f"{said}: is no file; mend DASK_DISTRIBUTED__COMM__TLS__{name}")


def _answers(link: str | None) -> bool:
    """Whether a dashboard is served at a link; a scheduler names one in any case."""
    if link is None:
        return False
    pool = build_opener(ProxyHandler({}))  # a cluster is not asked by way of a proxy
    try:
        with pool.open(link, timeout=_LOOK_AT_DASHBOARD_S):
            return True
    except (OSError, ValueError, HTTPException):
        return False


def _connect(address: str) -> Client:
    try:
        return Client(address, timeout=PATIENCE_S, set_as_default=False, name="loadproof")
    except (OSError, RuntimeError, ValueError) as error:
        raise EngineError(
            f"{address}: {error}; start the scheduler there ('dask scheduler'), or mend DASK_SCHEDULER_ADDRESS or the "
            "certificates"
        ) from error


def _map(connect: Callable[[], Client], function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """Yield the results in the order of the items; when all are done, raise if any failed."""
    failed: list[str] = []
    with connect() as client:  # anew for each map, since a scheduler may have been restarted
        threads = _threads(client)
        held = client.submit(_hold, _Held(function), pure=False, retries=RETRIES)
        title, pending = f"{_name(function)}-{uuid4().hex[:8]}", deque[_Task]()
        for number, item in enumerate(items):
            key = f"{title}-{number}"  # Dask groups by what stands before the number
            submit = partial(client.submit, _do, held, _Item(item), pure=False, retries=RETRIES)
            pending.append(_Task(str(item), submit(key=key), partial(submit, key=f"{title}-again-{number}")))
            if len(pending) >= max(_LEAST_ON_THEIR_WAY, _A_THREAD * threads):
                yield from _settled(client, pending.popleft(), pending, failed)
        while pending:
            yield from _settled(client, pending.popleft(), pending, failed)
    if failed:
        done = "all others are done" if len(failed) == 1 else f"{len(failed)} such, all others are done"
        raise TasksError(f"{'; '.join(failed[:5])} ({done}); mend what is said there and {_AGAIN}")


def _name(function: Callable[[Any], Any]) -> str:
    return _name(function.func) if isinstance(function, partial) else function.__name__.strip("_")


def _threads(client: Client) -> int:
    """Wait for a worker, and return how many tasks can run at once.

    Raises:
        EngineError: If there is none, or one is of another version.
    """
    try:
        client.wait_for_workers(1, timeout=PATIENCE_S)
    except TimeoutError as error:
        raise EngineError(_no_worker(client)) from error
    found = client.get_versions(packages=list(_SAME))
    own = found["client"]["packages"]
    for worker, said in found["workers"].items():
        for package in ("python", *_SAME):
            if said["packages"][package] != own[package]:
                raise EngineError(
                    f"worker {worker}: has {package} {said['packages'][package]}, and here it is {own[package]}, so "
                    "that other bytes could come out; install the same there"
                )
    return int(sum(client.nthreads().values()))


def _no_worker(client: Client) -> str:
    return f"{client.scheduler.address}: has had no worker for {PATIENCE_S} s; start one ('dask worker') and {_AGAIN}"


def _settled(client: Client, task: _Task, others: Iterable[_Task], failed: list[str]) -> Iterator[Any]:
    """Wait for a task and yield its result, or note why it failed.

    Dask blames a worker's death on all tasks that it had been given, those in its queue too. So one that is blamed is
    given out a second time, when no other runs.

    Raises:
        EngineError: If the scheduler is lost, or all workers are.
    """
    future, error = task.future, _wait(client, task.future)
    if isinstance(error, KilledWorker):
        logger.warning("%s: %d workers died with it; it is tried again", task.name, error.allowed_failures + 1)
        for other in others:
            _wait(client, other.future)
        future = task.again()
        error = _wait(client, future)
    if future.status == "finished":
        yield future.result()
    elif isinstance(error, KilledWorker):
        failed.append(f"{task.name}: {_killed(client, error)}")
    elif error is not None:
        logger.error("%s: failed", task.name, exc_info=error)
        failed.append(f"{task.name}: {type(error).__name__}: {error}")
    else:
        raise EngineError(f"the scheduler went away during {task.name}; start it and {_AGAIN}")


def _wait(client: Client, future: Future) -> BaseException | None:
    """Wait until a task is settled one way or the other, and return its error if it has one."""
    alone_s, newest = 0, None
    while alone_s < PATIENCE_S:
        try:
            error: BaseException | None = future.exception(timeout=_LOOK_S)
            return error
        except TimeoutError:
            if client.nthreads():
                alone_s = 0
                continue
            came = _newest_worker(client)  # one that came and died between two looks was there too
            alone_s, newest = (0 if came != newest else alone_s + _LOOK_S), came
    raise EngineError(_no_worker(client))


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
