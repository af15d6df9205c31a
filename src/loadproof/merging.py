"""One month of readings, from what was staged of it and what stays of it, to its files in order.

A month is a job of small values and writes below its own folder alone, so that any ``map`` can carry it.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from loadproof.schema import Checked, set_repeats_aside
from loadproof.store import ROWS_PER_GROUP, naming

__all__ = ["MergedMonth", "MonthJob", "merge_month", "part_number", "read_month"]

ROWS_PER_FILE: Final = 1_250_000
"""One file of a month: two to ten MB at rest; with facts of its own in each row, some 600 MB while it is sorted."""

# What is left of a row set aside at the merge; a row that came from no file now is told by its values.
_LATE: Final = (
    pl.col("part"),
    pl.col("line"),
    pl.col("reason"),
    pl.concat_str(pl.col("entity_id", "ts_utc", "energy_kwh").cast(pl.String), separator=",").alias("at_rest"),
)

_LATE_SCHEMA: Final = {"part": pl.UInt32(), "line": pl.UInt32(), "reason": pl.String(), "at_rest": pl.String()}


@dataclass(frozen=True)
class MonthJob:
    """What a month is made of.

    ``staged`` files come in the order of parts and lines. Of the files ``at_rest`` the rows of the sources ``kept``
    (name to number) stay. ``sources`` names every number; ``folder`` is where the month's files go.
    """

    month: str
    staged: tuple[Path, ...]
    at_rest: tuple[Path, ...]
    kept: Mapping[str, int]
    sources: Mapping[int, str]
    folder: Path


@dataclass(frozen=True)
class MergedMonth:
    """What a month holds, and which rows were set aside only now: ``part, line, reason, at_rest``."""

    month: str
    rows: int
    entities: frozenset[str]
    first_ts_utc: dt.datetime | None
    last_ts_utc: dt.datetime | None
    late: pl.DataFrame


def merge_month(job: MonthJob) -> MergedMonth:
    """Write a month's files, sorted by entity and time, without repeats."""
    rows, entities, stamps, late = 0, set[str](), list[dt.datetime](), []
    for number, (readings, repeated) in enumerate(_merge(job)):
        # A contested half hour without a value was counted when its batch was staged.
        late.append(repeated.filter(pl.col("energy_kwh").is_not_null()).select(_LATE))
        if readings.is_empty():
            continue
        rows += readings.height
        entities.update(readings["entity_id"].unique().cast(pl.String))
        stamps += readings.select(first=pl.col("ts_utc").min(), last=pl.col("ts_utc").max()).row(0)
        _write(readings, job.sources, job.folder / f"part-{number:05d}.parquet")
    return MergedMonth(
        job.month,
        rows,
        frozenset(entities),
        min(stamps, default=None),
        max(stamps, default=None),
        pl.concat(late) if late else pl.DataFrame(schema=_LATE_SCHEMA),
    )


def read_month(month: str, folder: Path) -> MergedMonth:
    """Return what a month holds that stays as it is."""
    rows = pl.read_parquet(folder / "*.parquet", columns=["entity_id", "ts_utc"], hive_partitioning=False)
    entities = frozenset(rows["entity_id"].unique())
    first, last = rows.select(first=pl.col("ts_utc").min(), last=pl.col("ts_utc").max()).row(0)
    return MergedMonth(month, rows.height, entities, first, last, pl.DataFrame(schema=_LATE_SCHEMA))


def part_number(file: Path) -> pl.Expr:
    """Return the number of the part that a staged file came from."""
    return pl.lit(int(file.name[:5]), dtype=pl.UInt32)


def _merge(job: MonthJob) -> Iterator[Checked]:
    """Yield the month's readings in order of entity and time, file by file, with the repeats set aside."""
    staged = [pl.scan_ipc(file).with_columns(part=part_number(file)) for file in job.staged]
    # Rows at rest come first, then parts and lines in order; the sort is stable, so that decides among repeats.
    frames = [*_at_rest(job), *staged]
    if not frames:
        return
    for rows in _shards(frames):
        named = rows.with_columns(_as_enum(rows["entity_id"]))
        yield set_repeats_aside(named.sort("entity_id", "ts_utc", maintain_order=True))


def _at_rest(job: MonthJob) -> list[pl.LazyFrame]:
    """Return the rows that stay, as staged ones; ``line`` 0 tells that they came from no file now."""
    if not job.at_rest:
        return []
    rows = pl.scan_parquet(list(job.at_rest), hive_partitioning=False).filter(pl.col("source").is_in(list(job.kept)))
    return [
        rows.select(
            pl.lit(0, dtype=pl.UInt32).alias("line"),
            "ts_utc",
            "interval_mins",
            "energy_kwh",
            pl.col("entity_id", "extras").cast(pl.Categorical),
            part=pl.col("source").replace_strict(job.kept, return_dtype=pl.UInt32),
        )
    ]


def _shards(frames: Sequence[pl.LazyFrame]) -> Iterator[pl.DataFrame]:
    """Yield the rows in lots of about ``ROWS_PER_FILE``, cut between entities in the order of their names."""
    together = partial(pl.concat, how="diagonal_relaxed")
    if sum(pl.concat([frame.select(pl.len()) for frame in frames]).collect().to_series()) <= ROWS_PER_FILE:
        yield together(frames).collect()
        return
    numbered = [frame.select("entity_id", file=pl.lit(n, dtype=pl.UInt32)) for n, frame in enumerate(frames)]
    index = pl.concat(numbered).group_by("entity_id", "file").len().collect()
    sizes = index.group_by("entity_id").agg(pl.col("len").sum()).sort(pl.col("entity_id").cast(pl.String))
    before = pl.col("len").cum_sum() - pl.col("len")
    runs = sizes.with_columns(run=before // ROWS_PER_FILE).partition_by("run", maintain_order=True)
    for run in runs:
        numbers = index.join(run, on="entity_id", how="semi")["file"].unique().sort()
        rows = together([frames[number] for number in numbers])
        yield rows.filter(pl.col("entity_id").is_in(run["entity_id"].implode())).collect()


def _as_enum(values: pl.Series) -> pl.Series:
    """Return categories as the sorted ones that occur, so that bytes depend on nothing else; strings as they are."""
    if values.dtype == pl.String:
        return values
    codes = values.to_physical().to_numpy()
    if values.null_count() or values.is_empty():
        return values.cast(pl.Enum(values.unique().drop_nulls().cast(pl.String).sort()))
    # By tables over the codes, for a hash of each of a million rows costs more than the sort of them.
    some_row = np.full(int(codes.max()) + 1, len(codes), dtype=np.uint32)
    some_row[codes] = np.arange(len(codes), dtype=np.uint32)
    used = np.flatnonzero(some_row < len(codes))
    names = values.gather(some_row[used]).cast(pl.String)
    rank = np.zeros(len(some_row), dtype=np.uint32)
    rank[used[names.arg_sort()]] = np.arange(len(used), dtype=np.uint32)
    return names.sort().cast(pl.Enum(names.sort())).gather(pl.Series(rank[codes]))


def _source(parts: pl.Series, sources: Mapping[int, str]) -> pl.Series:
    """Return the name of each row's part, as the sorted ones that occur."""
    numbers = parts.unique().to_list()
    names = sorted(sources[number] for number in numbers)
    rank = np.zeros(max(numbers) + 1, dtype=np.uint32)
    rank[numbers] = [names.index(sources[number]) for number in numbers]
    return pl.Series("source", names, dtype=pl.Enum(names)).gather(pl.Series(rank[parts.to_numpy()]))


def _write(readings: pl.DataFrame, sources: Mapping[int, str], path: Path) -> None:
    frame = readings.select(
        "entity_id",
        "ts_utc",
        "interval_mins",
        "energy_kwh",
        source=_source(readings["part"], sources),
        extras=_as_enum(readings["extras"]),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    # Each row's own facts are mostly those of the row before.
    own = {"extras": "DELTA_BYTE_ARRAY"} if frame["extras"].dtype == pl.String else {}
    deltas = {"ts_utc": "DELTA_BINARY_PACKED", **own}
    # Arrow writes the categories as they are, as dictionary pages, and without its own schema on top a reader sees
    # plain strings: less time and fewer bytes than casting to strings first (docs/decisions.md).
    with naming(path):
        pq.write_table(
            frame.rechunk().to_arrow(),
            path,
            row_group_size=ROWS_PER_GROUP,
            compression="zstd",
            compression_level=1,
            use_dictionary=[name for name in frame.columns if name not in deltas],
            column_encoding=deltas,
            write_statistics=["entity_id", "ts_utc"],
            write_batch_size=ROWS_PER_GROUP,
            store_schema=False,
        )
