"""The chance of any half hour, by hand and against sample paths."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from loadproof.features.windows import Inputs, Windows
from loadproof.feeders.together import MOST_DAYS, any_together, past_ranks
from loadproof.forecaster import make_forecast
from loadproof.schema import LEVELS

SCORES = np.array([-1.6449, -1.2816, -0.6745, 0, 0.6745, 1.2816, 1.6449])


def past(truth_kwh, mean_kwh=10.0, sd_kwh=2.0):
    days, h = truth_kwh.shape
    t0 = np.datetime64("2013-10-01T00:00", "us") + np.arange(days) * np.timedelta64(1, "D")
    inputs = Inputs(np.ones((days, 1), dtype=np.float32), t0, np.full(days, "f"), h, 30)
    quantiles = np.broadcast_to(mean_kwh + sd_kwh * SCORES, (days, h, 7))
    return Windows(inputs, truth_kwh.astype(np.float32)), make_forecast(quantiles, LEVELS, quantiles[..., 3])


def correlated(days, h, rho, rng):
    """Normal days whose half hours correlate at ``rho``, each with the next."""
    steps = rng.normal(size=(days, h))
    for at in range(1, h):
        steps[:, at] = rho * steps[:, at - 1] + np.sqrt(1 - rho**2) * steps[:, at]
    return 10 + 2 * steps


def test_half_hours_that_pass_together_have_the_chance_of_one_and_others_that_of_both():
    tied = np.repeat((np.arange(100) + 0.5)[:, None] / 100, 2, axis=1)  # (S, 2)
    turned = np.stack([tied[:, 0], tied[::-1, 1]], axis=1)
    chance = np.array([[0.2, 0.3], [0.0, 0.0], [0.6, 0.7]])
    np.testing.assert_allclose(any_together(chance, tied), [0.3, 0, 0.7])
    np.testing.assert_allclose(any_together(chance, turned), [0.5, 0, 1])


@pytest.mark.parametrize("rho", (0.0, 0.6, 0.95))
def test_the_chance_of_any_half_hour_is_that_of_the_days_that_came(rho):
    rng = np.random.default_rng(4)
    windows, told = past(correlated(900, 48, rho, rng))
    ranks = past_ranks(windows, told, rng=rng)
    assert ranks.shape == (900, 48)
    limit = 10 + 2 * 2.0537  # passed in 2 % of half hours
    came = (correlated(40_000, 48, rho, rng) > limit).any(axis=1).mean()
    assert any_together(np.full((1, 48), 0.02), ranks) == pytest.approx(came, abs=0.04)


@given(arrays(np.float64, (3, 5), elements=st.floats(0, 1)), st.integers(20, 60))
def test_it_lies_between_the_likeliest_half_hour_and_the_sum(chance, days):
    ranks = np.random.default_rng(days).permuted(np.repeat(np.linspace(0.01, 0.99, days)[:, None], 5, 1), axis=0)
    found = any_together(chance, ranks)
    assert (found >= chance.max(axis=1)).all()
    assert (found <= np.minimum(chance.sum(axis=1), 1)).all()


def test_ranks_know_neither_the_size_of_the_load_nor_a_forecast_that_is_too_low():
    rng = np.random.default_rng(5)
    truth = correlated(60, 6, 0.8, rng)
    plain, low = (past_ranks(*past(truth, mean), rng=np.random.default_rng(1)) for mean in (10.0, 7.0))
    np.testing.assert_allclose(plain, low, atol=1e-12)


def test_nineteen_days_say_nothing_a_thousand_are_taken_of_more_and_days_unmeasured_count_for_none():
    rng = np.random.default_rng(6)
    assert past_ranks(*past(correlated(19, 4, 0.5, rng)), rng=rng) is None
    many, told = past(correlated(1500, 4, 0.5, rng))
    assert past_ranks(many, told, rng=rng).shape == (MOST_DAYS, 4)
    many.truth_kwh[25:] = np.nan
    assert past_ranks(many, told, rng=rng).shape == (25, 4)
    many.truth_kwh[10:25] = np.nan
    assert past_ranks(many, told, rng=rng) is None


def test_a_chance_smaller_than_any_day_can_tell_is_the_likeliest_half_hours():
    ranks = (np.arange(20) + 0.5)[:, None] / 20 * np.ones(3)
    chance = np.array([[0.01, 0.02, 0.0], [np.nan, 0.1, 0.2]])
    found = any_together(chance, ranks)
    assert found[0] == 0.02
    assert np.isnan(found[1])
