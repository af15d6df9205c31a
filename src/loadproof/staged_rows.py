"""What is done to the rows of an ingest between a part and the store, and what is said of those set aside."""

import datetime as dt
import itertools
from collections.abc import Iterator
from typing import Final

import numpy as np
import polars as pl

from loadproof.parts import Batch

__all__ = ["by_month", "counts", "first_conflict", "iso", "with_contested", "worst"]

_DAY_US: Final = 86_400_000_000


def with_contested(batch: Batch) -> pl.DataFrame:
    """Return the readings and, without a value, each half hour contested in this batch, so that later ones join it."""
    contested = batch.rejected.filter(pl.col("reason") == "conflict")
    if contested.is_empty():
        return batch.readings
    return pl.concat([batch.readings, contested.select("line", "entity_id", "ts_utc")], how="diagonal_relaxed")


def by_month(readings: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield each month with its rows, in their order."""
    if readings.is_empty():
        return
    days = readings["ts_utc"].to_physical().to_numpy() // _DAY_US
    first = days.min()
    months = np.arange(first, days.max() + 1).astype("M8[D]").astype("M8[M]")
    # A stable sort of small integers is a count and a pass; a group-by hashes each row.
    of_row = months.astype(np.int16)[days - first]
    order = np.argsort(of_row, kind="stable")
    ordered = of_row[order]
    starts = [0, *(np.flatnonzero(ordered[1:] != ordered[:-1]) + 1).tolist(), len(ordered)]
    rows = readings[order]
    for start, end in itertools.pairwise(starts):
        yield str(ordered[start].astype("M8[M]")), rows[start:end]


def counts(frame: pl.DataFrame, column: str) -> dict[str, int]:
    """Return how many rows have each value of a column, by value."""
    return dict(sorted(frame[column].value_counts().rows()))


def first_conflict(rejected: pl.DataFrame) -> str | None:
    """Return the first contested half hour in words, if any."""
    rows = rejected.filter(pl.col("reason") == "conflict").head(2).rows(named=True)
    return " against ".join(f"{row['file']}, line {row['line']}: {row['raw'][:200]!r}" for row in rows) or None


def worst(faulty: pl.DataFrame) -> str | None:
    """Return the first fault of the file that has most in words, if any."""
    file = faulty["file"].mode(maintain_order=True).head(1)
    rows = faulty.filter(pl.col("file").is_in(file.implode()))
    for row in rows.head(1).rows(named=True):
        return f"{row['file']} ({rows.height}, first line {row['line']}, {row['reason']}: {row['raw'][:200]!r})"
    return None


def iso(ts: dt.datetime | None) -> str | None:
    """Return an instant as a summary says it."""
    return None if ts is None else ts.strftime("%Y-%m-%dT%H:%M:%SZ")
