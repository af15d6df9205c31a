"""LEAD: hourly readings of buildings, and the hours that people marked as odd.

Source: Gulati & Arjunan 2022, LEAD1.0, e-Energy '22; readings of ASHRAE's Great Energy Predictor III. The stamp is the
building's own clock and begins its hour (by their files alone; the offset from UTC is not published, so it is kept as
it is).
"""

import hashlib
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from loadproof.errors import SourceError

__all__ = ["LeadReadings", "read_lead"]

_COLUMNS: Final = {"building_id": pl.Int64, "timestamp": pl.String, "meter_reading": pl.Float64, "anomaly": pl.Int8}


class LeadReadings(NamedTuple):
    """Columns ``building_id``, ``ts``, ``energy_kwh`` (null where missing) and ``odd``, and the files' digest."""

    frame: pl.DataFrame
    sha256: str


def read_lead(folder: Path) -> LeadReadings:
    """Return the readings of all ``*.csv`` files in a folder, ordered by building and time.

    Raises:
        SourceError: When there is no file, or one has other columns, repeated or unreadable rows.
    """
    paths = sorted(folder.glob("*.csv"))
    if not paths:
        raise SourceError(f"{folder}: holds no CSV of LEAD; name the folder of its files")
    digest, frames = hashlib.sha256(), []
    for path in paths:
        data = path.read_bytes()
        digest.update(data)
        try:
            raw = pl.read_csv(data, schema_overrides=_COLUMNS).select(
                pl.col("building_id"),
                ts=pl.col("timestamp").str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us"),
                energy_kwh=pl.col("meter_reading"),
                odd=pl.col("anomaly") == 1,
            )
        except (pl.exceptions.PolarsError, ValueError) as error:
            first = str(error).splitlines()[0]
            raise SourceError(f"{path}: is no file of LEAD ({first[:120]}); fetch it again") from error
        frames.append(raw)
    frame = pl.concat(frames).sort("building_id", "ts")
    if frame.select("building_id", "ts").is_duplicated().any():
        raise SourceError(f"{folder}: an hour of a building is there twice; keep one file a building")
    return LeadReadings(frame, digest.hexdigest())
