"""What people switch on: light, screens, kettle, cooking, washing; and what runs without them: standby, fridges.

Each function returns one appliance's power, watts ``(M,)``, from the home and its scene.
"""

from typing import NamedTuple

import numpy as np

from loadproof.samples.clock import Clock
from loadproof.samples.homes import Home
from loadproof.samples.people import Presence
from loadproof.samples.pulses import BoolArray, FloatArray, IntArray, chance_blocks, pulses
from loadproof.samples.weather import Weather

__all__ = [
    "Scene",
    "cooking_w",
    "dishwasher_w",
    "fridge_w",
    "kettle_w",
    "laundry_w",
    "lighting_w",
    "screens_w",
    "standby_w",
]

TELEVISION_SHARE = 0.75  # of evenings
ROAST_SHARE = 0.3  # of Sundays, and every Christmas Day


class Scene(NamedTuple):
    """What all appliances of a home share."""

    clock: Clock
    weather: Weather
    presence: Presence


def standby_w(home: Home, scene: Scene, *, rng: np.random.Generator) -> IntArray:
    """Return what is never switched off; its level drifts from day to day as things are left on."""
    daily = np.exp(0.12 * rng.standard_normal(scene.clock.n_days + 1))  # (D,)
    daily_w: IntArray = np.rint(home.standby_w * daily).astype(np.int64)  # (D,)
    return daily_w[scene.clock.day]


def fridge_w(home: Home, scene: Scene, *, rng: np.random.Generator) -> IntArray:
    """Return the compressors of all fridges and freezers."""
    n_mins = scene.clock.n_mins
    total_w = np.zeros(n_mins, dtype=np.int64)
    for fridge in home.fridges:
        n_cycles = 2 * n_mins // (fridge.on_mins + fridge.off_mins) + 2
        wobble = np.maximum(1 + 0.15 * rng.standard_normal((2, n_cycles)), 0.3)
        on = np.rint(fridge.on_mins * wobble[0]).astype(np.int64)
        off = np.rint(fridge.off_mins * wobble[1]).astype(np.int64)
        start = np.cumsum(on + off) - (on + off) - int(rng.integers(0, fridge.on_mins + fridge.off_mins))
        total_w += pulses(n_mins, start, on, fridge.power_w)
    return total_w


def lighting_w(home: Home, scene: Scene, *, rng: np.random.Generator) -> IntArray:
    """Return light: as much as it is dark, and as there are people to see by it."""
    gloom_deg = 5 * np.repeat(scene.weather.cloud_share, 60)  # clouds bring the lamps on while the sun is up
    darkness = np.clip((4 + gloom_deg - scene.clock.sun_elevation_deg) / 10, 0, 1)
    rooms = np.minimum(scene.presence.awake, 4)
    lit_share = np.where(rooms > 0, 0.25 + 0.15 * rooms, 0) * (0.3 + 1.0 * chance_blocks(len(rooms), 25, rng=rng))
    return np.rint(home.lighting_w * darkness * np.minimum(lit_share, 1)).astype(np.int64)


def screens_w(home: Home, scene: Scene, *, rng: np.random.Generator) -> IntArray:
    """Return the television of an evening, and sessions of other screens; dark when all have left or sleep."""
    clock, presence = scene.clock, scene.presence
    n_days = clock.n_days + 1
    watches = rng.random(n_days) < TELEVISION_SHARE
    after_dinner = clock.day_start + np.maximum(home.dinner_mins + 20, presence.back_mins.min(axis=1))
    total_w = pulses(clock.n_mins, after_dinner[watches], rng.integers(90, 240, n_days)[watches], home.screen_w)
    start = _switch_on(np.multiply(0.21, presence.awake), rng=rng)
    duration = 30 + rng.gamma(2.0, 45, len(start)).astype(np.int64)
    total_w += pulses(clock.n_mins, start, duration, home.screen_w)
    return np.minimum(total_w, home.screen_w * (1 + len(home.persons))) * (presence.awake > 0)


def kettle_w(home: Home, scene: Scene, *, rng: np.random.Generator) -> IntArray:
    """Return the kettle, for a cup or a pot."""
    awake = scene.presence.awake
    start = _switch_on(np.where(awake > 0, 0.14 + 0.13 * awake, 0), rng=rng)
    power_w = 2200 + 100 * (len(home.persons) + home.dinner_mins % 5)
    return np.minimum(pulses(scene.clock.n_mins, start, rng.integers(1, 5, len(start)), power_w), power_w)


def cooking_w(home: Home, scene: Scene, *, rng: np.random.Generator) -> IntArray:
    """Return toaster and microwave, and hob and oven where they are electric."""
    clock, presence = scene.clock, scene.presence
    n_days = clock.n_days + 1
    sunday_roast = ~clock.is_workday & (rng.random(n_days) < ROAST_SHARE / 2)
    sunday_roast |= clock.day_of_year == 359  # Christmas Day, but for leap years
    breakfast = presence.wake_mins.min(axis=1) + rng.integers(10, 45, n_days)
    lunch = 755 + np.rint(55 * rng.standard_normal(n_days)).astype(np.int64)
    dinner = home.dinner_mins + np.rint(24 * rng.standard_normal(n_days)).astype(np.int64)
    dinner = np.maximum(dinner, presence.back_mins.min(axis=1) + 10)
    warms_up = rng.random(n_days)
    cooks = rng.random(n_days) < home.cooks_share

    total_w = _at(breakfast, rng.random(n_days) < 0.7, rng.integers(3, 9, n_days), 1200, scene)
    total_w += _at(lunch, warms_up < 0.6, rng.integers(3, 12, n_days), 1300, scene)
    total_w += _at(dinner, ~cooks & (warms_up < 0.8), rng.integers(3, 12, n_days), 1300, scene)
    hob = rng.random(n_days) < 0.8
    total_w += _at(lunch, warms_up < 0.3, rng.integers(8, 20, n_days), home.hob_w, scene)
    total_w += _at(dinner, cooks & hob, rng.integers(15, 50, n_days), home.hob_w, scene)
    oven = cooks & (~hob | (rng.random(n_days) < 0.5))
    total_w += _oven_w(dinner - 15, oven, rng.integers(25, 70, n_days), home, scene)
    total_w += _oven_w(lunch - 20, sunday_roast, rng.integers(80, 150, n_days), home, scene)
    return total_w


def laundry_w(home: Home, scene: Scene, *, rng: np.random.Generator) -> IntArray:
    """Return washing machine and tumble dryer: heat, turn, spin; then dry what is not hung up."""
    n_days, n_mins = scene.clock.n_days + 1, scene.clock.n_mins
    washes = rng.random(n_days) < np.where(scene.clock.is_workday, 0.85, 1.35) * home.washes_per_week / 7
    start = _when_at_home(washes, (450, 1260), scene, rng=rng)
    heat = rng.integers(9, 24, len(start))
    total_w = pulses(n_mins, start + 4, heat, 2000)
    total_w += pulses(n_mins, start, heat + 50, 110)
    total_w += pulses(n_mins, start + heat + 50, 9, 420)
    winter_mins = np.abs(scene.clock.day_of_year[scene.clock.day[np.clip(start, 0, n_mins - 1)]] - 183)
    dries = rng.random(len(start)) < home.dries_share * (0.6 + winter_mins / 300)
    dry_start = (start + heat + 60 + rng.integers(2, 40, len(start)))[dries]
    return total_w + pulses(n_mins, dry_start, rng.integers(35, 85, len(dry_start)), 2300)


def dishwasher_w(home: Home, scene: Scene, *, rng: np.random.Generator) -> IntArray:
    """Return the dishwasher: two heats, and pumping between; mostly after dinner."""
    n_days, n_mins = scene.clock.n_days + 1, scene.clock.n_mins
    runs = rng.random(n_days) < home.dishwasher_share
    late = rng.random(n_days) < 0.7
    dinner_ends = home.dinner_mins + 60
    start = np.concatenate([
        _when_at_home(runs & late, (dinner_ends, dinner_ends + 120), scene, rng=rng),
        _when_at_home(runs & ~late, (500, 1000), scene, rng=rng),
    ])  # fmt: skip
    total_w = pulses(n_mins, start, 75, 60)
    return total_w + pulses(n_mins, start + 8, 14, 1900) + pulses(n_mins, start + 52, 12, 1900)


def _switch_on(per_hour: FloatArray, *, rng: np.random.Generator) -> IntArray:
    """Return the minutes at which something is switched on, of a rate per hour ``(M,)``."""
    return np.flatnonzero(rng.random(len(per_hour)) < per_hour / 60)


def _at(mins: IntArray, happens: BoolArray, duration: IntArray, power_w: int, scene: Scene) -> IntArray:
    """Return pulses at local ``mins`` of the days on which it ``happens`` and somebody is up, all ``(D,)``."""
    start = scene.clock.day_start + mins
    up = scene.presence.awake[np.clip(start, 0, scene.clock.n_mins - 1)] > 0
    chosen = happens & up
    return pulses(scene.clock.n_mins, start[chosen], duration[chosen], power_w)


def _oven_w(mins: IntArray, happens: BoolArray, duration: IntArray, home: Home, scene: Scene) -> IntArray:
    """Return an oven that heats up for ten minutes and then keeps its heat, one minute on and two off."""
    total_w = _at(mins, happens, np.full_like(mins, 10), home.oven_w, scene)
    for after in range(12, 150, 3):
        total_w += _at(mins + after, happens & (duration > after), np.ones_like(mins), home.oven_w, scene)
    return total_w


def _when_at_home(
    happens: BoolArray, between_mins: tuple[int, int], scene: Scene, *, rng: np.random.Generator
) -> IntArray:
    """Return a minute of the grid on each day that it ``happens``, when somebody is up; no such minute, no event."""
    tries = scene.clock.day_start[happens] + rng.integers(*between_mins, size=(6, int(happens.sum())))  # (6, days)
    up = scene.presence.awake[np.clip(tries, 0, scene.clock.n_mins - 1)] > 0
    chosen: IntArray = tries[up.argmax(axis=0), np.arange(tries.shape[1])]
    found: BoolArray = up.any(axis=0)
    minutes: IntArray = chosen[found]
    return minutes
