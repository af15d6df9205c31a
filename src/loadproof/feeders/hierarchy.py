"""A tree of entities, homes or feeders at its leaves, and the matrix that sums them. M nodes, L leaves."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from loadproof.errors import SchemaError

__all__ = [
    "NETWORK_LEVELS",
    "Hierarchy",
    "hierarchy_of_groups",
    "hierarchy_of_network",
    "hierarchy_of_paths",
    "node_names",
]

NETWORK_LEVELS: Final = ("primary_substation", "hv_feeder", "secondary_substation", "lv_feeder")
"""The levels of ``NETWORK`` from the top; an id is unique only below the levels before it."""


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """Nodes level by level from the top, each level's in order of their names.

    Attributes:
        levels: Names of the levels from the top; the last is that of the leaves.
        names: Name of each node, ``(M,)``.
        level: Position in ``levels``, ascending, ``(M,)``.
        parent: Position of the node above, -1 at the top, ``(M,)``.
    """

    levels: tuple[str, ...]
    names: NDArray[np.str_]
    level: NDArray[np.int64]
    parent: NDArray[np.int64]

    def __post_init__(self) -> None:
        n = len(self.names)
        if len(np.unique(self.names)) != n:
            raise SchemaError(f"{n - len(np.unique(self.names))} name(s) stand twice in the tree; name each node once")
        if not (len(self.level) == len(self.parent) == n) or (np.diff(self.level) < 0).any():
            raise SchemaError("the nodes of a tree do not go down level by level; build it with hierarchy_of_groups")
        below = self.level > 0
        if (self.parent[~below] != -1).any() or (self.level[self.parent[below]] != self.level[below] - 1).any():
            raise SchemaError("a node's parent is not on the level above; give every node one parent there")
        if len(np.unique(self.parent[below])) != (self.level < len(self.levels) - 1).sum():
            raise SchemaError("a node above the leaves has nothing below; leave it out of the tree")

    def __len__(self) -> int:
        return len(self.names)

    def at(self, level: str) -> NDArray[np.int64]:
        """Return the positions of a level's nodes.

        Raises:
            SchemaError: When there is no such level.
        """
        if level not in self.levels:
            raise SchemaError(f"the tree has no level {level}; it has {', '.join(self.levels)}")
        return np.flatnonzero(self.level == self.levels.index(level))

    @cached_property
    def leaves(self) -> NDArray[np.int64]:
        """Positions of the leaves, which are the last L, ``(L,)``."""
        return np.flatnonzero(self.level == len(self.levels) - 1)

    @cached_property
    def summing(self) -> sparse.csr_array:
        """1 where a leaf lies below a node, or is it; sparse, ``(M, L)``."""
        n_leaves = len(self.leaves)
        row, column, nodes = [], [], self.leaves.copy()
        while len(nodes) and nodes[0] >= 0:
            row.append(nodes)
            column.append(np.arange(n_leaves))
            nodes = self.parent[nodes]
        ones = np.ones(sum(map(len, row)))
        return sparse.csr_array((ones, (np.concatenate(row), np.concatenate(column))), shape=(len(self), n_leaves))

    @cached_property
    def edges(self) -> sparse.csr_array:
        """1 where a node is the parent of another; sparse, ``(M, M)``."""
        below = np.flatnonzero(self.parent >= 0)
        shape = (len(self), len(self))
        return sparse.csr_array((np.ones(len(below)), (self.parent[below], below)), shape=shape)

    def children(self, node: int) -> NDArray[np.int64]:
        """Return the positions of the nodes right below one."""
        return np.flatnonzero(self.parent == node)

    def leaves_below(self, node: int) -> NDArray[np.str_]:
        """Return the names of the leaves below a node."""
        return np.asarray(self.names[self.leaves[self.summing[[node]].indices]])

    def groups(self, level: str) -> dict[str, NDArray[np.str_]]:
        """Return the leaves below each node of a level, by its name: groups for ``aggregate``."""
        return {str(self.names[node]): np.sort(self.leaves_below(int(node))) for node in self.at(level)}


def hierarchy_of_paths(levels: Sequence[str], paths: Sequence[Sequence[str]]) -> Hierarchy:
    """Return the tree of all paths from the top to a leaf.

    Raises:
        SchemaError: When there is no path, one has another length, or a node has two parents.
    """
    if not paths or any(len(path) != len(levels) for path in paths):
        raise SchemaError(f"a tree of {', '.join(levels)} wants a name on each level for each leaf; name all, or fewer")
    names: list[str] = []
    level: list[int] = []
    parent: list[int] = []
    place: dict[str, int] = {}
    above: dict[str, str] = {}
    for path in paths:
        for upper, lower in itertools.pairwise(path):
            if above.setdefault(lower, upper) != upper:
                raise SchemaError(f"{lower} lies below {above[lower]} and {upper}; a node has one parent")
    for depth in range(len(levels)):
        for name in sorted({path[depth] for path in paths}):
            if name in place:
                raise SchemaError(f"{name} stands on two levels of the tree; name each node once")
            place[name] = len(names)
            names.append(name)
            level.append(depth)
            parent.append(place[above[name]] if depth else -1)
    return Hierarchy(tuple(levels), np.array(names), np.array(level), np.array(parent))


def hierarchy_of_groups(
    groups: Mapping[str, Sequence[str] | NDArray[np.str_]],
    *,
    levels: tuple[str, str, str] = ("substation", "feeder", "home"),
    top: str = "substation",
) -> Hierarchy:
    """Return the tree of one top node, the groups, and their members; no member may be in two.

    Raises:
        SchemaError: When a member is in two groups, or there is none.
    """
    return hierarchy_of_paths(
        levels, [(top, group, str(member)) for group, members in groups.items() for member in members]
    )


def node_names(level: str) -> pl.Expr:
    """Return a feeder's node on a level of ``NETWORK``: its ids down to there, such as ``hv_feeder:0990-003``."""
    if level == NETWORK_LEVELS[-1]:
        return pl.col("entity_id")
    ids = [pl.col(f"{name}_id") for name in NETWORK_LEVELS[: NETWORK_LEVELS.index(level) + 1]]
    return pl.format("{}:{}", pl.lit(level), pl.concat_str(ids, separator="-"))


def hierarchy_of_network(network: pl.DataFrame, *, levels: Sequence[str] = NETWORK_LEVELS) -> Hierarchy:
    """Return the tree of the table ``NETWORK``, feeders at its leaves.

    Args:
        network: One row a feeder.
        levels: Which levels of ``NETWORK_LEVELS``, from the top, ``lv_feeder`` last.

    Raises:
        SchemaError: When a feeder lacks an id, or the levels are not of the network.
    """
    if not levels or levels[-1] != NETWORK_LEVELS[-1] or list(levels) != [x for x in NETWORK_LEVELS if x in levels]:
        raise SchemaError(f"{list(levels)} are no levels of the network; choose of {NETWORK_LEVELS}, lv_feeder last")
    paths = network.select(node_names(level).alias(level) for level in levels)
    if lacking := sum(paths.null_count().row(0)):
        raise SchemaError(f"{lacking} feeder(s) of the network lack an id; ingest ssen again with its lookup")
    return hierarchy_of_paths(levels, paths.rows())
