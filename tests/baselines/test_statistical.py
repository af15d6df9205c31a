from dataclasses import replace

import numpy as np
import pytest
from statsforecast.models import AutoETS
from tests.baselines.made_homes import fitted, noise_homes, pinball, planted_homes, split_of, way_of, windows_of

from loadproof.baselines.seasonal import SeasonalNaive, home_scale
from loadproof.baselines.statistical import StatisticalForecaster
from loadproof.config import StatisticalConfig
from loadproof.errors import ConfigError, SchemaError
from loadproof.forecaster import ModelState
from loadproof.schema import LEVELS

WEEK = StatisticalConfig(lookback_days=7)


def daily_homes():
    """A daily shape under noise: smoothing it beats repeating yesterday's noise."""
    shape = np.tile(1 + np.sin(np.arange(48) / 48 * 2 * np.pi), 60)
    return shape + np.random.default_rng(3).normal(2, 0.4, (2, 48 * 60)).clip(0.1)


def some(windows):
    return windows.take(slice(0, None, 8))


def test_on_a_planted_daily_shape_its_pinball_is_below_0_9_of_seasonal_naive():
    split = split_of(daily_homes())
    test = some(split.test)
    ours = StatisticalForecaster(WEEK).predict(test.inputs)
    naive = fitted(SeasonalNaive(), split).predict(test.inputs)
    assert pinball(ours.quantiles_kwh, test.truth_kwh) < 0.9 * pinball(naive.quantiles_kwh, test.truth_kwh)


def test_on_noise_its_pinball_is_not_below_that_of_the_noise_s_own_quantiles():
    test = some(split_of(noise_homes(2)).test)
    ours = StatisticalForecaster(WEEK).predict(test.inputs)
    own = np.broadcast_to(np.quantile(noise_homes(2), LEVELS), ours.quantiles_kwh.shape)
    assert pinball(ours.quantiles_kwh, test.truth_kwh) > 0.995 * pinball(own, test.truth_kwh)


def test_it_is_the_library_s_own_forecast_of_the_last_7_days_and_its_own_90_per_cent_band():
    inputs = windows_of(daily_homes()).inputs.take(slice(0, 1))
    scale = home_scale(inputs)[0]
    theirs = AutoETS(48, "ANA").forecast((inputs.context_kwh[0, -336:] / scale).astype(np.float64), 48, level=[90])
    ours = StatisticalForecaster(WEEK).predict(inputs)
    np.testing.assert_allclose(ours.mean_kwh[0], theirs["mean"] * scale, rtol=1e-5)
    np.testing.assert_allclose(ours.quantiles_kwh[0, :, 0], np.maximum(theirs["lo-90"] * scale, 0), rtol=1e-4)
    np.testing.assert_allclose(ours.quantiles_kwh[0, :, -1], theirs["hi-90"] * scale, rtol=1e-4)


def test_with_a_lag_of_15_hours_it_forecasts_78_steps_and_keeps_the_last_48():
    inputs = windows_of(daily_homes(), data_lag_steps=30).inputs.take(slice(0, 1))
    scale = home_scale(inputs)[0]
    known = (inputs.context_kwh[0, -366:-30] / scale).astype(np.float64)
    theirs = AutoETS(48, "ANA").forecast(known, 78, level=[90])
    ours = StatisticalForecaster(WEEK).predict(inputs)
    np.testing.assert_allclose(ours.mean_kwh[0], theirs["mean"][30:] * scale, rtol=1e-5)
    np.testing.assert_allclose(ours.quantiles_kwh[0, :, -1], theirs["hi-90"][30:] * scale, rtol=1e-4)


def test_gaps_stale_and_short_histories_and_days_that_repeat_are_forecast_and_named():
    inputs = windows_of(planted_homes(1)).inputs.take(slice(0, 6))
    context = inputs.context_kwh.copy()
    context[1, 600] = np.nan
    context[2, -3 * 48 :] = np.nan
    context[3, : -2 * 48] = np.nan
    context[4] = np.tile(context[4, :48], 14)
    context[5] = 0
    forecast = StatisticalForecaster(WEEK).predict(replace(inputs, context_kwh=context))
    ways = [set(row) for row in way_of(forecast)]
    repeats = {"same_half_hour_mean"}
    assert ways == [{None}, {"gaps_filled"}, {"stale_history"}, {"short_history"}, repeats, repeats]
    np.testing.assert_allclose(forecast.mean_kwh[4], context[4, :48], rtol=1e-5)
    assert (forecast.quantiles_kwh[5] == 0).all()


def test_of_no_windows_it_says_nothing():
    inputs = windows_of(planted_homes(1)).inputs.take(slice(0))
    assert StatisticalForecaster(WEEK).predict(inputs).quantiles_kwh.shape == (0, 48, 7)


def test_it_forecasts_twice_the_same_and_keeps_nothing():
    inputs = windows_of(daily_homes()).inputs.take(slice(0, 2))
    model = StatisticalForecaster(WEEK)
    first, second = model.predict(inputs), model.predict(inputs)
    np.testing.assert_array_equal(first.quantiles_kwh, second.quantiles_kwh)
    model.restore(model.state())
    with pytest.raises(SchemaError, match="learns nothing"):
        model.restore(ModelState({"a": 1}, {}, {}))


def test_each_refusal_names_its_mend():
    inputs = windows_of(daily_homes()).inputs.take(slice(0, 1))
    with pytest.raises(ConfigError, match="hold less than 4 days; raise context_steps to 192"):
        StatisticalForecaster(WEEK).predict(replace(inputs, context_kwh=inputs.context_kwh[:, -191:]))
    with pytest.raises(ConfigError, match="nothing observed"):
        StatisticalForecaster(WEEK).predict(replace(inputs, context_kwh=np.full_like(inputs.context_kwh, np.nan)))
