"""Panels of made-up homes around a clock change, and their readings."""

import numpy as np
import polars as pl

from loadproof.features.panel import Panel

START = np.datetime64("2013-03-25", "us")  # a week with a clock change
HALF_HOUR = np.timedelta64(30, "m")
WEEK = 336


def steps(*numbers):
    return START + np.array(numbers) * HALF_HOUR


def random_panel(rng, n_entities=3, n_days=21, missing=0.1):
    energy = rng.gamma(1.0, 0.3, (n_entities, 48 * n_days)).astype(np.float32)
    energy[rng.random(energy.shape) < missing] = np.nan
    return Panel(np.array([f"lcl:MAC{i:06d}" for i in range(n_entities)]), START, 30, energy)


def readings_of(panel):
    rows, columns = np.nonzero(~np.isnan(panel.energy_kwh))
    return pl.DataFrame(
        {
            "entity_id": panel.entities[rows].tolist(),
            "ts_utc": pl.Series(panel.start + columns * HALF_HOUR).dt.replace_time_zone("UTC"),
            "interval_mins": pl.Series([30] * len(rows), dtype=pl.Int16),
            "energy_kwh": panel.energy_kwh[rows, columns],
        }
    )
