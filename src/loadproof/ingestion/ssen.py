"""SSEN's low-voltage feeders: half-hourly Wh summed over the smart meters that reported, stamped at the *end*, UTC.

A file a day as published, or exports of the portal, which are cut off at 100,000 rows; whichever way they were
fetched. Clock, sentinels and the privacy floor are argued in ``docs/data-sources.md``.
"""

import datetime as dt
import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final, NamedTuple

import polars as pl

from loadproof.checking import check_readings
from loadproof.errors import SourceError
from loadproof.ingestion.base import BaseIngestor
from loadproof.ingestion.ssen_lookup import CAPPED_ROWS, Lookup, export_day, find_lookup, read_lookup
from loadproof.ingestion.ssen_rows import COLUMNS, OPTIONAL, TS_CONVENTION, Extras, read_candidates
from loadproof.ingestion.text import BLOCK_BYTES, Block, find_columns, find_lines, raw_text, read_blocks
from loadproof.parts import Batch, Part, in_order, open_binary, size_and_stamp
from loadproof.schema import Dataset

__all__ = ["SSENIngestor"]

logger = logging.getLogger(__name__)

_DAY_NAME: Final = re.compile(r"(\d{4}-\d\d-\d\d)\.csv")
_EXPORT_NAME: Final = re.compile(
    r"ssen_smart_meter_prod_lv_feeder_usage_optimized_(\d\d)_(\d\d)_(\d{4})(?!\d).*\.csv", re.I
)
_SAMPLE_NAME: Final = "ssen_sample.csv"
_BELOW: Final = ("", "LV_FEEDER_USAGE")
_FLAGS: Final = {
    "id_padded": "have a dataset_id that was padded to 12 digits",
    "clock_change": "lie at the autumn clock change",
    "implausible_per_device": "are above a whole fuse per device",
}


class _Usage(NamedTuple):
    """A usage file. ``day`` is that of its name: null for an export, whose name tells when it was made."""

    name: str
    path: Path
    day: dt.date | None


class SSENIngestor(BaseIngestor):
    """Feeder readings from usage files, with what the lookup knows of each feeder.

    Args:
        input_root: The folder that holds ``ssen/``, or that folder itself.
        lookup: The feeder lookup, a file or frame of it; by default the best file of the folder.
        usage: Files fetched from elsewhere, by the name that goes into ``source``; by default those of the folder.
        since: The first day whose daily file is read.
        until: The last one.
        block_bytes: How much text one batch holds at most.
    """

    dataset: ClassVar[Dataset] = "ssen"

    adds: ClassVar[bool] = True
    """Days come one by one, late and again: each replaces its own rows and no others."""

    conflicts_are_expected: ClassVar[bool] = True
    """The source gives one half hour two values each autumn: those are set aside, and the rest is good."""

    def __init__(
        self,
        input_root: Path,
        *,
        lookup: Lookup | Path | pl.DataFrame | None = None,
        usage: Mapping[str, Path] | None = None,
        since: dt.date | None = None,
        until: dt.date | None = None,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        below = input_root / "ssen"
        self.folder = below if below.is_dir() else input_root
        self.usage = usage
        self.since, self.until = since, until
        self.block_bytes = block_bytes
        if lookup is None:
            lookup = find_lookup(self.folder)
        self.lookup = lookup if isinstance(lookup, Lookup) else read_lookup(lookup)
        self._extras = Extras(self.lookup.feeders)

    @property
    def settings(self) -> Mapping[str, str]:
        """The stamp convention and which lookup gave the constants; the days show in the sources."""
        return {"ts_convention": TS_CONVENTION, "lookup": f"{self.lookup.name} {self.lookup.digest}"}

    def parts(self) -> Sequence[Part]:
        """Return the daily files by day, then the exports by theirs; else the sample."""
        found = _from_names(self.usage) if self.usage is not None else _find(self.folder)
        chosen = [file for file in found if self._wanted(file.day)]
        if not chosen:
            raise SourceError(_nothing_found(self.folder, found, self.since, self.until))
        _tell(chosen, len(found), bounded=bool(self.since or self.until))
        return [_part(number, file) for number, file in enumerate(chosen)]

    def read(self, part: Part) -> Iterator[Batch]:
        """Yield the part's rows as checked batches; what is odd in them is one line in the log at the end."""
        names: list[str] = []
        rows, flags, conflicts = 0, Counter[str](), list[str]()

        def with_names() -> Iterator[tuple[Block, list[str]]]:
            for block in self._blocks(part):
                if block.first_line == 1:
                    names[:] = find_columns(block.data.split(b"\n", 1)[0], COLUMNS, part.name, optional=OPTIONAL)
                yield block, names

        for batch, odd in in_order(self._judge, with_names()):
            rows, flags = rows + batch.rows_read, flags + odd
            conflicts += _conflicts(batch.rejected)
            yield batch
        if not names:
            raise SourceError(f"{part.name}, line 1: the file is empty; fetch it again or remove it")
        notes = [f"{count} row(s) {_FLAGS[flag]}" for flag, count in flags.items() if flag in _FLAGS]
        notes += [f"{len(conflicts)} row(s) contradict one another, first {at}" for at in conflicts[:1]]
        notes += ["a header and no rows"] * (not rows)
        notes += [f"exactly {CAPPED_ROWS:,} rows, so the portal cut it off: not complete"] * (rows == CAPPED_ROWS)
        if notes:
            logger.info("%s: %s", part.name, "; ".join(notes))

    def raw_lines(self, part: Part, lines: Sequence[int]) -> Mapping[int, str]:
        """Return some lines of a part, which is read a second time."""
        return find_lines(self._blocks(part), lines)

    def _blocks(self, part: Part) -> Iterator[Block]:
        try:
            with open_binary(part.path) as stream:
                yield from read_blocks(stream, part.name, block_bytes=self.block_bytes)
        except OSError as error:
            raise SourceError(f"{part.path} ({part.name}): cannot be read ({error}); fetch it again") from error

    def _judge(self, named: tuple[Block, Sequence[str]]) -> tuple[Batch, Counter[str]]:
        block, names = named
        candidates = read_candidates(block, names)
        checked, rejected = check_readings(candidates, "ssen")
        shared, own, flags = self._extras.build(checked)
        readings = checked.select("entity_id", "ts_utc", "interval_mins", "energy_kwh", "line", shared, own)
        raw = pl.Series("raw", raw_text(block, rejected["line"]), dtype=pl.String)
        return Batch(readings, rejected.with_columns(raw), candidates.height, block.sha256), +flags

    def _wanted(self, day: dt.date | None) -> bool:
        return day is None or ((self.since or day) <= day <= (self.until or day))


def _day(name: str) -> dt.date | None:
    match = _DAY_NAME.search(name)
    try:
        return dt.date.fromisoformat(match[1]) if match else None
    except ValueError:
        return None


def _part(number: int, file: _Usage) -> Part:
    return Part(number, file.name, file.path, None, *size_and_stamp(file.path))


def _from_names(usage: Mapping[str, Path]) -> list[_Usage]:
    files = [_Usage(name, path, _day(name) or _day(path.name)) for name, path in usage.items()]
    return sorted(files, key=lambda file: (file.day is None, file.day or dt.date.min, file.name))


def _find(folder: Path) -> list[_Usage]:
    """Return the usage files of a folder, daily files first; the sample only where there is nothing else."""
    days: dict[dt.date, _Usage] = {}
    exports: list[tuple[dt.date, _Usage]] = []
    other: list[str] = []
    for path in (path for below in _BELOW for path in sorted((folder / below).glob("*.csv"))):
        name = path.relative_to(folder).as_posix()
        day = _day(path.name) if _DAY_NAME.fullmatch(path.name) else None
        if day and day not in days:
            days[day] = _Usage(path.name, path, day)
        elif match := _EXPORT_NAME.fullmatch(path.name):
            exports.append((export_day(match), _Usage(name, path, None)))
        elif "lookup" not in name.lower() and name != _SAMPLE_NAME:
            other.append(name)
    if other:
        logger.info("%s: leaves %d CSV file(s) alone: %s", folder, len(other), ", ".join(other[:5]))
    found = [*(days[day] for day in sorted(days)), *(file for _, file in sorted(exports))]
    sample = folder / _SAMPLE_NAME
    if sample.is_file() and not found:
        return [_Usage(sample.name, sample, None)]
    return found


def _conflicts(rejected: pl.DataFrame) -> list[str]:
    rows = rejected.filter(pl.col("reason") == "conflict").iter_rows(named=True)
    return [f"{row['entity_id']} at {row['ts_utc']:%Y-%m-%d %H:%M} (line {row['line']})" for row in rows]


def _tell(files: Sequence[_Usage], found: int, *, bounded: bool) -> None:
    """Say which days are absent between the first and the last, and what no bound can be put on."""
    days = [file.day for file in files if file.day]
    undated = len(files) - len(days)
    if days:
        every = (days[0] + dt.timedelta(n) for n in range((days[-1] - days[0]).days))
        absent = [f"{day}" for day in every if day not in set(days)]
        gaps = f"; absent in between: {len(absent)} ({', '.join(absent[:10])})" if absent else ""
        logger.info("ssen: %d daily file(s) of %d, %s to %s%s", len(days), found - undated, days[0], days[-1], gaps)
    if undated:
        whole = ", whole: their names tell no day that --since and --until could choose" if bounded else ""
        logger.info("ssen: %d export(s)%s", undated, whole)


def _nothing_found(folder: Path, found: Sequence[_Usage], since: dt.date | None, until: dt.date | None) -> str:
    if found:
        return (
            f"{folder}: none of {len(found)} daily files lies between {since or 'the first'} and "
            f"{until or 'the last'}; widen --since and --until, or fetch those days"
        )
    return (
        f"{folder}: no SSEN usage files (YYYY-MM-DD.csv or ssen_smart_meter_prod_lv_feeder_usage_optimized_*.csv); "
        "fetch them with --source listing, or name another folder with --input-root"
    )
