"""Fabricated tables for the report: a few homes, two models, all from one seeded generator."""

import datetime as dt

import numpy as np
import polars as pl

from loadproof.schema import FORECASTS, LEVELS, METRICS

START = dt.datetime(2013, 2, 10, tzinfo=dt.UTC)
DAYS = 40
FIRST_T0 = START + dt.timedelta(days=30)
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
HOSTILE = "<script>alert(1)</script>"


def readings_of(rows, dataset="lcl"):
    """Readings from ``(entity, ts_utc, interval_mins, energy_kwh)``."""
    schema = {
        "entity_id": pl.String,
        "ts_utc": pl.Datetime("us", "UTC"),
        "interval_mins": pl.Int16,
        "energy_kwh": pl.Float32,
    }
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame.with_columns(source=pl.lit("part"), extras=pl.lit("{}"), dataset=pl.lit(dataset)).lazy()


def half_hours(entity, start, count, energy=0.1, *, skip=()):
    """Rows of one entity, one per half hour, without those at the places in ``skip``."""
    step = dt.timedelta(minutes=30)
    return [(entity, start + i * step, 30, energy) for i in range(count) if i not in skip]


def make_readings(rng, homes=("lcl:MAC000002", "lcl:MAC000003", "lcl:MAC000004")):
    """Forty days of homes with an evening peak; every 97th half hour is missing."""
    parts = []
    for place, home in enumerate(homes):
        hour = np.arange(DAYS * 48) % 48 / 2
        energy = (0.1 + 0.3 * np.exp(-((hour - 18) ** 2) / 8)) * (place + 1) * rng.uniform(0.5, 1.5, DAYS * 48)
        rows = half_hours(home, START, DAYS * 48, skip=set(range(place, DAYS * 48, 97)))
        frame = readings_of(rows).collect()
        kept = [i for i in range(DAYS * 48) if i not in set(range(place, DAYS * 48, 97))]
        parts.append(frame.with_columns(energy_kwh=pl.Series(energy[kept]).cast(pl.Float32)))
    return pl.concat(parts).lazy()


def make_forecasts(readings, models=("naive", "sharp")):
    """Daily forecasts of the last ten days: the mean of each half hour, spread by a factor per model."""
    seen = readings.collect().with_columns(slot=pl.col("ts_utc").dt.time())
    profile = seen.group_by("entity_id", "slot").agg(pl.col("energy_kwh").mean())
    grid = (
        seen.select(pl.col("entity_id").unique(maintain_order=True))
        .join(pl.DataFrame({"day": range(10)}), how="cross")
        .join(pl.DataFrame({"step": range(48)}), how="cross")
        .with_columns(t0_utc=pl.lit(FIRST_T0) + pl.duration(days="day"))
        .with_columns(ts_utc=pl.col("t0_utc") + pl.duration(minutes=30 * pl.col("step")))
        .with_columns(slot=pl.col("ts_utc").dt.time())
        .join(profile, on=["entity_id", "slot"], how="left")
    )
    parts = []
    for place, model in enumerate(models):
        for level in (*LEVELS, None):
            factor = 1.0 if level is None else 1 + (level - 0.5) * (1.6 - place)
            parts.append(
                grid.select(
                    model=pl.lit(model),
                    entity_id="entity_id",
                    t0_utc="t0_utc",
                    ts_utc="ts_utc",
                    level=pl.lit(level, pl.Float64),
                    energy_kwh=(pl.col("energy_kwh") * factor).cast(pl.Float32),
                    how=pl.lit(None, pl.String),
                )
            )
    return pl.concat(parts).cast(dict(FORECASTS)).lazy()


def make_metrics(rng, models=("naive", "sharp"), homes=("lcl:MAC000002", "lcl:MAC000003"), dataset="lcl"):
    """Metrics of every kind that the page shows; the second model is the better one."""
    rows = []

    def add(model, slice_, metric, value, unit, entity=None, width=0.1):
        low, high = (None, None) if entity else (value * (1 - width), value * (1 + width))
        rows.append((model, dataset, "home", entity, slice_, metric, value, low, high, 1000, unit))

    for place, model in enumerate(models):
        better = 0.8**place
        for metric, unit in (
            ("mae", "kWh"),
            ("rmse", "kWh"),
            ("crps", "kWh"),
            ("pinball", "kWh"),
            ("nrmse", "1"),
            ("mase", "1"),
        ):
            add(model, "all", metric, better * rng.uniform(0.09, 0.1), unit)
        for band in (50, 80, 90):
            add(model, "all", f"coverage_{band}", band / 100 - 0.03, "1")
        for level in LEVELS:
            add(model, "all", f"share_below_{level}", level + 0.01, "1")
        for home in homes:
            add(model, "all", "mase", better * rng.uniform(0.7, 1.4), "1", entity=home)
        for half in range(48):
            add(model, f"half_hour={half // 2:02d}:{half % 2 * 30:02d}", "mae", better * rng.uniform(0.05, 0.2), "kWh")
        for day in WEEKDAYS:
            add(model, f"weekday={day}", "mae", better * rng.uniform(0.09, 0.1), "kWh")
    return pl.DataFrame(rows, schema=METRICS, orient="row")


def make_comparisons(low=0.76, high=0.84, subject="sharp", other="naive", dataset="lcl"):
    """One model against another: by CRPS, the ratio 0.8 with its interval and the difference."""
    key = (subject, dataset, "home", None, "all")
    rows = [
        (*key, f"crps_ratio_to:{other}", 0.8, low, high, 1000, "1"),
        (*key, f"crps_difference_to:{other}", -0.02, -0.03, -0.01, 1000, "kWh"),
    ]
    return pl.DataFrame(rows, schema=METRICS, orient="row")


def make_summary(dataset="lcl", mode="files", sources=2):
    """An ingest summary as its JSON reads."""
    return {
        "dataset": dataset,
        "loadproof_version": "0.1.0",
        "mode": mode,
        "settings": {"layout": "archive", "ts_convention": "end"},
        "rows_read": 5760,
        "rows_written": 5700,
        "rows_rejected": 60,
        "rejected_by_reason": {"duplicate": 43, "null_off_grid": 17},
        "entities": 3,
        "first_ts_utc": "2013-02-10T00:00:00Z",
        "last_ts_utc": "2013-03-21T23:30:00Z",
        "months": {"2013-02": 2700, "2013-03": 3000},
        "sources": [
            {"name": f"part_{i}.csv", "bytes": 1234567, "sha256": f"{i:064x}", "rows_read": 2880, "rows_rejected": 30}
            for i in range(sources)
        ],
    }
