"""Changes do what they say, in kWh."""

import numpy as np
import pytest

from loadproof.anomaly.changes import CHANGES
from loadproof.anomaly.injection import Event, inject
from loadproof.features.panel import Panel


def _flat(kwh: float = 0.2) -> Panel:
    energy = np.full((2, 60 * 48), kwh, dtype=np.float32)
    energy[1] = 0.7
    return Panel(np.array(["lcl:MAC000001", "lcl:MAC000002"]), np.datetime64("2013-01-01T00:00", "us"), 30, energy)


def _day_of(kind: str, strength: float) -> np.ndarray:
    done = inject(_flat(), CHANGES[kind].change, (Event(0, 40 * 48, 45 * 48),), strength=strength)
    assert (done.panel.energy_kwh[0, : 40 * 48] == np.float32(0.2)).all()
    return done.panel.energy_kwh[0, 41 * 48 : 42 * 48]


def test_a_7_36_kw_car_adds_22_08_kwh_each_evening_from_18_30_for_three_hours():
    day = _day_of("ev", 7.36)
    assert day.sum() - 48 * 0.2 == pytest.approx(22.08, rel=1e-5)
    assert np.flatnonzero(day > 1).tolist() == [37, 38, 39, 40, 41, 42]


def test_a_heat_pump_adds_its_mean_power_within_a_tenth_and_most_in_the_morning():
    day = _day_of("heat_pump", 1.2)
    assert day.sum() - 48 * 0.2 == pytest.approx(24 * 1.2, rel=0.1)
    assert 12 <= int(day.argmax()) <= 18


def test_solar_never_turns_a_reading_negative_and_leaves_the_night_alone():
    day = _day_of("solar", 2)
    assert day.min() == 0
    assert (day[:14] == np.float32(0.2)).all()
    assert (day[35:] == np.float32(0.2)).all()


def test_a_vacant_home_reads_no_more_than_its_lowest_tenth():
    panel = _flat()
    panel.energy_kwh[0, ::10] = 0.05
    panel.energy_kwh[0, 5::10] = 0.05
    done = inject(panel, CHANGES["vacancy"].change, (Event(0, 40 * 48, 43 * 48),), strength=3)
    assert done.panel.energy_kwh[0, 40 * 48 : 43 * 48] == pytest.approx(np.full(144, 0.05))


def test_a_new_occupant_lives_the_next_homes_life_of_0_7_kwh():
    assert _day_of("new_occupant", 1) == pytest.approx(np.full(48, 0.7))
