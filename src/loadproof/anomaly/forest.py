"""An isolation forest as plain arrays: grown by scikit-learn, walked here, kept without a pickle.

R rows of F features, B trees, M places in a tree: the children of place m are 2 m + 1 and 2 m + 2.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.errors import ConfigError

__all__ = ["Forest", "grow_forest", "isolation_scores"]

_EULER: Final = 0.5772156649
_CHUNK: Final = 4096  # rows that walk a tree together


class Forest(NamedTuple):
    """Every tree filled up to the same depth; below a leaf every row goes left, and finds the leaf's length."""

    feature: NDArray[np.int16]  # (B, M)
    threshold: NDArray[np.float64]  # (B, M), a row goes right above it
    length: NDArray[np.float64]  # of the path to a leaf, (B, M)
    usual_length: float  # of a path in a tree of as many rows as each was grown from


def _average_path(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean length of an unsuccessful search among so many rows.

    Source: Liu, Ting & Zhou 2008, Isolation Forest, equation 1.
    """
    many = 2 * (np.log(np.maximum(rows - 1, 1)) + _EULER) - 2 * (rows - 1) / np.maximum(rows, 1)
    return np.where(rows <= 1, 0.0, np.where(rows == 2, 1.0, many))


def _lay_out(tree: Any, columns: NDArray[np.int64], depth: int) -> tuple[NDArray[Any], ...]:  # noqa: ANN401
    """Return feature, threshold and length of one of scikit-learn's trees by place, ``(M,)`` each."""
    places = 2 ** (depth + 1) - 1
    feature, threshold, length = np.zeros(places, np.int16), np.full(places, np.inf), np.zeros(places)
    node_at = np.zeros(places, np.int64)  # scikit-learn's node at each place; below a leaf the leaf again
    level = np.zeros(places, np.int64)  # depth of that node
    for place in range(places):
        node = node_at[place]
        left, right = tree.children_left[node], tree.children_right[node]
        leaf = left < 0
        length[place] = level[place] + _average_path(np.array(tree.n_node_samples[node], dtype=np.float64))
        if not leaf:
            feature[place], threshold[place] = columns[tree.feature[node]], tree.threshold[node]
        if 2 * place + 2 < places:
            node_at[2 * place + 1 : 2 * place + 3] = (node, node) if leaf else (left, right)
            level[2 * place + 1 : 2 * place + 3] = level[place] + (not leaf)
    return feature, threshold, length


def grow_forest(rows: NDArray[np.float32], *, trees: int, rows_per_tree: int, rng: np.random.Generator) -> Forest:
    """Grow a forest on ``(R, F)``.

    Raises:
        ConfigError: When there are fewer than two rows.
    """
    from sklearn.ensemble import IsolationForest  # slow to import: only where it is asked for

    if len(rows) < 2:
        raise ConfigError(f"{len(rows)} half hours are nothing to grow a forest on; train longer or on more homes")
    size = min(rows_per_tree, len(rows))
    model = IsolationForest(n_estimators=trees, max_samples=size, random_state=int(rng.integers(2**31 - 1)))
    model.fit(rows)
    grown = [estimator.tree_ for estimator in model.estimators_]
    depth = max(tree.max_depth for tree in grown)
    laid = [
        _lay_out(tree, np.asarray(columns), depth)
        for tree, columns in zip(grown, model.estimators_features_, strict=True)
    ]
    feature, threshold, length = (np.stack(part) for part in zip(*laid, strict=True))
    return Forest(feature, threshold, length, float(_average_path(np.array(size, dtype=np.float64))))


def isolation_scores(forest: Forest, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the isolation score of each row of ``(R, F)``, between 0 and 1 and about 0.5 of a usual one, ``(R,)``."""
    depth = int(np.log2(forest.feature.shape[1] + 1)) - 1
    lengths = np.zeros(len(rows))
    wanted = forest.feature.astype(np.intp)  # (B, M)
    for first in range(0, len(rows), _CHUNK):
        some = np.ascontiguousarray(rows[first : first + _CHUNK])  # (r, F)
        values, begin = some.ravel(), np.arange(len(some)) * some.shape[1]
        for feature, threshold, length in zip(wanted, forest.threshold, forest.length, strict=True):
            place = np.zeros(len(some), dtype=np.intp)
            for _ in range(depth):
                right = values.take(feature.take(place) + begin) > threshold.take(place)
                place = 2 * place + 1 + right
            lengths[first : first + len(some)] += length.take(place)
    return np.asarray(2 ** (-lengths / (len(forest.feature) * max(forest.usual_length, 1e-9))))
