"""Hourly weather to the columns of ``WEATHER``: Met Office MIDAS Open and Kaggle's ``weather_hourly_darksky.csv``.

The two sources are read in ``midas.py`` and ``darksky.py``; here is what they share. A value that cannot be true, or
that its own quality flag doubts, becomes null and is listed with its reason; its row stays. A row without a station
or a full hour, and all but one of an hour's rows, are set aside whole.
"""

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from loadproof.errors import SourceError
from loadproof.ingestion.badc import read_small_text
from loadproof.ingestion.darksky import FILE_NAME as DARKSKY_NAME
from loadproof.ingestion.darksky import read_darksky
from loadproof.ingestion.hours import HourlyRows, resolve
from loadproof.ingestion.midas import read_midas
from loadproof.schema import REJECTED, WEATHER

__all__ = [
    "SET_ASIDE_VALUES",
    "MergedWeather",
    "WeatherAtRest",
    "WeatherRead",
    "find_weather",
    "join_weather",
    "merge_weather",
    "read_weather",
]

logger = logging.getLogger(__name__)

SET_ASIDE_VALUES: Final = pl.Schema({**REJECTED, "column": pl.String()})
"""A value that became null although the file has one; ``raw`` is its text. Its row is in the table."""

_MIDAS_NAME: Final = re.compile(r"(midas-open_uk-hourly-weather-obs_.*_(19|20)\d\d|midas_sample)\.csv(\.gz)?", re.I)

# Source: CEDA, catalogue record of MIDAS Open.
_PAGE: Final = "https://catalogue.ceda.ac.uk/uuid/dbd451271eb04662beade68da43546e1"


class WeatherRead(NamedTuple):
    """One file, judged; ``rows_read`` is ``table.height + rejected.height``.

    ``table`` has the columns of ``WEATHER`` and ``line``; ``rejected`` those of ``REJECTED``; ``set_aside_values``
    those of ``SET_ASIDE_VALUES``. Of two files that hold one hour, the one with the higher ``edition`` counts.
    """

    table: pl.DataFrame
    rejected: pl.DataFrame
    sha256: str
    rows_read: int
    set_aside_values: pl.DataFrame
    edition: str
    path: Path


class MergedWeather(NamedTuple):
    """All files together: ``table`` has the columns of ``WEATHER``, ``rejected`` those of ``REJECTED``."""

    table: pl.DataFrame
    rejected: pl.DataFrame


class WeatherAtRest(NamedTuple):
    """The three tables of an ingest: ``WEATHER``, ``REJECTED`` and ``SET_ASIDE_VALUES``."""

    table: pl.DataFrame
    rejected: pl.DataFrame
    set_aside_values: pl.DataFrame


def find_weather(input_root: Path) -> list[Path]:
    """Return the weather files below ``input_root/weather`` (or below it), and Kaggle's beside the homes in ``lcl/``.

    Raises:
        SourceError: If there is none.
    """
    below = input_root / "weather"
    folder = below if below.is_dir() else input_root
    found = [path for path in folder.rglob("*") if _is_weather(path.name)]  # whatever it is: reading tells
    if (kaggle := input_root / "lcl" / DARKSKY_NAME).is_file() and kaggle not in found:
        found.append(kaggle)
    plain = {path for path in found if path.suffix.lower() != ".gz"}
    doubled = [path for path in found if path.suffix.lower() == ".gz" and path.with_suffix("") in plain]
    if doubled:
        logger.info("%s: %d packed file(s) lie beside their unpacked twins and are left alone", folder, len(doubled))
    if not found:
        raise SourceError(
            f"{folder}: no weather files; put MIDAS Open files (midas-open_uk-hourly-weather-obs_*_YYYY.csv, {_PAGE}) "
            f"or Kaggle's {DARKSKY_NAME} there, or name another folder with --input-root"
        )
    return sorted(set(found) - set(doubled))


def read_weather(path: Path, *, keep_suspect: bool = False) -> WeatherRead:
    """Return the hours of one file.

    Args:
        path: A file that :func:`find_weather` found.
        keep_suspect: Keep values that the Met Office's quality control doubts.

    Raises:
        SourceError: If the file is cut off, damaged, or not what its name says.
    """
    rows = read_darksky(path) if path.name == DARKSKY_NAME else read_midas(path, keep_suspect=keep_suspect)
    read = _judge(rows, path)
    if read.rows_read != read.table.height + read.rejected.height:
        raise AssertionError(f"rows went missing: {path}")
    logger.info("%s: %d rows read, %d hours, %d rows and %d values set aside", path.name, read.rows_read,
                read.table.height, read.rejected.height, read.set_aside_values.height)  # fmt: skip
    return read


def merge_weather(reads: Sequence[WeatherRead]) -> MergedWeather:
    """Return the hours of all files by station and time, each once.

    Where two files hold the same hour of a station, that of the higher edition counts (``superseded``, or
    ``duplicate`` where they say the same); of equal editions that contradict each other neither (``conflict``).
    """
    frames = [
        read.table.with_columns(_file=pl.lit(at, dtype=pl.UInt32), _edition=pl.lit(read.edition))
        for at, read in enumerate(reads)
    ]
    if not frames:
        return MergedWeather(pl.DataFrame(schema=WEATHER), pl.DataFrame(schema=REJECTED))
    values = [name for name in WEATHER if name not in ("station_id", "ts_utc", "source")]
    rows = pl.concat(frames).with_row_index("_row")
    best = resolve(rows, ["station_id", "ts_utc"], ["_edition"], values)
    table = best.kept.select(WEATHER.names()).sort("station_id", "ts_utc")
    rejected = [pl.DataFrame(schema=REJECTED)]
    for (at,), lost in best.lost.sort("_row").partition_by("_file", as_dict=True, maintain_order=True).items():
        read = reads[int(at)]
        rejected.append(_rejected(lost, read.path, read_small_text(read.path).lines))
    return MergedWeather(table, pl.concat(rejected))


def join_weather(merged: MergedWeather, reads: Sequence[WeatherRead], old: WeatherAtRest | None,
                 broken: Sequence[str]) -> WeatherAtRest:  # fmt: skip
    """Return the tables of an ingest: of files that cannot be read now, what an earlier one had of them.

    An hour that a file gives now supersedes theirs.
    """
    rejected = [*(read.rejected for read in reads), merged.rejected]
    values = [pl.DataFrame(schema=SET_ASIDE_VALUES), *(read.set_aside_values for read in reads)]
    table = merged.table
    if old is not None and broken:
        hour, theirs = ["station_id", "ts_utc"], old.table.filter(pl.col("source").is_in(broken))
        beaten = theirs.join(table, on=hour, how="semi", maintain_order="left")
        raw = pl.concat_str(pl.exclude("source").cast(pl.String), separator=",", ignore_nulls=True)
        line = pl.lit(0, dtype=pl.UInt32)  # of no file that could be read now
        rejected.append(old.rejected.filter(pl.col("file").is_in(broken)))
        rejected.append(beaten.select(file="source", line=line, reason=pl.lit("superseded"), raw=raw))
        values.append(old.set_aside_values.filter(pl.col("file").is_in(broken)))
        stays = theirs.join(table, on=hour, how="anti", maintain_order="left")
        table = pl.concat([table, stays]).sort(hour)
    return WeatherAtRest(table, pl.concat(rejected), pl.concat(values))


def _is_weather(name: str) -> bool:
    return name == DARKSKY_NAME or bool(_MIDAS_NAME.fullmatch(name))


def _judge(rows: HourlyRows, path: Path) -> WeatherRead:
    table = rows.table.with_columns(source=pl.lit(path.name)).select(*WEATHER.names(), "line")
    lost = _rejected(rows.lost, path, rows.text.lines)
    unread = rows.unread.select(pl.lit(path.name).alias("file"), "line", "reason", "raw")
    values = rows.set_aside_values.join(table, on="line", how="semi", maintain_order="left").select(
        pl.lit(path.name).alias("file"), "line", "reason", "raw", "column"
    )
    return WeatherRead(
        table=table.sort("station_id", "ts_utc"),
        rejected=pl.concat([unread, lost]).sort("line"),
        sha256=rows.text.sha256,
        rows_read=rows.rows_read,
        set_aside_values=values,
        edition=rows.edition,
        path=path,
    )


def _rejected(lost: pl.DataFrame, path: Path, lines: Sequence[bytes]) -> pl.DataFrame:
    """Return ``line, reason`` rows with their file and raw text."""
    raw = [lines[line - 1].decode(errors="backslashreplace") for line in lost["line"]]
    text = pl.Series("raw", raw, dtype=pl.String)
    return lost.select(pl.lit(path.name).alias("file"), "line", "reason", text)
