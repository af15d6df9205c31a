"""Stores of made-up homes, written as an ingest leaves them; the readings come from one seeded generator."""

import json

import numpy as np
import polars as pl

from loadproof.files import write_parquet
from loadproof.schema import READINGS, WEATHER
from loadproof.store import Store

START = np.datetime64("2013-01-01", "us")


def load_kwh(rng, ts, size=1.0):
    """An evening peak, a quieter weekend and noise, kWh per half hour, ``(T,)``."""
    hour = ts.astype("datetime64[m]").astype(np.int64) / 60 % 24
    day = ts.astype("datetime64[D]").astype(np.int64) % 7
    shape = 0.1 + 0.4 * np.exp(-((hour - 18) ** 2) / 6) + 0.1 * np.isin(day, (2, 3)) * (hour > 8)
    return size * shape * rng.gamma(6.0, 1 / 6, len(ts))


def _write(frame, root, dataset, *, interval_mins=30, mode="files", seed=0):
    frame = frame.with_columns(interval_mins=pl.lit(interval_mins), source=pl.lit("made"))
    frame = frame.select([pl.col(name).cast(kind) for name, kind in READINGS.items()]).sort("entity_id", "ts_utc")
    store = Store(root / "processed")
    for (month,), part in frame.group_by(pl.col("ts_utc").dt.strftime("%Y-%m"), maintain_order=True):
        folder = store.root / f"dataset={dataset}" / f"month={month}"
        folder.mkdir(parents=True, exist_ok=True)
        write_parquet(part, folder / "part-00000.parquet")
    store.summaries_root.mkdir(exist_ok=True)
    summary = {"mode": mode, "sources": [{"name": "made", "sha256": f"{seed:064x}"}]}
    store.summary_path(dataset).write_text(json.dumps(summary))
    return store


def make_store(root, homes=4, days=120, *, interval_mins=30, keep=None, mode="files", seed=0, dataset="lcl"):
    """A store of homes ``lcl:MAC000001`` and on; ``keep`` maps a home's name to which of its steps there are."""
    rng, keep = np.random.default_rng(seed), keep or {}
    ts = START + np.arange(days * 24 * 60 // interval_mins) * np.timedelta64(interval_mins, "m")
    parts = []
    for number in range(1, homes + 1):
        name = f"{dataset}:MAC{number:06d}"
        kwh = load_kwh(rng, ts, size=0.5 + number / homes)
        kept = keep.get(name, slice(None))
        parts.append(
            pl.DataFrame(
                {"entity_id": name, "ts_utc": pl.Series(ts[kept]).dt.replace_time_zone("UTC"), "energy_kwh": kwh[kept]}
            )
        )
    frame = pl.concat(parts).with_columns(extras=pl.lit("{}"))
    return _write(frame, root, dataset, interval_mins=interval_mins, mode=mode, seed=seed)


def make_house(root, days, *, tenfold):
    """A store of ``ukdale:house_1`` and its kettle, a fifth of the home, whose meter reads tenfold at some steps."""
    ts = START + np.arange(days * 48) * np.timedelta64(30, "m")
    mains = load_kwh(np.random.default_rng(0), ts)
    kettle = 0.2 * mains
    kettle[tenfold] *= 10
    stamps = pl.Series(ts).dt.replace_time_zone("UTC")
    series = {"ukdale:house_1": mains, "ukdale:house_1:meter_8": kettle}
    parts = [pl.DataFrame({"entity_id": name, "ts_utc": stamps, "energy_kwh": kwh}) for name, kwh in series.items()]
    frame = pl.concat(parts).with_columns(extras=pl.lit('{"ac_type":"active"}'))
    return _write(frame, root, "ukdale")


def add_weather(store, days=130):
    """Hourly temperatures of one station beside the readings, a day warmer than its night."""
    ts = START - np.timedelta64(15, "D") + np.arange(days * 24) * np.timedelta64(1, "h")
    warm = 8 + 4 * np.sin(2 * np.pi * (np.arange(len(ts)) % 24 - 8) / 24)
    given = {
        "station_id": pl.lit("midas:90001"),
        "ts_utc": pl.Series(ts).dt.replace_time_zone("UTC"),
        "temperature_degc": pl.Series(warm),
    }
    frame = pl.DataFrame({"ts_utc": given["ts_utc"]}).select(
        [given.get(name, pl.lit(None)).cast(kind).alias(name) for name, kind in WEATHER.items()]
    )
    store.weather_root.mkdir(exist_ok=True)
    write_parquet(frame, store.weather_root / "part-00000.parquet")
    store.summary_path("weather").write_text(
        json.dumps({"mode": "files", "sources": [{"name": "w", "sha256": "7" * 64}]})
    )
    return store
