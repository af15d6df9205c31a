"""What carries a stage's tasks: this process, or a Dask cluster, by one and the same map."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Literal

from loadproof.errors import ConfigError
from loadproof.parts import Map

__all__ = ["EngineName", "engine"]

EngineName = Literal["plain", "dask"]


def _quiet(line: str) -> None:
    del line


@contextmanager
def engine(
    name: EngineName = "plain", *, address: str | None = None, workers: int = 2, plain: Map = map,
    tell: Callable[[str], None] = _quiet,
) -> Iterator[Map]:  # fmt: skip
    """Yield a map: results in the order of the items, lazily, and a bounded number of tasks on their way.

    What is mapped is a module-level function (or a ``partial`` of one) of small picklable values that returns its
    result or its error. It writes what it makes itself, whole, to a name of its own, and may run twice: a worker can
    die. ``str(item)`` names a task to people. A task that raises stops the others of a plain engine; those of a
    cluster are all done before the map raises.

    Args:
        name: ``plain`` for this process, ``dask`` for a cluster.
        address: The cluster's scheduler; None starts one on this machine, for as long as the engine is open.
        workers: How many processes that has.
        plain: The map of the plain engine.
        tell: Takes a line on where the work is done and can be watched.

    Raises:
        ConfigError: If the libraries of the cluster are not installed.
        EngineError: If the cluster cannot be reached, is not of one version, or loses its scheduler or all its workers.
        TasksError: At the end of a map, if a task failed.
    """
    if name == "plain":
        yield plain
        return
    if find_spec("distributed") is None:
        raise ConfigError("the engine dask is not installed; run pip install 'loadproof[cluster]'")
    from loadproof.cluster.dask_map import local_cluster, standing_cluster

    with standing_cluster(address, tell) if address else local_cluster(workers, tell) as map_:
        yield map_
