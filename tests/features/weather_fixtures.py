"""Made-up hourly weather with holes, as rows of ``WEATHER``."""

import numpy as np
import polars as pl
from tests.features.panel_fixtures import START

from loadproof.schema import WEATHER

HOUR = np.timedelta64(1, "h")


def hourly(values, *, start=START, station="midas:00723"):
    """Rows of one station from an hourly series; NaN becomes null."""
    temperatures = pl.Series(np.asarray(values, dtype=np.float64)).fill_nan(None)
    rows = {
        "station_id": [station] * len(temperatures),
        "ts_utc": pl.Series(start + np.arange(len(temperatures)) * HOUR).dt.replace_time_zone("UTC"),
        "temperature_degc": temperatures,
    }
    return pl.DataFrame(rows).match_to_schema(WEATHER, missing_columns="insert")


def random_weather(rng, n_days=28, missing=0.1, start=START):
    """Seasons, days and noise, with single holes and one of two days."""
    hours = np.arange(24 * n_days)
    values = 9 + 6 * np.sin(hours / 24 * 2 * np.pi) + rng.normal(0, 2, len(hours))
    values[rng.random(len(hours)) < missing] = np.nan
    hole = int(rng.integers(0, len(hours)))
    values[hole : hole + 48] = np.nan
    return hourly(values, start=start)
