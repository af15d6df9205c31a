"""Coherent paths made as wide as past truths ask for, level by level, and coherent still.

A child's deviation from the mean of its paths is its share of its parent's, and the rest. Each level's rest is
stretched by one factor, the top's deviation by its own; the rests of siblings add up to nothing before and after.
"""

import numpy as np
from numpy.typing import NDArray

from loadproof.feeders.hierarchy import Hierarchy
from loadproof.feeders.reconcile import add_up

__all__ = ["learn_stretch", "stretch"]

Numbers = NDArray[np.float64]

_NARROWEST, _WIDEST = 0.5, 2.0


def learn_stretch(
    truth_kwh: NDArray[np.float32], mean_kwh: Numbers, low_kwh: Numbers, high_kwh: Numbers, tree: Hierarchy, *,
    band: float = 0.8,
) -> Numbers:  # fmt: skip
    """Return by how much each level's central band had to be wider to hold its share of past truths, ``(levels,)``.

    Args:
        truth_kwh: What was measured on past days, NaN where missing, ``(D, M, H)``.
        mean_kwh: The mean of the coherent paths of those days, ``(D, M, H)``.
        low_kwh: The lower edge of their central band.
        high_kwh: The upper edge.
        tree: The nodes.
        band: The band's share, 0 to 1.
    """
    off = truth_kwh - mean_kwh
    edge = np.where(off >= 0, high_kwh - mean_kwh, mean_kwh - low_kwh)  # (D, M, H)
    ratio = np.divide(np.abs(off), edge, where=edge > 0, out=np.full(off.shape, np.nan))
    found = np.ones(len(tree.levels))
    for depth in range(len(tree.levels)):
        mine = ratio[:, tree.level == depth]
        if (known := mine[~np.isnan(mine)]).size:
            found[depth] = np.clip(np.quantile(known, band), _NARROWEST, _WIDEST)
    return found


def stretch(paths_kwh: Numbers, factors: Numbers, tree: Hierarchy, share: Numbers) -> Numbers:
    """Return coherent paths ``(S, M, H)`` stretched about their mean by one factor a level, coherent, none negative.

    Args:
        paths_kwh: Coherent paths.
        factors: One a level, from the top.
        tree: The nodes.
        share: Each node's share of its parent's deviation, ``(M,)``; a ``Reconciler`` has it.
    """
    mean = paths_kwh.mean(axis=0)  # (M, H)
    off = paths_kwh - mean
    wide = off * factors[0]
    for depth in range(1, len(tree.levels)):
        nodes = np.flatnonzero(tree.level == depth)
        above = tree.parent[nodes]
        rest = off[:, nodes] - share[nodes, None] * off[:, above]
        wide[:, nodes] = share[nodes, None] * wide[:, above] + factors[depth] * rest
    return add_up(mean[tree.leaves] + wide[:, tree.leaves], tree, share)
