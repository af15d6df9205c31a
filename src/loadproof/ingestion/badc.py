"""BADC-CSV, the text format of the CEDA archive: facts about the file and its columns, then ``data``, then rows.

A fact is ``name,scope,value,...`` with scope ``G`` (the file) or a column's name. After the line ``data`` come the
column names, the rows, and ``end data``; where that last line is missing, the file is cut off.
"""

import csv
import gzip
import hashlib
import zlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from loadproof.errors import SourceError
from loadproof.parts import open_binary

__all__ = ["BadcTable", "SmallText", "read_badc", "read_small_text", "split_rows"]

FILE_LIMIT_BYTES: Final = 256 * 2**20
"""A station's year takes 3 MB unpacked; what is a hundred times that is no station's year, or a ZIP bomb."""

LINE_LIMIT_BYTES: Final = 2**20

LINES_LIMIT: Final = 10**6
"""A station's year has ten thousand; a packed file of blank lines would take gigabytes as a list."""


class SmallText(NamedTuple):
    """A text file in memory: its lines without their ends, and the SHA-256 of its bytes as they lie on disk."""

    lines: list[bytes]
    sha256: str


class Rows(NamedTuple):
    """Rows as strings (null where empty) with ``line``, and those that do not have the columns' count of fields."""

    table: pl.DataFrame
    rejected: pl.DataFrame


class BadcTable(NamedTuple):
    """A file of BADC-CSV. ``facts`` has the first values stated under each scope and name."""

    name: str
    facts: dict[tuple[str, str], list[str]]
    table: pl.DataFrame
    rejected: pl.DataFrame
    rows_read: int
    text: SmallText

    def fact(self, name: str, scope: str = "G") -> str | None:
        """Return the first value of a fact."""
        return next(iter(self.facts.get((scope, name), [])), None)

    def unit(self, column: str) -> str | None:
        """Return a column's unit: the second value of its ``long_name``."""
        values = self.facts.get((column, "long_name"), [])
        return values[1] if len(values) > 1 else None


def read_small_text(path: Path) -> SmallText:
    """Return a text file, unpacked where it is gzip.

    Raises:
        SourceError: If it is absent, empty, cut off, larger than ``FILE_LIMIT_BYTES``, longer than ``LINES_LIMIT``, or
            no UTF-8-like text.
    """
    try:
        raw = open_binary(path)
        with raw:
            sha256 = hashlib.file_digest(raw, "sha256").hexdigest()
            raw.seek(0)
            stream = gzip.GzipFile(fileobj=raw) if path.suffix.lower() == ".gz" else raw
            data = stream.read(FILE_LIMIT_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(f"{path}: cannot be read to its end ({error}); fetch it again") from error
    if len(data) > FILE_LIMIT_BYTES:
        raise SourceError(f"{path}: holds more than {FILE_LIMIT_BYTES} bytes, so it is no weather file; remove it")
    if not data.removeprefix(b"\xef\xbb\xbf").strip():
        raise SourceError(f"{path}, line 1: the file is empty; fetch it again or remove it")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SourceError(f"{path}, line 1: is UTF-16; save it as UTF-8 (iconv -f UTF-16 -t UTF-8)")
    if b"\0" in data:
        at = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise SourceError(f"{path}, line {at}: holds NUL bytes, so it is no text file; fetch it again")
    if b"\r" in data[: data.find(b"\n") + 1 or None].rstrip(b"\r\n"):
        raise SourceError(f"{path}, line 1: ends in a bare carriage return; give its lines others (tr '\\r' '\\n')")
    if data.count(b"\n") > LINES_LIMIT:
        raise SourceError(f"{path}: holds more than {LINES_LIMIT} lines, so it is no weather file; remove it")
    lines = [line.removesuffix(b"\r") for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n")]
    if not lines[-1]:
        lines.pop()
    long = next((at for at, line in enumerate(lines, 1) if len(line) > LINE_LIMIT_BYTES), None)
    if long is not None:
        raise SourceError(f"{path}, line {long}: longer than {LINE_LIMIT_BYTES} bytes; check the line ends")
    return SmallText(lines, sha256)


def read_badc(path: Path, wanted: Collection[str], missing: Collection[str] = ("NA",)) -> BadcTable:
    """Return the facts of a file, and of its rows the ``wanted`` columns that it has.

    Args:
        path: The file, plain or ``.gz``.
        wanted: Names of columns.
        missing: Texts that stand for no value, beside the empty one and the file's own ``missing_value``.

    Raises:
        SourceError: If it is not BADC-CSV, a column stands twice, or ``end data`` is missing.
    """
    text = read_small_text(path)
    if not text.lines[0].startswith(b"Conventions,G,BADC-CSV"):
        raise SourceError(f"{path}, line 1: is not 'Conventions,G,BADC-CSV'; take the file as CEDA publishes it")
    start = next((at for at, line in enumerate(text.lines) if line.strip() == b"data"), None)
    if start is None or start + 1 >= len(text.lines) or not text.lines[start + 1]:
        raise SourceError(f"{path}, line {len(text.lines)}: ends before its line 'data' and columns; fetch it again")
    end = next((at for at, line in enumerate(text.lines) if at > start and line.strip() == b"end data"), None)
    if end is None:
        raise SourceError(f"{path}, line {len(text.lines)}: ends without 'end data', so it is cut off; fetch it again")
    if any(line.strip() for line in text.lines[end + 1 :]):
        raise SourceError(f"{path}, line {end + 2}: text after 'end data'; split the file, one table in each")
    facts = _facts(text.lines[:start])
    columns = _split(text.lines[start + 1]) or []
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise SourceError(f"{path}, line {start + 2}: the column {twice[0]!r} stands twice; fetch the file again")
    nulls = {*missing, *facts.get(("G", "missing_value"), [])}
    rows = split_rows(text.lines[start + 2 : end], columns, wanted, first_line=start + 3, missing=nulls)
    return BadcTable(path.name, facts, *rows, rows_read=rows.table.height + rows.rejected.height, text=text)


def split_rows(
    lines: Sequence[bytes],
    columns: Sequence[str],
    wanted: Collection[str],
    *,
    first_line: int,
    missing: Collection[str] = (),
) -> Rows:
    """Split each line into the fields of ``columns`` and keep the ``wanted``; blank lines are no rows.

    Returns:
        ``Rows``; a line that is no UTF-8 is ``text_unreadable``, one of another count of fields ``fields_count``.
    """
    picks = [at for at, name in enumerate(columns) if name in wanted]
    kept: list[list[str | int | None]] = []
    bad: list[tuple[int, str, str]] = []
    for number, line in enumerate(lines, first_line):
        if not line.strip():
            continue
        fields = _split(line)
        if fields is None or len(fields) != len(columns):
            reason = "text_unreadable" if fields is None else "fields_count"
            bad.append((number, reason, line.decode(errors="backslashreplace")))
            continue
        texts = (fields[at].strip() for at in picks)
        kept.append([number, *(None if text in missing or not text else text for text in texts)])
    schema: dict[str, pl.DataType] = {"line": pl.UInt32(), **{columns[at]: pl.String() for at in picks}}
    rejected = {"line": pl.UInt32(), "reason": pl.String(), "raw": pl.String()}
    return Rows(pl.DataFrame(kept, schema, orient="row"), pl.DataFrame(bad, rejected, orient="row"))


def _split(line: bytes) -> list[str] | None:
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return None
    if '"' not in text:
        return text.split(",")
    try:
        return next(csv.reader([text]), [])
    except csv.Error:
        return []


def _facts(lines: Sequence[bytes]) -> dict[tuple[str, str], list[str]]:
    facts: dict[tuple[str, str], list[str]] = {}
    for line in lines:
        name, scope, *values = [field.strip() for field in _split(line) or []] + [""] * 2
        facts.setdefault((scope, name), values[: len(values) - 2] if values else [])
    return facts
