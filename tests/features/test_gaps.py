import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from loadproof.features.gaps import known_mean, known_quantiles, known_share, known_std

HOLED = arrays(
    np.float32,
    st.tuples(st.integers(1, 4), st.integers(1, 9)),
    elements=st.one_of(st.just(np.nan), st.floats(0, 64, width=32)),
)
LEVELS = (0.0, 0.1, 0.5, 0.9, 1.0)


@given(HOLED)
def test_the_4_statistics_equal_numpy_s_own_and_warn_of_nothing(values):
    mean, std = known_mean(values), known_std(values, known_mean(values))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy warns of rows that are all NaN
        np.testing.assert_allclose(mean, np.nanmean(values, axis=-1, dtype=np.float64), rtol=1e-5)
        np.testing.assert_allclose(std, np.nanstd(values, axis=-1, dtype=np.float64), rtol=1e-3, atol=1e-4)
        slow = np.nanquantile(values.astype(np.float64), LEVELS, axis=-1)
    np.testing.assert_allclose(np.stack(known_quantiles(values, LEVELS)), slow, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(known_share(values), np.mean(~np.isnan(values), axis=-1), rtol=1e-6)


def test_a_weight_of_a_half_makes_of_1_and_4_a_mean_of_2():
    values = np.float32([[1, 4, np.nan], [np.nan, np.nan, np.nan]])
    np.testing.assert_array_equal(known_mean(values, np.float32([1, 0.5, 9])), [2, np.nan])


@pytest.mark.parametrize("shape", [(3, 0), (0, 5), (0, 0)])
def test_0_values_have_no_statistics(shape):
    nothing = np.zeros(shape, dtype=np.float32)
    for found in (known_mean(nothing), known_std(nothing, known_mean(nothing)), *known_quantiles(nothing, (0.5,))):
        assert found.shape == shape[:1]
        assert np.isnan(found).all()
    assert (known_share(nothing) == 0).all()
