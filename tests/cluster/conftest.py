import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import dask
import psutil
import pytest
import trustme

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
    """A scheduler and two workers as processes of their own on loopback, by TLS, as docs/cluster.md starts them."""

    def __init__(self, folder, port):
        self.folder, self.address, self.port = folder, f"tls://127.0.0.1:{port}", port
        self.tls = _certify(folder)
        self.processes, self.started = {}, 0
        self.environment = {
            **os.environ, **self.tls, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1", "POLARS_MAX_THREADS": "1",
            "USE_SAMPLES": "false",
        }  # fmt: skip

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

    def start(self):
        """Start all; the workers wait for the scheduler."""
        self._start("scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard")
        for number in (1, 2):
            self._start(f"worker-{number}", self.address, "--nthreads", "1", "--memory-limit", "1GB", "--no-dashboard",
                        "--local-directory", str(self.folder))  # fmt: skip

    def stop(self):
        """End all, as if their machines had failed, and wait until they are gone."""
        children = [child for one in self.processes.values() for child in psutil.Process(one.pid).children(True)]
        for process in [*self.processes.values(), *children]:
            process.kill()
        for process in self.processes.values():
            process.wait(timeout=30)
        psutil.wait_procs(children, timeout=30)
        self.processes.clear()

    def restart(self):
        """A new scheduler and new workers at the same address."""
        self.stop()
        time.sleep(0.5)
        self.start()

    def log(self):
        """What all of them have said."""
        return "".join(path.read_text() for path in sorted(self.folder.glob("*.log")))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """One cluster for all tests, and this process's Dask told of its keys."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    made = Cluster(tmp_path_factory.mktemp("cluster"), port)
    made.start()
    tls = {name.removeprefix("DASK_").lower().replace("__", "."): value for name, value in made.tls.items()}
    with dask.config.set({key.replace("_", "-"): value == "true" or value for key, value in tls.items()}):
        yield made
    made.stop()
