"""Cars and heat pumps in feeders, by what they add up to."""

import numpy as np
import pytest

from loadproof.errors import ConfigError
from loadproof.features.panel import Panel
from loadproof.feeders.devices import add_devices, device_loads
from loadproof.feeders.loads import Loads
from loadproof.limits import CHARGER_KW
from loadproof.scenario.shapes import HEAT_PUMP_SHAPE

MONDAY = np.datetime64("2013-12-02T00:00", "us")


def loads(devices=30):
    energy = np.ones((3, 336), dtype=np.float32)
    energy[2] = 2
    energy[0, 5] = energy[2, 5] = np.nan
    panel = Panel(np.array(["f0", "f1", "s"]), MONDAY, 30, energy)
    counts = {} if devices is None else {"f0": devices, "f1": devices, "s": 2 * devices}
    levels = {"f0": "feeder", "f1": "feeder", "s": "substation"}
    return Loads(panel, levels, {"s": ["f0", "f1"]}, counts, {}, {}, "mean_of_reporting")


def test_a_car_charges_at_its_chargers_power_and_some_cars_not_at_the_same_hour():
    cars = device_loads("ev", 40, start=MONDAY, steps=336, rng=np.random.default_rng(1))
    assert cars.max() <= CHARGER_KW[1] / 2 + 1e-6
    assert {round(float(kwh), 2) for kwh in cars.max(axis=1)} == {1.84, 3.68}
    # Diverse by being drawn, not by a factor: the peak of the sum is well under the sum of the peaks.
    assert cars.sum(axis=0).max() < 0.6 * cars.max(axis=1).sum()


def test_a_heat_pump_follows_the_scenarios_own_shape():
    pumps = device_loads("heat_pump", 3, start=MONDAY, steps=96, rng=np.random.default_rng(1))
    mean_kw = 2 * pumps[:, 1:] / np.tile(HEAT_PUMP_SHAPE, 2)[1:]  # (3, 95)
    np.testing.assert_allclose(mean_kw, np.tile(mean_kw[:, :1], 95), rtol=1e-5)
    assert np.all((mean_kw[:, 0] >= 0.3) & (mean_kw[:, 0] <= 1.2))


def test_a_share_of_the_homes_gets_one_the_substation_gets_the_sum_and_gaps_stay_gaps():
    changed = add_devices(loads(), {"ev": 0.3, "heat_pump": 0.2}, rng=np.random.default_rng(1)).panel.energy_kwh
    assert np.isnan(changed[[0, 2], 5]).all()
    known = ~np.isnan(changed[2])
    np.testing.assert_allclose((changed[0] + changed[1])[known], changed[2][known], rtol=1e-5)
    added_kwh = np.nansum(changed[1] - 1)
    # Nine cars of 2 to 7 charges of 4 to 22 kWh, and six pumps of 0.3 to 1.2 kW for a week.
    assert 9 * 2 * 4 + 6 * 0.3 * 160 < added_kwh < 9 * 7 * 22 + 6 * 1.2 * 170
    nobody = add_devices(loads(), {"ev": 0.0}, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(nobody.panel.energy_kwh, loads().panel.energy_kwh)


def test_shares_that_are_none_and_feeders_of_unknown_size_are_refused():
    with pytest.raises(ConfigError, match="from 0 to 1"):
        add_devices(loads(), {"ev": 30}, rng=np.random.default_rng(1))
    with pytest.raises(ConfigError, match="no known number of homes"):
        add_devices(loads(devices=None), {"ev": 0.3}, rng=np.random.default_rng(1))
