"""Delimited text of any size as blocks of whole lines, and blocks as frames of strings that lose no row."""

import csv
import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import BinaryIO, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.errors import SourceError

__all__ = ["BLOCK_BYTES", "Block", "find_columns", "find_lines", "parse_rows", "raw_text", "read_blocks"]

logger = logging.getLogger(__name__)

BLOCK_BYTES: Final = 16 * 2**20
"""Large enough that the cost per block vanishes, small enough to stay in the allocator's hands: fewer page faults."""


_COLUMNS: Final = 1_000
"""No source has thirty; a frame of millions of columns takes minutes and gigabytes, and is nobody's table."""


@dataclass(frozen=True)
class Block:
    """Whole lines of a text file. ``first_line`` counts from 1, the header included; ``sha256`` covers all so far."""

    data: bytes
    first_line: int
    sha256: str

    @property
    def rows(self) -> int:
        """The number of lines, an unterminated last one included."""
        return len(self.ends)

    @cached_property
    def ends(self) -> NDArray[np.int64]:
        """Where each line ends: the place of its line end, or of the end of the text."""
        # Twice as fast as counting them, and most readers want the places too.
        ends = np.flatnonzero(np.frombuffer(self.data, dtype=np.uint8) == ord("\n"))
        return np.append(ends, len(self.data)) if self.data and not self.data.endswith(b"\n") else ends

    @property
    def starts(self) -> NDArray[np.int64]:
        """Where each line begins."""
        return np.concatenate(([0], self.ends[:-1] + 1)) if self.rows else self.ends


def read_blocks(stream: BinaryIO, name: str, *, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
    """Yield ``stream`` as blocks that end at line ends. The first block starts with the header.

    Raises:
        SourceError: If the text is UTF-16, ends its lines with carriage returns alone, holds NUL bytes, or has a line
            longer than a block.
    """
    digest = hashlib.sha256()
    rest, line = b"", 1
    while chunk := stream.read(block_bytes):
        digest.update(chunk)
        if line == 1 and not rest:
            _refuse_other_text(chunk, name)
        if b"\0" in chunk:
            at = line + (rest + chunk).count(b"\n", 0, len(rest) + chunk.index(b"\0"))
            raise SourceError(f"{name}, line {at}: holds NUL bytes, so it is no text file; fetch it again")
        cut = chunk.rfind(b"\n") + 1
        if not cut:
            rest += chunk
            if len(rest) > block_bytes:
                raise SourceError(f"{name}, line {line}: longer than {block_bytes} bytes; check the line ends")
            continue
        block = Block(b"".join((rest, memoryview(chunk)[:cut])), line, digest.hexdigest())
        yield block
        rest, line = chunk[cut:], line + block.rows
    if rest:
        yield Block(rest, line, digest.hexdigest())


def _refuse_other_text(chunk: bytes, name: str) -> None:
    if chunk.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SourceError(f"{name}, line 1: is UTF-16; save it as UTF-8 (iconv -f UTF-16 -t UTF-8)")
    if b"\n" not in chunk and b"\r" in chunk.rstrip(b"\r"):
        raise SourceError(f"{name}, line 1: ends in a bare carriage return; give its lines others (tr '\\r' '\\n')")


def find_columns(
    header: bytes,
    wanted: Mapping[str, Sequence[str]],
    name: str,
    *,
    optional: Mapping[str, Sequence[str]] | None = None,
) -> list[str]:
    """Return a name per column of ``header``: ours where one of its spellings stands there, else ``_<n>``.

    Args:
        header: The first line, a byte-order mark allowed.
        wanted: Our name to the spellings that it has in the wild; compared stripped and without case.
        name: The file, for the message.
        optional: The same, for columns that may be absent.

    Raises:
        SourceError: If a wanted column is missing, any stands twice, or there are more than a table can have.
    """
    if (columns := header.count(b",") + 1) > _COLUMNS:
        raise SourceError(f"{name}, line 1: has {columns} columns; check the delimiter and the line ends")
    fields = header.decode("utf-8-sig", errors="replace").rstrip("\r\n").split(",")
    known = {**wanted, **(optional or {})}
    spelled = {spelling.strip().lower(): ours for ours, spellings in known.items() for spelling in spellings}
    names = [spelled.get(field.strip().strip('"').lower(), f"_{n}") for n, field in enumerate(fields)]
    for ours, spellings in known.items():
        count = names.count(ours)
        if count > 1 or (count == 0 and ours in wanted):
            trouble = "is missing" if count == 0 else f"stands {count} times"
            raise SourceError(
                f"{name}, line 1: the column {' or '.join(s.strip() for s in spellings)!r} {trouble} in "
                f"{','.join(fields)[:200]!r}; check that the file is comma-separated and its header as published"
            )
    return names


def parse_rows(
    block: Block, names: Sequence[str], columns: Sequence[pl.Expr], *, quote_char: str | None = None
) -> pl.DataFrame:
    """Return ``columns``, computed from the block's fields, and ``line`` (UInt32); exactly one row a line.

    The fields are strings under ``names``, null where empty. A surplus field stands in ``_overflow``; a line that is
    not UTF-8 has nulls alone. The header is left out. Streams, so that the strings are never all in memory.
    """
    skipped = int(block.first_line == 1)
    schema = dict.fromkeys([*names, "_overflow"], pl.String())
    lazy = pl.scan_csv(
        block.data,
        has_header=False,
        skip_lines=skipped,
        schema=schema,
        quote_char=quote_char,
        truncate_ragged_lines=True,
        missing_columns="insert",
        extra_columns="ignore",
        raise_if_empty=False,
        row_index_name="line",
        row_index_offset=block.first_line + skipped,
    )
    selected = [pl.col("line").cast(pl.UInt32), *columns]
    try:
        if _commas_in_first_row(block, skipped) <= _COLUMNS:  # by its fields the reader guesses, schema or no schema
            frame = lazy.select(selected).collect(engine="streaming")
            if frame.height == block.rows - skipped:
                return frame
    except pl.exceptions.ComputeError as error:
        logger.debug("line by line, because of: %s", error)
    # A reader that stops at or skips a bad line would lose rows, or shift the line numbers after it.
    slow = _split_slowly(block, list(schema), skipped, quote_char).with_row_index("line", block.first_line + skipped)
    return slow.lazy().select(selected).collect()


def _commas_in_first_row(block: Block, skipped: int) -> int:
    start = block.data.find(b"\n") + 1 if skipped else 0
    end = block.data.find(b"\n", start)
    return block.data.count(b",", start, end if end >= 0 else len(block.data))


def _split_slowly(block: Block, columns: Sequence[str], skipped: int, quote_char: str | None) -> pl.DataFrame:
    """Split line by line, so that one bad line costs itself alone."""
    lines = block.data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    rows: list[list[str | None]] = []
    for line in lines[skipped:]:
        try:
            text = line.decode().rstrip("\r")
        except UnicodeDecodeError:
            rows.append([None] * len(columns))
            continue
        quoted = quote_char is not None and quote_char in text
        try:
            fields = next(csv.reader([text], quotechar=quote_char), []) if quoted else text.split(",", len(columns))
        except csv.Error:  # a field beyond csv's limit, or a bare carriage return beside a quote
            fields = []
        kept = fields[: len(columns)]
        rows.append([*(field or None for field in kept), *[None] * (len(columns) - len(kept))])
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String()), orient="row")


def find_lines(blocks: Iterable[Block], lines: Sequence[int]) -> dict[int, str]:
    """Return the text of some lines of a file by their numbers, from its blocks."""
    found: dict[int, str] = {}
    for block in blocks:
        here = [line for line in lines if block.first_line <= line < block.first_line + block.rows]
        found.update(zip(here, raw_text(block, here), strict=True))
    return found


def raw_text(block: Block, lines: Iterable[int]) -> list[str]:
    """Return the text of some lines of the block, without their line ends, bytes that are not UTF-8 escaped."""
    wanted = np.fromiter(lines, dtype=np.int64) - block.first_line
    if not len(wanted):
        return []
    return [
        block.data[a:b].rstrip(b"\r").decode("utf-8", errors="backslashreplace")
        for a, b in zip(block.starts[wanted].tolist(), block.ends[wanted].tolist(), strict=True)
    ]
