"""A map over the workers of a Dask cluster: in order, few on their way, every failed task by its name."""

import logging
import re
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from http.client import HTTPException
from multiprocessing.resource_tracker import ensure_running
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener
from uuid import uuid4

import dask
from distributed import Client, LocalCluster, get_worker
from distributed.client import ClosedClientError
from distributed.security import Security
from distributed.versions import get_package_info

from loadproof.cluster.dask_task import AGAIN, PATIENCE_S, Task, nobody_works, scheduler_gone, settle
from loadproof.errors import ConfigError, EngineError, TasksError
from loadproof.parts import Map

__all__ = ["ALLOWED_FAILURES", "local_cluster", "standing_cluster"]

logger = logging.getLogger(__name__)

RETRIES: Final = 2
"""A task that raises is tried so many times more: a shared folder has its moments."""

ALLOWED_FAILURES: Final = 1
"""So many workers may die of a task before it is blamed, and again when it runs alone; a scheduler started elsewhere
has its own number."""

QUIETER: Final = {
    "distributed.scheduler.allowed-failures": ALLOWED_FAILURES,
    "distributed.worker.memory.pause": False,  # one thread: nothing beside a paused worker's task could free memory
    "distributed.worker.profile.enabled": False,  # a hundred looks a second at each thread's stack
    "distributed.admin.tick.interval": "500ms",
    "distributed.admin.system-monitor.interval": "2s",
    "distributed.deploy.lost-worker-timeout": "1h",  # a nanny whose worker is not back by then is ended for good
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,  # else every big array freed is mapped anew
}
"""How a cluster of this machine is set: what it would spend on watching itself goes to tasks, and workers come back."""

_LEAST_ON_THEIR_WAY: Final = 64
_A_THREAD: Final = 4
_SAME: Final = ("loadproof", "numpy", "polars", "pyarrow")
"""What must be of one version everywhere, for the same bytes to come out."""

_LOOK_AT_DASHBOARD_S: Final = 2
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class _Held:
    """What all tasks of a map have in common: sent once, and kept by each worker that wants it."""

    function: Callable[[Any], Any]
    versions: Mapping[str, str]


@dataclass(frozen=True)
class _Item:
    """One item, as it is: without a wrapper Dask would look into tuples and lists for results of other tasks."""

    value: Any


def _hold(held: _Held) -> _Held:
    return held


@cache
def _own_versions() -> dict[str, str]:
    said = get_package_info(_SAME)
    return {package: str(said[package]) for package in ("python", *_SAME)}


def _compare(place: str, said: Mapping[str, str], own: Mapping[str, str]) -> None:
    for package, version in own.items():
        if said[package] != version:
            raise EngineError(
                f"worker {place}: has {package} {said[package]}, and where the command runs it is {version}, so that "
                "other bytes could come out; install the same there"
            )


def _do(held: _Held, item: _Item) -> Any:  # noqa: ANN401
    if held.versions != _own_versions():  # it may have come when the map had begun
        _compare(get_worker().address, _own_versions(), held.versions)
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


@contextmanager
def _reaching(during: str) -> Iterator[None]:
    """Whatever a client says of a connection that is lost is the scheduler's loss."""
    try:
        yield
    except (OSError, ClosedClientError) as error:
        raise scheduler_gone(during) from error


def _map(connect: Callable[[], Client], function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """Yield the results in the order of the items; when all are done, raise if any failed."""
    failed: list[str] = []
    given = 0
    with connect() as client:  # anew for each map, since a scheduler may have been restarted
        title, pending = f"{_name(function)}-{uuid4().hex[:8]}", deque[Task]()
        with _reaching("the search for workers"):
            threads = _threads(client)
            held = client.submit(_hold, _Held(function, _own_versions()), pure=False, retries=RETRIES)
        for number, item in enumerate(items):
            given += 1
            key = f"{title}-{number}"  # Dask groups by what stands before the number
            submit = partial(client.submit, _do, held, _Item(item), pure=False, retries=RETRIES)
            with _reaching(str(item)):
                pending.append(Task(str(item), submit(key=key), partial(submit, key=f"{title}-again-{number}")))
            if len(pending) >= max(_LEAST_ON_THEIR_WAY, _A_THREAD * threads):
                yield from _settled(client, pending, failed)
        while pending:
            yield from _settled(client, pending, failed)
    if failed:
        such = [f"{len(failed)} such"] if len(failed) > 1 else []
        others = ["all others are done"] if len(failed) < given else []
        told = f" ({', '.join([*such, *others])})" if such or others else ""
        raise TasksError(f"{'; '.join(failed[:5])}{told}; mend what is said there and {AGAIN}")


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
        raise nobody_works(client) from error
    for worker, said in client.get_versions(packages=list(_SAME))["workers"].items():
        _compare(worker, said["packages"], _own_versions())
    return int(sum(client.nthreads().values()))


def _settled(client: Client, pending: deque[Task], failed: list[str]) -> Iterator[Any]:
    """Wait for the task that was given out first, and yield its result, or note why it failed."""
    task = pending.popleft()
    with _reaching(task.name):
        outcome = settle(client, task, pending)
    if outcome.error is None:
        yield outcome.result
    else:
        failed.append(outcome.error)
