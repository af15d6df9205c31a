from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.evaluation.calibration_fixtures import (
    ADAPTIVE,
    DAY,
    START,
    STATIC,
    case,
    coverage,
    inputs_of,
    normal_forecast,
    taken,
)

from loadproof.config import CalibrationConfig
from loadproof.errors import ConfigError, SchemaError
from loadproof.evaluation.calibration import Calibration, calibrate
from loadproof.evaluation.calibration_places import NORMAL_SCORES
from loadproof.forecaster import ModelState
from loadproof.schema import LEVELS

HALF_HOUR = np.timedelta64(30, "m")


def learned(block, forecast, knobs=ADAPTIVE):
    return calibrate(forecast, block.inputs, block.truth_kwh, knobs=knobs)


def test_static_bands_of_twice_too_small_spread_are_widened_to_it_within_0_1_kwh():
    block, forecast = case(1, n_homes=40, n_days=30)
    inputs = inputs_of(["new"], [START + 40 * DAY])
    found = learned(block, forecast, STATIC).apply(normal_forecast((1, 48)), inputs)
    np.testing.assert_allclose(found.quantiles_kwh.mean(axis=1)[0], 5 + 2 * NORMAL_SCORES, atol=0.1)


def test_static_quantiles_equal_the_sorted_scores_at_rank_l_times_n_plus_1_of_a_slow_twin():
    block, forecast = case(2, n_homes=50, n_days=80, missing=0)  # 4000 scores a half hour; the prior weighs 60
    found = learned(block, forecast, STATIC).apply(normal_forecast((1, 48)), inputs_of(["new"], [START + 90 * DAY]))
    for h in (0, 17, 47):
        scores = np.sort(block.truth_kwh[:, h])
        n = len(scores)
        ranks = [int(np.ceil((n + 1) * level)) if level > 0.5 else int(np.floor((n + 1) * level)) for level in LEVELS]
        np.testing.assert_allclose(found.quantiles_kwh[0, h], scores[np.array(ranks) - 1], atol=0.12)


def test_of_10_truths_a_static_0_95_quantile_is_wider_than_of_1000():
    few, many = case(3, n_homes=1, n_days=10, spread=1.0), case(3, n_homes=20, n_days=50, spread=1.0)
    inputs, forecast = inputs_of(["new"], [START + 90 * DAY]), normal_forecast((1, 48))
    widths = [
        np.ptp(learned(block, said, STATIC).apply(forecast, inputs).quantiles_kwh, axis=-1).mean()
        for block, said in (few, many)
    ]
    assert widths[0] > 1.03 * widths[1]


def test_a_large_home_does_not_set_the_band_of_a_small_one():
    block, forecast = case(4, n_homes=20, n_days=30)
    large = np.where(np.arange(len(block)) // 30 % 2, 100.0, 1.0)[:, None].astype(np.float32)
    grown = replace(forecast, quantiles_kwh=forecast.quantiles_kwh * large[..., None])
    inputs = inputs_of(["new"], [START + 40 * DAY])
    plain = learned(block, forecast, STATIC).apply(normal_forecast((1, 48)), inputs)
    mixed = calibrate(grown, block.inputs, block.truth_kwh * large, knobs=STATIC)
    again = mixed.apply(normal_forecast((1, 48)), inputs)
    np.testing.assert_allclose(again.quantiles_kwh, plain.quantiles_kwh, atol=0.02)


def test_adaptive_bands_bring_6_homes_of_spread_half_to_3_within_4_points_where_static_ones_miss_by_10():
    spread = [0.5, 0.7, 1, 1.5, 2, 3]
    block, forecast = case(5, spread=spread)
    later, said = case(6, spread=spread, first=40, n_days=60)
    missed = {}
    for knobs in (STATIC, ADAPTIVE):
        found = learned(block, forecast, knobs).apply(said, later.inputs, later.truth_kwh)
        mine = [later.inputs.entity == home for home in np.unique(later.inputs.entity)]
        missed[knobs.kind] = max(abs(coverage(taken(found, at), later.truth_kwh[at], 1, 5) - 0.8) for at in mine)
    assert missed["adaptive"] < 0.04
    assert missed["static"] > 0.1


def test_adaptive_bands_follow_a_drift_of_the_spread_from_1_to_2_and_static_ones_do_not():
    block, forecast = case(7, spread=1.0)
    later, said = case(8, spread=2.0, first=40, n_days=60)
    late = later.inputs.t0 >= START + 70 * DAY
    found = {
        knobs.kind: learned(block, forecast, knobs).apply(said, later.inputs, later.truth_kwh)
        for knobs in (STATIC, ADAPTIVE)
    }
    held = {kind: coverage(taken(one, late), later.truth_kwh[late]) for kind, one in found.items()}
    assert held["adaptive"] == pytest.approx(0.9, abs=0.02)
    assert held["static"] < 0.65


def test_an_unseen_home_starts_with_what_all_homes_have_and_ends_within_3_points_of_its_own():
    block, forecast = case(9, spread=1.0, n_homes=20)
    calibration = learned(block, forecast)
    later, said = case(10, spread=2.0, n_homes=1, first=40, n_days=60)
    later = replace(later, inputs=replace(later.inputs, entity=np.full(60, "new")))
    found = calibration.apply(said, later.inputs, later.truth_kwh)
    other = calibration.apply(normal_forecast((1, 48)), inputs_of(["newer"], [START + 40 * DAY]))
    np.testing.assert_array_equal(found.quantiles_kwh[0], other.quantiles_kwh[0])
    assert coverage(taken(found, slice(20, None)), later.truth_kwh[20:]) == pytest.approx(0.9, abs=0.03)


@pytest.mark.parametrize(("readings", "most"), [(47, 1.01), (48, 2.0)])
def test_what_came_of_forecasts_from_47_readings_widens_no_band_and_from_48_it_does(readings, most):
    block, forecast = case(9, spread=1.0, n_homes=20)
    calibration = learned(block, forecast)
    first, said = case(10, spread=1.0, n_homes=20, first=40, n_days=1)
    context = np.full((20, 336), np.nan, dtype=np.float32)
    context[:, 336 - readings :] = 1
    first = replace(first, inputs=replace(first.inputs, context_kwh=context), truth_kwh=first.truth_kwh + 100)
    after = calibration.learn(said, first.inputs, first.truth_kwh)
    inputs = inputs_of(["new"], [START + 45 * DAY])
    before, now = (one.apply(normal_forecast((1, 48)), inputs).quantiles_kwh for one in (calibration, after))
    widened = np.ptp(now, axis=-1).mean() / np.ptp(before, axis=-1).mean()
    assert (widened < most) == (readings == 47)


@pytest.mark.parametrize("lag", [0, 336])
@settings(max_examples=8, deadline=None)
@given(day=st.integers(0, 24), seed=st.integers(0, 1000), value=st.sampled_from([0.0, 40.0, np.nan]))
def test_no_truth_that_is_unpublished_at_t0_changes_the_forecast_at_t0(lag, day, seed, value):
    block, forecast = case(11, n_homes=3, n_days=20, lag=lag)
    later, said = case(12, n_homes=3, n_days=25, first=20 + lag // 48, lag=lag)
    calibration = learned(block, forecast)
    t0 = later.inputs.t0[day]
    unpublished = later.inputs.ts() + HALF_HOUR * (1 + lag) > t0  # (N, H)
    changed = np.random.default_rng(seed).random(unpublished.shape) < 0.5
    other = np.where(unpublished & changed, np.float32(value), later.truth_kwh)
    before, after = (calibration.apply(said, later.inputs, truth) for truth in (later.truth_kwh, other))
    known = later.inputs.t0 <= t0
    np.testing.assert_array_equal(after.quantiles_kwh[known], before.quantiles_kwh[known])


@pytest.mark.parametrize(("lag", "steps_back"), [(0, 1), (336, 337)])
def test_the_newest_usable_truth_is_the_one_published_at_t0_itself(lag, steps_back):
    block, forecast = case(13, n_homes=1, n_days=20, lag=lag)
    later, said = case(14, n_homes=1, n_days=20, first=20 + lag // 48, lag=lag, missing=0)
    calibration, t0 = learned(block, forecast), later.inputs.t0[15]
    moved = []
    for back in (steps_back, steps_back - 1):
        other = np.where(later.inputs.ts() == t0 - back * HALF_HOUR, np.float32(40), later.truth_kwh)
        found, before = (calibration.apply(said, later.inputs, truth) for truth in (other, later.truth_kwh))
        moved.append(not np.array_equal(found.quantiles_kwh[15], before.quantiles_kwh[15]))
    assert moved == [True, False]


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10_000))
def test_windows_in_any_order_give_the_very_same_numbers(seed):
    block, forecast = case(15, n_homes=4, n_days=15)
    later, said = case(16, n_homes=4, n_days=10, first=15)
    rng = np.random.default_rng(seed)
    mixed, order = rng.permutation(len(block)), rng.permutation(len(later))
    shuffled = learned(block.take(mixed), taken(forecast, mixed))
    found = shuffled.apply(taken(said, order), later.inputs.take(order), later.truth_kwh[order])
    expected = learned(block, forecast).apply(said, later.inputs, later.truth_kwh)
    np.testing.assert_array_equal(found.quantiles_kwh, expected.quantiles_kwh[order])


@pytest.mark.parametrize("horizon_steps", [48, 336])
def test_learning_two_blocks_in_turn_is_learning_them_at_once(horizon_steps):
    whole, forecast = case(17, n_homes=3, n_days=30, horizon_steps=horizon_steps)
    ahead = horizon_steps // 48 - 1  # the first block's last truths come that much later
    first, second = whole.inputs.t0 < START + 15 * DAY, whole.inputs.t0 >= START + (15 + ahead) * DAY
    both = whole.take(first | second)
    half = learned(whole.take(first), taken(forecast, first))
    turns = half.learn(taken(forecast, second), whole.take(second).inputs, whole.truth_kwh[second])
    once = learned(both, taken(forecast, first | second))
    for name in ("places", "ranks", "outcomes"):
        np.testing.assert_allclose(getattr(turns.counts, name), getattr(once.counts, name), atol=1e-9)
    assert turns.until == once.until == START + (30 + ahead) * DAY


def test_a_reading_forecast_on_7_days_counts_once_for_its_home():
    block, forecast = case(31, n_homes=1, n_days=30, horizon_steps=336, missing=0)
    calibration = learned(block, forecast, CalibrationConfig(half_life_days=3650))
    judged = 36 * 48 - 1 * 48  # each reading of 36 days, but on the first day nothing was counted yet
    assert 0.75 * judged < calibration.counts.ranks.sum() < judged


def test_a_home_8_times_as_wild_as_11_others_goes_no_further_than_their_0_9875_quantile():
    block, forecast = case(32, n_homes=12, n_days=60, spread=[1.0] * 11 + [8.0])
    found = learned(block, forecast).apply(normal_forecast((1, 48)), inputs_of(["h11"], [START + 60 * DAY]))
    limit = np.nanquantile(block.truth_kwh, 0.9875)  # 13 kWh, where its own 0.95 quantile is 18
    assert found.quantiles_kwh[0, :, 6].mean() == pytest.approx(limit, rel=0.08)


def test_homes_that_leap_every_2_weeks_stay_within_2_points_though_truths_come_after_7_days():
    rng = np.random.default_rng(33)
    whole, forecast = case(33, n_homes=20, n_days=140, spread=1.0, lag=336)
    leaps = np.repeat(rng.normal(0, 1.5, (20, 10)), 14, axis=1).reshape(-1, 1)
    truth = np.maximum(whole.truth_kwh + leaps, 0).astype(np.float32)
    early = whole.inputs.t0 < START + 33 * DAY
    later = whole.inputs.t0 >= START + 40 * DAY
    calibration = calibrate(taken(forecast, early), whole.inputs.take(early), truth[early], knobs=ADAPTIVE)
    found = calibration.apply(taken(forecast, later), whole.inputs.take(later), truth[later])
    assert coverage(found, truth[later]) == pytest.approx(0.9, abs=0.02)


def slow_places(block, forecast, until, half_life_days):
    """How much each cell's truths count at ``until``, by listing them."""
    total = np.zeros(48)
    for n, h in np.ndindex(block.truth_kwh.shape):
        if not np.isnan(block.truth_kwh[n, h]):
            published = block.inputs.t0[n] + (h + 1) * HALF_HOUR
            total[h] += 0.5 ** ((until - published) / DAY / half_life_days)
    return total


def test_a_truth_counts_half_after_14_days_as_the_slow_twin_says():
    block, forecast = case(18, n_homes=2, n_days=20)
    calibration = learned(block, forecast)
    expected = slow_places(block, forecast, START + 20 * DAY, 14)
    np.testing.assert_allclose(calibration.counts.places.sum(axis=1), expected)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 1e-3, 1.0]))
def test_quantiles_never_cross_nor_fall_below_0_on_hostile_loads(seed, grain):
    rng = np.random.default_rng(seed)
    block, forecast = case(19, n_homes=2, n_days=12)
    wild = rng.choice([0.0, 1e-3, 5.0, 1e4], (*block.truth_kwh.shape, 7)).astype(np.float32) * np.float32(grain)
    said = replace(forecast, quantiles_kwh=np.sort(wild, axis=-1))
    truth = rng.choice([0.0, 1e-3, 50.0, 1e6, np.nan], block.truth_kwh.shape).astype(np.float32)
    truth[0, 0] = 1.0
    early = block.inputs.t0 < START + 6 * DAY
    calibration = calibrate(taken(said, early), block.inputs.take(early), truth[early], knobs=ADAPTIVE)
    found = calibration.apply(taken(said, ~early), block.inputs.take(~early), truth[~early])
    assert np.isfinite(found.quantiles_kwh).all()  # Forecast itself refuses crossing and negative ones


def test_homes_that_read_0_half_of_the_time_have_their_upper_90_per_cent_edge_within_2_points():
    rng = np.random.default_rng(20)
    block, forecast = case(20, n_homes=10, n_days=60, spread=1.0)
    truth = np.where(rng.random(block.truth_kwh.shape) < 0.5, np.float32(0), block.truth_kwh)
    truth = np.round(truth, 3).astype(np.float32)
    early = block.inputs.t0 < START + 30 * DAY
    calibration = calibrate(taken(forecast, early), block.inputs.take(early), truth[early], knobs=ADAPTIVE)
    found = calibration.apply(taken(forecast, ~early), block.inputs.take(~early), truth[~early])
    known = ~np.isnan(truth[~early])
    below = (truth[~early] <= found.quantiles_kwh[..., 5])[known].mean()
    assert below == pytest.approx(0.9, abs=0.02)


def test_the_mean_and_the_ways_stay_and_kind_none_changes_nothing():
    block, forecast = case(21)
    later, said = case(22, first=40)
    said = replace(said, how=np.ones_like(said.how), hows=(None, "fewer_days"))
    found = learned(block, forecast).apply(said, later.inputs, later.truth_kwh)
    np.testing.assert_array_equal(found.mean_kwh, said.mean_kwh)
    assert (found.hows, found.how.min()) == ((None, "fewer_days"), 1)
    assert learned(block, forecast, CalibrationConfig(kind="none")).apply(said, later.inputs) is said


@pytest.mark.parametrize("knobs", [STATIC, ADAPTIVE])
def test_a_state_of_numbers_and_one_text_gives_the_same_quantiles_again(knobs):
    block, forecast = case(23)
    later, said = case(24, first=40)
    calibration = learned(block, forecast, knobs)
    again = Calibration.from_state(calibration.state())
    expected = calibration.apply(said, later.inputs, later.truth_kwh)
    found = again.apply(said, later.inputs, later.truth_kwh)
    np.testing.assert_array_equal(found.quantiles_kwh, expected.quantiles_kwh)
    assert again.until == calibration.until


def test_a_state_of_other_bins_or_of_another_model_is_refused():
    block, forecast = case(25)
    state = learned(block, forecast).state()
    short = {**state.arrays, "places": state.arrays["places"][:, :-1]}
    with pytest.raises(SchemaError, match="calibrate the model again"):
        Calibration.from_state(state._replace(arrays=short))
    with pytest.raises(SchemaError, match="calibrate the model again"):
        Calibration.from_state(ModelState({}, {}, {}))


@pytest.mark.parametrize(
    ("knob", "value"),
    [
        ("kind", "wild"), ("half_life_days", 0), ("half_life_days", "x"), ("half_life_days", 1e300),
        ("interval_mins", 0), ("horizon_steps", 10**12), ("horizon_steps", 48.0), ("data_lag_steps", -1),
        ("until", "NaT"), ("until", "soon"), ("owner", "me"),
    ],
)  # fmt: skip
def test_each_of_11_knobs_that_no_calibration_has_is_refused_with_the_mend(knob, value):
    state = learned(*case(25)).state()
    with pytest.raises(SchemaError, match="calibrate the model again"):
        Calibration.from_state(state._replace(knobs=state.knobs | {knob: value}))


@pytest.mark.parametrize("name", ["places", "ranks", "outcomes"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_what_is_no_count_is_refused_and_so_are_homes_out_of_order(name, value):
    state = learned(*case(25)).state()
    counts = state.arrays[name].copy()
    counts.flat[7] = value
    with pytest.raises(SchemaError, match=f"{name} of the calibration are no counts; calibrate the model again"):
        Calibration.from_state(state._replace(arrays=state.arrays | {name: counts}))
    for homes in ("h1\nh0\nh2\nh3\nh4\nh5", "h0\nh0\nh2\nh3\nh4\nh5"):
        with pytest.raises(SchemaError, match="homes of the calibration do not ascend"):
            Calibration.from_state(state._replace(texts={"entities": homes}))


def test_a_window_before_the_last_publication_is_refused_unless_taken_as_a_prior():
    block, forecast = case(26, lag=336)
    calibration = learned(block, forecast)
    assert calibration.until == START + 47 * DAY
    early, said = case(27, first=46, n_days=1, lag=336)
    with pytest.raises(ConfigError, match=r"take as_prior\(\)"):
        calibration.apply(said, early.inputs)
    prior = calibration.as_prior()
    assert prior.apply(said, early.inputs).quantiles_kwh.shape == (6, 48, 7)
    assert (len(prior.entities), prior.until) == (0, None)


@pytest.mark.parametrize(("other", "name"), [({"lag": 48}, "data_lag_steps"), ({"horizon_steps": 96}, "horizon_steps")])
def test_windows_of_another_lag_or_horizon_are_refused_with_their_name(other, name):
    block, forecast = case(28)
    later, said = case(29, first=40, **other)
    with pytest.raises(ConfigError, match=f"calibrate with {name}="):
        learned(block, forecast).apply(said, later.inputs)


def test_a_block_without_truth_and_a_window_that_comes_twice_are_refused():
    block, forecast = case(30)
    with pytest.raises(ConfigError, match="has no truth"):
        calibrate(forecast, block.inputs, np.full_like(block.truth_kwh, np.nan), knobs=ADAPTIVE)
    twice = np.array([0, 0])
    with pytest.raises(SchemaError, match="h0 has two windows"):
        learned(block.take(twice), taken(forecast, twice))
