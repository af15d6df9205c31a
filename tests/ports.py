"""Ports for servers of the tests: none that the system gives away by itself between the look and the server's start."""

import os
import socket
from pathlib import Path

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_A_WORKER, _WORKERS = 1000, 8
_given = set()


def _candidates():
    """A thousand ports below the system's own for each of pytest's processes, from a place that hangs on its number."""
    highest = int(_RANGE.read_text().split()[0]) if _RANGE.is_file() else 32768
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
    first = highest - (number + 1) * _A_WORKER
    return [first + (os.getpid() * 37 + step) % _A_WORKER for step in range(_A_WORKER)] if first > 1024 else []


def free_port():
    """Return a port of loopback that nobody listens at, and that this process was not given before."""
    for port in [*_candidates(), *[0] * 9]:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            if (found := probe.getsockname()[1]) not in _given:
                _given.add(found)
                return found
    raise AssertionError("no port of loopback is free")
