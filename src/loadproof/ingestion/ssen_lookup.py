"""SSEN's lookup: one record per feeder from a file that holds a row per feeder and postcode.

``dataset_id`` is the key: 4 digits of the primary substation, 3 of the HV feeder, 3 of the secondary substation and
2 of the LV feeder, none of which is unique by itself. ``total_mpan_count`` is the feeder's total on each of its rows.
"""

import datetime as dt
import hashlib
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from loadproof.errors import SourceError
from loadproof.ingestion.text import find_columns, parse_rows, read_blocks
from loadproof.parts import open_binary
from loadproof.schema import NETWORK

__all__ = [
    "CAPPED_ROWS",
    "LOOKUP",
    "NO_LOOKUP",
    "Lookup",
    "export_day",
    "find_lookup",
    "network_table",
    "parts_of",
    "read_lookup",
    "whole_id",
]

logger = logging.getLogger(__name__)

CAPPED_ROWS: Final = 100_000
"""The portal cuts an export here; a file of exactly this many rows is not complete."""

_SLICES: Final = {
    "primary_substation_id": slice(0, 4),
    "hv_feeder_id": slice(4, 7),
    "secondary_substation_id": slice(7, 10),
    "lv_feeder_id": slice(10, 12),
}
"""Where the four ids stand in a ``dataset_id``."""

_LEVELS: Final = ("primary_substation", "hv_feeder", "secondary_substation", "lv_feeder")
_CONSTANTS: Final = (*(f"{level}_{fact}" for level in _LEVELS for fact in ("id", "name")), "total_mpan_count")

LOOKUP: Final = pl.Schema(
    {
        "dataset_id": pl.String(),
        **dict.fromkeys(_CONSTANTS, pl.String()),
        "total_mpan_count": pl.Int32(),
        "postcodes": pl.List(pl.String()),
    }
)
"""One record per feeder; null where the file is silent or contradicts itself."""

_COLUMNS: Final = {name: (name,) for name in ("dataset_id", "postcode", *_CONSTANTS)}
_FULL_NAMES: Final = ("LV_FEEDER_LOOKUP.csv", "LV_FEEDER_LOOKUP/LV_FEEDER_LOOKUP.csv")
_EXPORT_NAME: Final = re.compile(
    r"ssen_smart_meter_prod_lv_feeder_lookup_optimized_(\d\d)_(\d\d)_(\d{4})(?!\d).*\.csv", re.I
)
_SAMPLE_NAME: Final = "ssen_lookup_sample.csv"


@dataclass(frozen=True)
class Lookup:
    """What is known of the feeders, and how good it is.

    Args:
        name: Where it came from; ``none`` where there was none.
        feeders: The table ``LOOKUP``, sorted by ``dataset_id``.
        rows: The rows read.
        left_out: Rows whose ``dataset_id`` is none.
        padded: Rows whose ``dataset_id`` had lost its leading zeros.
        conflicts: Column to the number of feeders that it contradicts itself on.
    """

    name: str
    feeders: pl.DataFrame
    rows: int
    left_out: int
    padded: int
    conflicts: Mapping[str, int]

    @property
    def capped(self) -> bool:
        """Whether the portal cut it off."""
        return self.rows == CAPPED_ROWS

    @property
    def digest(self) -> str:
        """Tell one content from another, in 16 hexadecimal digits."""
        flat = self.feeders.with_columns(pl.col("postcodes").list.join("|"))
        return hashlib.sha256(flat.write_csv().encode()).hexdigest()[:16]


NO_LOOKUP: Final = Lookup("none", pl.DataFrame(schema=LOOKUP), 0, 0, 0, {})


def export_day(match: re.Match[str]) -> dt.date:
    """Return the day in an export's name, whose groups are month, day and year; the first of all where it is none."""
    month, day, year = (int(text) for text in match.groups()[:3])
    try:
        return dt.date(year, month, day)
    except ValueError:
        return dt.date.min


def whole_id(text: pl.Expr) -> pl.Expr:
    """Return ids of 12 digits; those of 9 to 11 without a leading zero get back what a cast to integer took."""
    return pl.when(text.str.contains(r"^([0-9]{12}|[1-9][0-9]{8,10})$")).then(text.str.zfill(12))


def _rows(path: Path) -> Iterator[pl.DataFrame]:
    with open_binary(path) as stream:
        names: list[str] = []
        for block in read_blocks(stream, path.name):
            if block.first_line == 1:
                header = block.data.split(b"\n", 1)[0]
                wanted = {"dataset_id": _COLUMNS["dataset_id"]}
                names = find_columns(header, wanted, path.name, optional=_COLUMNS)
            yield parse_rows(block, names, [pl.col(name) for name in _COLUMNS if name in names], quote_char='"')
        if not names:
            raise SourceError(f"{path}, line 1: the file is empty; fetch it again or remove it")


def read_lookup(source: Path | pl.DataFrame, name: str | None = None) -> Lookup:
    """Read a lookup and collapse it to one record per feeder.

    Args:
        source: A CSV file, or a frame of the same columns; whatever its types, only ``dataset_id`` must be there.
        name: What to call it in the log; by default the file's name.

    Raises:
        SourceError: If it cannot be read or has no ``dataset_id``.
    """
    if isinstance(source, pl.DataFrame):
        name, raw = name or "frame", source.rename({column: column.strip().lower() for column in source.columns})
        if "dataset_id" not in raw.columns:
            raise SourceError(f"{name}: has no column 'dataset_id' in {raw.columns}; name the feeder lookup")
    else:
        name = name or source.name
        try:
            raw = pl.concat(_rows(source))
        except OSError as error:
            raise SourceError(f"{source}: cannot be read ({error}); mend or remove it") from error
    absent = [pl.lit(None, dtype=pl.String).alias(column) for column in _COLUMNS if column not in raw.columns]
    lookup = _collapse(raw.with_columns(absent).select(_text(column) for column in _COLUMNS), name)
    _tell(lookup)
    return lookup


def _text(column: str) -> pl.Expr:
    """Return a column as stripped text, null where nothing is left; ids whole, postcodes in capitals."""
    text = pl.col(column).cast(pl.String).str.strip_chars()
    text = pl.when(text != "").then(text)
    if column == "postcode":
        text = text.str.to_uppercase().str.replace_all(r"\s+", " ")
    if here := _SLICES.get(column):
        digits = here.stop - here.start
        text = pl.when(text.str.contains(f"^[0-9]{{1,{digits}}}$")).then(text.str.zfill(digits))
    return text.alias(column)


def _collapse(rows: pl.DataFrame, name: str) -> Lookup:
    known = rows.with_columns(dataset_id=whole_id(pl.col("dataset_id")))
    padded = int((known["dataset_id"] != rows["dataset_id"]).sum())
    known = known.filter(pl.col("dataset_id").is_not_null())
    known = known.with_columns(pl.col("total_mpan_count").cast(pl.Float64, strict=False).cast(pl.Int32, strict=False))
    stated = [pl.col(column).drop_nulls() for column in _CONSTANTS]
    feeders = known.group_by("dataset_id").agg(
        *(column.first() for column in stated),
        *(column.n_unique().name.prefix("n_") for column in stated),
        postcodes=pl.col("postcode").drop_nulls().unique().sort(),
    )
    unlike = {column: feeders.filter(pl.col(f"n_{column}") > 1).height for column in _CONSTANTS}
    # Nobody can say which of two is right, so neither is.
    single = [pl.when(pl.col(f"n_{column}") == 1).then(column).alias(column) for column in _CONSTANTS]
    table = feeders.select("dataset_id", *single, "postcodes").sort("dataset_id").cast(LOOKUP)
    conflicts = {column: count for column, count in unlike.items() if count}
    return Lookup(name, table, rows.height, rows.height - known.height, padded, conflicts)


def _tell(lookup: Lookup) -> None:
    unlike = ", ".join(f"{count} in {column}" for column, count in lookup.conflicts.items())
    notes = [
        f"{lookup.left_out} row(s) without a dataset_id left out" * bool(lookup.left_out),
        f"{lookup.padded} shortened dataset_id(s) padded to 12 digits" * bool(lookup.padded),
        f"feeders that contradict themselves: {unlike}; left null" * bool(unlike),
        f"exactly {CAPPED_ROWS:,} rows, so the portal cut it off: not complete" * lookup.capped,
    ]
    logger.info("; ".join([f"lookup {lookup.name}: {lookup.rows:,} rows, {lookup.feeders.height:,} feeders",
                           *filter(None, notes)]))  # fmt: skip


def lookup_files(folder: Path) -> list[Path]:
    """Return the lookups in a folder, best first: the full table, exports from the newest on, the sample."""
    full = [folder / name for name in _FULL_NAMES if (folder / name).is_file()]
    dated = [(export_day(match), path) for path in folder.glob("*.csv") if (match := _EXPORT_NAME.fullmatch(path.name))]
    sample = [folder / _SAMPLE_NAME] if (folder / _SAMPLE_NAME).is_file() else []
    return [*full, *(path for _, path in sorted(dated, reverse=True)), *sample]


def find_lookup(folder: Path, fetch: Callable[[], pl.DataFrame | None] | None = None) -> Lookup:
    """Return the best lookup that can be read: a file of ``folder``, else what ``fetch`` brings, else none.

    Each step is a line in the log; a file that cannot be read is passed over with a warning.

    Args:
        folder: Where the lookup files lie.
        fetch: Asks a service for the table, None if it has none. It may raise ``SourceError``.
    """
    files = lookup_files(folder)
    for number, path in enumerate(files):
        try:
            lookup = read_lookup(path)
        except SourceError as error:
            logger.warning("lookup %s passed over: %s", path.name, error)
            continue
        if rest := files[number + 1 :]:
            logger.info("lookup: leaves %d other(s) alone: %s", len(rest), ", ".join(p.name for p in rest[:5]))
        return lookup
    logger.info("lookup: no usable file in %s", folder)
    try:
        fetched = fetch() if fetch else None
        if fetched is not None:
            return read_lookup(fetched, "fetched table")
    except SourceError as error:
        logger.warning("lookup could not be fetched: %s", error)
    logger.info("lookup: none; the ids come from dataset_id, and names, postcodes and MPAN counts are unknown")
    return NO_LOOKUP


def parts_of(dataset_id: pl.Expr) -> dict[str, pl.Expr]:
    """Return the four ids that a ``dataset_id`` is made of."""
    return {column: dataset_id.str.slice(here.start, here.stop - here.start) for column, here in _SLICES.items()}


def network_table(lookup: pl.DataFrame, seen_ids: Iterable[str]) -> pl.DataFrame:
    """Return the table ``NETWORK`` of every feeder that the lookup names or that has readings.

    Args:
        lookup: The table ``LOOKUP`` (``Lookup.feeders``).
        seen_ids: The ``entity_id`` of every feeder with readings, ``ssen:<12 digits>``.
    """
    seen = pl.Series("entity_id", list(seen_ids), dtype=pl.String).str.strip_prefix("ssen:").alias("dataset_id")
    everyone = pl.concat([pl.DataFrame(seen), lookup.select("dataset_id")]).unique().sort("dataset_id")
    table = everyone.join(lookup, on="dataset_id", how="left", maintain_order="left")
    derived = [pl.col(column).fill_null(part) for column, part in parts_of(pl.col("dataset_id")).items()]
    return table.with_columns(
        *derived,
        pl.col("postcodes").fill_null(pl.lit([], dtype=pl.List(pl.String))),
        entity_id=pl.format("ssen:{}", "dataset_id"),
    ).select(list(NETWORK))
