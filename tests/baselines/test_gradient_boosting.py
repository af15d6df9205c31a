from dataclasses import replace

import numpy as np
import pytest
from tests.baselines.made_homes import DAY, START, fitted, noise_homes, pinball, planted_homes, split_of, way_of

from loadproof.baselines.columns import scaled_columns
from loadproof.baselines.gradient_boosting import LightGBMForecaster
from loadproof.baselines.seasonal import SeasonalNaive, home_scale
from loadproof.config import FeatureConfig, LightGBMConfig
from loadproof.errors import ConfigError, NotFittedError, SchemaError
from loadproof.features.panel import Panel
from loadproof.features.splits import split_by_time
from loadproof.features.table import FeatureSpec, feature_matrix, spec_from_config
from loadproof.features.windows import cut_windows
from loadproof.forecaster import ModelState
from loadproof.schema import LEVELS

SMALL = LightGBMConfig(trees=20, learning_rate=0.1, leaves=8, line_rows=3000, max_rows=6000, threads=1)


@pytest.fixture(scope="module")
def planted():
    return split_of(planted_homes())


@pytest.fixture(scope="module")
def model(planted):
    return fitted(LightGBMForecaster(SMALL), planted)


def test_on_a_planted_signal_its_pinball_is_below_0_75_of_seasonal_naive(planted, model):
    truth = planted.test.truth_kwh
    ours, naive = (m.predict(planted.test.inputs) for m in (model, fitted(SeasonalNaive(), planted)))
    assert pinball(ours.quantiles_kwh, truth) < 0.75 * pinball(naive.quantiles_kwh, truth)


def test_on_noise_its_pinball_is_not_below_that_of_the_noise_s_own_quantiles():
    split = split_of(noise_homes())
    ours = fitted(LightGBMForecaster(SMALL), split).predict(split.test.inputs)
    own = np.broadcast_to(np.quantile(noise_homes(), LEVELS), ours.quantiles_kwh.shape)
    ratio = pinball(ours.quantiles_kwh, split.test.truth_kwh) / pinball(own, split.test.truth_kwh)
    assert 0.995 < ratio < 1.1


def test_a_home_that_training_never_saw_is_forecast_as_well_within_a_tenth(planted, model):
    entity = planted.train.inputs.entity
    seen = [w.take(w.inputs.entity < "h0003") for w in planted[:2]]
    some = LightGBMForecaster(SMALL)
    some.fit(*seen, rng=np.random.default_rng(0))
    unseen = planted.test.take(planted.test.inputs.entity >= "h0003")
    scores = [pinball(m.predict(unseen.inputs).quantiles_kwh, unseen.truth_kwh) for m in (some, model)]
    assert len(np.unique(entity)) == 6
    assert scores[0] < 1.1 * scores[1]


def test_a_state_restored_and_a_second_fit_forecast_equally_to_the_last_bit(planted, model):
    restored, again = LightGBMForecaster(), fitted(LightGBMForecaster(SMALL), planted)
    restored.restore(model.state())
    ours = model.predict(planted.test.inputs)
    for other in (restored, again):
        theirs = other.predict(planted.test.inputs)
        np.testing.assert_array_equal(ours.quantiles_kwh, theirs.quantiles_kwh)
        np.testing.assert_array_equal(ours.mean_kwh, theirs.mean_kwh)
    assert restored.state().texts == model.state().texts


def test_another_seed_samples_other_windows(planted, model):
    other = LightGBMForecaster(SMALL)
    other.fit(planted.train, planted.valid, rng=np.random.default_rng(1))
    inputs = planted.test.inputs
    assert (other.predict(inputs).quantiles_kwh != model.predict(inputs).quantiles_kwh).any()


def test_a_window_s_forecast_is_its_own_whatever_windows_stand_beside_it(planted, model):
    inputs = planted.test.inputs
    np.testing.assert_allclose(
        model.predict(inputs.take(slice(3, 4))).quantiles_kwh, model.predict(inputs).quantiles_kwh[3:4], rtol=1e-5
    )


def test_gaps_are_no_fallback_but_a_stale_home_and_one_of_2_days_are_named(planted, model):
    inputs = planted.test.inputs.take(slice(0, 4))
    context = inputs.context_kwh.copy()
    context[1, 400] = np.nan
    context[2, -3 * 48 :] = np.nan
    context[3, : -2 * 48] = np.nan
    ways = way_of(model.predict(replace(inputs, context_kwh=context)))
    assert [set(row) for row in ways] == [{None}, {None}, {"stale_history"}, {"short_history"}]


def test_without_validation_each_booster_grows_all_20_trees_and_with_it_at_most_20(planted):
    alone = LightGBMForecaster(SMALL)
    report = alone.fit(planted.train, planted.valid.take(slice(0, 0)), rng=np.random.default_rng(0))
    assert set(report.records[0].values()) == {20.0}
    judged = LightGBMForecaster(SMALL.model_copy(update={"patience_trees": 1}))
    report = judged.fit(planted.train, planted.valid, rng=np.random.default_rng(0))
    assert len(report.records[0]) == len(LEVELS) + 1
    assert 1 <= min(report.records[0].values()) < 20


def test_homes_that_stand_still_teach_nothing_and_are_forecast_as_nothing(planted):
    inputs = planted.test.inputs.take(slice(0, 2))
    still = np.concatenate([planted_homes(), np.zeros((1, 48 * 60))])
    model = fitted(LightGBMForecaster(SMALL), split_of(still))
    forecast = model.predict(replace(inputs, context_kwh=np.zeros_like(inputs.context_kwh)))
    assert forecast.quantiles_kwh.max() < 0.01


@pytest.mark.parametrize("seed", range(3))
def test_100_windows_of_24_hours_are_enough_to_grow_60_trees(seed):
    hourly = planted_homes().reshape(6, -1, 2).mean(axis=2).astype(np.float32)
    panel = Panel(np.array([f"h{i}" for i in range(6)]), START, 60, hourly)
    windows = cut_windows(panel, context_steps=168, horizon_steps=24, origins=START + np.arange(14, 60) * DAY)
    split = split_by_time(windows, valid_from=START + 40 * DAY, test_from=START + 47 * DAY)
    model = LightGBMForecaster(LightGBMConfig(trees=60, line_rows=2000, max_rows=2400, threads=1))
    model.fit(split.train, split.valid, rng=np.random.default_rng(seed))
    forecast = model.predict(split.test.inputs)
    assert forecast.quantiles_kwh.shape == (len(split.test), 24, len(LEVELS))


def test_energies_come_in_scales_and_the_scale_as_its_logarithm(planted):
    spec = FeatureSpec(("step", "day_1_kwh", "scale_kwh", "known_share"))
    inputs = planted.test.inputs.take(slice(0, 3))
    plain, scale = feature_matrix(inputs, spec).values, home_scale(inputs)[:, None]
    scaled = scaled_columns(inputs, spec).values.reshape(3, 48, 4)
    np.testing.assert_array_equal(scaled[..., 0], plain[..., 0])
    np.testing.assert_allclose(scaled[..., 1], plain[..., 1] / scale, rtol=1e-6)
    np.testing.assert_allclose(np.exp(scaled[..., 2]), plain[..., 2], rtol=1e-5)
    np.testing.assert_array_equal(scaled[..., 3], plain[..., 3])


def test_each_refusal_names_its_mend(planted, model):
    inputs = planted.test.inputs
    with pytest.raises(NotFittedError, match="call fit"):
        LightGBMForecaster().predict(inputs)
    with pytest.raises(NotFittedError, match="call fit"):
        LightGBMForecaster().state()
    with pytest.raises(ConfigError, match="fitted with data_lag_steps 0, the inputs have 48; train it on such"):
        model.predict(replace(inputs, data_lag_steps=48))
    with pytest.raises(ConfigError, match="fitted for 48 steps ahead, not 96; train it with that horizon_steps"):
        model.predict(replace(inputs, horizon_steps=96))
    with pytest.raises(ConfigError, match="cannot do without local_weekday; take it out of left_out"):
        LightGBMForecaster(SMALL, spec_from_config(FeatureConfig(left_out=("local_weekday",))))
    with pytest.raises(ConfigError, match=r"none of \d+ training windows .*; train longer, or on more homes"):
        fitted(LightGBMForecaster(SMALL), split_of(np.zeros((1, 48 * 60))))
    with pytest.raises(ConfigError, match="nothing observed"):
        model.predict(replace(inputs, context_kwh=np.full_like(inputs.context_kwh, np.nan)))
    state = model.state()
    for strange in (
        ModelState({}, {}, {}),
        state._replace(texts={}),
        state._replace(texts=dict.fromkeys(state.texts, "no trees")),
        state._replace(knobs=state.knobs | {"features": ["step"]}),
        state._replace(knobs=state.knobs | {"features": ["no_feature"]}),
        state._replace(arrays={}),
        state._replace(arrays=state.arrays | {"centre": state.arrays["centre"][:-1]}),
        state._replace(arrays=state.arrays | {"coefficients": state.arrays["coefficients"][:-1]}),
        state._replace(texts=state.texts | {"mean": state.texts["mean"].replace("split_feature=", "split_feature=9")}),
    ):
        with pytest.raises(SchemaError, match="train it again"):
            LightGBMForecaster().restore(strange)
