"""Evidence to scores, distances to kinds."""

from typing import get_args

import numpy as np

from loadproof.anomaly.evidence import KINDS, EventKind, kind_code, kinds_of_distance, scores_of


def test_evidence_of_0_1_and_3_scores_0_a_half_and_three_quarters_and_without_any_0():
    evidence = np.array([[0, 1, 3, np.nan, np.inf, 5]])
    truth = np.array([[1, 1, 1, 1, 1, np.nan]], dtype=np.float32)
    np.testing.assert_array_equal(scores_of(evidence, truth).score, np.float32([[0, 0.5, 0.75, 0, 1, np.nan]]))


def test_the_kinds_are_none_and_the_6_names():
    assert (None, *get_args(EventKind)) == KINDS
    assert kind_code("limit") == 6


def test_a_reading_4_spreads_above_is_a_spike_below_a_dropout_and_a_day_of_them_a_level_shift():
    z = np.zeros((3, 8))
    z[0, 2], z[0, 5] = 4, -4
    z[1, :6], z[2, :5] = 2, 2
    z[1, 0] = z[2, 0] = 4
    kinds = np.array(KINDS, dtype=object)[kinds_of_distance(z, odd_z=3.5)]
    assert kinds[0].tolist() == [None, None, "spike", None, None, "dropout", None, None]
    assert kinds[1].tolist() == ["level_shift"] + [None] * 7
    assert kinds[2, 0] == "spike"  # five of eight are no three quarters


def test_a_missing_reading_has_no_kind_and_does_not_count_against_a_shift():
    z = np.array([[4, np.nan, 2, np.nan]])
    assert kinds_of_distance(z, odd_z=3.5).tolist() == [[kind_code("level_shift"), 0, 0, 0]]
