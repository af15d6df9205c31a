"""Holm's correction against his procedure as he wrote it, and against a table that can be done by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadproof.evaluation.multiplicity import holm


def rejected_step_by_step(p_values, alpha):
    """Take the most certain first, each against alpha over those that are left, and stop at the first that fails."""
    rejected, left = set(), dict(enumerate(p_values))
    while left:
        at = min(left, key=left.get)
        if left[at] > alpha / len(left):
            break
        rejected.add(at)
        del left[at]
    return rejected


def test_four_tests_by_hand():
    # 0.005 x 4, 0.01 x 3, 0.03 x 2, and 0.04 x 1, which may not be below 0.06
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_one_test_alone_is_as_it_was_and_none_is_none():
    assert holm([0.03]).tolist() == [0.03]
    assert holm([]).tolist() == []


@given(
    st.lists(st.integers(1, 1000).map(lambda n: n / 1000), min_size=1, max_size=12, unique=True),
    st.integers(1, 499).map(lambda n: n / 1000 + 0.00037),
)
def test_what_is_below_alpha_is_what_the_procedure_rejects(p_values, alpha):
    adjusted = holm(p_values)
    assert set(np.flatnonzero(adjusted <= alpha)) == rejected_step_by_step(p_values, alpha)
    assert (adjusted >= np.array(p_values)).all()
    assert adjusted.max() <= 1
