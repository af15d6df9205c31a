from dataclasses import replace

import numpy as np
import pytest

from loadproof.baselines import BASELINES
from loadproof.baselines.seasonal import SeasonalNaive, home_scale, mean_known
from loadproof.errors import ConfigError, NotFittedError, SchemaError
from loadproof.evaluation.metrics import seasonal_scale
from loadproof.features.panel import Panel
from loadproof.features.splits import split_by_time
from loadproof.features.windows import Windows, cut_windows
from loadproof.schema import LEVELS

START = np.datetime64("2013-01-07", "us")  # a Monday in winter: local time is UTC
DAY = np.timedelta64(1, "D")


def panel_of(energy):
    energy = np.atleast_2d(np.asarray(energy, dtype=np.float32))
    return Panel(np.array([f"h{i:04d}" for i in range(len(energy))]), START, 30, energy)


def windows_of(energy, *, first=14, last=None, context_steps=672, **kwargs):
    panel = panel_of(energy)
    days = np.arange(first, last or panel.energy_kwh.shape[1] // 48)
    cut = {"context_steps": context_steps, "horizon_steps": 48, "origins": START + days * DAY}
    return cut_windows(panel, **cut, **kwargs)


def fitted(windows, season_half_hours=48):
    model = SeasonalNaive(season_half_hours)
    model.fit(windows, windows.take(slice(0, 0)), rng=np.random.default_rng(0))
    return model


def way_of(forecast):
    return np.array(forecast.hows, dtype=object)[forecast.how]


def test_the_door_names_3_baselines_as_they_name_themselves():
    assert {name: build().name for name, build in BASELINES.items()} == {
        name: name for name in ("persistence_ensemble", "seasonal_naive", "seasonal_naive_week")
    }


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_on_a_series_that_repeats_every_day_each_baseline_errs_by_0(name):
    day = np.random.default_rng(1).gamma(1.0, 0.3, 48)
    split = split_by_time(windows_of(np.tile(day, 30)), valid_from=START + 20 * DAY, test_from=START + 22 * DAY)
    model = BASELINES[name]()
    model.fit(split.train, split.valid, rng=np.random.default_rng(0))
    forecast = model.predict(split.test.inputs)
    np.testing.assert_allclose(forecast.mean_kwh, split.test.truth_kwh, atol=1e-6)
    np.testing.assert_allclose(forecast.quantiles_kwh[..., LEVELS.index(0.5)], split.test.truth_kwh, atol=1e-6)


def test_on_a_series_that_repeats_every_week_only_the_weekly_baseline_errs_by_0():
    week = np.random.default_rng(2).gamma(1.0, 0.3, 336)
    windows = windows_of(np.tile(week, 5))
    errors = {}
    for name, build in BASELINES.items():
        model = build()
        model.fit(windows, windows.take(slice(0, 0)), rng=np.random.default_rng(0))
        errors[name] = np.abs(model.predict(windows.inputs).mean_kwh - windows.truth_kwh).mean()
    assert errors["seasonal_naive_week"] < 1e-6
    assert min(errors["seasonal_naive"], errors["persistence_ensemble"]) > 0.1


def test_on_uniform_noise_the_mae_is_a_third_for_the_day_before_and_0_262_for_seven_days_but_a_quarter_for_the_median():
    # E|U - U'| = 1/3; E|U - m| = 1/4 + (m - 1/2)^2, and the mean of seven has the variance 1/84.
    windows = windows_of(np.random.default_rng(3).random((200, 48 * 20)))
    truth = windows.truth_kwh
    naive = fitted(windows).predict(windows.inputs).mean_kwh
    ensemble = BASELINES["persistence_ensemble"]().predict(windows.inputs).mean_kwh
    assert np.abs(naive - truth).mean() == pytest.approx(1 / 3, abs=0.003)
    assert np.abs(ensemble - truth).mean() == pytest.approx(1 / 4 + 1 / 84, abs=0.003)
    assert np.abs(0.5 - truth).mean() == pytest.approx(1 / 4, abs=0.003)


def test_its_quantiles_hold_their_7_shares_of_the_windows_they_were_fitted_on():
    energy = np.random.default_rng(4).gamma(2.0, 0.3, (50, 48 * 30)) + 2  # so high that no quantile is clipped
    windows = windows_of(energy)
    forecast = fitted(windows).predict(windows.inputs)
    shares = (windows.truth_kwh[..., None] <= forecast.quantiles_kwh).mean(axis=(0, 1))
    np.testing.assert_allclose(shares, LEVELS, atol=0.002)


def test_spread_is_learnt_per_local_half_hour_and_grows_with_the_scale_of_the_home():
    rng = np.random.default_rng(5)
    noisy_noon = 1 + np.where(np.arange(48) == 24, rng.normal(0, 0.1, (2000, 20, 48)), 0)
    energy = noisy_noon.reshape(2000, -1) * np.repeat([1, 10], 1000)[:, None]
    windows = windows_of(energy)
    forecast = fitted(windows).predict(windows.inputs)
    width = forecast.quantiles_kwh[..., -1] - forecast.quantiles_kwh[..., 0]  # (N, H)
    assert width[:, np.arange(48) != 24].max() < 1e-5
    small, large = (width[home, 24].mean() for home in np.split(np.arange(len(windows)), 2))
    assert large / small == pytest.approx(10, rel=0.01)
    assert small == pytest.approx(2 * 1.645 * 0.1 * np.sqrt(2), rel=0.05)  # yesterday's noise and today's


@pytest.mark.parametrize(
    ("missing", "expected", "way"),
    [
        ([13], 12, "earlier_season"),  # yesterday is gone: the day before
        (range(6, 14), 5, "earlier_season"),
        (range(14), None, "context_mean"),  # the half hour was never seen: the mean of all others
    ],
)
def test_a_missing_yesterday_is_stood_in_for_by_the_next_best_and_1_half_hour_says_so(missing, expected, way):
    energy = np.repeat(np.arange(15.0), 48)
    energy[[day * 48 + 7 for day in missing]] = np.nan
    model = fitted(windows_of(np.ones(48 * 16)))
    forecast = model.predict(windows_of(energy, last=15).inputs)
    known = energy[: 14 * 48]
    assert forecast.mean_kwh[0, 7] == pytest.approx(np.nanmean(known) if expected is None else expected)
    assert np.flatnonzero(way_of(forecast)[0] == way).tolist() == [7]
    assert (forecast.mean_kwh[0, np.arange(48) != 7] == 13).all()


def test_two_missing_tuesdays_are_stood_in_for_by_the_same_half_hour_of_the_12_other_days():
    energy = np.repeat(np.arange(15.0), 48)
    energy[[7, 7 * 48 + 7]] = np.nan
    forecast = fitted(windows_of(np.ones(48 * 16)), 336).predict(windows_of(energy, last=15).inputs)
    assert forecast.mean_kwh[0, 7] == np.mean([1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13])
    assert way_of(forecast)[0, 7] == "same_half_hour_mean"


def test_with_a_lag_of_7_days_the_plain_way_is_the_last_published_day_6():
    windows = windows_of(np.repeat(np.arange(16.0), 48), last=15, data_lag_steps=336)
    forecast = fitted(windows_of(np.ones(48 * 16))).predict(windows.inputs)
    assert (forecast.mean_kwh == 6).all()
    assert set(way_of(forecast).ravel()) == {None}


def test_the_scale_of_a_home_away_for_9_of_14_days_is_that_of_its_5_days_at_home():
    energy = np.ones(48 * 15)
    energy[48 * 4 : 48 * 13] = 0
    assert home_scale(windows_of(energy).inputs).tolist() == [1.0]
    energy[48 : 48 * 14] = np.nan  # and unknown days count neither way
    assert home_scale(windows_of(energy).inputs).tolist() == [1.0]


def test_a_context_of_40_steps_has_the_scale_of_its_mean():
    energy = np.concatenate([np.full(28, 3.0), np.ones(20), np.full(20, 2.0), np.zeros(48)])
    windows = windows_of(energy, first=1, last=2, context_steps=20)
    assert home_scale(windows.inputs).tolist() == [1.0]


def test_mean_of_1_3_and_nothing_is_2_and_of_nothing_is_nothing():
    np.testing.assert_array_equal(
        mean_known(np.float32([[1, 3, np.nan], [np.nan] * 3]), axis=1), np.float32([2, np.nan])
    )


def test_each_refusal_names_its_mend_in_1_line():
    windows = windows_of(np.ones(48 * 16))
    with pytest.raises(NotFittedError, match="call fit"):
        SeasonalNaive().predict(windows.inputs)
    with pytest.raises(ConfigError, match="holds no season of 336; raise context_steps to 336"):
        fitted(windows_of(np.ones(48 * 16), context_steps=300), 336)
    with pytest.raises(ConfigError, match="there is no training window; begin training earlier"):
        fitted(windows.take(slice(0, 0)))
    with pytest.raises(ConfigError, match=r"2 training windows have no reading after t0; .* require_truth"):
        fitted(Windows(windows.inputs, np.full_like(windows.truth_kwh, np.nan)))
    with pytest.raises(ConfigError, match=r"all 2 homes to learn from, .* h0000, stand still .*; leave them out"):
        fitted(windows_of(np.zeros((2, 48 * 16))))
    blind = windows.take(np.array([0]))
    blind.inputs.context_kwh[:] = np.nan
    for build in BASELINES.values():
        model = build()
        model.fit(windows, windows, rng=np.random.default_rng(0))
        with pytest.raises(ConfigError, match="1 windows, the first of h0000, have nothing observed"):
            model.predict(blind.inputs)


def test_a_home_that_uses_nothing_does_not_keep_1_that_lives_from_being_learnt_from():
    both, alone = np.random.default_rng(6).gamma(1.0, 0.3, (2, 48 * 30)), np.zeros(48 * 30)
    both[1] = alone
    model, lively = fitted(windows_of(both)), fitted(windows_of(both[:1]))
    np.testing.assert_array_equal(*(m.predict(windows_of(both[:1]).inputs).quantiles_kwh for m in (model, lively)))
    assert (model.predict(windows_of(alone).inputs).mean_kwh == 0).all()


@pytest.mark.parametrize(("interval_mins", "per_day"), [(5, 288), (30, 48), (60, 24)])
def test_yesterday_is_24_hours_ago_at_steps_of_5_30_and_60_minutes(interval_mins, per_day):
    energy = np.random.default_rng(8).gamma(1.0, 0.3, (1, per_day * 20)).astype(np.float32)
    panel = Panel(np.array(["a"]), START, interval_mins, energy)
    windows = cut_windows(
        panel, context_steps=8 * per_day, horizon_steps=per_day, origins=START + np.arange(10, 19) * DAY
    )
    for days, season in ((1, 48), (7, 336)):
        told = fitted(windows, season).predict(windows.inputs.take(slice(0, 1)))
        np.testing.assert_array_equal(told.mean_kwh[0], energy[0, (10 - days) * per_day : (11 - days) * per_day])
    scale = seasonal_scale(panel, until=START + 20 * DAY)["a"]
    assert scale == pytest.approx(np.abs(energy[0, per_day:] - energy[0, :-per_day]).mean(), rel=1e-5)


def test_a_season_that_is_no_number_of_steps_is_refused_with_the_mend():
    windows = windows_of(np.ones((1, 48 * 30)))
    odd = replace(windows.inputs, interval_mins=35)
    with pytest.raises(ConfigError, match="48 half hours is no number of steps of 35 minutes; resample to 30 or 60"):
        fitted(windows_of(np.random.default_rng(9).gamma(1.0, 0.3, (1, 48 * 30)))).predict(odd)


def test_a_state_restored_forecasts_equally_and_another_season_s_is_refused():
    windows = windows_of(np.random.default_rng(7).gamma(1.0, 0.3, (2, 48 * 30)))
    model, restored = fitted(windows), SeasonalNaive()
    restored.restore(model.state())
    ours, theirs = (m.predict(windows.inputs) for m in (model, restored))
    np.testing.assert_array_equal(ours.quantiles_kwh, theirs.quantiles_kwh)
    for strange in (model.state()._replace(arrays={}), fitted(windows, 336).state()):
        with pytest.raises(SchemaError, match=r"not that of seasonal_naive, or damaged; train it again"):
            SeasonalNaive().restore(strange)
    with pytest.raises(NotFittedError, match="call fit"):
        SeasonalNaive().state()
