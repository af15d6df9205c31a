"""How a file comes to be: whole or not at all, and the same bytes for the same content."""

import json
import os
import re
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import polars as pl

__all__ = [
    "ROWS_PER_GROUP",
    "as_json",
    "error_number",
    "naming",
    "settle",
    "sink_parquet",
    "write_atomically",
    "write_parquet",
    "write_text",
    "write_together",
]

ROWS_PER_GROUP: Final = 131_072
"""Small enough that one feeder's month touches one or two row groups of many; explicit, for identical bytes."""


def error_number(error: BaseException) -> int | None:
    """Return the system's number of what went wrong with a file, as Python, HDF5 or polars tell it; else None."""
    if not isinstance(error, (pl.exceptions.ComputeError, OSError)):
        return None
    told = re.search(r"(?:os error|errno =) (\d+)", str(error))
    return getattr(error, "errno", None) or (int(told[1]) if told else None)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name the file in what goes wrong as it is written, which Arrow and polars do not.

    Raises:
        OSError: Also where polars calls a full disk a ``ComputeError``.
    """
    try:
        yield
    except (pl.exceptions.ComputeError, OSError) as error:
        number = error_number(error)
        if number is None or getattr(error, "filename", None) is not None:
            raise
        raise OSError(number, os.strerror(number), str(path)) from error


def write_together(
    files: Mapping[Path, Callable[[Path], Any]], *, alone: bool = True, aside: Path | None = None
) -> None:
    """Let each function fill a file beside its path, then put all in place: none before every one is whole.

    Args:
        files: Paths, and what fills a file at another path.
        alone: Whether nobody else writes these now; a task is done twice at once when its worker is given up too early.
        aside: Where the unfinished files lie, on the same file system; beside their paths by default.
    """
    # One name each, so that a killed run leaves no more than one; where others write too, each process has its own.
    end = ".tmp" if alone else f".{socket.gethostname()}-{os.getpid()}.tmp"
    begun = {path: (aside or path.parent) / f".{path.name}{end}" for path in files}
    try:
        for path, write in files.items():
            for folder in {path.parent, begun[path].parent}:
                folder.mkdir(parents=True, exist_ok=True)
            with naming(path):
                write(begun[path])
        for path in files:
            begun[path].replace(path)
    finally:
        for leftover in begun.values():
            leftover.unlink(missing_ok=True)


def write_atomically(
    path: Path, write: Callable[[Path], Any], *, alone: bool = True, aside: Path | None = None
) -> None:
    """Let ``write`` fill a file beside ``path``, or in ``aside``, then put it in place: ``path`` is whole or absent."""
    write_together({path: write}, alone=alone, aside=aside)


def settle(files: Iterable[Path]) -> None:
    """Wait until the disk holds what is in the files, before something says that it does."""
    for path in files:
        with path.open("r+b") as stream:
            os.fsync(stream.fileno())


def write_parquet(frame: pl.DataFrame, path: Path) -> None:
    """Write a frame in its order, with statistics; the same frame gives the same bytes."""
    frame.rechunk().write_parquet(path, compression="zstd", compression_level=1, statistics=True,
                                  row_group_size=ROWS_PER_GROUP)  # fmt: skip


def sink_parquet(frame: pl.LazyFrame, path: Path) -> None:
    """Write a lazy frame in its order, a little at a time, with statistics."""
    frame.sink_parquet(path, compression="zstd", compression_level=1, statistics=True, row_group_size=ROWS_PER_GROUP,
                       maintain_order=True)  # fmt: skip


def as_json(facts: Mapping[str, Any]) -> str:
    """Return a mapping as text, keys sorted, so that equal facts are equal bytes."""
    return json.dumps(facts, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def write_text(text: str, path: Path) -> None:
    """Write a text, UTF-8; the path last, for :func:`write_together`."""
    # The bytes of a path may be no UTF-8; escaped they are text, and valid JSON.
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
