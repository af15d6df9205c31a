import logging
import os
import signal
import socket
import subprocess
import sys
import time
from functools import partial

import pytest
import requests
from tests.ports import free_port

from loadproof.errors import ConfigError
from loadproof.runner.provenance import code_tags, dvc_tags
from loadproof.tracking import MLflowTracker

# mlflow's imports and its SQL store warn of their own dependencies.
pytestmark = [pytest.mark.filterwarnings("ignore")]

CURVE = [{"train_loss": 1.0 / step, "valid_loss": 2.0 / step} for step in range(1, 1201)]
SECRET = "hunter2-is-no-password"


class Server:
    """A real ``mlflow server`` on loopback that can be killed and started again upon the same store."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self):
        words = [
            "server", "--host", "127.0.0.1", "--port", self.port, "--workers", 1,
            "--backend-store-uri", f"sqlite:///{self.folder / 'server.db'}",
            "--artifacts-destination", self.folder / "kept",
        ]  # fmt: skip
        # Beside the server, seven processes for jobs that nobody gives it would each import it for seconds.
        spared = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", *map(str, words)], stdout=log, stderr=log,
                env={**os.environ, **spared}, start_new_session=True,
            )  # fmt: skip
        until = time.monotonic() + 300
        while time.monotonic() < until:
            try:
                if requests.get(f"{self.uri}/health", timeout=1).ok:
                    return
            except requests.RequestException:
                assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
            time.sleep(0.3)
        raise AssertionError((self.folder / "log").read_text()[-2000:])

    def kill(self):
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def runs(self, experiment):
        """Every run of an experiment that stands there, by name."""
        from mlflow import MlflowClient

        client = MlflowClient(self.uri)
        experiment = client.get_experiment_by_name(experiment)
        found = {}
        for run in client.search_runs([experiment.experiment_id]):
            found.setdefault(run.info.run_name, []).append(run)
        return client, found


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    pytest.importorskip("mlflow", reason="mlflow is not installed")
    served = Server(tmp_path_factory.mktemp("server"))
    try:
        served.start()
        yield served
    finally:
        served.kill()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One local store for all tests, each with an experiment of its own: its tables take seconds to make."""
    pytest.importorskip("mlflow", reason="mlflow is not installed")
    return tmp_path_factory.mktemp("local") / "mlflow"


@pytest.fixture
def experiment(request):
    return request.node.name


@pytest.fixture
def tracker_of(folder, experiment):
    return partial(MLflowTracker, folder, experiment)


@pytest.fixture
def page(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_bytes(b"\x00\x01weights")
    return tmp_path / "model"


def record(tracker, name, page, *, middle=lambda: None):
    with tracker.run(name, params={"patchtst": {"width": 16}, "seed": 1}, tags={"data_sha256": "ab"}) as run:
        run.curve(CURVE)
        middle()
        run.metrics({"crps": 0.08}, step=3)
        run.artifact(page)


def local_runs(tracker):
    import mlflow

    client = mlflow.MlflowClient(tracker.local_uri)
    experiment = client.get_experiment_by_name(tracker.experiment)
    return client, {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}


def test_a_run_holds_its_params_curve_artifacts_and_how_it_ended(folder, tracker_of, page):
    tracker = tracker_of(run_name="night", tags={"commit": "c0ffee"})
    record(tracker, "train patchtst", page)
    with pytest.raises(ZeroDivisionError), tracker.run("train ridge", params={}, tags={}):
        raise ZeroDivisionError
    with pytest.raises(KeyboardInterrupt), tracker.run("train lightgbm", params={}, tags={}):
        raise KeyboardInterrupt
    client, runs = local_runs(tracker)
    assert {name: run.info.status for name, run in runs.items()} == {
        "night train patchtst": "FINISHED",
        "night train ridge": "FAILED",
        "night train lightgbm": "KILLED",
    }
    run = runs["night train patchtst"]
    assert run.data.params == {"patchtst.width": "16", "seed": "1"}
    assert (run.data.tags["commit"], run.data.tags["data_sha256"]) == ("c0ffee", "ab")
    history = client.get_metric_history(run.info.run_id, "valid_loss")
    assert [(point.step, point.value) for point in history] == [
        (step, record["valid_loss"]) for step, record in enumerate(CURVE, start=1)
    ]
    kept = folder / "artifacts" / run.info.run_id / "artifacts" / "model" / "weights"
    assert kept.read_bytes() == b"\x00\x01weights"


def test_a_server_killed_in_the_middle_of_a_run_loses_none_and_doubles_none(
    server, tracker_of, experiment, page, caplog
):
    tracker = tracker_of(server=server.uri)
    record(tracker, "before", page)
    with caplog.at_level(logging.WARNING):
        record(tracker, "while it dies", page, middle=server.kill)
        record(tracker, "after", page)
    (warning,) = [line for line in caplog.messages if "does not take runs" in line]
    assert warning.endswith("and 'loadproof track sync' sends them later")
    with pytest.raises(ConfigError, match="run 'loadproof track sync' again when it answers"):
        tracker_of(server=server.uri).sync()
    server.start()
    assert tracker_of(server=server.uri).sync() == (2, 1, 0)
    assert tracker_of(server=server.uri).sync() == (0, 3, 0)
    client, found = server.runs(experiment)
    assert {name: len(copies) for name, copies in found.items()} == {"before": 1, "while it dies": 1, "after": 1}
    for (run,) in found.values():
        assert (run.info.status, run.data.params) == ("FINISHED", {"patchtst.width": "16", "seed": "1"})
        assert len(client.get_metric_history(run.info.run_id, "train_loss")) == len(CURVE)
        assert [file.path for file in client.list_artifacts(run.info.run_id, "model")] == ["model/weights"]


def test_a_copy_that_broke_off_is_made_again_and_stands_there_once(server, tracker_of, experiment, page, monkeypatch):
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    def break_off(*words, **options):
        raise MlflowException("cut")

    record(tracker_of(), "cut", page)
    tracker = tracker_of(server=server.uri)
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_artifacts", break_off)
        with pytest.raises(ConfigError, match="0 were sent"):
            tracker.sync()
    assert len(server.runs(experiment)[1]["cut"]) == 1  # a half
    assert tracker.sync() == (1, 0, 0)
    (run,) = server.runs(experiment)[1]["cut"]
    assert (run.info.status, run.data.tags["loadproof.whole"]) == ("FINISHED", "yes")


def test_a_run_whose_process_is_gone_is_sent_as_killed_and_one_that_goes_on_is_left(server, tracker_of, experiment):
    tracker = tracker_of(server=server.uri)
    with tracker.run("goes on", params={}, tags={}):
        assert tracker.sync() == (0, 0, 1)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    import mlflow

    mlflow.set_tracking_uri(tracker.local_uri)
    mlflow.set_experiment(experiment)
    mlflow.start_run(run_name="gone", tags={"loadproof.process": f"{socket.gethostname()}:{gone.pid}"})
    mlflow.tracking.fluent._active_run_stack.set([])
    assert tracker.sync() == (1, 1, 0)
    assert server.runs(experiment)[1]["gone"][0].info.status == "KILLED"


@pytest.mark.parametrize("answers", [False, "hangs"])
def test_a_dead_server_costs_at_most_10_seconds_and_one_warning(tracker_of, page, caplog, answers):
    record(tracker_of(), "warm", page)  # imports and tables
    with socket.socket() as listener, caplog.at_level(logging.WARNING):
        listener.bind(("127.0.0.1", 0))
        if answers:
            listener.listen(8)  # takes connections, and says nothing
        tracker = tracker_of(server=f"http://127.0.0.1:{listener.getsockname()[1]}")
        with tracker.run("one", params={}, tags={}):
            start = time.monotonic()
        assert time.monotonic() - start < 10
        with tracker.run("two", params={}, tags={}):
            start = time.monotonic()
        assert time.monotonic() - start < 3
    assert len([line for line in caplog.messages if "does not take runs" in line]) == 1
    assert set(local_runs(tracker)[1]) == {"warm", "one", "two"}


def test_no_secret_is_kept_in_any_param_tag_artifact_or_message(
    server, folder, tracker_of, experiment, page, monkeypatch, caplog
):
    for name in ("SSEN_API_KEY", "CEDA_TOKEN", "MLFLOW_TRACKING_PASSWORD", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, SECRET)
    address = server.uri.replace("http://", f"http://user:{SECRET}@")
    record(tracker_of(server=address, tags=code_tags()), "sent", page)
    with caplog.at_level(logging.WARNING):
        record(tracker_of(server=f"http://user:{SECRET}@127.0.0.1:9"), "not sent", page)
    assert "does not take runs" in caplog.text
    written = [path for root in (folder, server.folder) for path in root.rglob("*") if path.is_file()]
    assert [path for path in written if SECRET.encode() in path.read_bytes()] == []
    assert SECRET not in caplog.text
    assert len(server.runs(experiment)[1]["sent"]) == 1


def test_what_made_a_run_is_said_and_unknown_where_there_is_no_repository(tmp_path, monkeypatch):
    here = code_tags()
    assert len(here["commit"]) == 40
    assert here["dirty"] in ("true", "false")
    monkeypatch.chdir(tmp_path)
    assert (code_tags()["commit"], code_tags()["dirty"]) == ("unknown", "unknown")
    monkeypatch.setenv("PATH", "")
    assert code_tags()["commit"] == "unknown"


def test_inputs_are_named_by_dvcs_hash_of_what_an_earlier_stage_wrote(tmp_path):
    assert dvc_tags("train", tmp_path) == {}
    (tmp_path / "dvc.yaml").write_text("stages: {train: {deps: [raw, run/table]}}")
    (tmp_path / "dvc.lock").write_text("stages: {ingest: {outs: [{path: run/table, md5: 12ab.dir}]}}")
    assert dvc_tags("train", tmp_path) == {"dvc.run/table": "12ab.dir"}
    (tmp_path / "dvc.lock").write_text("{")
    assert dvc_tags("train", tmp_path) == {}
