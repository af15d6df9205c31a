import datetime as dt
from statistics import NormalDist

import numpy as np
import polars as pl
import pytest

from loadproof.baselines.persistence import PersistenceEnsemble
from loadproof.errors import ConfigError
from loadproof.evaluation.buildingsbench import (
    building_years,
    hour_sums,
    hourly_folds,
    hourly_origins,
    median_nrmse,
    median_ratio,
    median_rps,
)
from loadproof.evaluation.folds import blocked_folds, split_fold
from loadproof.features.panel import Panel, panel_from_readings
from loadproof.features.windows import cut_windows
from loadproof.forecaster import make_forecast
from loadproof.ingestion.lcl import LCLIngestor
from loadproof.runner.ingest import ingest
from loadproof.schema import LEVELS
from loadproof.store import Store

START = np.datetime64("2012-12-31T23:30", "us")
YEAR_STEPS = 2 * 8760


def half_hours(n_homes=3, seed=0):
    energy = np.random.default_rng(seed).gamma(1, 0.3, (n_homes, YEAR_STEPS)).astype(np.float32)
    return Panel(np.array([f"h{i}" for i in range(n_homes)]), START, 30, energy)


def test_an_hour_is_the_mean_of_the_half_hours_from_half_past_and_half_known_it_is_the_one_known():
    panel = half_hours()
    panel.energy_kwh[0, 1] = np.nan
    hourly = building_years(panel, 2013)
    assert hourly.energy_kwh.shape == (3, 8760)
    assert hourly.start == START
    assert hourly.energy_kwh[0, 0] == panel.energy_kwh[0, 0]
    np.testing.assert_allclose(hourly.energy_kwh[1], panel.energy_kwh[1].reshape(-1, 2).mean(axis=1), rtol=1e-6)


def slow_fill(values):
    """Linear where a reading lies within 168 hours on either side, else 0; one hour at a time."""
    known = [i for i, x in enumerate(values) if not np.isnan(x)]
    out = []
    for i, x in enumerate(values):
        if not np.isnan(x):
            out.append(x)
            continue
        before = max(k for k in known if k < i)
        after = min(k for k in known if k > i)
        line = values[before] + (values[after] - values[before]) * (i - before) / (after - before)
        out.append(line if min(i - before, after - i) <= 168 else 0.0)
    return out


def test_a_gap_is_interpolated_168_hours_from_either_side_and_is_0_between():
    panel = half_hours(n_homes=1)
    panel.energy_kwh[0, 2000:2010] = np.nan
    panel.energy_kwh[0, 4000:4800] = np.nan  # 400 hours
    filled = building_years(panel, 2013).energy_kwh[0]
    raw = panel.energy_kwh[0].reshape(-1, 2)
    raw = np.where(np.isnan(raw).all(axis=1), np.nan, raw.mean(axis=1))
    np.testing.assert_allclose(filled, slow_fill(raw), rtol=1e-5)
    assert (filled[2000:2400] == 0).sum() == 400 - 2 * 168


def test_a_home_with_a_seventh_of_its_span_missing_is_no_building_and_one_that_left_in_june_is():
    panel = half_hours()
    panel.energy_kwh[0, 1000:3500] = np.nan
    panel.energy_kwh[1, 8760:] = np.nan
    hourly = building_years(panel, 2013)
    assert hourly.entities.tolist() == ["h1", "h2"]
    assert np.isnan(hourly.energy_kwh[0, 4380:]).all()
    assert not np.isnan(hourly.energy_kwh[0, :4380]).any()
    panel.energy_kwh[1:] = np.nan
    with pytest.raises(ConfigError, match="no home has 168 hours of 2013"):
        building_years(panel, 2013)


def test_a_year_has_357_origins_each_judged_in_1_of_4_blocks():
    hourly = building_years(half_hours(n_homes=1), 2013)
    origins = hourly_origins(hourly)
    assert len(origins) == 357
    assert origins[0] == START + np.timedelta64(168, "h")
    starts = [dt.date(2013, month, 1) for month in (1, 4, 7, 10)]
    folds = blocked_folds(
        starts, dt.date(2014, 1, 1), valid_days=28, context_steps=168, interval_mins=60, first=START
    )  # fmt: skip
    windows = cut_windows(hourly, context_steps=168, horizon_steps=24, origins=origins, min_observed=168)
    splits = [split_fold(windows, fold) for fold in hourly_folds(folds, origins, valid_days=28)]
    judged = np.concatenate([split.test.inputs.t0 for split in splits])
    np.testing.assert_array_equal(np.sort(judged), origins)
    assert all(len(split.valid) >= 27 for split in splits)


def case(seed=0, n_homes=4, n_days=20):
    rng = np.random.default_rng(seed)
    truth = rng.gamma(2, 0.2, (n_homes * n_days, 24)).astype(np.float32)
    entity = np.repeat([f"h{i}" for i in range(n_homes)], n_days)
    mean = truth + rng.normal(0, 0.2, truth.shape) * (1 + np.arange(len(truth))[:, None] / 40)
    z = np.array([NormalDist().inv_cdf(level) for level in LEVELS])
    forecast = make_forecast(mean[..., None] + 0.2 * z, LEVELS, mean)
    truth[0, 3] = np.nan
    return forecast, truth, entity


def test_the_median_over_4_buildings_is_that_of_each_one_s_root_mean_square_over_its_mean():
    forecast, truth, entity = case()
    own = []
    for home in np.unique(entity):
        y, m = (x[entity == home].astype(float) for x in (truth, forecast.mean_kwh))
        own.append(np.sqrt(np.nanmean((m - y) ** 2)) / np.nanmean(y))
    sums = hour_sums(forecast, truth, entity)
    found = median_nrmse(sums, draws=500, rng=np.random.default_rng(0))
    assert found.value == pytest.approx(np.median(own), rel=1e-6)
    assert min(own) <= found.low < found.value < found.high <= max(own)


def test_the_scores_are_96_one_for_each_of_24_hours_ahead_of_4_buildings():
    forecast, truth, entity = case()
    sums = hour_sums(forecast, truth, entity)
    assert sums.height == 96
    assert sums["n"].sum() == truth.size - 1
    found = median_rps(sums, draws=200, rng=np.random.default_rng(0))
    assert found.value == pytest.approx(float((sums["crps"] / sums["n"]).median()))


def test_a_model_in_ratio_to_itself_is_1_in_every_draw_and_on_other_hours_is_refused():
    forecast, truth, entity = case()
    sums = hour_sums(forecast, truth, entity)
    assert median_ratio(sums, sums, draws=100, seed=0) == (1.0, 1.0, 1.0)
    fewer = sums.filter(pl.col("entity_id") != "h0")
    with pytest.raises(ConfigError, match="other hours"):
        median_ratio(sums, fewer, draws=100, seed=0)


def test_persistence_on_the_real_homes_of_2013_has_a_median_nrmse_of_70_4_per_cent(real_data, tmp_path):
    store = Store(tmp_path / "processed")
    ingest(LCLIngestor(real_data), store, mode="files", max_rejected_share=0.05)
    hourly = building_years(panel_from_readings(store.scan_readings("lcl").collect()), 2013)
    assert len(hourly.entities) == 137
    windows = cut_windows(hourly, context_steps=168, horizon_steps=24, origins=hourly_origins(hourly), min_observed=168)
    forecast = PersistenceEnsemble().predict(windows.inputs)
    sums = hour_sums(forecast, windows.truth_kwh, windows.inputs.entity)
    assert median_nrmse(sums, draws=100, rng=np.random.default_rng(0)).value == pytest.approx(0.7038, abs=1e-4)
