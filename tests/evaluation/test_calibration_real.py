"""What calibration does for persistence on the real homes, read where LOADPROOF_REAL_DATA says."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from tests.evaluation.score_fixtures import value

from loadproof.baselines.persistence import PersistenceEnsemble
from loadproof.config import CalibrationConfig
from loadproof.evaluation.calibration import calibrate
from loadproof.evaluation.coverage import after_gap, home_sizes, score_coverage, shortfalls
from loadproof.features.calendar import local_midnights
from loadproof.features.panel import panel_from_readings
from loadproof.features.splits import split_by_time
from loadproof.features.windows import cut_windows
from loadproof.forecaster import ForecastRows
from loadproof.ingestion.lcl import LCLIngestor
from loadproof.runner.ingest import ingest
from loadproof.store import Store

VALID_FROM, TEST_FROM, TEST_UNTIL = dt.date(2013, 9, 1), dt.date(2013, 10, 1), dt.date(2014, 1, 1)


@pytest.fixture(scope="module")
def tables(real_data, tmp_path_factory):
    """Coverage over October to December: as forecast, by a static calibration and by an adaptive one."""
    store = Store(tmp_path_factory.mktemp("real") / "processed")
    ingest(LCLIngestor(real_data), store, mode="files", max_rejected_share=0.05)
    columns = ["entity_id", "ts_utc", "interval_mins", "energy_kwh"]
    panel = panel_from_readings(store.scan_readings("lcl").select(columns).collect())
    origins = local_midnights(VALID_FROM, TEST_UNTIL)
    windows = cut_windows(panel, context_steps=336, horizon_steps=48, origins=origins, min_observed=48)
    split = split_by_time(windows, valid_from=VALID_FROM, test_from=TEST_FROM, test_until=TEST_UNTIL)
    said = [PersistenceEnsemble().predict(block.inputs) for block in (split.valid, split.test)]
    inputs, truth = split.test.inputs, split.test.truth_kwh
    found = {}
    for kind in ("none", "static", "adaptive"):
        knobs = CalibrationConfig(kind=kind)
        calibration = calibrate(said[0], split.valid.inputs, split.valid.truth_kwh, knobs=knobs)
        forecast = calibration.apply(said[1], inputs, truth)
        found[kind] = score_coverage(
            ForecastRows(kind, inputs.entity, inputs.t0, forecast),
            truth,
            interval_mins=30,
            sizes=home_sizes(panel, until=VALID_FROM, edges_from=panel.entities),
            gaps=after_gap(panel, inputs.entity, inputs.t0),
            dataset="lcl",
            draws=100,
            rng=np.random.default_rng(0),
        )
    return found


def test_adaptive_bands_meet_every_aim_in_all_in_48_half_hours_and_for_9_homes_of_10(tables):
    assert shortfalls(tables["adaptive"]).is_empty()


def test_raw_90_per_cent_bands_hold_85_per_cent_and_static_ones_90(tables):
    assert value(tables["none"], "coverage_90") == pytest.approx(0.846, abs=0.01)
    assert value(tables["static"], "coverage_90") == pytest.approx(0.9, abs=0.015)
    assert not shortfalls(tables["static"]).is_empty()


def test_each_quarter_of_homes_has_half_hours_and_windows_after_gaps_are_few(tables):
    counts = tables["none"].filter(pl.col("metric") == "coverage_80").select("slice", "n")
    n = {slice_: counts.filter(slice=pl.lit(slice_))["n"].sum() for slice_ in ("after_gap=yes", "after_gap=no")}
    assert 0 < n["after_gap=yes"] < 0.05 * n["after_gap=no"]
    assert all(counts.filter(slice=pl.lit(f"size=q{i}"))["n"].item() > 50_000 for i in (1, 2, 3, 4))
