"""Forecasts of a few homes with their truth, and how to score them and to pick one figure."""

import numpy as np
import polars as pl

from loadproof.evaluation.metrics import score_forecasts
from loadproof.forecaster import ForecastRows, make_forecast
from loadproof.schema import LEVELS

START = np.datetime64("2013-10-01T23:00", "us")  # a local midnight in summer; the clocks go back on the 27th
DAY = np.timedelta64(1, "D")


def rows_of(entity, t0, quantiles, mean=None, model="m"):
    quantiles = np.asarray(quantiles, dtype=np.float32)
    mean = quantiles[..., 3] if mean is None else np.asarray(mean, dtype=np.float32)
    return ForecastRows(model, np.asarray(entity), np.asarray(t0), make_forecast(quantiles, LEVELS, mean))


def random_case(seed, n_homes=5, n_days=42, spread=0.4, missing=0.1):
    rng = np.random.default_rng(seed)
    entity = np.repeat([f"h{i}" for i in range(n_homes)], n_days)
    t0 = np.tile(START + np.arange(n_days) * DAY, n_homes)
    truth = rng.gamma(2.0, 0.2, (len(entity), 48)).astype(np.float32)
    quantiles = 0.4 + spread * (np.array(LEVELS) - 0.5) + rng.normal(0, 0.1, (*truth.shape, 1))
    truth[rng.random(truth.shape) < missing] = np.nan
    return rows_of(entity, t0, quantiles, mean=quantiles.mean(axis=-1)), truth


def score(rows, truth, *, scales=None, draws=200, seed=0):
    scales = dict.fromkeys(rows.entity.tolist(), 1.0) if scales is None else scales
    rng = np.random.default_rng(seed)
    return score_forecasts(rows, truth, interval_mins=30, scales_kwh=scales, dataset="lcl", draws=draws, rng=rng)


def value(table, metric, *, entity=None, slice_="all", column="value"):
    row = table.filter(
        pl.col("entity_id").eq_missing(pl.lit(entity, pl.String)), slice=pl.lit(slice_), metric=pl.lit(metric)
    )
    return row[column].item()
