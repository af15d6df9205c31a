import numpy as np
import pytest

from loadproof.evaluation.bootstrap import (
    bounds,
    draw_weights,
    paired_difference,
    paired_ratio,
    resample,
    resample_weeks,
    weigh_once,
)


def mean_of(sums):
    return sums[..., 0] / sums[..., 1]


def drawn_mean(sums, weights):
    return mean_of(resample(sums, weights))


def random_sums(rng, n_homes=5, n_weeks=4):
    counts = rng.integers(1, 9, (n_homes, n_weeks))
    return np.stack([counts * rng.random((n_homes, n_weeks)), counts], axis=-1)


def test_each_of_50_draws_takes_as_many_homes_and_weeks_as_there_are():
    weights = draw_weights(5, 4, draws=50, rng=np.random.default_rng(1))
    assert weights.homes.shape == (50, 5)
    assert (weights.homes.sum(axis=1) == 5).all()
    assert (weights.weeks.sum(axis=1) == 4).all()


def test_20_draws_equal_the_slow_twin_that_lists_each_resampled_cell():
    sums = random_sums(np.random.default_rng(2))
    weights = draw_weights(5, 4, draws=20, rng=np.random.default_rng(3))
    for draw in range(20):
        homes = [e for e in range(5) for _ in range(int(weights.homes[draw, e]))]
        weeks = [w for w in range(4) for _ in range(int(weights.weeks[draw, w]))]
        np.testing.assert_allclose(resample(sums, weights)[draw], sum(sums[e, w] for e in homes for w in weeks))
        slow = [sum(sums[e, w] for w in weeks) for e in range(5)]
        np.testing.assert_allclose(resample_weeks(sums, weights)[draw], slow)


def test_to_weigh_each_home_and_week_once_is_to_sum_all_20_cells():
    sums = random_sums(np.random.default_rng(2))
    np.testing.assert_allclose(resample(sums, weigh_once(5, 4)), [sums.sum(axis=(0, 1))])


def test_the_same_seed_gives_the_same_1000_draws():
    one, two = (draw_weights(5, 4, draws=1000, rng=np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(one.homes, two.homes)
    np.testing.assert_array_equal(one.weeks, two.weeks)


def test_bounds_are_the_2_5_and_97_5_percentiles_of_the_draws_that_exist():
    draws = np.random.default_rng(5).normal(size=(200, 3, 2))
    draws[:60, 1, 1] = np.nan
    low, high = bounds(draws)
    np.testing.assert_allclose(low, np.nanquantile(draws, 0.025, axis=0))
    np.testing.assert_allclose(high, np.nanquantile(draws, 0.975, axis=0))
    assert np.isnan(bounds(np.full((9, 1), np.nan))).all()


def test_the_interval_of_a_mean_of_30_homes_by_30_weeks_has_the_width_that_both_effects_give():
    # Cell mean = home effect + week effect, each of variance 1: the variance of the mean is 1/30 + 1/30.
    rng = np.random.default_rng(6)
    widths = []
    for _ in range(40):
        effects = rng.normal(size=(30, 1)) + rng.normal(size=(1, 30))
        weights = draw_weights(30, 30, draws=500, rng=rng)
        low, high = bounds(mean_of(resample(np.stack([effects, np.ones((30, 30))], axis=-1), weights)))
        widths.append(high - low)
    assert np.mean(widths) == pytest.approx(2 * 1.96 * np.sqrt(2 / 30), rel=0.06)


def test_a_model_compared_with_itself_differs_by_0_and_with_its_double_by_the_ratio_2_in_every_draw():
    sums = random_sums(np.random.default_rng(7))
    weights = draw_weights(5, 4, draws=100, rng=np.random.default_rng(8))
    assert paired_difference(sums, sums, drawn_mean, weights) == (0, 0, 0)
    assert paired_ratio(sums * [2, 1], sums, drawn_mean, weights) == pytest.approx((2, 2, 2))


def test_a_paired_interval_is_10_times_narrower_than_the_two_apart_when_both_share_the_homes():
    rng = np.random.default_rng(9)
    shared = rng.normal(10, 5, (40, 10))
    first, second = (np.stack([shared + rng.normal(0, 0.1, (40, 10)), np.ones((40, 10))], axis=-1) for _ in range(2))
    weights = draw_weights(40, 10, draws=500, rng=rng)
    paired = paired_difference(first, second, drawn_mean, weights)
    low, high = bounds(mean_of(resample(first, weights)))
    assert (high - low) > 10 * (paired.high - paired.low)
    assert paired.low < paired.value < paired.high


def test_a_ratio_to_0_is_not_a_number_and_3_homes_or_3_weeks_claim_no_interval():
    sums = random_sums(np.random.default_rng(10))
    weights = draw_weights(5, 4, draws=20, rng=np.random.default_rng(11))
    assert np.isnan(paired_ratio(sums, sums * [0, 1], drawn_mean, weights)).all()
    for n_homes, n_weeks in ((3, 3), (3, 9), (9, 3), (4, 4)):
        few = random_sums(np.random.default_rng(12), n_homes, n_weeks)
        weights = draw_weights(n_homes, n_weeks, draws=20, rng=np.random.default_rng(13))
        found = paired_ratio(few * [2, 1], few, drawn_mean, weights)
        assert found.value == pytest.approx(2)
        assert np.isnan([found.low, found.high]).all() == (min(n_homes, n_weeks) < 4)
