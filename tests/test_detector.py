"""What scores must be."""

import numpy as np
import pytest

from loadproof.detector import Scores
from loadproof.errors import SchemaError


def test_scores_of_another_shape_than_their_kinds_are_refused():
    with pytest.raises(SchemaError, match="one kind a score"):
        Scores(np.zeros((1, 2), dtype=np.float32), np.zeros((1, 1), dtype=np.uint8))


def test_an_infinite_score_is_refused_and_a_missing_one_is_kept():
    missing = np.array([[np.nan, 1]], dtype=np.float32)
    assert np.isnan(Scores(missing, np.zeros((1, 2), dtype=np.uint8)).score[0, 0])
    with pytest.raises(SchemaError, match="infinite"):
        Scores(missing * np.inf, np.zeros((1, 2), dtype=np.uint8))
