"""One month of readings, from what was staged of it and what stays of it, to its files in order.

A month is a job of small values and writes below its own folder alone, so that any ``map`` can carry it.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

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
    numbered = [frame.select("entity_id", file=pl.lit(n, dtype=pl.UInt32)) for n, frame in enumerate(frames)]
    index = pl.concat(numbered).group_by("entity_id", "file").len().collect()
    shards = list(_shards(index))
    for names, numbers in shards:
        rows = pl.concat([frames[number] for number in numbers], how="diagonal_relaxed")
        if len(shards) > 1:
            rows = rows.filter(pl.col("entity_id").is_in(names.implode()))
        named = rows.with_columns(pl.col("entity_id").cast(pl.Enum(names.cast(pl.String)))).collect()
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


def _shards(index: pl.DataFrame) -> Iterator[tuple[pl.Series, list[int]]]:
    """Yield runs of about ``ROWS_PER_FILE`` rows: their entities, in the order of their names, and their files."""
    names = pl.col("entity_id").cast(pl.String)
    sizes = index.group_by("entity_id").agg(pl.col("len").sum()).sort(names)
    before = pl.col("len").cum_sum() - pl.col("len")
    for run in sizes.with_columns(run=before // ROWS_PER_FILE).partition_by("run", maintain_order=True):
        yield run["entity_id"], index.join(run, on="entity_id", how="semi")["file"].unique().sort().to_list()


def _as_enum(values: pl.Series) -> pl.Series:
    """Return categories as the sorted ones that occur, so that bytes depend on nothing else; strings as they are."""
    if values.dtype == pl.String:
        return values
    return values.cast(pl.Enum(values.unique().drop_nulls().cast(pl.String).sort()))


def _write(readings: pl.DataFrame, sources: Mapping[int, str], path: Path) -> None:
    here = {number: sources[number] for number in readings["part"].unique()}
    frame = readings.select(
        "entity_id",
        "ts_utc",
        "interval_mins",
        "energy_kwh",
        source=pl.col("part").replace_strict(here, return_dtype=pl.Enum(sorted(here.values()))),
        extras=_as_enum(readings["extras"]),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    # Arrow writes the categories as they are, as dictionary pages, and without its own schema on top a reader sees
    # plain strings: less time and fewer bytes than casting to strings first (docs/decisions.md).
    with naming(path):
        pq.write_table(
            frame.rechunk().to_arrow(),
            path,
            row_group_size=ROWS_PER_GROUP,
            compression="zstd",
            compression_level=1,
            use_dictionary=["entity_id", "interval_mins", "energy_kwh", "source", "extras"],
            column_encoding={"ts_utc": "DELTA_BINARY_PACKED"},
            store_schema=False,
        )
