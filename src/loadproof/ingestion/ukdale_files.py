"""UK-DALE's three layouts as chunks of samples: NILMTK's HDF5, the text files, and a plain CSV export.

Text: ``channel_M.dat`` is ``unix_seconds watts``, ``mains.dat`` is ``unix_seconds active apparent voltage``, one space
between. CSV: ``timestamp,house_id[,meter],value_watts``, the stamp as unix seconds or ISO 8601, UTC where it names no
zone. Stamps are rounded to the microsecond. ``line`` counts from 1: lines of text, rows of an HDF5 table.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.errors import SourceError
from loadproof.ingestion.energy import Samples
from loadproof.ingestion.hdf5 import Column, MeterTable
from loadproof.ingestion.power import FAULTS, Chunk, find_faults
from loadproof.ingestion.text import BLOCK_BYTES, Block, find_columns, parse_rows, raw_text, read_blocks
from loadproof.ingestion.ukdale_meters import AcType
from loadproof.parts import open_binary

__all__ = [
    "CHUNK_ROWS", "CsvChunk", "first_sound_us", "first_text_ts_us", "hdf5_lines", "power_column", "read_csv",
    "read_table", "read_text", "text_lines",
]  # fmt: skip

CHUNK_ROWS: Final = 2**20
"""Twelve days at 1 s: a chunk of a sound card is 20 MB as stored and some 100 MB with everything made of it."""

_MAINS: Final = ("ts", "value", "apparent", "voltage")
_CHANNEL: Final = ("ts", "value")
_SPACES_TO_COMMAS: Final = bytes.maketrans(b" ,", b",;")
_HEAD_BYTES: Final = 2**16
_FEW_LINES: Final = 100
_CSV: Final[dict[str, Sequence[str]]] = {
    "ts": ("timestamp",),
    "house": ("house_id", "house"),
    "value": ("value_watts",),
}
_CSV_OPTIONAL: Final[dict[str, Sequence[str]]] = {"meter": ("meter", "meter_id")}


_FIELDS_COUNT: Final = FAULTS.index("fields_count")


class CsvChunk(NamedTuple):
    """The rows of one series in a block of a CSV; house and meter null where they could not be read or are absent."""

    house: int | None
    meter: int | None
    chunk: Chunk


def power_column(table: MeterTable, where: str) -> tuple[Column, AcType]:
    """Return the column to ingest: active power, else apparent.

    Raises:
        SourceError: If the table has neither.
    """
    kinds: tuple[AcType, AcType] = ("active", "apparent")
    for kind in kinds:
        if ("power", kind) in table.columns:
            return ("power", kind), kind
    names = ", ".join(" ".join(column) for column in table.columns)[:200]
    raise SourceError(f"{where}: has no column of active or apparent power ({names}); leave this house out")


def read_table(table: MeterTable, column: Column, *, chunk_rows: int = CHUNK_ROWS) -> Iterator[tuple[Chunk, str]]:
    """Yield a table's samples and the SHA-256 of its rows so far, as they are stored."""
    digest = hashlib.sha256()
    for start in range(0, table.rows, chunk_rows):
        rows = table.read(start, min(start + chunk_rows, table.rows))
        digest.update(rows.data)
        line = np.arange(start + 1, start + 1 + len(rows), dtype=np.int64)
        samples = Samples(table.ts_us(rows), table.values(rows, column), line)
        yield Chunk(samples, None, _RowText(rows, start + 1)), digest.hexdigest()


def hdf5_lines(table: MeterTable, lines: Sequence[int]) -> dict[int, str]:
    """Return some rows of a table as text."""
    return {line: _RowText(table.read(line - 1, line), line)([line])[0] for line in lines}


class _RowText:
    """Rows of a table as text: the index and each value, as stored."""

    def __init__(self, rows: NDArray[Any], first_line: int) -> None:
        self.rows = rows
        self.first_line = first_line

    def __call__(self, lines: Sequence[int]) -> list[str]:
        fields = [np.ravel(field).tolist() for line in lines for field in self.rows[line - self.first_line].item()]
        width = len(self.rows.dtype.names or ())
        rows = [fields[at : at + width] for at in range(0, len(fields), width)]
        return [" ".join(str(value) for field in row for value in field) for row in rows]


def read_text(path: Path, *, block_bytes: int = BLOCK_BYTES) -> Iterator[tuple[Chunk, str]]:
    """Yield the samples of a ``channel_M.dat`` or ``mains.dat`` and the SHA-256 of its bytes so far.

    Raises:
        SourceError: If it is empty, no text, or not one of its first lines has the right fields.
    """
    names = _MAINS if path.name == "mains.dat" else _CHANNEL
    seconds = pl.col("ts").cast(pl.Float64, strict=False)
    ts_us = (seconds * 1e6).round().cast(pl.Int64, strict=False)
    value = pl.col("value").str.strip_chars().cast(pl.Float64, strict=False)
    columns = [ts_us.alias("ts_us"), value.alias("value_w"), _fault(names, ts_us, value)]
    for block in _blocks(path, block_bytes):
        commas = Block(block.data.translate(_SPACES_TO_COMMAS), block.first_line + 1, "")  # no header to be skipped
        frame = parse_rows(commas, names, columns)
        if block.first_line == 1 and frame.height >= _FEW_LINES and (frame["fault"] == _FIELDS_COUNT).all():
            raise SourceError(f"{path}, line 1: is not {' '.join(names)!r}, nor is any line; check the delimiter")
        yield _chunk(frame.with_columns(pl.col("line") - 1), block), block.sha256


def first_text_ts_us(path: Path) -> int | None:
    """Return the first stamp in a text file's head that can be read."""
    with _opened(path) as stream:
        head = stream.read(_HEAD_BYTES)
    for line in head.split(b"\n"):
        try:
            return round(float(line.split(b" ", 1)[0]) * 1e6)
        except (ValueError, OverflowError):
            continue
    return None


def first_sound_us(chunk: Chunk) -> int | None:
    """Return the earliest sample of a chunk that could count."""
    sound = find_faults(chunk, np.inf)
    ts_us = chunk.samples.ts_us if sound is None else chunk.samples.ts_us[sound == 0]
    return int(ts_us.min()) if len(ts_us) else None


def read_csv(path: Path, *, block_bytes: int = BLOCK_BYTES) -> Iterator[tuple[list[CsvChunk], str]]:
    """Yield a CSV's samples, series by series within each block, and the SHA-256 of its bytes so far.

    Raises:
        SourceError: If it is empty, no text, or lacks a column.
    """
    names: list[str] = []
    columns: list[pl.Expr] = []
    for block in _blocks(path, block_bytes):
        if block.first_line == 1:
            names = find_columns(block.data.split(b"\n", 1)[0], _CSV, str(path), optional=_CSV_OPTIONAL)
            columns = _csv_columns(names)
        frame = parse_rows(block, names, columns, quote_char='"')
        series = frame.partition_by("house", "meter", maintain_order=True, as_dict=True)
        yield [CsvChunk(house, meter, _chunk(rows, block)) for (house, meter), rows in series.items()], block.sha256


def text_lines(path: Path, lines: Sequence[int], *, block_bytes: int = BLOCK_BYTES) -> dict[int, str]:
    """Return some lines of a text file."""
    found: dict[int, str] = {}
    for block in _blocks(path, block_bytes):
        here = [line for line in lines if block.first_line <= line < block.first_line + block.rows]
        found.update(zip(here, raw_text(block, here), strict=True))
    return found


def _csv_columns(names: Sequence[str]) -> list[pl.Expr]:
    stamp = pl.col("ts").str.strip_chars()
    plain = stamp.str.replace("T", " ", literal=True).str.replace(r"(Z|\+00:?00)$", "")
    ts_us = pl.coalesce(
        (stamp.cast(pl.Float64, strict=False) * 1e6).round().cast(pl.Int64, strict=False),
        plain.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False, time_unit="us").dt.epoch("us"),
        plain.str.to_datetime("%Y-%m-%d %H:%M:%S%.f%#z", strict=False, time_unit="us", time_zone="UTC").dt.epoch("us"),
    )
    value = pl.col("value").str.strip_chars().cast(pl.Float64, strict=False)
    house = pl.col("house").str.extract(r"^\s*(?:ukdale:)?(?:house_)?([0-9]{1,3})\s*$").cast(pl.Int64)
    meter, odd_meter = pl.lit(None, dtype=pl.Int64), pl.lit(value=False)
    if "meter" in names:
        number = pl.col("meter").str.extract(r"^\s*(?:meter_?)?([0-9]{1,3})\s*$").cast(pl.Int64)
        odd_meter = pl.col("meter").is_not_null() & number.is_null()
        # Meter 0 is the metadata's name for the mains as such.
        meter = pl.when(number > 0).then(number)
    unknown = house.is_null() | odd_meter
    fault = _fault([name for name in names if name in _CSV], ts_us, value, unknown)
    return [
        ts_us.alias("ts_us"),
        value.alias("value_w"),
        fault,
        pl.when(~unknown).then(house).alias("house"),
        pl.when(~unknown).then(meter).alias("meter"),
    ]


def _fault(names: Sequence[str], ts_us: pl.Expr, value: pl.Expr, unknown: pl.Expr | None = None) -> pl.Expr:
    """Return what is wrong with a row as text, as a place in ``FAULTS``; 0 if nothing."""

    def code(name: str) -> pl.Expr:
        return pl.lit([str(fault) for fault in FAULTS].index(name), dtype=pl.UInt8)

    fields = pl.col("_overflow").is_not_null() | pl.any_horizontal(pl.col(names).is_null())
    return (
        pl.when(fields).then(code("fields_count"))
        .when(unknown if unknown is not None else pl.lit(value=False)).then(code("entity_unknown"))
        .when(ts_us.is_null()).then(code("ts_unreadable"))
        .when(value.is_null()).then(code("value_unreadable"))
        .otherwise(pl.lit(0, dtype=pl.UInt8)).alias("fault")
    )  # fmt: skip


def _chunk(frame: pl.DataFrame, block: Block) -> Chunk:
    fault = frame["fault"].to_numpy()
    samples = Samples(
        frame["ts_us"].fill_null(0).to_numpy(),
        frame["value_w"].fill_null(float("nan")).to_numpy(),
        frame["line"].cast(pl.Int64).to_numpy(),
    )
    return Chunk(samples, fault if fault.any() else None, lambda lines: raw_text(block, lines))


def _blocks(path: Path, block_bytes: int) -> Iterator[Block]:
    is_empty = True
    with _opened(path) as stream:
        for block in read_blocks(stream, str(path), block_bytes=block_bytes):
            is_empty = False
            yield block
    if is_empty:
        raise SourceError(f"{path}, line 1: the file is empty; fetch it again or remove it")


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with open_binary(path) as stream:
            yield stream
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error}); mend its permissions or fetch it again") from error
