"""The ranked risk, from readings at rest to tables at rest."""

import datetime as dt
import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from tests.runner.made_stores import make_store

from loadproof.config import ExperimentConfig, RiskConfig
from loadproof.errors import ConfigError, SourceError
from loadproof.feeders.headroom import HEADROOM
from loadproof.feeders.risk_scores import RISK_SCORES
from loadproof.ingestion.lcl import LCLIngestor
from loadproof.records import read_record
from loadproof.runner.feeders_headroom import HeadroomAsked, measure_headroom
from loadproof.runner.feeders_reliability import study_reliability
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


def test_a_what_if_says_so_and_raises_the_peaks(lcl, tmp_path):
    asked = RiskAsked("persistence_ensemble", 48, usual="pole_100kva")
    plain = risk(lcl, "lcl", tmp_path / "a", config=CONFIG, asked=asked)
    added = replace(asked, added={"ev": 0.5, "heat_pump": 0.5})
    done = risk(lcl, "lcl", tmp_path / "b", config=CONFIG, asked=added)
    assert sum("a what-if: 50% of the homes" in note for note in done.notes) == 2
    assert any("scenario EV_SPIKE" in note for note in done.notes)
    before, after = ({row["entity_id"]: row["peak_kwh"] for row in each.rows} for each in (plain, done))
    assert all(after[name] > kwh for name, kwh in before.items())


def test_headroom_of_a_year_is_told_and_of_three_days_it_is_said_what_is_missing(lcl, ssen, tmp_path):
    asked = HeadroomAsked(usual="pole_100kva", accept=(0.5,), entities=("pseudo:substation",))
    year = make_store(tmp_path / "year", homes=8, days=364)
    done = measure_headroom(year, "lcl", tmp_path, config=CONFIG, asked=asked)
    assert {row["evs_fit"] for row in done.rows} == {8}  # eight homes under 100 kVA
    assert pl.read_parquet(tmp_path / "headroom.parquet").schema == HEADROOM
    with pytest.raises(ConfigError, match=r"nothing can be concluded: of 18 .* 0 winter week"):
        measure_headroom(ssen, "ssen", tmp_path, config=CONFIG, asked=HeadroomAsked(usual="ground_500kva"))
    with pytest.raises(ConfigError, match="has no readings"):
        strange = HeadroomAsked(usual="pole_100kva", entities=("pseudo:77",))
        measure_headroom(lcl, "lcl", tmp_path, config=CONFIG, asked=strange)
    with pytest.raises(ConfigError, match=r"7 winter week.* are known, and 8 are wanted"):
        measure_headroom(lcl, "lcl", tmp_path, config=CONFIG, asked=asked)


def test_the_study_judges_models_beside_climatologies_on_the_same_half_hours(lcl, tmp_path):
    config = ExperimentConfig(risk=RiskConfig(feeder_homes=4, partitions=1, study_days=1, min_reporting=0.5))
    knobs = config.forecast.model_copy(update={"valid_from": dt.date(2013, 9, 15), "test_until": dt.date(2013, 11, 15)})
    config = config.model_copy(update={"forecast": knobs})
    done = study_reliability(lcl, "lcl", ["persistence_ensemble"], tmp_path, config=config)
    scores = read_record(done.path).frame
    assert scores.schema == RISK_SCORES
    briers = scores.filter(metric="brier", days_ahead=1, percentile=0.95)
    any_half_hour = pl.col("subject").str.contains("/any/")
    counts, days = briers.filter(~any_half_hour), briers.filter(any_half_hour)
    assert counts["n"].n_unique() == 1
    assert days["subject"].to_list() == [
        f"persistence_ensemble/any/{way}" for way in ("least", "most", "apart", "together")
    ]
    assert 48 * days["n"].unique().item() >= counts["n"].unique().item()
    assert "persistence_ensemble/none/exponential" in counts["subject"].to_list()
    first = done.path.read_bytes()
    study_reliability(lcl, "lcl", ["persistence_ensemble"], tmp_path, config=config)
    assert done.path.read_bytes() == first
    with pytest.raises(ConfigError, match="groups of homes; take lcl"):
        study_reliability(lcl, "ssen", ["ridge"], tmp_path, config=config)


def test_a_run_is_read_back_for_the_report_with_its_tree_and_the_days_before(lcl, tmp_path):
    asked = RiskAsked("persistence_ensemble", 48, usual="pole_100kva")
    risk(lcl, "lcl", tmp_path, config=CONFIG, asked=asked)
    found = lcl.read_risk(tmp_path)
    assert found is not None
    ranked, forecasts, recent, facts = found
    assert facts["tree"] == {"pseudo:substation": ["pseudo:4:00", "pseudo:4:01"]}
    assert set(recent["entity_id"]) == set(ranked["entity_id"]) == set(forecasts["entity_id"])
    assert recent["ts_utc"].max() < ranked["t0_utc"][0]
    assert recent.height <= 3 * 96
    assert lcl.read_risk(tmp_path / "nowhere") is None
