import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import dask
import psutil
import pytest
import trustme
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
_TLS = "DASK_DISTRIBUTED__COMM__TLS"


def _certify(folder):
    """Write an authority and a certificate of its own, as an operator would with openssl; return Dask's variables."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    names = {f"{_TLS}__CA_FILE": "ca.pem", "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": None}
    for role in ("SCHEDULER", "WORKER", "CLIENT"):
        names |= {f"{_TLS}__{role}__KEY": "key.pem", f"{_TLS}__{role}__CERT": "cert.pem"}
    return {name: str(folder / file) if file else "true" for name, file in names.items()}


class Cluster:
    """A scheduler and workers as processes of their own on loopback, by TLS, as docs/cluster.md starts them."""

    def __init__(self, folder, *, workers=2, memory="3GB", tls=None):
        self.folder, self.workers, self.memory, self.port = folder, workers, memory, free_port()
        self.tls = tls or _certify(folder)
        self.processes = {}
        self.environment = {
            **os.environ, **self.tls, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1", "DASK_DISTRIBUTED__WORKER__MEMORY__PAUSE": "false",
            "POLARS_MAX_THREADS": "1", "USE_SAMPLES": "false",
        }  # fmt: skip

    @property
    def address(self):
        """Where the scheduler listens."""
        return f"tls://127.0.0.1:{self.port}"

    @property
    def of_a_client(self):
        """The environment of a command that works here."""
        return {**self.environment, "LOADPROOF_ENGINE": "dask", "DASK_SCHEDULER_ADDRESS": self.address}

    def _start(self, name, *arguments):
        command = [sys.executable, "-m", f"distributed.cli.dask_{name.split('-')[0]}", *arguments]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, env=self.environment, cwd=self.folder, stdout=log, stderr=subprocess.STDOUT
            )

    def _start_all(self):
        """Start all, and return whether the workers are registered; not, where the scheduler ends, its port taken."""
        heard = len(self.log("scheduler"))
        self._start("scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard")
        for number in range(1, self.workers + 1):
            self._start(f"worker-{number}", self.address, "--nthreads", "1", "--memory-limit", self.memory,
                        "--no-dashboard", "--local-directory", str(self.folder))  # fmt: skip
        until = time.monotonic() + 300
        while time.monotonic() < until:
            said = self.log("scheduler")[heard:]
            if said.count("Register worker") >= self.workers:
                return True
            ended = [name for name, process in self.processes.items() if process.poll() is not None]
            if "scheduler" in ended:
                return False
            assert not ended, f"{ended} ended\n{self.log()[-3000:]}"
            time.sleep(0.2)
        raise AssertionError(f"no {self.workers} workers within 300 s\n{self.log()[-3000:]}")

    def start(self):
        """Start all, at a port of their own, and wait until all workers are there."""
        for _ in range(5):
            if self._start_all():
                return
            self.stop()
            self.port = free_port()
        raise AssertionError(self.log()[-3000:])

    def stop(self):
        """End all, as if their machines had failed, and wait until they are gone."""
        children = []
        for one in self.processes.values():
            with suppress(psutil.NoSuchProcess):
                children += psutil.Process(one.pid).children(True)
        for process in [
            *children,
            *self.processes.values(),
        ]:  # a worker's end may take its nanny along, and is no error
            with suppress(psutil.NoSuchProcess):
                process.kill()
        for process in self.processes.values():
            process.wait(timeout=60)
        psutil.wait_procs(children, timeout=60)
        self.processes.clear()

    def restart(self):
        """A new scheduler and new workers at the same address."""
        self.stop()
        assert self._start_all(), self.log()[-3000:]

    def log(self, name="*"):
        """What all of them have said, or one of them."""
        return "".join(path.read_text() for path in sorted(self.folder.glob(f"{name}.log")))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """One cluster for all tests, and this process's Dask told of its keys."""
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    tls = {name.removeprefix("DASK_").lower().replace("__", "."): value for name, value in made.tls.items()}
    try:
        made.start()
        with dask.config.set({key.replace("_", "-"): value == "true" or value for key, value in tls.items()}):
            yield made
    finally:
        made.stop()


@pytest.fixture
def small_worker(cluster, tmp_path):
    """A scheduler of the same keys with one worker of 1 GB."""
    made = Cluster(tmp_path, workers=1, memory="1GB", tls=cluster.tls)
    try:
        made.start()
        yield made
    finally:
        made.stop()
