"""Run a command and write what it took: seconds, processor seconds, peak memory of a process, bytes over the wire.

    python benchmarks/measured.py OUT.json -- python -m loadproof ingest ssen ...

As root the command gets a loopback of its own, so that its bytes are told from anybody's; elsewhere they are null.
"""

import fcntl
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

__all__ = ["main", "measure"]

IN_A_NET_OF_ITS_OWN = "LOADPROOF_MEASURED"
SAMPLE_S = 0.25


def _raise_loopback() -> None:
    """Bring up the loopback of a network that was just made."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS: up, running


def _loopback_bytes() -> int:
    line = next(line for line in Path("/proc/net/dev").read_text().splitlines() if line.strip().startswith("lo:"))
    return int(line.split(":")[1].split()[0])


def measure(command: list[str]) -> dict[str, Any]:
    """Return what a command took; its processes are sampled, the first is ``main`` and all others are workers."""
    began, said = time.perf_counter(), tempfile.TemporaryFile()  # noqa: SIM115
    process = psutil.Popen(command, stdout=said, stderr=subprocess.STDOUT)
    peaks: dict[int, int] = {}
    seconds: dict[int, float] = {}
    while process.poll() is None:
        for each in (process, *_children(process)):
            try:
                times = each.cpu_times()
                peaks[each.pid] = max(peaks.get(each.pid, 0), each.memory_info().rss)
                seconds[each.pid] = times.user + times.system
            except psutil.Error:
                continue
        time.sleep(SAMPLE_S)
    wall_s = time.perf_counter() - began
    workers = [pid for pid in peaks if pid != process.pid]
    said.seek(0)
    return {
        "returncode": process.returncode,
        "output": said.read().decode(errors="replace")[-4000:],
        "wall_s": round(wall_s, 2),
        "main_cpu_s": round(seconds.get(process.pid, 0.0), 2),
        "workers_cpu_s": round(sum(seconds[pid] for pid in workers), 2),
        "main_peak_mb": round(peaks.get(process.pid, 0) / 1e6),
        "worker_peak_mb": round(max((peaks[pid] for pid in workers), default=0) / 1e6),
    }


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def main() -> None:
    """Measure the command after ``--``."""
    out, dashes, *command = sys.argv[1:]
    assert dashes == "--", __doc__
    alone = os.environ.get(IN_A_NET_OF_ITS_OWN)
    if alone is None and os.geteuid() == 0 and (unshare := shutil.which("unshare")):
        os.environ[IN_A_NET_OF_ITS_OWN] = "1"
        os.execv(unshare, [unshare, "--net", sys.executable, *sys.argv])
    if alone:
        _raise_loopback()
    found = measure(command)
    Path(out).write_text(json.dumps({**found, "wire_bytes": _loopback_bytes() if alone else None}, indent=1) + "\n")


if __name__ == "__main__":
    main()
