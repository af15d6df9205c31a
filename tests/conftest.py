import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import settings

# One thread in here and in every process that a test starts: sums then come in one order, whatever ran before.
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

# A busy machine is no defect of the code.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

HEADER = "LCLid,stdorToU,DateTime,KWH/hh (per half hour) \r\n"


def lcl_line(home="MAC000002", stamp="2013-01-01 00:30:00.0000000", value=" 0.143 ", arm="Std"):
    return f"{home},{arm},{stamp},{value}\r\n"


@pytest.fixture
def lcl_root(tmp_path):
    """An input root with one loose part; call it with the part's lines (and more parts by number)."""

    def make(*parts):
        folder = tmp_path / "raw" / "lcl"
        folder.mkdir(parents=True, exist_ok=True)
        for number, lines in enumerate(parts):
            text = HEADER + "".join(lines) if not isinstance(lines, bytes) else lines
            data = text if isinstance(text, bytes) else text.encode()
            (folder / f"LCL-June2015v2_{number}.csv").write_bytes(data)
        return folder.parent

    return make


@pytest.fixture(scope="session")
def real_data():
    """The folder of real data that is no part of the repository."""
    named = os.environ.get("LOADPROOF_REAL_DATA")
    if not named:
        pytest.skip("LOADPROOF_REAL_DATA names no folder of real data")
    return Path(named)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch, request):
    """Keep the developer's and the build machine's settings out of every test that does not ask for them."""
    for name in ("CI", "DASK_SCHEDULER_ADDRESS", "DEVICE", "GITHUB_ACTIONS", "LOADPROOF_ENGINE", "MLFLOW_TRACKING_URI",
                 "USE_SAMPLES"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TRACK", "false")  # a record costs seconds; what tests it asks for it


@pytest.fixture
def map_elsewhere(tmp_path, monkeypatch):
    """A map whose tasks stand in another folder than who asks for them, as the workers of a cluster do."""
    client, worker = tmp_path / "client", tmp_path / "worker"
    client.mkdir()
    worker.mkdir()
    monkeypatch.chdir(client)

    def carry(function, items):
        for item in items:
            with contextlib.chdir(worker):
                done = function(item)
            yield done

    return carry
