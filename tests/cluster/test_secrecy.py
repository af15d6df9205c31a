import subprocess
import sys
from functools import partial

import cloudpickle
import dask
import pytest
import trustme
from tests.cluster import tasks
from tests.ingestion.servers import FakeClock, serving
from tests.runner.ssen_servers import LOOKUP, Bucket, day_csv

from loadproof.cluster import dask_map
from loadproof.cluster.engine import engine
from loadproof.errors import ConfigError, EngineError
from loadproof.runner.ssen import Remote, ingest_ssen
from loadproof.store import Store

KEY, TOKEN = "ssen-key-5f1d9c", "ceda-token-77ab02"


def test_no_task_of_an_ingest_over_the_network_holds_the_key_that_fetched_it(tmp_path):
    folder, sent = tmp_path / "raw" / "ssen", []
    folder.mkdir(parents=True)
    (folder / "LV_FEEDER_LOOKUP.csv").write_text(LOOKUP)

    def spying(function, items):
        for item in items:
            sent.append(cloudpickle.dumps((function, item)))
            yield function(item)

    bucket, clock = Bucket(**{"d2024-02-12": day_csv("2024-02-12")}), FakeClock()
    with serving(bucket.answer) as server:
        remote = Remote(tmp_path / ".cache", listing_url=f"{server.url}/LV_FEEDER_USAGE/", candidates=(), clock=clock,
                        sleep=clock.sleep)  # fmt: skip
        done = ingest_ssen(
            tmp_path / "raw", Store(tmp_path / "out" / "processed"), source="listing", remote=remote, api_key=KEY,
            mode="files", max_rejected_share=0.05, map_=spying,
        )  # fmt: skip
    assert done.rows_written > 0
    assert len(sent) == 2  # a day's file, and a month
    assert not any(KEY.encode() in task for task in sent)


def test_neither_workers_nor_scheduler_ever_hold_or_log_a_secret_of_the_client(cluster, tmp_path):
    environment = {**cluster.of_a_client, "SSEN_API_KEY": KEY, "CEDA_TOKEN": TOKEN}
    command = [sys.executable, "-m", "loadproof", "ingest", "ssen", "--no-use-samples", "--input-root",
               str(tasks.ROOT / "data" / "samples"), "--output-root", str(tmp_path / "processed")]  # fmt: skip
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with engine("dask", address=cluster.address) as map_:
        held = list(map_(partial(tasks.environment_of, ("SSEN_API_KEY", "CEDA_TOKEN")), range(2)))
    assert held == [{}, {}]
    said = cluster.log() + done.stdout + done.stderr
    assert "Register" in said  # the log is the log
    assert KEY not in said
    assert TOKEN not in said


def test_a_client_without_a_certificate_of_the_authority_is_not_let_in(cluster, monkeypatch, tmp_path):
    monkeypatch.setattr(dask_map, "PATIENCE_S", 5)
    with engine("dask", address=cluster.address):
        pass  # who has one is, within the same patience
    heard = len(cluster.log("scheduler"))
    stranger = trustme.CA().issue_cert("127.0.0.1")
    stranger.private_key_and_cert_chain_pem.write_to_path(tmp_path / "stranger.pem")
    names = ("distributed.comm.tls.client.key", "distributed.comm.tls.client.cert")
    with (
        dask.config.set(dict.fromkeys(names, str(tmp_path / "stranger.pem"))),
        pytest.raises(EngineError, match="or the certificates"),
        engine("dask", address=cluster.address),
    ):
        pass
    assert "certificate verify failed" in cluster.log("scheduler")[heard:].lower()
    with (
        dask.config.set(dict.fromkeys(names)),
        pytest.raises(ConfigError, match="wants a certificate, and none is named"),
        engine("dask", address=cluster.address),
    ):
        pass
    with (
        pytest.raises(ConfigError, match="REQUIRE_ENCRYPTION wants encryption; write tls:// in DASK_SCHEDULER_ADDRESS"),
        engine("dask", address=cluster.address.replace("tls:", "tcp:")),
    ):
        pass
