import numpy as np
import pytest
from tests.evaluation.score_fixtures import random_case, score

from loadproof.errors import SchemaError
from loadproof.evaluation.sums import SLICES, SUM_NAMES, sum_scores


def test_a_truth_of_1_window_less_is_refused():
    rows, truth = random_case(16)
    with pytest.raises(SchemaError, match="cut the truth at the same t0"):
        score(rows, truth[1:])


def test_the_weekdays_and_the_48_half_hours_of_each_home_and_week_sum_to_its_whole():
    rows, truth = random_case(17)
    sums = sum_scores(rows, truth, interval_mins=30, scales_kwh={"h0": 0.5})
    assert sums.values.shape == (5, 7, len(SLICES), len(SUM_NAMES))
    for some in (slice(1, 8), slice(8, 56)):
        np.testing.assert_allclose(sums.values[:, :, some].sum(axis=2), sums.values[:, :, 0])
    assert sums.values[:, :, 0, SUM_NAMES.index("n")].sum() == np.count_nonzero(~np.isnan(truth))


def test_over_all_times_keeps_1_of_56_slices():
    rows, truth = random_case(18)
    sums = sum_scores(rows, truth, interval_mins=30, scales_kwh={})
    np.testing.assert_array_equal(sums.over_all_times().values, sums.values[:, :, :1])
    assert sums.over_all_times().values.nbytes * 56 == sums.values.nbytes
