"""An hourly series of London-like weather: year, day, and spells that last some days."""

import math
from typing import NamedTuple

import numpy as np

from loadproof.samples.clock import Clock
from loadproof.samples.pulses import FloatArray

__all__ = ["Weather", "simulate_weather", "spells"]

# Source: Met Office MIDAS Open, Kew Gardens 2012-2014: 10.6 degC on average, months from 5.1 to 18.4; July's mean day
# swings by 9.0, January's by 3.3; what is left deviates by 3.5 and correlates at 0.56 a day later, 0.27 after three.
MEAN_DEGC = 10.8
YEAR_SWING_DEGC = 6.7
COLDEST_DAY = 25  # of the year
DAY_SWING_DEGC = 2.9  # half of warmest less coldest hour, the year's mean; more in summer, less in winter
WARMEST_HOUR_UTC = 14
SPELL_HOURS = 50.0  # how long a warm or cold spell is remembered
SPELL_DEGC = 3.4  # standard deviation


class Weather(NamedTuple):
    """Hours of the clock: air temperature ``(W,)`` and share of the sky under cloud ``(W,)``."""

    temperature_degc: FloatArray
    cloud_share: FloatArray


def simulate_weather(clock: Clock, *, rng: np.random.Generator) -> Weather:
    """Return one weather of ``clock``; all homes of a sample live under the same."""
    hours = np.arange(24 * clock.n_days)
    turn = 2 * np.pi * (clock.day_of_year[0] + hours / 24 - COLDEST_DAY) / 365.25
    day_swing_degc = DAY_SWING_DEGC * (1 - 0.45 * np.cos(turn))
    day_degc = day_swing_degc * np.cos(2 * np.pi * (hours - WARMEST_HOUR_UTC) / 24)
    spells_degc = SPELL_DEGC * spells(len(hours), SPELL_HOURS, rng=rng)
    return Weather(
        temperature_degc=MEAN_DEGC - YEAR_SWING_DEGC * np.cos(turn) + day_degc + spells_degc,
        cloud_share=np.clip(0.65 + 0.35 * spells(len(hours), 18.0, rng=rng), 0, 1),
    )


def spells(n: int, memory_hours: float, *, rng: np.random.Generator) -> FloatArray:
    """Return first-order autoregressive noise of unit variance ``(n,)``."""
    keep = math.exp(-1 / memory_hours)
    fresh = (math.sqrt(1 - keep**2) * rng.standard_normal(n)).tolist()
    level, levels = float(rng.standard_normal()), []
    for shock in fresh:
        level = keep * level + shock
        levels.append(level)
    return np.array(levels)
