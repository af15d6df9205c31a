import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from loadproof.evaluation.calibration_places import NORMAL_SCORES, TIE_KWH, to_energy, to_places

KWH = st.floats(0, 50, width=32)


def slow_place(y, quantiles, below, above):
    """One truth, by walking along its quantiles."""
    knots = [float(q) + TIE_KWH * (i - 3) for i, q in enumerate(quantiles)]
    if y < knots[0]:
        return NORMAL_SCORES[0] + (y - knots[0]) / below
    for i in range(6):
        if y < knots[i + 1]:
            return NORMAL_SCORES[i] + (y - knots[i]) / (knots[i + 1] - knots[i]) * np.diff(NORMAL_SCORES)[i]
    return NORMAL_SCORES[6] + (y - knots[6]) / above


def test_a_truth_on_the_median_has_place_0_and_one_on_the_0_95_quantile_1_645():
    quantiles = np.tile(np.arange(1, 8, dtype=np.float32), (1, 3, 1))
    places = to_places(np.float32([[4, 7, np.nan]]), quantiles)
    assert places[0, 0] == pytest.approx(0, abs=1e-9)
    assert places[0, 1] == pytest.approx(1.6449, abs=1e-3)
    assert np.isnan(places[0, 2])


def test_beyond_the_last_quantile_a_place_is_as_far_as_the_mean_outer_spread_of_the_window():
    narrow, wide = np.full(7, 5.0), 5 + NORMAL_SCORES  # outer spreads of 0 and of 0.970, which are 0.970 places
    places = to_places(np.float32([[6, 6]]), np.float32([[narrow, wide]]))
    assert places[0, 0] == pytest.approx(1.645 + 1 / 0.5, rel=1e-2)  # half a kWh a place, on average of both


@settings(max_examples=40, deadline=None)
@given(hnp.arrays(np.float32, (2, 3, 7), elements=KWH), hnp.arrays(np.float32, (2, 3), elements=KWH))
def test_places_equal_those_of_the_slow_twin_and_lead_back_to_the_energy(quantiles, truth):
    quantiles = np.sort(quantiles, axis=-1)
    places = to_places(truth, quantiles)
    span = np.diff(NORMAL_SCORES[[0, 2]])[0]
    below = ((quantiles[..., 2].astype(float) - quantiles[..., 0]).mean(axis=1) + 2 * TIE_KWH) / span
    above = ((quantiles[..., 6].astype(float) - quantiles[..., 4]).mean(axis=1) + 2 * TIE_KWH) / span
    for n, h in np.ndindex(2, 3):
        expected = slow_place(float(truth[n, h]), quantiles[n, h], below[n], above[n])
        assert places[n, h] == pytest.approx(expected, rel=1e-6, abs=1e-6)
    back = to_energy(np.repeat(places[..., None], 7, axis=-1), quantiles)
    np.testing.assert_allclose(back, np.repeat(truth[..., None], 7, axis=-1), atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(hnp.arrays(np.float32, (1, 2, 7), elements=KWH), hnp.arrays(np.float64, (1, 2, 7), elements=st.floats(-9, 26)))
def test_rising_places_give_energy_that_rises_and_is_never_below_0(quantiles, places):
    energy = to_energy(np.sort(places, axis=-1), np.sort(quantiles, axis=-1))
    assert (energy >= 0).all()
    assert (np.diff(energy, axis=-1) >= -1e-9).all()
