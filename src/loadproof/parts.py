"""What travels from a source to the store: where some rows are, and some rows judged."""

import errno
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import polars as pl

__all__ = ["Batch", "Map", "Part", "SampleCount", "in_order", "open_binary", "size_and_stamp", "whole_extras"]

Item = TypeVar("Item")
Result = TypeVar("Result")

Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]
"""Carries tasks as ``map`` does, in order. What is mapped is a module-level function of small picklable values that
returns its result or its error, writes whole what it writes, and may run twice; ``str`` of an item names its task."""


@dataclass(frozen=True)
class Part:
    """Where some rows of a source are; nothing is read yet.

    ``number`` orders the parts of one run and so decides which of two equal rows is the first. ``stamp`` changes
    when the content does (a checksum or a modification time), so that a restarted run knows what it has.
    """

    number: int
    name: str
    path: Path
    member: str | None
    size_bytes: int
    stamp: str

    def __str__(self) -> str:
        return self.name


class SampleCount(NamedTuple):
    """Of a source whose rows are made of samples: how many were read and set aside, and the rows of those aside."""

    read: int = 0
    aside: int = 0
    rows: int = 0

    @classmethod
    def together(cls, counts: Iterable["SampleCount"]) -> "SampleCount":
        """Return the sum."""
        return cls(*(sum(numbers) for numbers in zip(cls(), *counts, strict=True)))


class Batch(NamedTuple):
    """Some consecutive rows of one part, judged.

    ``readings`` has ``entity_id, ts_utc, interval_mins, energy_kwh, line, extras`` (entity and extras may be
    categorical; where a categorical ``shared_extras`` is there, it is how the extras begin), ``rejected`` has ``line,
    reason, entity_id, ts_utc, raw``. ``sha256`` is that of the part's bytes up to the end of this batch, so that the
    last batch carries the part's own.
    """

    readings: pl.DataFrame
    rejected: pl.DataFrame
    rows_read: int
    sha256: str
    samples: SampleCount = SampleCount()


def whole_extras(readings: pl.DataFrame) -> pl.Series:
    """Return the extras of readings with what many of them share in front."""
    if "shared_extras" not in readings.columns:
        return readings["extras"]
    shared = pl.col("shared_extras").cast(pl.String).fill_null("")
    return readings.select(extras=pl.concat_str(shared, "extras")).to_series()


def in_order(function: Callable[[Item], Result], items: Iterable[Item], *, threads: int = 2) -> Iterator[Result]:
    """Map with some threads, the results in order, and the items taken no further ahead than the threads need."""
    with ThreadPoolExecutor(threads) as pool:
        pending = deque[Future[Result]]()
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def open_binary(path: Path) -> BufferedReader:
    """Open a file for reading.

    Raises:
        OSError: If it cannot be opened, or is a pipe, which would wait for a writer forever, or a device.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(errno.EINVAL, "Is a pipe or a device, and no file", str(path))
    return path.open("rb")


def size_and_stamp(path: Path) -> tuple[int, str]:
    """Return a file's bytes and a stamp for its ``Part``; of what cannot even be looked at, reading tells why."""
    try:
        facts = path.stat()
    except OSError:
        return 0, "unreadable"
    return facts.st_size, f"{facts.st_mtime_ns}"
