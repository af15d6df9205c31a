"""Levels on a scale on which a dropout is as far off as a spike."""

import numpy as np
import pytest

from loadproof.anomaly.relative import relative_level


def test_levels_are_odd_about_0_and_the_same_for_homes_of_any_size():
    kwh = np.float32([[-0.2, 0, 0.2, np.nan], [-20, 0, 20, np.nan]])
    level = relative_level(kwh, np.float32([0.2, 20]))
    assert level[0] == pytest.approx([-np.log(11), 0, np.log(11), np.nan], nan_ok=True)
    np.testing.assert_allclose(level[1], level[0], rtol=1e-6)


def test_from_the_usual_down_to_0_it_is_as_far_as_up_to_12_times_the_usual():
    level = relative_level(np.float32([[0, 1, 12]]), np.float32([1]))[0]
    assert level[1] - level[0] == pytest.approx(level[2] - level[1], rel=0.01)
