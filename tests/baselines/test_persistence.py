from statistics import NormalDist

import numpy as np
import pytest

from loadproof.baselines.persistence import PersistenceEnsemble
from loadproof.errors import ConfigError
from loadproof.features.panel import Panel
from loadproof.features.windows import cut_windows
from loadproof.schema import LEVELS

START = np.datetime64("2013-01-07", "us")
DAY = np.timedelta64(1, "D")


def windows_of(energy, *, day=7, context_steps=336, **kwargs):
    energy = np.atleast_2d(np.asarray(energy, dtype=np.float32))
    panel = Panel(np.array([f"h{i:04d}" for i in range(len(energy))]), START, 30, energy)
    cut = {"context_steps": context_steps, "horizon_steps": 48, "origins": np.array([START + day * DAY])}
    return cut_windows(panel, **cut, require_truth=False, **kwargs)


def way_of(forecast):
    return np.array(forecast.hows, dtype=object)[forecast.how]


def test_seven_days_of_1_to_7_kwh_give_mean_4_and_sigma_2_16():
    forecast = PersistenceEnsemble().predict(windows_of(np.repeat(np.arange(1, 8), 48)).inputs)
    np.testing.assert_allclose(forecast.mean_kwh, 4)
    sigma = np.std(np.arange(1, 8), ddof=1)  # 2.1602
    for q, level in enumerate(LEVELS):
        np.testing.assert_allclose(forecast.quantiles_kwh[..., q], NormalDist(4, sigma).inv_cdf(level), rtol=1e-5)
    assert set(way_of(forecast).ravel()) == {None}


def test_equal_days_have_the_least_sigma_of_1_watt_hour_and_quantiles_stop_at_0():
    forecast = PersistenceEnsemble().predict(windows_of(np.zeros(336)).inputs)
    np.testing.assert_allclose(
        forecast.quantiles_kwh[0, 0], [0, 0, 0, 0, 0.00067449, 0.00128155, 0.00164485], rtol=1e-4
    )


def test_a_missing_day_is_left_out_of_mean_and_sigma_and_named_for_1_half_hour_only():
    energy = np.repeat(np.arange(1.0, 8), 48)
    energy[6 * 48 + 5] = np.nan  # the 7 at 02:30
    forecast = PersistenceEnsemble().predict(windows_of(energy).inputs)
    assert forecast.mean_kwh[0, 5] == 3.5
    assert np.flatnonzero(way_of(forecast)[0] == "fewer_days").tolist() == [5]


def test_a_half_hour_known_on_1_day_takes_the_mean_of_the_week_and_says_so():
    energy = np.repeat(np.arange(1.0, 8), 48)
    energy[5 : 6 * 48 : 48] = np.nan
    forecast = PersistenceEnsemble().predict(windows_of(energy).inputs)
    np.testing.assert_allclose(forecast.mean_kwh[0, 5], np.nanmean(energy), rtol=1e-6)
    assert way_of(forecast)[0, 5] == "week_mean"


def test_a_week_without_readings_takes_the_mean_of_the_context_2_kwh_and_says_so():
    energy = np.concatenate([np.full(48, 2.0), np.full(336, np.nan)])
    forecast = PersistenceEnsemble().predict(windows_of(energy, day=8, context_steps=384).inputs)
    assert (forecast.mean_kwh == 2).all()
    assert set(way_of(forecast).ravel()) == {"context_mean"}


def test_with_a_lag_of_7_days_the_seven_days_before_are_the_plain_way():
    windows = windows_of(np.repeat(np.arange(1, 15), 48), day=14, context_steps=672, data_lag_steps=336)
    forecast = PersistenceEnsemble().predict(windows.inputs)
    assert (forecast.mean_kwh == 4).all()
    assert set(way_of(forecast).ravel()) == {None}


def test_a_context_of_335_steps_is_refused_with_336_as_its_mend():
    with pytest.raises(ConfigError, match="raise context_steps to 336"):
        PersistenceEnsemble().predict(windows_of(np.ones(400), context_steps=335).inputs)


def test_on_gaussian_noise_its_90_per_cent_band_holds_83_per_cent_as_student_t_of_6_says():
    # (y - mean7) / s7 is t(6) times sqrt(8 / 7), and P(|t(6)| < 1.6449 / sqrt(8 / 7)) = 0.825.
    energy = np.random.default_rng(1).normal(5, 1, (400, 384)).astype(np.float32)
    windows = windows_of(energy)
    forecast = PersistenceEnsemble().predict(windows.inputs)
    low, high = forecast.quantiles_kwh[..., 0], forecast.quantiles_kwh[..., -1]
    assert np.mean((low <= windows.truth_kwh) & (windows.truth_kwh <= high)) == pytest.approx(0.825, abs=0.01)
