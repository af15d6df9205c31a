"""Which entities make a feeder: random ones, of one size or of the sizes of real feeders, or those of the network."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.errors import ConfigError, SchemaError
from loadproof.evaluation.groups import disjoint_groups
from loadproof.feeders.hierarchy import node_names

__all__ = ["GROUPS", "groups_like", "groups_of", "groups_of_network", "groups_of_size", "sizes_of_network"]

GROUPS: Final = pl.Schema({"group_id": pl.String(), "entity_id": pl.String(), "devices": pl.Int32()})
"""Who is in which group, and how many devices each is: 1 for a home, the MPANs of a feeder, null where unknown."""

Names = NDArray[np.str_]


def groups_of(members: Mapping[str, Sequence[str] | Names]) -> pl.DataFrame:
    """Return groups of homes, one device each, as ``GROUPS``.

    Raises:
        ConfigError: When there is no group, or one holds a member twice.
    """
    rows = [(group, str(name), 1) for group, names in sorted(members.items()) for name in names]
    table = pl.DataFrame(rows, schema=GROUPS, orient="row")
    if table.is_empty() or table.select("group_id", "entity_id").is_duplicated().any():
        raise ConfigError("the groups are none, or one holds a member twice; name each member of a group once")
    return table


def groups_of_size(homes: Names, size: int, *, prefix: str = "pseudo:", rng: np.random.Generator) -> pl.DataFrame:
    """Return as many random disjoint groups of ``size`` homes as there are; the rest is in none.

    Raises:
        ConfigError: When the homes fill no group.
    """
    found = disjoint_groups(homes, size, prefix=f"{prefix}{size}:", rng=rng)
    if not found:
        raise ConfigError(f"{len(homes)} homes fill no group of {size}; ask for smaller groups")
    return groups_of(found)


def groups_like(
    homes: Names, sizes: Sequence[int] | NDArray[np.int64], *, prefix: str = "pseudo:", rng: np.random.Generator
) -> pl.DataFrame:
    """Return random disjoint groups with sizes drawn from real ones, until the homes are used up.

    Sizes above what is left are not cut, which would invent small feeders: the last draw that does not fit ends it.

    Raises:
        ConfigError: When no size can be filled.
    """
    fitting = np.asarray([size for size in sizes if 0 < size <= len(homes)])
    if not len(fitting):
        raise ConfigError(f"{len(homes)} homes fill none of the {len(sizes)} sizes; give more homes, or smaller sizes")
    shuffled, first = rng.permutation(np.unique(homes)), 0
    found: dict[str, Names] = {}
    while first + (size := int(rng.choice(fitting))) <= len(shuffled):
        found[f"{prefix}{len(found):03d}"] = np.sort(shuffled[first : first + size])
        first += size
    return groups_of(found)


def sizes_of_network(network: pl.DataFrame) -> NDArray[np.int64]:
    """Return the MPAN counts of the feeders of ``NETWORK`` that state one, ascending.

    Raises:
        SchemaError: When none does.
    """
    sizes = network["total_mpan_count"].drop_nulls()
    if not (sizes := sizes.filter(sizes > 0).sort()).len():
        raise SchemaError("no feeder of the network states its MPANs; ingest ssen with its lookup first")
    return sizes.to_numpy().astype(np.int64)


def groups_of_network(network: pl.DataFrame, level: str) -> pl.DataFrame:
    """Return the feeders below each node of a level of ``NETWORK_LEVELS``, with their MPANs, as ``GROUPS``."""
    return network.select(
        group_id=node_names(level), entity_id="entity_id", devices=pl.col("total_mpan_count").cast(pl.Int32)
    ).sort("group_id", "entity_id")
