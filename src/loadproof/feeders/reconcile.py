"""Paths that do not add up to paths that do: every parent is the sum of its children, exactly, in every path.

Leaves are what is decided; nodes above are their sums. ``bottom_up`` takes the leaves as they are. ``mint_shrink``
(hierarchicalforecast) weighs all nodes by the shrunk covariance of their past errors, one M by M matrix in memory.
``by_node`` goes up and down the tree once and weighs each parent's own forecast against the sum of its children by the
two by two covariance of their past errors: linear in M. S paths, M nodes, L leaves, P past half hours.
"""

import warnings
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.errors import ConfigError, SchemaError
from loadproof.feeders.hierarchy import Hierarchy

__all__ = ["DENSE_LIMIT", "GRAIN_KWH", "Reconciler", "Way", "add_up", "fit_reconciler", "reconcile"]

Way = Literal["bottom_up", "mint_shrink", "by_node"]

GRAIN_KWH: Final = 2.0**-20
"""Leaves are multiples of this (a milliwatt hour), so that sums of doubles are exact in any order."""

DENSE_LIMIT: Final = 3_000
"""Nodes above which the M by M matrix is refused: at 10,000 it takes most of a gigabyte, and it is copied."""

_MIN_ERRORS: Final = 48
_MOST_ROUNDS: Final = 20

Numbers = NDArray[np.float64]


class Reconciler(NamedTuple):
    """What was learned from past errors.

    Attributes:
        way: How it reconciles.
        projection: Nodes to leaves, ``(L, M)``; of ``mint_shrink`` alone.
        own: Weight of each node's own forecast against the sum of its children, ``(M,)``; of ``by_node`` alone.
        share: Share that each node takes of what its parent is more or less, ``(M,)``.
    """

    way: Way
    projection: Numbers | None
    own: Numbers | None
    share: Numbers


def _levels_up(tree: Hierarchy) -> list[NDArray[np.int64]]:
    """Return the nodes of each level above the leaves, the lowest first."""
    return [np.flatnonzero(tree.level == depth) for depth in range(len(tree.levels) - 2, -1, -1)]


def _mean_square(errors: Numbers) -> Numbers:
    known = ~np.isnan(errors)
    square = np.where(known, errors, 0) ** 2
    return np.asarray(square.sum(axis=1) / np.maximum(known.sum(axis=1), 1) + GRAIN_KWH**2)


def _shares(tree: Hierarchy, variance: Numbers) -> Numbers:
    """Return each node's share of its parent's variance as the sum of its children's; a top takes all, ``(M,)``."""
    below = tree.parent >= 0
    total = (tree.edges @ variance)[tree.parent[below]]
    share = np.ones(len(tree))
    share[below] = variance[below] / total
    return share


def _own_weights(own: Numbers, summed: Numbers) -> Numbers:
    """Return the weight of the first of two forecasts with these errors ``(K, P)`` that makes the least square."""
    both = ~np.isnan(own + summed)
    if (few := both.sum(axis=1)).size and few.min() < _MIN_ERRORS:
        raise ConfigError(
            f"a node has {few.min()} half hours in which it and all below were measured, {_MIN_ERRORS} are wanted; "
            "learn from more days, or leave silent leaves out"
        )
    one, two = np.where(both, own, 0), np.where(both, summed, 0)
    a, b, ab = ((x * y).sum(axis=1) for x, y in ((one, one), (two, two), (one, two)))
    apart = a + b - 2 * ab
    return np.asarray(np.clip(np.divide(b - ab, apart, where=apart > 0, out=np.full(len(a), 0.5)), 0, 1))


def _fit_by_node(tree: Hierarchy, errors: Numbers) -> tuple[Numbers, Numbers]:
    """Return own weights and shares of every node, from the leaves upwards."""
    best, own = errors.copy(), np.ones(len(tree))
    for nodes in _levels_up(tree):
        summed = tree.edges[nodes] @ best  # (K, P), NaN where a child is missing
        own[nodes] = _own_weights(errors[nodes], summed)
        best[nodes] = own[nodes, None] * errors[nodes] + (1 - own[nodes, None]) * summed
    return own, _shares(tree, _mean_square(best))


def _fit_mint(tree: Hierarchy, errors: Numbers) -> Numbers:
    if len(tree) > DENSE_LIMIT:
        raise ConfigError(f"mint_shrink holds a matrix of {len(tree)} by {len(tree)} nodes; take by_node above "
                          f"{DENSE_LIMIT}")  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the plotting that it brings along
        from hierarchicalforecast.methods import MinTrace
    model = MinTrace(method="mint_shrink")
    model.fit(tree.summing.toarray(), np.zeros((len(tree), 1)), y_insample=errors, y_hat_insample=np.zeros_like(errors))
    return np.asarray(model.P)


def fit_reconciler(tree: Hierarchy, errors: Numbers, way: Way) -> Reconciler:
    """Learn how to reconcile from past errors.

    Args:
        tree: What adds up to what.
        errors: Truth less the middle of the forecast, kWh, NaN where missing, ``(M, P)``.
        way: How.

    Raises:
        SchemaError: When the errors are not of these nodes.
        ConfigError: When there are too few, or too many nodes for the way.
    """
    if len(errors) != len(tree):
        raise SchemaError(f"the errors are of {len(errors)} nodes, the tree has {len(tree)}; give one row a node")
    if way == "by_node":
        own, share = _fit_by_node(tree, errors)
        return Reconciler(way, None, own, share)
    projection = _fit_mint(tree, errors) if way == "mint_shrink" else None
    return Reconciler(way, projection, None, _shares(tree, _mean_square(errors)))


def _two_passes(flat: Numbers, reconciler: Reconciler, tree: Hierarchy) -> Numbers:
    """Return nodes that add up but for rounding: up by own weights, down by shares, ``(M, S H)``."""
    assert reconciler.own is not None
    up = flat.copy()
    own, share = reconciler.own[:, None], reconciler.share[:, None]
    for nodes in _levels_up(tree):
        up[nodes] = own[nodes] * flat[nodes] + (1 - own[nodes]) * (tree.edges[nodes] @ up)
    for nodes in reversed(_levels_up(tree)):
        missing = up[nodes] - tree.edges[nodes] @ up  # (K, S H)
        children = np.flatnonzero(np.isin(tree.parent, nodes))
        up[children] += share[children] * missing[np.searchsorted(nodes, tree.parent[children])]
    return up


def _not_negative(leaves: Numbers, tree: Hierarchy, share: Numbers) -> Numbers:
    """Return leaves of at least 0 whose siblings bear what that adds, by their shares, ``(L, S H)``.

    The sums of siblings stay, except where such a sum is negative itself.
    """
    if not (leaves < 0).any():
        return leaves
    parents, at = np.unique(tree.parent[tree.leaves], return_inverse=True)
    sums = tree.edges[parents][:, tree.leaves]  # (K, L)
    weight = share[tree.leaves][:, None]
    for _ in range(_MOST_ROUNDS):
        lack = sums @ np.minimum(leaves, 0)  # (K, S H), 0 or less
        leaves = np.maximum(leaves, 0)
        if not (lack < -GRAIN_KWH).any():
            break
        bearing = np.where(leaves > 0, weight, 0)
        total = sums @ bearing
        each = np.divide(lack, total, where=total > 0, out=np.zeros_like(lack))
        leaves = leaves + bearing * each[at]
    return np.maximum(leaves, 0)


def add_up(leaves_kwh: Numbers, tree: Hierarchy, share: Numbers) -> Numbers:
    """Return all nodes of paths of leaves ``(S, L, H)``, none negative, each an exact sum of leaves, ``(S, M, H)``."""
    s, n_leaves, h = leaves_kwh.shape
    flat = _not_negative(leaves_kwh.transpose(1, 0, 2).reshape(n_leaves, s * h), tree, share)
    grained = np.round(flat / GRAIN_KWH) * GRAIN_KWH
    return np.asarray((tree.summing @ grained).reshape(len(tree), s, h).transpose(1, 0, 2))


def reconcile(paths_kwh: Numbers, reconciler: Reconciler, tree: Hierarchy) -> Numbers:
    """Return coherent paths, ``(S, M, H)`` to ``(S, M, H)``.

    Raises:
        SchemaError: When the paths are not of the tree's nodes.
    """
    s, m, h = paths_kwh.shape
    if m != len(tree):
        raise SchemaError(f"the paths are of {m} nodes, the tree has {len(tree)}; give one a node, in its order")
    if reconciler.way == "bottom_up":
        return add_up(paths_kwh[:, tree.leaves], tree, reconciler.share)
    if reconciler.way == "mint_shrink":
        return add_up(np.matmul(reconciler.projection, paths_kwh), tree, reconciler.share)  # type: ignore[arg-type]
    flat = paths_kwh.transpose(1, 0, 2).reshape(m, s * h)
    leaves = _two_passes(flat, reconciler, tree)[tree.leaves]
    return add_up(leaves.reshape(-1, s, h).transpose(1, 0, 2), tree, reconciler.share)
