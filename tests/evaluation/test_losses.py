import numpy as np
import polars as pl
import pytest

from loadproof.evaluation.losses import BANDS, CRPS_WEIGHTS, pinball, tilt
from loadproof.schema import LEVELS


def test_pinball_of_an_overshoot_and_an_undershoot_of_2_kwh_at_level_0_9_is_0_2_and_1_8():
    loss = pinball(np.array([1.0, 5.0]), np.array([[3.0], [3.0]]), (0.9,))
    np.testing.assert_allclose(loss, [[0.2], [1.8]])


def test_the_crps_weights_sum_to_1_and_are_the_gaps_between_the_midpoints_of_the_levels():
    edges = [0, *(np.array(LEVELS[1:]) + LEVELS[:-1]) / 2, 1]
    np.testing.assert_allclose(CRPS_WEIGHTS, np.diff(edges))
    assert sum(CRPS_WEIGHTS) == pytest.approx(1)


def test_one_formula_gives_arrays_and_columns_the_same_300_losses():
    rng = np.random.default_rng(1)
    short, level = rng.normal(size=300), rng.choice(LEVELS, 300)
    by_hand = [max(tau * x, (tau - 1) * x) for x, tau in zip(short.tolist(), level.tolist(), strict=True)]
    columns = pl.DataFrame({"short": short, "level": level}).select(tilt(pl.col("short"), pl.col("level"))).to_series()
    np.testing.assert_allclose(tilt(short, level), by_hand, atol=1e-15)
    np.testing.assert_allclose(columns.to_numpy(), by_hand, atol=1e-15)


def test_the_edges_of_the_3_bands_leave_out_as_much_above_as_below():
    for band, (low, high) in BANDS.items():
        assert (LEVELS[low], LEVELS[high]) == pytest.approx(((1 - band / 100) / 2, (1 + band / 100) / 2))
