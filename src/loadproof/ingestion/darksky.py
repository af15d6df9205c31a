"""Kaggle's ``weather_hourly_darksky.csv`` ("Smart meters in London"): one hour a row, unsorted.

What the file does not say, and how sure this reading of it is:

* **UTC** (sure): 21,165 rows run from 2011-11-01 00:00 to 2014-03-31 22:00, two of 21,167 hours are missing and none
  is double. In local time it would end at 23:00, with three spring hours missing and two autumn hours double.
* **degC** (sure): the mean temperature is 10.5; Kew's in MIDAS, 2012 to 2014, is 10.6.
* **m/s** (nearly sure): the mean wind is 3.9; Kew's, sheltered, is 2.3 m/s, and 3.9 miles an hour would be less than
  that. Visibilities end at 16.09, ten miles in kilometres, as in Dark Sky's ``si`` units, whose wind is m/s.
* **hPa at sea level, humidity as a share** (sure): Dark Sky's documentation, and means of 1014 and 0.8.

The weather is Dark Sky's blend of stations around one point in London, no station's own record.
"""

from pathlib import Path
from typing import Final

import polars as pl

from loadproof.errors import SourceError
from loadproof.ingestion.badc import read_small_text, split_rows
from loadproof.ingestion.hours import HourlyRows, Scale, hour_fault, read_values, resolve
from loadproof.ingestion.text import find_columns
from loadproof.schema import WEATHER

__all__ = ["FILE_NAME", "STATION_ID", "read_darksky"]

FILE_NAME: Final = "weather_hourly_darksky.csv"
STATION_ID: Final = "darksky:london"

_FIELDS: Final[dict[str, tuple[str, Scale]]] = {
    "temperature_degc": ("temperature", Scale()),
    "dewpoint_degc": ("dewPoint", Scale()),
    "relative_humidity_pct": ("humidity", Scale(100)),
    "wind_speed_m_per_s": ("windSpeed", Scale()),
    "wind_direction_deg": ("windBearing", Scale()),
    "pressure_hpa": ("pressure", Scale()),
}


def read_darksky(path: Path) -> HourlyRows:
    """Return the hours of Kaggle's file; rows of one hour that contradict each other are all ``conflict``.

    Raises:
        SourceError: If a column is missing, or the file has no rows or is no text.
    """
    text = read_small_text(path)
    wanted = {ours: (field,) for ours, (field, _) in _FIELDS.items()}
    columns = find_columns(text.lines[0], {"time": ("time",), **wanted}, path.name)
    rows, unread = split_rows(text.lines[1:], columns, {"time", *_FIELDS}, first_line=2)
    if rows.is_empty() and unread.is_empty():
        raise SourceError(f"{path}, line 1: has no rows below its header; fetch it again")
    ts = pl.col("time").str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False, time_unit="us").dt.replace_time_zone("UTC")
    rows = rows.with_columns(ts_utc=ts, station_id=pl.lit(STATION_ID)).with_columns(reason=hour_fault(pl.col("ts_utc")))
    lost = rows.filter(pl.col("reason").is_not_null()).select("line", "reason")
    rows = rows.filter(pl.col("reason").is_null())
    read = [read_values(rows, ours, ours, scale) for ours, (_, scale) in _FIELDS.items()]
    # A share times 100 leaves binary crumbs (0.29 gives 28.999...); the file has two digits.
    values = [series.round(6) for series, _ in read]
    absent = [
        pl.lit(None, dtype=pl.Float64).alias(name) for name in WEATHER if name in ("cloud_oktas", "sunshine_hours")
    ]
    table = rows.select("line", "station_id", "ts_utc").with_columns(*values, *absent)
    hours = resolve(table, ["station_id", "ts_utc"], [], list(_FIELDS))
    return HourlyRows(
        table=hours.kept,
        lost=pl.concat([lost, hours.lost.select("line", "reason")]),
        unread=unread,
        set_aside_values=pl.concat([aside for _, aside in read]).sort("line", maintain_order=True),
        rows_read=rows.height + lost.height + unread.height,
        edition="",
        text=text,
    )
