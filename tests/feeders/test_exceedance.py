"""Probabilities of exceeding a limit, by hand and against sampling."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadproof.errors import ConfigError
from loadproof.feeders.exceedance import (
    any_exceeded,
    exceedance_of_paths,
    exceedance_of_quantiles,
    quantile_at,
)
from loadproof.schema import LEVELS

LINE = np.array([5, 10, 25, 50, 75, 90, 95.0])[None, None]  # the quantile of a level is 100 times the level


def at(limit, quantiles=LINE, tail="exponential"):
    found = exceedance_of_quantiles(quantiles, LEVELS, np.array([limit]), tail=tail)
    return found.probability[0, 0], found.excess_kwh[0, 0]


@pytest.mark.parametrize(("limit", "probability"), [(0, 1), (2.5, 0.975), (5, 0.95), (40, 0.6), (75, 0.25), (95, 0.05)])
def test_at_a_level_the_chance_is_what_the_level_leaves_and_below_the_median_evenly_between(limit, probability):
    assert at(limit)[0] == pytest.approx(probability)


def test_above_the_median_the_chance_falls_off_exponentially_between_two_levels():
    # From 50 to 75 kWh it halves, and two fifths of the way it has fallen by 2 to the power of 0.4.
    assert at(60)[0] == pytest.approx(0.5 * 2**-0.4)


def test_above_the_highest_level_the_tail_halves_with_each_distance_between_the_last_two():
    # From 90 to 95 kWh the survival halves from 0.1 to 0.05; so it does again to 100 and to 105.
    assert at(100)[0] == pytest.approx(0.025)
    assert at(105)[0] == pytest.approx(0.0125)
    assert at(105)[1] == pytest.approx(0.0125 * 5 / math.log(2))


def test_without_a_tail_nothing_lies_above_the_highest_level():
    assert at(95.1, tail="none") == (0, 0)
    assert at(94, tail="none")[0] == pytest.approx(0.1 * 2**-0.8)


def test_the_expected_excess_over_nothing_is_the_mean():
    lower = sum(w * m for w, m in [(0.05, 2.5), (0.05, 7.5), (0.15, 17.5), (0.25, 37.5)])
    # The rest is 50 and what is above it: chances that fall from 0.5 to 0.25, to 0.1, to 0.05, and on.
    falls = [(0.5, 0.25, 25), (0.25, 0.1, 15), (0.1, 0.05, 5)]
    upper = 0.5 * 50 + sum((a - b) * kwh / math.log(a / b) for a, b, kwh in falls)
    assert at(0)[1] == pytest.approx(lower + upper + 0.05 * 5 / math.log(2))


def test_a_forecast_that_is_certain_is_never_above_itself_and_below_by_its_lowest_level_alone():
    certain = np.full((1, 1, 7), 8.0)
    assert at(4, certain)[0] == pytest.approx(1 - 0.05 * 4 / 8)
    assert at(8.0, certain) == (0, 0)
    assert at(8.1, certain) == (0, 0)


@pytest.mark.parametrize("limit", [0.8, 1.5, 2.4, 3.0, 5.0, 9.0])
def test_an_exponential_load_is_met_exactly_above_its_median(limit):
    quantiles = -np.log(1 - np.array(LEVELS))[None, None]
    assert at(limit, quantiles) == (pytest.approx(math.exp(-limit)), pytest.approx(math.exp(-limit)))


def test_for_a_bell_the_tail_errs_on_the_cautious_side_and_by_less_than_double_near_the_end():
    z = np.array([-1.6449, -1.2816, -0.6745, 0, 0.6745, 1.2816, 1.6449])[None, None] + 10
    for away, true in ((1.8, 0.0359), (2.0, 0.02275), (2.3263, 0.01)):
        found = at(10 + away, z)[0]
        assert true < found < 2 * true
    assert at(11, z)[0] == pytest.approx(0.1587, abs=0.006)  # between two levels it is nearly right


@given(
    st.lists(st.floats(0, 50), min_size=7, max_size=7).map(sorted),
    st.floats(0, 120),
    st.floats(0, 120),
)
def test_a_higher_limit_is_never_likelier_exceeded_nor_by_more(quantiles, one, other):
    low, high = sorted((one, other))
    quantiles = np.array(quantiles)[None, None]
    (p_low, e_low), (p_high, e_high) = at(low, quantiles), at(high, quantiles)
    assert 0 <= p_high <= p_low + 1e-9 <= 1 + 2e-9
    assert -1e-9 <= e_high <= e_low + 1e-9
    assert e_low - e_high <= high - low + 1e-9


def test_sampling_from_the_stated_distribution_gives_the_same_figures():
    rng = np.random.default_rng(5)
    u = rng.random(400_000)
    x = np.interp(u, [0, *LEVELS], [0, *LINE[0, 0]])
    upper = u > 0.5
    x[upper] = np.interp(-np.log(1 - u[upper]), -np.log(1 - np.array(LEVELS[3:])), LINE[0, 0, 3:])
    tail = u > 0.95
    x[tail] = 95 + rng.exponential(5 / math.log(2), tail.sum())
    for limit in (3, 33, 92, 99):
        paths = exceedance_of_paths(x[None, :, None], np.array([limit]))
        probability, excess = at(limit)
        assert paths.probability[0, 0] == pytest.approx(probability, abs=0.003)
        assert paths.excess_kwh[0, 0] == pytest.approx(excess, abs=0.15)


def test_many_feeders_give_what_each_gives_alone_and_no_limit_gives_nothing():
    rng = np.random.default_rng(6)
    quantiles = np.sort(rng.gamma(2, 5, (5000, 2, 7)), axis=-1)
    limits = np.where(np.arange(5000) % 7, 20.0, np.nan)
    found = exceedance_of_quantiles(quantiles, LEVELS, limits)
    assert np.isnan(found.probability[::7]).all()
    for row in (1, 4097, 4999):
        alone = exceedance_of_quantiles(quantiles[row : row + 1], LEVELS, limits[row : row + 1])
        np.testing.assert_array_equal(alone.probability[0], found.probability[row])
        np.testing.assert_array_equal(alone.excess_kwh[0], found.excess_kwh[row])


def test_the_chance_of_any_half_hour_lies_between_the_likeliest_and_the_sum():
    low, high = any_exceeded(np.array([[0.1, 0.3, 0.2], [0.6, 0.7, 0.1]]))
    np.testing.assert_allclose(low, [0.3, 0.7])
    np.testing.assert_allclose(high, [0.6, 1.0])


def test_two_paths_of_four_above_the_limit_are_a_half():
    paths = np.array([[[1.0], [2.0], [3.0], [5.0]]])
    found = exceedance_of_paths(paths, np.array([2.0]))
    assert found.probability[0, 0] == 0.5
    assert found.excess_kwh[0, 0] == pytest.approx((1 + 3) / 4)


def test_a_level_between_two_is_interpolated_and_one_outside_refused():
    assert quantile_at(LINE, LEVELS, 0.8)[0, 0] == pytest.approx(80)
    assert quantile_at(LINE, LEVELS, 0.95)[0, 0] == pytest.approx(95)
    with pytest.raises(ConfigError, match="ask for one that was forecast"):
        quantile_at(LINE, LEVELS, 0.99)


def test_levels_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match="one a quantile"):
        exceedance_of_quantiles(LINE, (0.5, 0.9), np.array([1.0]))
