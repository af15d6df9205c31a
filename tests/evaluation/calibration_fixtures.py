"""Homes whose forecasts are wrong in known ways, and how to calibrate them."""

from dataclasses import replace

import numpy as np

from loadproof.config import CalibrationConfig
from loadproof.evaluation.calibration_places import NORMAL_SCORES
from loadproof.features.windows import Inputs, Windows
from loadproof.forecaster import make_forecast
from loadproof.schema import LEVELS

START = np.datetime64("2013-05-31T23:00", "us")  # a local midnight; no clock changes before late October
DAY = np.timedelta64(1, "D")
STATIC = CalibrationConfig(kind="static")
ADAPTIVE = CalibrationConfig(kind="adaptive")


def inputs_of(entity, t0, *, horizon_steps=48, interval_mins=30, lag=0):
    context = np.ones((len(entity), 24 * 60 // interval_mins), dtype=np.float32)  # a day: less is not learned from
    t0 = np.asarray(t0, dtype="datetime64[us]")
    return Inputs(context, t0, np.asarray(entity), horizon_steps, interval_mins, data_lag_steps=lag)


def normal_forecast(shape, *, mean=5.0, sigma=1.0):
    """The same bell curve for each step, whatever is to come."""
    mean, sigma = np.broadcast_to(mean, shape), np.broadcast_to(sigma, shape)
    return make_forecast(mean[..., None] + sigma[..., None] * NORMAL_SCORES, LEVELS, mean)


def case(seed, *, n_homes=6, n_days=40, first=0, spread=2.0, shift=0.0, missing=0.05, horizon_steps=48, lag=0):
    """Forecasts N(5, 1) and truths N(5 + shift, spread), both per home where they are lists; windows and forecast."""
    rng = np.random.default_rng(seed)
    entity = np.repeat([f"h{i}" for i in range(n_homes)], n_days)
    t0 = np.tile(START + (first + np.arange(n_days)) * DAY, n_homes)
    home = np.repeat(np.arange(n_homes), n_days)
    spread, shift = (np.broadcast_to(x, n_homes)[home][:, None] for x in (spread, shift))
    truth = np.maximum(rng.normal(5 + shift, spread, (len(entity), horizon_steps)), 0).astype(np.float32)
    truth[rng.random(truth.shape) < missing] = np.nan
    inputs = inputs_of(entity, t0, horizon_steps=horizon_steps, lag=lag)
    return Windows(inputs, truth), normal_forecast(truth.shape)


def taken(forecast, index):
    arrays = {name: getattr(forecast, name)[index] for name in ("quantiles_kwh", "mean_kwh", "how")}
    return replace(forecast, **arrays)


def coverage(forecast, truth, low=0, high=6):
    scored = ~np.isnan(truth)
    quantiles = forecast.quantiles_kwh[scored]
    return np.mean((quantiles[:, low] <= truth[scored]) & (truth[scored] <= quantiles[:, high]))
