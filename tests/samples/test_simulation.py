"""Simulated homes obey physics and the habits that they were given."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

from loadproof.samples.clock import build_clock
from loadproof.samples.homes import draw_home
from loadproof.samples.people import Person, simulate_presence
from loadproof.samples.pulses import half_hour_energy_wh, pulses
from loadproof.samples.simulation import FUSE_W, meter_w, simulate_home
from loadproof.samples.weather import simulate_weather
from loadproof.seeds import rng_for


@pytest.fixture(scope="module")
def autumn():
    clock = build_clock(dt.date(2013, 10, 1), 61)
    return clock, simulate_weather(clock, rng=rng_for(1, "weather"))


@pytest.fixture(scope="module")
def home():
    return replace(draw_home(rng=rng_for(3, "home")), unplugged_when_away=False, heating="boiler", trips_per_year=0.0)


def test_a_kettle_of_3_kw_for_two_minutes_is_100_watt_hours():
    power_w = pulses(60, np.array([10]), 2, 3000)
    assert half_hour_energy_wh(power_w).tolist() == [100, 0]


def test_pulses_are_cut_at_both_ends_and_add_up_where_they_overlap():
    power_w = pulses(6, np.array([-1, 1, 5]), np.array([3, 2, 9]), np.array([10, 100, 1000]))
    assert power_w.tolist() == [10, 110, 100, 0, 0, 1000]


def test_energy_is_rounded_half_up_to_the_watt_hour():
    assert half_hour_energy_wh(np.full(30, 1)).tolist() == [1]  # 0.5 Wh
    assert half_hour_energy_wh(np.array([29] + [0] * 29)).tolist() == [0]


def test_people_rise_by_the_clock_on_the_wall_so_an_hour_later_in_utc_after_26_october(autumn):
    clock, _ = autumn
    person = Person("worker", wake_mins=420, leave_mins=480, back_mins=1080, bed_mins=1380)
    away = np.zeros(62, dtype=bool)
    awake = simulate_presence((person,), clock, away, rng=rng_for(1, "x")).awake.reshape(61, 1440)
    rise = awake.argmax(axis=1)  # first minute up, UTC
    workdays = clock.is_workday[:61]
    before, after = rise[:26][workdays[:26]], rise[26:][workdays[26:]]
    assert np.median(before) == pytest.approx(6 * 60, abs=15)
    assert np.median(after) - np.median(before) == pytest.approx(60, abs=15)


def test_nobody_is_awake_on_days_away_and_only_standby_and_cold_run(autumn, home):
    clock, weather = autumn
    vacant = np.zeros(62, dtype=bool)
    vacant[10:20] = True
    power_w = simulate_home(home, clock, weather, rng=rng_for(5, "home"), vacant=vacant)
    days = slice(clock.day_start[11], clock.day_start[19])
    for name in ("kettle", "screens", "lighting", "shower", "portable_heater"):
        assert power_w[name][days].max() == 0
    assert power_w["fridge"][days].max() > 0


def test_a_change_to_one_appliance_leaves_the_others_as_they_were(autumn, home):
    with_hob = simulate_home(replace(home, hob_w=1500), *autumn, rng=rng_for(5, "home"))
    without = simulate_home(replace(home, hob_w=0), *autumn, rng=rng_for(5, "home"))
    assert with_hob["cooking"].sum() > without["cooking"].sum()
    for name in set(with_hob) - {"cooking"}:
        np.testing.assert_array_equal(with_hob[name], without[name])


def test_storage_heaters_charge_only_from_half_past_eleven_to_half_past_six_greenwich_time(autumn, home):
    clock, weather = autumn
    power_w = simulate_home(replace(home, heating="storage", heating_w=3000), clock, weather, rng=rng_for(5, "home"))
    charging = np.flatnonzero(power_w["heating"]) % 1440
    assert len(charging) > 0
    assert ((charging >= 1410) | (charging < 390)).all()


def test_a_home_draws_more_on_a_cold_day_than_on_a_warm_one(autumn, home):
    clock, weather = autumn
    panels = replace(home, heating="panels", heating_w=3000)
    warm = weather._replace(temperature_degc=np.full_like(weather.temperature_degc, 20.0))
    cold = weather._replace(temperature_degc=np.full_like(weather.temperature_degc, 2.0))
    heat = [simulate_home(panels, clock, w, rng=rng_for(5, "home"))["heating"].mean() for w in (warm, cold)]
    assert heat[0] == 0
    assert 800 < heat[1] < 3000


def test_a_car_takes_between_four_and_twelve_kwh_on_a_day_that_it_charges(autumn, home):
    power_w = simulate_home(replace(home, car_w=7400, dinner_mins=1100), *autumn, rng=rng_for(5, "home"))["car"]
    starts = (np.diff(power_w) > 0).sum()
    assert power_w.max() == 7400
    assert 4 < power_w.sum() / 60_000 / starts < 12


def test_no_half_hour_passes_the_fuse_even_where_everything_runs_at_once():
    assert half_hour_energy_wh(meter_w({"heating": np.full(30, 40_000), "car": np.full(30, 7400)})).tolist() == [11_500]
    assert FUSE_W == 100 * 230


def test_fifty_homes_use_what_british_homes_use():
    clock = build_clock(dt.date(2013, 1, 7), 28)
    weather = simulate_weather(clock, rng=rng_for(1, "weather"))
    energy_wh = []
    for number in range(50):
        rng = rng_for(1, f"home/{number}")
        energy_wh.append(half_hour_energy_wh(meter_w(simulate_home(draw_home(rng=rng), clock, weather, rng=rng))))
    fleet = np.array(energy_wh) / 1000  # (homes, T)
    assert 0.2 < fleet.mean() < 0.33  # January: a quarter above the year's 0.21
    assert fleet.max() < 8
    day = fleet.mean(axis=0).reshape(28, 48).mean(axis=0)
    assert 34 <= day[30:46].argmax() + 30 <= 42  # the peak begins from 17:00 to 21:00
    assert day[6:10].mean() < 0.6 * day[34:42].mean()
    assert fleet.mean(axis=1).std() / fleet.mean() > 0.4
