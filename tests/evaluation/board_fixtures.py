"""A small town: homes with a habit and noise, half-hourly for 120 days, and a board of two blocks upon it."""

import datetime as dt

import numpy as np

from loadproof.config import BacktestConfig, ExperimentConfig, ForecastConfig
from loadproof.evaluation.board_plan import Setting
from loadproof.features.panel import Panel

START = np.datetime64("2013-01-01", "us")


def town(n_homes=24, n_days=120, seed=0, missing=0.02):
    rng = np.random.default_rng(seed)
    day = 0.3 + 0.2 * np.sin(np.arange(48) / 48 * 2 * np.pi) ** 2
    energy = np.tile(day, n_days) * rng.gamma(2, 0.5, (n_homes, 1)) * rng.gamma(4, 0.25, (n_homes, 48 * n_days))
    energy[rng.random(energy.shape) < missing] = np.nan
    return Panel(np.array([f"lcl:MAC{i:06d}" for i in range(n_homes)]), START, 30, energy.astype(np.float32))


def config_of(**knobs):
    board = {
        "models": ("persistence_ensemble", "seasonal_naive"),
        "levels": ("home", "group_10"),
        "blocks_from": (dt.date(2013, 2, 1), dt.date(2013, 3, 1)),
        "blocks_until": dt.date(2013, 3, 29),
        "valid_days": 7,
        "training_groups": 5,
        "every": {},
        "more_lags_steps": (),
        "weather_models": (),
        "buildingsbench_models": (),
        "min_reporting": 0.8,
    } | knobs  # fmt: skip
    forecast = ForecastConfig(
        context_steps=336, valid_from=dt.date(2013, 3, 1), test_from=dt.date(2013, 3, 8),
        test_until=dt.date(2013, 3, 29),
    )  # fmt: skip
    return ExperimentConfig(seed=1, forecast=forecast, backtest=BacktestConfig(**board))


def setting(level="home", half="A", arm="none", lag=0):
    return Setting(level, half, arm, lag)
