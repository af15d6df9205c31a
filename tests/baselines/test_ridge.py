from dataclasses import replace

import numpy as np
import pytest
from tests.baselines.made_homes import fitted, noise_homes, pinball, planted_homes, split_of, way_of, windows_of

from loadproof.baselines.design import design_of, width_of
from loadproof.baselines.ridge import RidgeForecaster
from loadproof.baselines.seasonal import SeasonalNaive, home_scale
from loadproof.config import RidgeConfig
from loadproof.errors import ConfigError, NotFittedError, SchemaError
from loadproof.forecaster import ModelState
from loadproof.schema import LEVELS

SMALL = RidgeConfig(lookbacks_steps=(336,), penalties=(1.0, 100.0), spread_groups=3)


@pytest.fixture(scope="module")
def planted():
    return split_of(planted_homes())


@pytest.fixture(scope="module")
def model(planted):
    return fitted(RidgeForecaster(SMALL), planted)


def test_on_a_planted_signal_its_pinball_is_below_0_6_of_seasonal_naive(planted, model):
    truth = planted.test.truth_kwh
    ours, naive = (m.predict(planted.test.inputs) for m in (model, fitted(SeasonalNaive(), planted)))
    assert pinball(ours.quantiles_kwh, truth) < 0.6 * pinball(naive.quantiles_kwh, truth)


def test_on_noise_its_pinball_is_not_below_that_of_the_noise_s_own_quantiles():
    split = split_of(noise_homes())
    ours = fitted(RidgeForecaster(SMALL), split).predict(split.test.inputs)
    own = np.broadcast_to(np.quantile(noise_homes(), LEVELS), ours.quantiles_kwh.shape)
    ratio = pinball(ours.quantiles_kwh, split.test.truth_kwh) / pinball(own, split.test.truth_kwh)
    assert 0.995 < ratio < 1.1


def test_its_coefficients_are_those_of_rows_weighed_and_penalised_1_by_1(planted):
    model = fitted(RidgeForecaster(RidgeConfig(lookbacks_steps=(336,), penalties=(0.5,))), planted)
    design, scale = design_of(planted.train.inputs, 336), home_scale(planted.train.inputs)
    weight = np.sqrt(np.clip(scale / np.median(scale), 0.1, 10))[:, None]
    rows, answers = design.inputs * weight, (planted.train.truth_kwh / scale[:, None] - design.base) * weight
    penalty = np.sqrt(0.5 * (rows**2).sum() / rows.shape[1]) * np.eye(rows.shape[1])
    penalty[0] = 0
    oracle = np.linalg.lstsq(np.vstack([rows, penalty]), np.vstack([answers, np.zeros((len(penalty), 48))]))[0]
    np.testing.assert_allclose(model.state().arrays["coefficients"], oracle, atol=1e-6)


def test_residuals_of_40_windows_and_393_inputs_are_not_those_of_a_line_that_has_learnt_them_by_heart(planted):
    config = RidgeConfig(lookbacks_steps=(336,), penalties=(1e-3,), spread_groups=1)
    few, nothing = planted.train.take(slice(0, 40)), planted.valid.take(slice(0, 0))
    model = RidgeForecaster(config)
    model.fit(few, nothing, rng=np.random.default_rng(0))
    fitted_line = model.predict(few.inputs).mean_kwh / home_scale(few.inputs)[:, None]
    in_sample = np.quantile(few.truth_kwh / home_scale(few.inputs)[:, None] - fitted_line, LEVELS)
    outside = model.state().arrays["offsets"][:, 0]  # (48, Q)
    assert np.ptp(outside, axis=1).mean() > 3 * np.ptp(in_sample)


def test_of_2_penalties_it_keeps_the_one_with_the_smaller_loss_on_validation(planted):
    model = RidgeForecaster(SMALL)
    report = model.fit(planted.train, planted.valid, rng=np.random.default_rng(0))
    best = min(report.records, key=lambda record: record["valid_loss"])
    assert len(report.records) == 2
    assert model.state().knobs["penalty"] == best["penalty"]


def test_twice_the_energy_gives_twice_the_forecast(planted, model):
    inputs = planted.test.inputs
    double = model.predict(replace(inputs, context_kwh=2 * inputs.context_kwh))
    np.testing.assert_allclose(double.quantiles_kwh, 2 * model.predict(inputs).quantiles_kwh, rtol=1e-4, atol=1e-5)


def test_a_window_s_forecast_is_its_own_whatever_windows_stand_beside_it(planted, model):
    inputs = planted.test.inputs
    np.testing.assert_allclose(
        model.predict(inputs.take(slice(3, 4))).quantiles_kwh, model.predict(inputs).quantiles_kwh[3:4], rtol=1e-5
    )


def test_a_state_restored_and_a_second_fit_forecast_equally_to_the_last_bit(planted, model):
    restored, again = RidgeForecaster(), fitted(RidgeForecaster(SMALL), planted)
    restored.restore(model.state())
    for other in (restored, again):
        for ours, theirs in zip(
            (lambda f: (f.quantiles_kwh, f.mean_kwh, f.how))(model.predict(planted.test.inputs)),
            (lambda f: (f.quantiles_kwh, f.mean_kwh, f.how))(other.predict(planted.test.inputs)),
            strict=True,
        ):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("interval_mins", [30, 60])
def test_a_state_says_of_how_many_inputs_its_line_is(planted, interval_mins):
    inputs = replace(planted.test.inputs.take(slice(0, 2)), interval_mins=interval_mins)
    width = width_of(96, interval_mins=interval_mins, n_known=len(inputs.known_names))
    assert design_of(inputs, 96).inputs.shape == (2, width)


def test_a_missing_reading_a_stale_home_and_one_of_2_days_are_forecast_and_named(planted, model):
    inputs = planted.test.inputs.take(slice(0, 4))
    context = inputs.context_kwh.copy()
    context[1, 400] = np.nan
    context[2, -3 * 48 :] = np.nan
    context[3, : -2 * 48] = np.nan
    ways = way_of(model.predict(replace(inputs, context_kwh=context)))
    assert [set(row) for row in ways] == [{None}, {"gaps_filled"}, {"stale_history"}, {"short_history"}]


def test_of_no_windows_it_says_nothing(planted, model):
    assert model.predict(planted.test.inputs.take(slice(0))).quantiles_kwh.shape == (0, 48, 7)


def test_a_shorter_horizon_is_the_first_24_steps_of_the_longer(planted, model):
    inputs = planted.test.inputs
    short = model.predict(replace(inputs, horizon_steps=24))
    np.testing.assert_allclose(short.quantiles_kwh, model.predict(inputs).quantiles_kwh[:, :24], rtol=1e-5)


def test_with_a_lag_of_2_days_it_reads_nothing_of_the_last_2():
    split = split_of(planted_homes(), data_lag_steps=96)
    forecast = fitted(RidgeForecaster(SMALL), split).predict(split.test.inputs)
    assert set(way_of(forecast).ravel()) == {None}


def test_each_refusal_names_its_mend(planted, model):
    inputs = planted.test.inputs
    with pytest.raises(NotFittedError, match="call fit"):
        RidgeForecaster().predict(inputs)
    with pytest.raises(ConfigError, match="fitted with data_lag_steps 0, the inputs have 48; train it on such"):
        model.predict(replace(inputs, data_lag_steps=48))
    with pytest.raises(ConfigError, match="fitted for 48 steps ahead, not 96; train it with that horizon_steps"):
        model.predict(replace(inputs, horizon_steps=96))
    with pytest.raises(ConfigError, match="looks back 336 steps, 288 are published; raise context_steps by 48"):
        model.predict(replace(inputs, context_kwh=inputs.context_kwh[:, -288:]))
    with pytest.raises(ConfigError, match="hold no day; raise context_steps to 48"):
        fitted(RidgeForecaster(), split_of(planted_homes(), context_steps=40))
    with pytest.raises(ConfigError, match=r"none of \d+ training windows .*; train longer, or on more homes"):
        fitted(RidgeForecaster(SMALL), split_of(np.zeros((1, 48 * 60))))
    blind = windows_of(planted_homes()).inputs.take(slice(0, 1))
    with pytest.raises(ConfigError, match="nothing observed"):
        model.predict(replace(blind, context_kwh=np.full_like(blind.context_kwh, np.nan)))
    for strange in (ModelState({}, {}, {}), ModelState({**model.state().knobs, "task": 7}, {}, {})):
        with pytest.raises(SchemaError, match="train it again"):
            RidgeForecaster().restore(strange)
    state = model.state()
    for strange in (0, -48, 47, 288):  # of 336
        with pytest.raises(SchemaError, match="train it again"):
            RidgeForecaster().restore(state._replace(knobs=state.knobs | {"lookback_steps": strange}))
    bent = model.state()
    bent.arrays["edges"] = bent.arrays["edges"][:, :1]
    with pytest.raises(SchemaError, match=r"no array edges of shape \(48, 2\); train it again"):
        RidgeForecaster().restore(bent)
