import numpy as np
import pytest

from loadproof.anomaly.surprise import fit_scale, surprise, views_of


def test_a_score_that_1_clean_reading_in_100_reaches_is_2_decades_of_surprise():
    clean = np.random.default_rng(0).random((100, 1000)).astype(np.float32)
    found = surprise(np.array([[0.9, 0.99, 0.999]], np.float32), fit_scale(clean, np.repeat(["a"], len(clean))))
    np.testing.assert_allclose(found, [[1, 2, 3]], atol=0.02)


def test_beyond_all_clean_scores_it_goes_on_rising_to_8_decades():
    clean = np.random.default_rng(0).beta(2, 5, (10, 10_000)).astype(np.float32)
    found = surprise(np.array([[clean.max(), 0.999, 1.0]], np.float32), fit_scale(clean, np.repeat(["a"], len(clean))))[
        0
    ]
    assert 4 < found[0] < found[1] <= found[2] <= 8


def test_one_odd_home_of_five_does_not_make_the_scale():
    # Four homes of even scores and one that is always loud: 0.9 has a tenth of the median home's readings above it.
    clean = np.random.default_rng(0).random((50, 1000)).astype(np.float32)
    clean[40:] = 0.9 + clean[40:] / 10
    homes = np.repeat(["a", "b", "c", "d", "e"], 10)
    found = surprise(np.array([[0.9, 0.99]], np.float32), fit_scale(clean, homes))
    np.testing.assert_allclose(found, [[1, 2]], atol=0.1)
    pooled = surprise(np.array([[0.9, 0.99]], np.float32), fit_scale(clean, np.repeat(["a"], 50)))
    np.testing.assert_allclose(pooled, [[-np.log10(0.28), -np.log10(0.028)]], atol=0.1)


def test_homes_of_less_than_two_weeks_of_readings_are_taken_together():
    clean = np.random.default_rng(0).random((20, 48)).astype(np.float32)
    alone = fit_scale(clean, np.arange(20).astype(str))
    np.testing.assert_array_equal(alone.knots, fit_scale(clean, np.repeat(["a"], 20)).knots)


@pytest.mark.parametrize("clean", (np.full((3, 48), np.nan, np.float32), np.zeros((3, 48), np.float32)))
def test_clean_scores_that_are_missing_or_alike_still_make_a_scale(clean):
    found = surprise(np.array([[0.0, 0.5, 0.99]], np.float32), fit_scale(clean, np.repeat(["a"], len(clean))))
    assert np.isfinite(found).all()
    assert (np.diff(found[0]) >= 0).all()


def test_the_views_of_13_decades_in_a_day_are_they_10_beyond_3_a_thirteenth_within_3_hours_and_a_48th_of_the_day():
    surprises = np.zeros((1, 48), np.float32)
    surprises[0, 20] = 13
    views = views_of(surprises, interval_mins=30)
    np.testing.assert_allclose(views[0, 20], [13, 10, 1, 13 / 48], rtol=1e-6)
    np.testing.assert_allclose(views[0, 26], [0, 0, 1, 13 / 48], rtol=1e-6)
    np.testing.assert_allclose(views[0, 27], [0, 0, 0, 13 / 48], atol=1e-6)


def test_what_is_missing_is_left_out_of_every_mean_and_stays_missing():
    surprises = np.ones((1, 48), np.float32)
    surprises[0, 10:14] = np.nan
    views = views_of(surprises, interval_mins=30)
    assert np.isnan(views[0, 10:14]).all()
    np.testing.assert_allclose(np.delete(views[0], slice(10, 14), axis=0), [[1, 0, 1, 1]] * 44)
