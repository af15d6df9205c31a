"""The ranked risk, from readings at rest to tables at rest."""

import datetime as dt
import shutil
from pathlib import Path

import polars as pl
import pytest

from loadproof.config import ExperimentConfig, RiskConfig
from loadproof.errors import ConfigError, SourceError
from loadproof.ingestion.lcl import LCLIngestor
from loadproof.runner.feeders_risk import RiskAsked, risk
from loadproof.runner.ingest import ingest
from loadproof.runner.ssen import Remote, ingest_ssen
from loadproof.schema import FORECASTS, RISK, RISK_STEPS
from loadproof.store import Store

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
CONFIG = ExperimentConfig(risk=RiskConfig(feeder_homes=4))


def bring_ssen(folder, root):
    store = Store(root / "processed")
    remote = Remote(root / ".cache")
    ingest_ssen(folder, store, source="files", remote=remote, api_key=None, mode="files", max_rejected_share=1.0)
    return store


@pytest.fixture(scope="module")
def lcl(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("lcl") / "processed")
    ingest(LCLIngestor(SAMPLES), store, mode="samples", max_rejected_share=0.5)
    return store


@pytest.fixture(scope="module")
def ssen(tmp_path_factory):
    return bring_ssen(SAMPLES, tmp_path_factory.mktemp("ssen"))


def test_homes_become_two_feeders_below_a_substation_and_a_second_run_changes_nothing(lcl, tmp_path):
    asked = RiskAsked("persistence_ensemble", 48, usual="pole_100kva")
    done = risk(lcl, "lcl", tmp_path / "a", config=CONFIG, asked=asked)
    assert (done.feeders, done.substations) == (2, 1)
    assert {row["limit"] for row in done.rows} == {"fuse", "transformer"}
    ranked, steps = (pl.read_parquet(tmp_path / "a" / f"{name}.parquet") for name in ("risk", "risk_half_hours"))
    assert (ranked.schema, steps.schema) == (RISK, RISK_STEPS)
    assert (ranked.height, steps.height) == (3, 3 * 48)
    assert pl.read_parquet(tmp_path / "a" / "risk_forecasts.parquet").schema == FORECASTS
    risk(lcl, "lcl", tmp_path / "b", config=CONFIG, asked=asked)
    for one in (tmp_path / "a").iterdir():
        assert one.read_bytes() == (tmp_path / "b" / one.name).read_bytes(), one.name


def test_what_comes_after_t0_changes_nothing(lcl, tmp_path):
    at = dt.date(2013, 12, 1)
    asked = RiskAsked("seasonal_naive", 48, at=at, usual="pole_100kva")
    done = risk(lcl, "lcl", tmp_path / "all", config=CONFIG, asked=asked)
    cut = Store(tmp_path / "cut" / "processed")
    shutil.copytree(lcl.root.parent, tmp_path / "cut", dirs_exist_ok=True)
    for later in cut.root.glob("dataset=lcl/month=2013-12*"):
        shutil.rmtree(later)
    again = risk(cut, "lcl", tmp_path / "past", config=CONFIG, asked=asked)
    assert again.rows == done.rows


def test_what_was_designed_for_one_home_is_likely_exceeded_by_four_and_bad_rows_are_told(lcl, tmp_path):
    assets = tmp_path / "assets.csv"
    # Two feeders of four homes that were designed for one: 0.95 kWh a half hour.
    assets.write_text("entity_id,homes,fuse_a\npseudo:4:00,1,\npseudo:4:01,1,\npseudo:substation,,9e9\n")
    done = risk(lcl, "lcl", tmp_path / "b", config=CONFIG, asked=RiskAsked("ridge", 48, assets=assets))
    assert {row["entity_id"] for row in done.rows} == {"pseudo:4:00", "pseudo:4:01"}
    assert done.bad_rows[0].line == 4
    assert min(row["probability"] for row in done.rows) > 0.5
    assert max(row["headroom_95_kwh"] for row in done.rows) < 0
    with pytest.raises(SourceError, match="cannot be read"):
        risk(lcl, "lcl", tmp_path / "c", config=CONFIG, asked=RiskAsked("ridge", 48, assets=tmp_path / "none.csv"))


def test_real_shaped_feeders_are_ranked_with_their_substations_and_say_what_they_rest_on(ssen, tmp_path):
    asked = RiskAsked("persistence_ensemble", 48, usual="ground_500kva")
    done = risk(ssen, "ssen", tmp_path, config=CONFIG, asked=asked)
    assert (done.feeders, done.substations) == (12, 6)
    assert any("smart meters that reported" in note for note in done.notes)
    scaled = risk(
        ssen, "ssen", tmp_path, config=CONFIG, asked=RiskAsked(
            "persistence_ensemble", 48, usual="ground_500kva", scale="mean_of_reporting")
    )  # fmt: skip
    assert any("standard error of" in note for note in scaled.notes)
    peaks = [{row["entity_id"]: row["peak_kwh"] for row in each.rows} for each in (done, scaled)]
    assert all(peaks[1][name] > kwh for name, kwh in peaks[0].items() if name in peaks[1] and kwh > 0)


@pytest.mark.parametrize(("name", "said"), [
    ("2024-02-12.csv", "of 1 feeder.* the most has 10"),
    ("ssen_smart_meter_prod_lv_feeder_usage_optimized_10_21_2025_head.csv", "of 30 feeder.* have no MPAN count"),
])  # fmt: skip
def test_of_a_real_excerpt_it_says_what_is_missing_and_concludes_nothing(name, said, real_data, tmp_path):
    raw = tmp_path / "raw" / "ssen"
    raw.mkdir(parents=True)
    for file in (name, "LV_FEEDER_LOOKUP.csv"):
        shutil.copy(real_data / "ssen" / file, raw / file)
    store = bring_ssen(tmp_path / "raw", tmp_path)
    asked = RiskAsked("persistence_ensemble", 48, usual="ground_500kva")
    with pytest.raises(ConfigError, match=f"nothing can be concluded: {said}"):
        risk(store, "ssen", tmp_path / "out", config=CONFIG, asked=asked)
    assert not (tmp_path / "out").exists()


def test_houses_of_ukdale_are_no_feeder(lcl, tmp_path):
    with pytest.raises(ConfigError, match="take lcl or ssen"):
        risk(lcl, "ukdale", tmp_path, config=CONFIG, asked=RiskAsked("ridge", 48, at=dt.date(2013, 6, 1)))
