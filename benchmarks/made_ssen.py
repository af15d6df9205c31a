"""Made SSEN usage files of full shape: 17 columns of the 2024 format, sorted by feeder and stamp, one day a file.

    python benchmarks/made_ssen.py OUT 2024-03-01 --days 3 --feeders 86600

The energy follows a plain daily curve times the number of devices; nothing here is meant to be learned from.
"""

import argparse
import datetime as dt
import math
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from loadproof.seeds import rng_for

__all__ = ["feeder_ids", "main", "write_day", "write_lookup"]

DAY_STEPS: Final = 48
FEEDERS_PER_CHUNK: Final = 10_000
"""Half a million rows at a time: a day is 4.2 million rows, and its text need not be in memory at once."""

_COLUMNS: Final = (
    "dataset_id,dno_name,dno_alias,secondary_substation_id,secondary_substation_name,lv_feeder_id,lv_feeder_name,"
    "substation_geo_location,aggregated_device_count_active,primary_consumption_active_import,"
    "secondary_consumption_active_import,total_consumption_active_import,aggregated_device_count_reactive,"
    "total_consumption_reactive_import,data_collection_log_timestamp,insert_time,last_modified_time"
)
_NAMES: Final = ("DUNCRAIG ROAD", "ANSON DRIVE", '"S.I.C. HSG.,WORMADALE"', '""', "CANAL WALK", "MATHESON ROAD")


def feeder_ids(feeders: int) -> pl.Series:
    """Return distinct dataset ids, sorted: four feeders a substation, ten substations an HV feeder, nine of these."""
    number = pl.int_range(feeders, eager=True)
    primary, hv_feeder = 2 + number // 360, 1 + number // 40 % 9
    secondary, lv_feeder = 4 + number // 4 % 10, 1 + number % 4
    digits = ((primary * 1000 + hv_feeder) * 1000 + secondary) * 100 + lv_feeder
    return digits.cast(pl.String).str.zfill(12).alias("dataset_id")


def write_day(path: Path, day: dt.date, *, feeders: int, rng: np.random.Generator) -> int:
    """Write one day of ``feeders`` feeders in the format of 2024 and return its rows; 1 in 2,000 has no value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ids = feeder_ids(feeders)
    devices = rng.integers(5, 60, size=feeders)
    with path.open("wb") as stream:
        stream.write(f"{_COLUMNS}\n".encode())
        for first in range(0, feeders, FEEDERS_PER_CHUNK):
            here = slice(first, first + FEEDERS_PER_CHUNK)
            _chunk(ids[here], devices[here], day, rng).write_csv(stream, include_header=False, quote_style="never")
    return feeders * DAY_STEPS


def _chunk(ids: pl.Series, devices: np.ndarray, day: dt.date, rng: np.random.Generator) -> pl.DataFrame:
    steps = np.arange(1, DAY_STEPS + 1)
    curve = 150 + 100 * np.sin((steps - 18) * 2 * math.pi / DAY_STEPS)  # Wh a device and half hour, (48,)
    energy_wh = devices[:, None] * curve * rng.lognormal(0, 0.3, size=(len(ids), DAY_STEPS))
    midnight = dt.datetime.combine(day, dt.time())
    stamps = [f"{midnight + dt.timedelta(minutes=30 * int(step)):%Y-%m-%dT%H:%M:%S}.000Z" for step in steps]
    rows = pl.DataFrame({
        "id": ids.gather(np.repeat(np.arange(len(ids)), DAY_STEPS)),
        "stamp": pl.Series(stamps).gather(np.tile(np.arange(DAY_STEPS), len(ids))),
        "devices": np.repeat(devices, DAY_STEPS),
        "energy_wh": energy_wh.ravel().astype(np.int64),
        "reactive_varh": (energy_wh * 0.05).ravel().astype(np.int64),
        "known": rng.random(energy_wh.size) >= 1 / 2000,
    })  # fmt: skip
    name = pl.Series(_NAMES).gather(pl.Series(ids.str.slice(7, 3).cast(pl.Int64) % len(_NAMES)))
    count, energy, reactive = (
        pl.when("known").then(pl.col(column).cast(pl.String) + ".0").otherwise(pl.lit('""'))
        for column in ("devices", "energy_wh", "reactive_varh")
    )
    digits = pl.col("id").str
    return rows.with_columns(name=name.gather(np.repeat(np.arange(len(ids)), DAY_STEPS))).select(
        pl.concat_str(
            "id", pl.lit("Scottish and Southern Electricity Networks,SSEN"), digits.slice(7, 3), "name",
            digits.slice(10, 2), pl.lit('"",""'), count, energy, pl.lit('""'), energy, count, reactive, "stamp",
            pl.lit(f"{day + dt.timedelta(2)}T00:07:06.000Z,{day + dt.timedelta(42)}T12:46:46.298Z"), separator=",",
        )
    )  # fmt: skip


def write_lookup(path: Path, *, feeders: int, postcodes: int = 5) -> int:
    """Write the lookup of the same feeders, a row a postcode, and return its rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    digits, number = pl.col("dataset_id").str, pl.int_range(pl.len())
    table = pl.DataFrame(feeder_ids(feeders)).select(
        "dataset_id",
        postcode=pl.int_ranges(postcodes),
        primary_substation_id=digits.slice(0, 4),
        primary_substation_name=pl.format("PRIMARY {}", digits.slice(0, 4)),
        hv_feeder_id=digits.slice(4, 3),
        hv_feeder_name=pl.format("FEEDER {}", digits.slice(4, 3)),
        secondary_substation_id=digits.slice(7, 3),
        secondary_substation_name=pl.format("ROAD {}, NO {}", digits.slice(4, 3), digits.slice(7, 3)),
        lv_feeder_id=digits.slice(10, 2),
        lv_feeder_name=pl.lit(None, dtype=pl.String),
        total_mpan_count=8 + number % 90,
    )
    table = table.explode("postcode").with_columns(
        postcode=pl.format("DD{} {}RU", digits.slice(9, 3).cast(pl.Int64) % 20 + 1, "postcode")
    )
    table.write_csv(path)
    return table.height


def main() -> None:
    """Write days and their lookup into a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("day", type=dt.date.fromisoformat, help="the first day, YYYY-MM-DD")
    parser.add_argument("--days", type=int, default=1)
    parser.add_argument("--feeders", type=int, default=86_600)
    parser.add_argument("--seed", type=int, default=2024)
    given = parser.parse_args()
    for day in (given.day + dt.timedelta(n) for n in range(given.days)):
        path = given.folder / f"{day}.csv"
        rows = write_day(path, day, feeders=given.feeders, rng=rng_for(given.seed, f"made ssen {day}"))
        print(f"{path}: {rows:,} rows, {path.stat().st_size / 1e6:.0f} MB")
    path = given.folder / "LV_FEEDER_LOOKUP.csv"
    print(f"{path}: {write_lookup(path, feeders=given.feeders):,} rows")


if __name__ == "__main__":
    main()
