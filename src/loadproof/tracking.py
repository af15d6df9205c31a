"""A record of every training and evaluation by MLflow. The only module that imports it.

A run is written to a SQLite store here first, and copied to the server, if one is named, when it has ended: a server
that is dead, or dies, costs no run. What could not be sent then is sent by :meth:`MLflowTracker.sync`.
"""

import json
import logging
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from loadproof.errors import ConfigError
from loadproof.tracker import Run

__all__ = ["MLflowTracker", "Synced"]

logger = logging.getLogger(__name__)

_KEY: Final = "loadproof.key"
"""On a server: which local run this is a copy of."""

_WHOLE: Final = "loadproof.whole"
"""On a server: set last, so that a copy that broke off is known and made again."""

_SENT: Final = "loadproof.sent_to"
_PROCESS: Final = "loadproof.process"

_PARAMS_PER_CALL: Final = 100
_METRICS_PER_CALL: Final = 1000
_PROBE_S: Final = 3
_ENDED: Final = ("FINISHED", "FAILED", "KILLED")


class Synced(NamedTuple):
    """What a sync did: runs sent, runs that were there whole already, runs that go on and are left."""

    sent: int
    already: int
    running: int


def _import_mlflow() -> Any:  # noqa: ANN401  mlflow's own modules are untyped
    """Return mlflow, with its telemetry off and its patience bounded unless the user has said otherwise."""
    for name, value in {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "3",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
        "GIT_PYTHON_REFRESH": "quiet",
    }.items():
        os.environ.setdefault(name, value)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    import mlflow

    return mlflow


def _without_user(uri: str) -> str:
    """Return an address without the name and password that it may carry."""
    parts = urlsplit(uri)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if parts.netloc else uri


def _plain(name: str, value: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401  any JSON value
    """Yield the leaves of nested settings by dotted names."""
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield from _plain(f"{name}.{key}" if name else str(key), below)
    else:
        yield name, (value if isinstance(value, str) else json.dumps(value))[:6000]


def _chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _is_alive(process: str) -> bool:
    """Whether the process that opened a run goes on; one of another machine is taken to."""
    host, _, number = process.partition(":")
    if host != socket.gethostname() or not number.isdecimal():
        return True
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class _LocalRun:
    """An open run of the local store."""

    def __init__(self, mlflow: Any, run_id: str) -> None:  # noqa: ANN401
        self._mlflow, self._client, self.run_id = mlflow, mlflow.MlflowClient(), run_id

    def metrics(self, values: Mapping[str, float], *, step: int = 0) -> None:
        """Record figures of one step."""
        self._mlflow.log_metrics(dict(values), step=step)

    def curve(self, records: Sequence[Mapping[str, float]], *, prefix: str = "") -> None:
        """Record figures of steps 1, 2, ... in few calls."""
        now = self._client.get_run(self.run_id).info.start_time
        metrics = [
            self._mlflow.entities.Metric(f"{prefix}{name}", float(value), now, step)
            for step, record in enumerate(records, start=1)
            for name, value in record.items()
        ]
        for part in _chunks(metrics, _METRICS_PER_CALL):
            self._client.log_batch(self.run_id, metrics=part)

    def artifact(self, path: Path) -> None:
        """Keep a file or a folder; what is not there is passed over."""
        if path.is_dir():
            self._mlflow.log_artifacts(str(path), artifact_path=path.name)
        elif path.is_file():
            self._mlflow.log_artifact(str(path))

    def tags(self, values: Mapping[str, str]) -> None:
        """Say more of the run."""
        self._mlflow.set_tags(dict(values))


class MLflowTracker:
    """Runs in a SQLite store below ``folder``, copied to a server where one is named.

    Args:
        folder: Holds ``mlflow.db`` and ``artifacts/``.
        experiment: What its runs belong to.
        server: ``MLFLOW_TRACKING_URI``, None for none.
        run_name: What stands before each run's own name.
        tags: Of every run.
    """

    def __init__(
        self, folder: Path, experiment: str, *, server: str | None = None, run_name: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.folder, self.experiment, self.server = folder.resolve(), experiment, server
        self._run_name, self._tags, self._dead = run_name, dict(tags or {}), False

    @property
    def local_uri(self) -> str:
        """The store that is always there."""
        return f"sqlite:///{self.folder / 'mlflow.db'}"

    def _open_local(self) -> Any:  # noqa: ANN401
        mlflow = _import_mlflow()
        from filelock import FileLock

        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / ".open.lock"):  # the tables are made once
            mlflow.set_tracking_uri(self.local_uri)
            if mlflow.get_experiment_by_name(self.experiment) is None:
                mlflow.create_experiment(self.experiment, artifact_location=(self.folder / "artifacts").as_uri())
            mlflow.set_experiment(self.experiment)
        return mlflow

    @contextmanager
    def run(self, name: str, *, params: Mapping[str, Any], tags: Mapping[str, str]) -> Iterator[Run]:
        """Open a run; it ends FINISHED, FAILED where what it holds raised, or KILLED where it was interrupted."""
        mlflow = self._open_local()
        process = {_PROCESS: f"{socket.gethostname()}:{os.getpid()}"}
        full_name = f"{self._run_name} {name}" if self._run_name else name
        opened = mlflow.start_run(run_name=full_name, tags={**self._tags, **process, **tags})
        for part in _chunks(list(_plain("", params)), _PARAMS_PER_CALL):
            mlflow.log_params(dict(part))
        status = "FAILED"
        try:
            yield _LocalRun(mlflow, opened.info.run_id)
            status = "FINISHED"
        except KeyboardInterrupt:
            status = "KILLED"
            raise
        finally:
            mlflow.end_run(status)
            self._send_at_once(mlflow, opened.info.run_id)

    def _send_at_once(self, mlflow: Any, run_id: str) -> None:  # noqa: ANN401
        """Copy an ended run to the server; one that does not answer is asked no more, with one warning."""
        if self.server is None or self._dead:
            return
        try:
            self._probe()
            self._send(mlflow, run_id)
        except (OSError, mlflow.exceptions.MlflowException) as error:
            self._dead = True
            logger.warning(
                "%s: does not take runs (%s); they are kept in %s, and 'loadproof track sync' sends them later",
                _without_user(self.server), type(error).__name__, self.folder,
            )  # fmt: skip

    def _probe(self) -> None:
        """Ask the server for any answer at all.

        Raises:
            OSError: If there is none within seconds.
        """
        import requests

        if self.server is not None and urlsplit(self.server).scheme in ("http", "https"):
            requests.get(f"{self.server.rstrip('/')}/health", timeout=_PROBE_S)  # RequestException is an OSError

    def _send(self, mlflow: Any, run_id: str) -> bool:  # noqa: ANN401
        """Copy one run to the server, whole and once; return whether it was not there yet."""
        here, there = mlflow.MlflowClient(self.local_uri), mlflow.MlflowClient(self.server)
        run = here.get_run(run_id)
        experiment = there.get_experiment_by_name(self.experiment)
        home = experiment.experiment_id if experiment else there.create_experiment(self.experiment)
        whole = False
        for copy in there.search_runs([home], filter_string=f"tags.`{_KEY}` = '{run_id}'"):
            if copy.data.tags.get(_WHOLE) == "yes":
                whole = True
            else:
                there.delete_run(copy.info.run_id)
        if not whole:
            self._copy(mlflow, here, there, run, home)
        here.set_tag(run_id, _SENT, _without_user(str(self.server)))
        return not whole

    def _copy(self, mlflow: Any, here: Any, there: Any, run: Any, home: str) -> None:  # noqa: ANN401
        tags = {name: value for name, value in run.data.tags.items() if name not in (_SENT, _PROCESS)}
        made = there.create_run(
            home, start_time=run.info.start_time, run_name=run.info.run_name, tags={**tags, _KEY: run.info.run_id}
        )
        params = [mlflow.entities.Param(name, value) for name, value in run.data.params.items()]
        metrics = [metric for name in run.data.metrics for metric in here.get_metric_history(run.info.run_id, name)]
        for part in _chunks(params, _PARAMS_PER_CALL):
            there.log_batch(made.info.run_id, params=part)
        for part in _chunks(metrics, _METRICS_PER_CALL):
            there.log_batch(made.info.run_id, metrics=part)
        files = self.folder / "artifacts" / run.info.run_id / "artifacts"
        if files.is_dir():
            there.log_artifacts(made.info.run_id, str(files))
        there.set_terminated(made.info.run_id, run.info.status, run.info.end_time)
        there.set_tag(made.info.run_id, _WHOLE, "yes")

    def sync(self) -> Synced:
        """Send every local run of the experiment that the server lacks: none lost, none doubled.

        A run whose process is gone is sent as KILLED. Two syncs at once wait for each other.

        Raises:
            ConfigError: If no server is named, or it does not take them.
        """
        if self.server is None:
            raise ConfigError("no server is named; set MLFLOW_TRACKING_URI in the environment or in .env")
        mlflow = self._open_local()
        from filelock import FileLock

        here = mlflow.MlflowClient(self.local_uri)
        experiment, sent, already, running = here.get_experiment_by_name(self.experiment), 0, 0, 0
        with FileLock(self.folder / ".sync.lock"):
            try:
                self._probe()
                for run in mlflow.search_runs([experiment.experiment_id], output_format="list"):
                    if run.data.tags.get(_SENT) == _without_user(self.server):
                        already += 1
                    elif run.info.status not in _ENDED and _is_alive(run.data.tags.get(_PROCESS, "")):
                        running += 1
                    else:
                        if run.info.status not in _ENDED:
                            here.set_terminated(run.info.run_id, "KILLED")
                        new = self._send(mlflow, run.info.run_id)
                        sent, already = sent + new, already + (not new)
            except (OSError, mlflow.exceptions.MlflowException) as error:
                raise ConfigError(
                    f"{_without_user(self.server)}: does not take runs ({type(error).__name__}), {sent} were sent; run "
                    "'loadproof track sync' again when it answers"
                ) from error
        return Synced(sent, already, running)
