"""One month of readings, from what was staged of it and what stays of it, to its files in order.

A month is a job of small values and writes below its own folder alone, so that any ``map`` can carry it.
"""

import datetime as dt
import itertools
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from loadproof.checking import set_repeats_aside
from loadproof.files import ROWS_PER_GROUP, write_atomically
from loadproof.parts import Map, whole_extras

__all__ = ["MergedMonth", "MonthJob", "merge_by_threads", "merge_month", "read_month"]

ROWS_PER_FILE: Final = 1_250_000
"""One file of a month: two to ten MB at rest; with facts of its own in each row, some 400 MB while it is sorted."""

# What is left of a row set aside at the merge; a row that came from no file now is told by its values.
_LATE: Final = (
    pl.col("part"),
    pl.col("line"),
    pl.col("reason"),
    pl.concat_str(pl.col("entity_id", "ts_utc", "energy_kwh").cast(pl.String), separator=",").alias("at_rest"),
)

_FILES_LOOKED_THROUGH: Final = 16

_FILES: Final = ThreadPoolExecutor(2, thread_name_prefix="merging")

_LATE_SCHEMA: Final = {"part": pl.UInt32(), "line": pl.UInt32(), "reason": pl.String(), "at_rest": pl.String()}


@dataclass(frozen=True)
class MonthJob:
    """What a month is made of.

    ``staged`` files come in the order of parts and lines, with the number of the ``part`` in each row. Of the files
    ``at_rest`` the rows of the sources ``kept`` (name to number) stay. ``sources`` names every number; ``folder`` is
    where the month's files go.
    """

    month: str
    staged: tuple[Path, ...]
    at_rest: tuple[Path, ...]
    kept: Mapping[str, int]
    sources: Mapping[int, str]
    folder: Path

    def __str__(self) -> str:
        return f"month {self.month}"


@dataclass(frozen=True)
class MergedMonth:
    """What a month holds, and which rows were set aside only now: ``part, line, reason, at_rest``."""

    month: str
    rows: int
    entities: frozenset[str]
    first_ts_utc: dt.datetime | None
    last_ts_utc: dt.datetime | None
    late: pl.DataFrame


class _Shard(NamedTuple):
    """What goes into one file of a month: the rows of ``entities``, or all, in those of its files that have any."""

    number: int
    files: frozenset[str]
    entities: pl.Series | None


def merge_month(job: MonthJob, map_: Map = map) -> MergedMonth:
    """Write a month's files, sorted by entity and time, without repeats; each file is a job for ``map_``."""
    return _together(job.month, map_(partial(_merge_file, job), _shards(job, map_)))


def merge_by_threads(job: MonthJob) -> MergedMonth:
    """Merge a month, two files at a time in a process: Arrow writes one while polars sorts the other."""
    return merge_month(job, _FILES.map)


def read_month(month: str, folder: Path) -> MergedMonth:
    """Return what a month holds that stays as it is."""
    return _together(month, [_read_file(month, file) for file in sorted(folder.glob("*.parquet"))])


def _read_file(month: str, file: Path) -> MergedMonth:
    rows = pl.read_parquet(file, columns=["entity_id", "ts_utc"], hive_partitioning=False, glob=False)
    return _summed(month, rows, pl.DataFrame(schema=_LATE_SCHEMA))


def _summed(month: str, rows: pl.DataFrame, late: pl.DataFrame) -> MergedMonth:
    first, last = rows.select(first=pl.col("ts_utc").min(), last=pl.col("ts_utc").max()).row(0)
    entities = frozenset(rows["entity_id"].unique().cast(pl.String))
    return MergedMonth(month, rows.height, entities, first, last, late)


def _together(month: str, files: Iterable[MergedMonth]) -> MergedMonth:
    """Return what a month's files hold in all."""
    files = list(files)
    return MergedMonth(
        month,
        sum(file.rows for file in files),
        frozenset[str]().union(*(file.entities for file in files)),
        min((file.first_ts_utc for file in files if file.first_ts_utc), default=None),
        max((file.last_ts_utc for file in files if file.last_ts_utc), default=None),
        pl.concat([pl.DataFrame(schema=_LATE_SCHEMA), *(file.late for file in files)]),
    )


def _shards(job: MonthJob, map_: Map) -> Iterator[_Shard]:
    """Yield lots of about ``ROWS_PER_FILE`` rows, cut between entities in the order of their names."""
    files = [str(file) for file in (*job.at_rest, *job.staged)]
    if not files:
        return
    # A few files at a time, for a country's month is a hundred million rows.
    some = (frozenset(files[at : at + _FILES_LOOKED_THROUGH]) for at in range(0, len(files), _FILES_LOOKED_THROUGH))
    index = pl.concat(map_(partial(_runs, job), some))
    if index["len"].sum() <= ROWS_PER_FILE:
        yield _Shard(0, frozenset(files), None)
        return
    sizes = index.group_by("entity_id").agg(pl.col("len").sum()).sort(pl.col("entity_id").cast(pl.String))
    before = pl.col("len").cast(pl.Int64).cum_sum() - pl.col("len")
    lots = sizes.with_columns(lot=before // ROWS_PER_FILE).partition_by("lot", maintain_order=True)
    for number, lot in enumerate(lots):
        here = index.join(lot, on="entity_id", how="semi")["file"].unique()
        yield _Shard(number, frozenset(here.cast(pl.String)), lot["entity_id"])


def _runs(job: MonthJob, files: frozenset[str]) -> pl.DataFrame:
    """Return of some files which entities' rows stand where: ``entity_id, file, len``."""
    runs = _rows(job, files).select(pl.struct("entity_id", "file").rle().alias("run"))
    return runs.unnest("run").unnest("value").collect()


def _rows(job: MonthJob, files: frozenset[str]) -> pl.LazyFrame:
    """Return the rows of some files of a month and which ``file`` each is from; rows at rest come first."""
    at_rest = [file for file in job.at_rest if str(file) in files]
    staged = [file for file in job.staged if str(file) in files]
    # One scan of many files: a thousand scans laid end to end take polars minutes to plan.
    frames = [pl.scan_ipc(staged, glob=False, include_file_paths="file")] if staged else []
    if at_rest:
        frames.insert(0, _at_rest(job, at_rest))
    return pl.concat(frames, how="diagonal_relaxed").with_columns(pl.col("file").cast(pl.Categorical))


def _at_rest(job: MonthJob, files: list[Path]) -> pl.LazyFrame:
    """Return the rows that stay, as staged ones; ``line`` 0 tells that they came from no file now."""
    rows = pl.scan_parquet(files, glob=False, hive_partitioning=False, include_file_paths="file")
    return rows.filter(pl.col("source").is_in(list(job.kept))).select(
        pl.lit(0, dtype=pl.UInt32).alias("line"),
        "ts_utc",
        "interval_mins",
        "energy_kwh",
        "file",
        pl.col("entity_id").cast(pl.Categorical),
        pl.col("extras").cast(pl.Categorical if _repeats(files[0], "extras") else pl.String),
        part=pl.col("source").replace_strict(job.kept, return_dtype=pl.UInt32),
    )


def _repeats(file: Path, column: str) -> bool:
    """Whether a column at rest holds few texts many times, as its writer knew."""
    group = pq.read_metadata(file).row_group(0)
    columns = [group.column(number) for number in range(group.num_columns)]
    return any("DICTIONARY" in kind for c in columns if c.path_in_schema == column for kind in c.encodings)


def _merge_file(job: MonthJob, shard: _Shard) -> MergedMonth:
    """Write one file of a month, sorted by entity and time, without repeats."""
    rows = _rows(job, shard.files).drop("file")
    if shard.entities is not None:
        rows = rows.filter(pl.col("entity_id").is_in(shard.entities.implode()))
    table = rows.collect()
    named = table.with_columns(_as_enum(table["entity_id"]))
    readings, repeated = set_repeats_aside(named.sort("entity_id", "ts_utc", maintain_order=True))
    if not readings.is_empty():
        # Aside, for the month's folder moves into the dataset, with whatever a worker given up still writes there.
        path, aside = job.folder / f"part-{shard.number:05d}.parquet", job.folder.parent.with_name("aside")
        write_atomically(path, partial(_write, readings, job.sources), alone=False, aside=aside / job.month)
    # A contested half hour without a value was counted when its batch was staged.
    return _summed(job.month, readings, repeated.filter(pl.col("energy_kwh").is_not_null()).select(_LATE))


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


def _to_arrow(column: pl.Series) -> "pa.Array[Any]":
    """Return a column with its categories as a dictionary whose type is the same however many there are."""
    if not isinstance(column.dtype, pl.Enum):
        return column.rechunk().to_arrow()
    codes = column.to_physical().cast(pl.Int32).rechunk().to_arrow()
    return pa.DictionaryArray.from_arrays(codes, column.dtype.categories.to_arrow())


def _row_group(readings: pl.DataFrame, sources: Mapping[int, str]) -> pa.Table:
    """Return rows as they are at rest; what repeats as the sorted texts that occur here."""
    frame = readings.select(
        _as_enum(readings["entity_id"]),
        "ts_utc",
        "interval_mins",
        "energy_kwh",
        source=_source(readings["part"], sources),
        extras=_as_enum(whole_extras(readings)),
    )
    return pa.table({column.name: _to_arrow(column) for column in frame})


def _write(readings: pl.DataFrame, sources: Mapping[int, str], path: Path) -> None:
    groups = (_row_group(rows, sources) for rows in readings.iter_slices(ROWS_PER_GROUP))
    first = next(groups)
    # Each row's own facts are mostly those of the row before.
    own = {} if pa.types.is_dictionary(first.schema.field("extras").type) else {"extras": "DELTA_BYTE_ARRAY"}
    deltas = {"ts_utc": "DELTA_BINARY_PACKED", **own}
    # Arrow writes the categories as they are, as dictionary pages, and without its own schema on top a reader sees
    # plain strings: less time and fewer bytes than casting to strings first (docs/decisions.md).
    with pq.ParquetWriter(
        path,
        first.schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=[name for name in first.column_names if name not in deltas],
        column_encoding=deltas,
        write_statistics=["entity_id", "ts_utc"],
        write_batch_size=ROWS_PER_GROUP,
        store_schema=False,
    ) as writer:
        for rows in itertools.chain([first], groups):
            writer.write_table(rows, row_group_size=ROWS_PER_GROUP)
