"""Shapes by the kWh that they come to."""

import numpy as np
import pytest

from loadproof.scenario.shapes import base_kwh, charging_kwh, heat_pump_kwh, solar_kwh, taken_over, vacant_kwh

DAY = np.arange(48)


def test_a_charge_of_8_kwh_at_7_36_kw_takes_two_full_half_hours_and_a_part_of_the_third():
    drawn = charging_kwh(DAY, power_kw=7.36, from_half_hour=46, energy_kwh=8)
    assert drawn[46:] == pytest.approx([3.68, 3.68])
    assert drawn[0] == pytest.approx(8 - 2 * 3.68, abs=1e-5)
    assert drawn.sum() == pytest.approx(8, abs=1e-5)


def test_a_car_charges_three_hours_from_18_30_unless_told_otherwise():
    assert np.flatnonzero(charging_kwh(DAY, power_kw=3.68)).tolist() == [37, 38, 39, 40, 41, 42]


def test_a_heat_pump_takes_its_mean_within_a_tenth_and_panels_give_half_their_noon_at_noon():
    assert heat_pump_kwh(DAY, mean_kw=1).sum() == pytest.approx(24, rel=0.1)
    assert solar_kwh(DAY, noon_kw=2)[24] == pytest.approx(1)
    assert solar_kwh(DAY, noon_kw=2)[[0, 13, 35, 47]].tolist() == [0, 0, 0, 0]


def test_an_empty_home_draws_its_lowest_tenth_and_one_without_history_nothing():
    before = np.arange(11, dtype=np.float32)
    assert base_kwh(before).tolist() == [1]
    assert vacant_kwh(np.array([0.5, 5], dtype=np.float32), before).tolist() == [0.5, 1]
    assert vacant_kwh(np.array([3], dtype=np.float32), np.array([np.nan], dtype=np.float32)).tolist() == [0]


def test_another_life_leaves_what_it_does_not_know():
    was, other = np.array([1, 2], dtype=np.float32), np.array([np.nan, 5], dtype=np.float32)
    assert taken_over(was, other).tolist() == [1, 5]


def test_shapes_keep_any_shape():
    hours = np.broadcast_to(DAY, (2, 3, 48))
    assert charging_kwh(hours, power_kw=3.68).shape == (2, 3, 48)
    assert heat_pump_kwh(hours, mean_kw=1).shape == (2, 3, 48)
