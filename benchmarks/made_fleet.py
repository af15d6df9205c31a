"""A made fleet at rest: feeders of simulated homes, as an ingest leaves them in the store, at many times its speed.

    python benchmarks/made_fleet.py OUT --feeders 10000 --first 2024-05-01 --days 123

A feeder is a random draw from a pool of homes that the simulator lives through minute by minute (``samples/``), each
scaled, plus noise of its own. One file a month and lot of feeders, sorted by feeder and time, as ``merging.py`` cuts
them. The same seed and number give the same bytes; feeder n is the same in a larger fleet.
"""

import argparse
import datetime as dt
import json
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from loadproof.files import ROWS_PER_GROUP
from loadproof.samples.clock import build_clock
from loadproof.samples.homes import draw_home
from loadproof.samples.pulses import half_hour_energy_wh
from loadproof.samples.simulation import meter_w, simulate_home
from loadproof.samples.weather import simulate_weather
from loadproof.seeds import rng_for
from loadproof.store import Store
from made_ssen import feeder_ids

__all__ = ["main", "make_fleet"]

POOL_HOMES: Final = 48
DAY_STEPS: Final = 48
FEEDERS_PER_FILE: Final = 840  # a month of them is 1.2 million rows


def _pool_wh(first: dt.date, days: int, *, seed: int) -> np.ndarray:
    """Return the pool's energy, Wh ``(P, T)``."""
    clock = build_clock(first, days)
    weather = simulate_weather(clock, rng=rng_for(seed, "fleet/weather"))
    homes = []
    for number in range(POOL_HOMES):
        rng = rng_for(seed, f"fleet/home/{number}")
        homes.append(half_hour_energy_wh(meter_w(simulate_home(draw_home(rng=rng), clock, weather, rng=rng))))
    return np.array(homes, dtype=np.float32)


def _lot_kwh(pool_wh: np.ndarray, feeders: int, *, rng: np.random.Generator) -> np.ndarray:
    """Return the energy of a lot of feeders in whole Wh, kWh ``(N, T)``."""
    homes = rng.integers(5, 60, size=feeders)
    share = rng.gamma(0.6, size=(feeders, len(pool_wh))).astype(np.float32)
    share *= (homes / share.sum(axis=1))[:, None]
    energy_wh = share @ pool_wh  # (N, T)
    energy_wh *= np.exp(0.15 * rng.standard_normal(energy_wh.shape, dtype=np.float32))
    return np.rint(energy_wh) / np.float32(1000)


def _month_table(names: pl.Series, ts_us: np.ndarray, energy_kwh: np.ndarray) -> pa.Table:
    feeders, steps = energy_kwh.shape
    codes = np.repeat(np.arange(feeders, dtype=np.int32), steps)
    one = pa.DictionaryArray.from_arrays(np.zeros(feeders * steps, dtype=np.int32), ["made"])
    extras = pa.DictionaryArray.from_arrays(np.zeros(feeders * steps, dtype=np.int32), ["{}"])
    return pa.table({
        "entity_id": pa.DictionaryArray.from_arrays(codes, names.to_arrow().cast(pa.string())),
        "ts_utc": pa.array(np.tile(ts_us, feeders)).cast(pa.timestamp("us", "UTC")),
        "interval_mins": pa.array(np.full(feeders * steps, 30, dtype=np.int16)),
        "energy_kwh": pa.array(energy_kwh.ravel()),
        "source": one,
        "extras": extras,
    })  # fmt: skip


def _write(table: pa.Table, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        table, path, row_group_size=ROWS_PER_GROUP, compression="zstd", compression_level=1, store_schema=False,
        use_dictionary=["entity_id", "interval_mins", "energy_kwh", "source", "extras"],
        column_encoding={"ts_utc": "DELTA_BINARY_PACKED"}, write_statistics=["entity_id", "ts_utc"],
    )  # fmt: skip


def make_fleet(root: Path, *, feeders: int, first: dt.date, days: int, seed: int = 2024) -> int:
    """Write the readings of a fleet below ``root/processed`` and its summary beside it; return the rows."""
    store = Store(root / "processed")
    pool_wh = _pool_wh(first, days, seed=seed)
    ts = np.datetime64(first, "us") + np.arange(days * DAY_STEPS) * np.timedelta64(30, "m")
    months = ts.astype("datetime64[M]")
    names = "ssen:" + feeder_ids(feeders)
    for lot, at in enumerate(range(0, feeders, FEEDERS_PER_FILE)):
        here = names[at : at + FEEDERS_PER_FILE]
        kwh = _lot_kwh(pool_wh, FEEDERS_PER_FILE, rng=rng_for(seed, f"fleet/lot/{lot}"))[: len(here)]
        for month in np.unique(months):
            steps = months == month
            path = store.root / "dataset=ssen" / f"month={month}" / f"part-{lot:05d}.parquet"
            _write(_month_table(here, ts[steps].astype(np.int64), np.ascontiguousarray(kwh[:, steps])), path)
    store.summaries_root.mkdir(parents=True, exist_ok=True)
    summary = {"mode": "samples", "sources": [{"name": "made", "sha256": f"{seed:064x}"}]}
    store.summary_path("ssen").write_text(json.dumps(summary))
    return feeders * days * DAY_STEPS


def main() -> None:
    """Write a fleet into a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--feeders", type=int, default=10_000)
    parser.add_argument("--first", type=dt.date.fromisoformat, default=dt.date(2024, 5, 1))
    parser.add_argument("--days", type=int, default=123)
    parser.add_argument("--seed", type=int, default=2024)
    given = parser.parse_args()
    rows = make_fleet(given.folder, feeders=given.feeders, first=given.first, days=given.days, seed=given.seed)
    print(f"{given.folder}: {rows:,} rows of {given.feeders:,} feeders")


if __name__ == "__main__":
    main()
