"""An isolation forest of plain arrays, against scikit-learn's own."""

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest

from loadproof.anomaly.forest import grow_forest, isolation_scores
from loadproof.errors import ConfigError


@pytest.mark.parametrize(("rows", "per_tree"), [(2000, 256), (40, 16), (2, 256)])
def test_scores_are_those_of_scikit_learn_to_a_billionth(rows, per_tree):
    data = np.random.default_rng(0).normal(size=(rows, 5)).astype(np.float32)
    forest = grow_forest(data, trees=20, rows_per_tree=per_tree, rng=np.random.default_rng(1))
    seed = int(np.random.default_rng(1).integers(2**31 - 1))
    theirs = IsolationForest(n_estimators=20, max_samples=min(per_tree, rows), random_state=seed).fit(data)
    asked = np.random.default_rng(2).normal(0, 3, size=(5000, 5)).astype(np.float32)
    np.testing.assert_allclose(isolation_scores(forest, asked), -theirs.score_samples(asked), atol=1e-9)


def test_a_row_far_from_2000_others_scores_above_them_all():
    data = np.random.default_rng(0).normal(size=(2000, 3)).astype(np.float32)
    forest = grow_forest(data, trees=100, rows_per_tree=256, rng=np.random.default_rng(1))
    far = np.full((1, 3), 8, dtype=np.float32)
    assert isolation_scores(forest, far)[0] > isolation_scores(forest, data).max()


def test_rows_that_are_all_the_same_are_all_usual():
    forest = grow_forest(np.ones((50, 2), np.float32), trees=5, rows_per_tree=16, rng=np.random.default_rng(1))
    assert isolation_scores(forest, np.zeros((3, 2), np.float32)) == pytest.approx([0.5] * 3)


def test_one_row_is_nothing_to_grow_a_forest_on():
    with pytest.raises(ConfigError, match="1 half hours are nothing to grow"):
        grow_forest(np.ones((1, 2), np.float32), trees=5, rows_per_tree=16, rng=np.random.default_rng(1))
