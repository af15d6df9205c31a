"""The weather that all homes of a sample share."""

import datetime as dt

import numpy as np
import pytest

from loadproof.samples.clock import build_clock
from loadproof.samples.weather import simulate_weather
from loadproof.seeds import rng_for


@pytest.fixture(scope="module")
def degc():
    """Four years, hour by hour, (days, 24)."""
    clock = build_clock(dt.date(2013, 1, 1), 4 * 365)
    return simulate_weather(clock, rng=rng_for(1, "weather")).temperature_degc.reshape(-1, 24)


def test_four_years_average_to_london(degc):
    assert degc.mean() == pytest.approx(10.8, abs=0.7)
    assert -12 < degc.min() < 0 < 24 < degc.max() < 38


def test_july_is_12_degrees_warmer_than_january(degc):
    years = degc.reshape(4, 365, 24)
    assert years[:, 181:212].mean() - years[:, :31].mean() == pytest.approx(12.5, abs=2.5)


def test_afternoons_are_warmest_and_july_s_days_swing_by_eight_degrees(degc):
    july = degc.reshape(4, 365, 24)[:, 181:212].mean(axis=(0, 1))
    assert july.argmax() in {13, 14, 15}
    assert np.ptp(july) == pytest.approx(8.4, abs=1.0)
