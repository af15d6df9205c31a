import datetime as dt
import json
import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.feeders.shape_fixtures import made_load

from loadproof.errors import SchemaError
from loadproof.feeders.aggregate import FEEDERS
from loadproof.ingestion.ssen import SSENIngestor
from loadproof.runner.feeders import compare_feeders
from loadproof.runner.ingest import ingest
from loadproof.schema import READINGS
from loadproof.seeds import rng_for
from loadproof.store import Store

START = dt.datetime(2013, 1, 7, tzinfo=dt.UTC)


def write_homes(path, n=12, weeks=5):
    kwh = made_load(n, weeks, rng=rng_for(1, "homes"))
    ts = [START + dt.timedelta(minutes=30 * step) for step in range(kwh.shape[1])]
    columns = {
        "entity_id": np.repeat([f"lcl:MAC{i:06d}" for i in range(n)], len(ts)).tolist(),
        "ts_utc": ts * n,
        "interval_mins": [30] * kwh.size,
        "energy_kwh": kwh.ravel().tolist(),
        "source": ["made"] * kwh.size,
        "extras": ["{}"] * kwh.size,
    }
    pl.DataFrame(columns, schema=READINGS).write_parquet(path)


def write_feeders(path, n=4, weeks=5):
    kwh = made_load(n, weeks, rng=rng_for(2, "feeders")) * 3
    ts = [START + dt.timedelta(minutes=30 * step) for step in range(kwh.shape[1])]
    columns = {
        "entity_id": np.repeat([f"ssen:09900030010{i}" for i in range(n)], len(ts)).tolist(),
        "ts_utc": ts * n,
        "interval_mins": [30] * kwh.size,
        "energy_kwh": kwh.ravel().tolist(),
        "reporting": [3] * kwh.size,
        "devices": [8] * kwh.size,
        "device_sd_kwh": [None] * kwh.size,
    }
    pl.DataFrame(columns, schema=FEEDERS).write_parquet(path)


@pytest.fixture
def tables(tmp_path):
    write_homes(tmp_path / "homes.parquet")
    write_feeders(tmp_path / "feeders.parquet")
    return tmp_path


def test_homes_are_grouped_to_the_sizes_of_the_real_feeders_and_a_page_and_figures_are_written(tables):
    store = Store(tables / "processed")
    done = compare_feeders(
        store, str(tables / "homes.parquet"), str(tables / "feeders.parquet"), tables / "out", seed=1
    )
    assert done.found.pseudo.feeders == 4
    assert done.found.pseudo.devices == 3
    facts = json.loads(done.figures.read_text())
    assert facts["concluded"]
    assert facts["composite"] == pytest.approx(sum(part["distance"] for part in facts["parts"]))
    assert facts["diversity"][0]["homes"] == 1
    assert "Load-duration curves" in done.page.read_text()


def test_the_same_run_writes_the_same_bytes(tables):
    store = Store(tables / "processed")
    sides = str(tables / "homes.parquet"), str(tables / "feeders.parquet")
    first, second = (compare_feeders(store, *sides, tables / name, seed=1) for name in ("one", "two"))
    assert first.page.read_bytes() == second.page.read_bytes()
    assert first.figures.read_bytes() == second.figures.read_bytes()


def test_a_table_of_something_else_is_refused(tables):
    pl.DataFrame({"a": [1]}).write_parquet(tables / "odd.parquet")
    with pytest.raises(SchemaError, match="no readings and no feeders"):
        compare_feeders(Store(tables / "p"), str(tables / "odd.parquet"), "x", tables / "out", seed=1)
    with pytest.raises(SchemaError, match="name a table or a dataset"):
        compare_feeders(Store(tables / "p"), str(tables / "none.parquet"), "x", tables / "out", seed=1)


@pytest.mark.skipif("LOADPROOF_REAL_DATA" not in os.environ, reason="LOADPROOF_REAL_DATA names no real data")
def test_the_real_excerpts_are_too_small_and_it_says_so(tables):
    store = Store(tables / "processed")
    ingestor = SSENIngestor(Path(os.environ["LOADPROOF_REAL_DATA"]))
    ingest(ingestor, store, mode="files", max_rejected_share=0.5)
    done = compare_feeders(store, str(tables / "homes.parquet"), "ssen", tables / "out", size=3, seed=1)
    assert not done.facts["concluded"]
    assert done.facts["parts"] == []
    assert any("weeks" in line for line in done.facts["lacking"])
    assert "Nothing is concluded" in done.page.read_text()
