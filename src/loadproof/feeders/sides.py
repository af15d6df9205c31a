"""One side of a comparison: a table of feeders as it is, or one of homes that are grouped to pseudo-feeders."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.errors import SchemaError
from loadproof.features.panel import panel_from_readings
from loadproof.feeders.aggregate import FEEDERS, aggregate, as_feeders
from loadproof.feeders.groupings import groups_like
from loadproof.feeders.shapes import Shapes, shapes_of
from loadproof.schema import READINGS

__all__ = ["Source", "group_homes", "read_side", "shapes_of_side"]


class Source(NamedTuple):
    """What a side is made of.

    Attributes:
        feeders: ``FEEDERS``, a home being one device of one.
        homes_kwh: Half hours of the homes ``(E, T)`` where it is homes, else None.
        sizes: Median number of devices that report, of each feeder that says it.
    """

    feeders: pl.DataFrame
    homes_kwh: NDArray[np.float32] | None
    sizes: list[int]


def read_side(table: pl.LazyFrame) -> Source:
    """Return a table of ``READINGS`` or ``FEEDERS`` as a side.

    Raises:
        SchemaError: When it is neither, or empty.
    """
    columns = table.collect_schema()
    if set(FEEDERS) <= set(columns):
        feeders = table.select(pl.col(name).cast(dtype) for name, dtype in FEEDERS.items()).collect()
    elif set(READINGS) <= set(columns):
        feeders = as_feeders(table).collect(engine="streaming")
    else:
        raise SchemaError(f"the columns {list(columns)} are no readings and no feeders; give a table of either")
    if feeders.is_empty():
        raise SchemaError("the table holds no row; give one of readings or of feeders")
    if feeders.select((pl.col("devices") == 1).all()).item():
        return Source(feeders, panel_from_readings(feeders).energy_kwh, [])
    sizes = feeders.group_by("entity_id").agg(n=pl.col("reporting").median())["n"].drop_nulls()
    return Source(feeders, None, sorted(int(n) for n in sizes if n >= 1))


def group_homes(side: Source, sizes: Sequence[int], *, rng: np.random.Generator) -> Source:
    """Return the side with its homes in disjoint random groups of these sizes; a side of feeders as it is.

    Raises:
        ConfigError: When the homes fill none of the sizes.
    """
    if side.homes_kwh is None:
        return side
    groups = groups_like(side.feeders["entity_id"].unique().to_numpy(), sizes, rng=rng)
    return side._replace(feeders=aggregate(side.feeders.lazy(), groups).collect())


def shapes_of_side(side: Source, *, min_reporting: float = 0.9) -> Shapes:
    """Return the side's loads per device; of groups, half hours in which fewer than nine of ten report are missing.

    A published feeder's meters are a part of its supplies at all times, so its share is not asked for.
    """
    if side.homes_kwh is None:
        return shapes_of(side.feeders)
    return shapes_of(side.feeders.filter(pl.col("reporting") >= min_reporting * pl.col("devices") - 1e-9))
