"""What warms rooms and water, and what charges the car: few homes have it, and it makes their peaks.

Each function returns one load's power, watts ``(M,)``, from the home and its scene.
"""

import numpy as np

from loadproof.samples.appliances import Scene
from loadproof.samples.clock import DAY_MINS
from loadproof.samples.homes import Home
from loadproof.samples.pulses import BoolArray, FloatArray, IntArray, chance_blocks, pulses

__all__ = ["car_w", "heating_w", "portable_heater_w", "shower_w", "water_w"]

# Night rate of a two-rate meter: seven hours that keep Greenwich time all year.
NIGHT_START_MINS = -30
NIGHT_MINS = 420
COLDEST_DEGC = 0.0  # heating is sized for a day as cold as this


def heating_w(home: Home, scene: Scene, *, rng: np.random.Generator) -> IntArray:
    """Return a boiler's pump, panel heaters under a thermostat, or storage heaters that charge by night."""
    need = _need(home, scene)  # (M,)
    if home.heating == "storage":
        return _storage_w(home, scene, need)
    at_night = 0.2 if home.heating == "panels" else 0.08
    wanted = np.where(_is_warm_wanted(scene), 1.0, at_night) * need
    block_mins = 10 if home.heating == "boiler" else 4
    return home.heating_w * (chance_blocks(scene.clock.n_mins, block_mins, rng=rng) < wanted).astype(np.int64)


def portable_heater_w(home: Home, scene: Scene, *, rng: np.random.Generator) -> IntArray:
    """Return a fan heater, on for some evenings and cold mornings."""
    cold = np.clip((_daily_degc(scene) - 10) / -10, 0, 1)  # (M,)
    start = np.flatnonzero(rng.random(scene.clock.n_mins) < cold * (scene.presence.awake > 0) * 0.35 / 60)
    duration = rng.integers(15, 120, len(start))
    running = pulses(scene.clock.n_mins, start, duration, 1) > 0
    return home.portable_heater_w * (running & (scene.presence.awake > 0)).astype(np.int64)


def shower_w(home: Home, scene: Scene, *, rng: np.random.Generator) -> IntArray:
    """Return the electric shower, a few minutes a person, mostly after rising."""
    presence = scene.presence
    shape = presence.wake_mins.shape  # (D, P)
    morning = presence.wake_mins + rng.integers(5, 25, shape)
    evening = presence.bed_mins - rng.integers(20, 120, shape)
    start = scene.clock.day_start[:, None] + np.where(rng.random(shape) < 0.75, morning, evening)
    showers = (rng.random(shape) < 0.7) & ~presence.away[:, None]
    power_w = pulses(scene.clock.n_mins, start[showers], rng.integers(4, 10, shape)[showers], home.shower_w)
    return np.minimum(power_w, home.shower_w)


def water_w(home: Home, scene: Scene, *, rng: np.random.Generator) -> IntArray:
    """Return the immersion heater: on a timer before breakfast, or at the start of the night rate."""
    clock = scene.clock
    per_person_mins = rng.gamma(6.0, 4.0, clock.n_days + 1)  # (D,)
    duration = np.clip(10 + per_person_mins * len(scene.presence.wake_mins[0]), 10, 150).astype(np.int64)
    if home.heating == "storage":
        start = np.arange(clock.n_days + 1) * DAY_MINS + NIGHT_START_MINS
    else:
        start = clock.day_start + min(person.wake_mins for person in home.persons) - 60
    at_home = ~scene.presence.away
    return pulses(clock.n_mins, start[at_home], duration[at_home], home.immersion_w)


def car_w(home: Home, scene: Scene, *, rng: np.random.Generator) -> IntArray:
    """Return the car's charger, plugged in on coming home or, in some homes, set to start at half past midnight."""
    if home.car_w == 0:
        return np.zeros(scene.clock.n_mins, dtype=np.int64)
    n_days = scene.clock.n_days + 1
    waits = home.dinner_mins % 3 == 0
    back = scene.presence.back_mins[:, 0]
    start = scene.clock.day_start + np.where(waits, DAY_MINS + 30, back + rng.integers(3, 30, n_days))
    energy_wh = np.clip(rng.gamma(3.0, 2600, n_days), 1000, 22000)
    duration = np.rint(60 * energy_wh / home.car_w).astype(np.int64)
    charges = (rng.random(n_days) < 0.6) & ~scene.presence.away
    power_w = pulses(scene.clock.n_mins, start[charges], duration[charges], home.car_w)
    return np.minimum(power_w, home.car_w)


def _daily_degc(scene: Scene) -> FloatArray:
    """Return the mean temperature of the day before each minute ``(M,)``: walls are slow."""
    degc = scene.weather.temperature_degc
    running = np.cumsum(np.concatenate([np.full(24, degc[:24].mean()), degc]))
    return np.repeat((running[24:] - running[:-24]) / 24, 60)


def _need(home: Home, scene: Scene) -> FloatArray:
    """Return how much of its rated power the heating needs, 0 to 1 ``(M,)``."""
    return np.clip((home.warm_degc - _daily_degc(scene)) / (home.warm_degc - COLDEST_DEGC), 0, 1)


def _is_warm_wanted(scene: Scene) -> BoolArray:
    """Return whether somebody is up, or will be within three quarters of an hour ``(M,)``."""
    up: BoolArray = scene.presence.awake > 0
    soon: BoolArray = np.concatenate([up[45:], np.zeros(45, dtype=bool)])
    wanted: BoolArray = up | soon
    return wanted


def _storage_w(home: Home, scene: Scene, need: FloatArray) -> IntArray:
    """Return three storage heaters; the coldest nights charge all of them to the end of the night rate."""
    clock = scene.clock
    start = np.arange(clock.n_days) * DAY_MINS + NIGHT_START_MINS
    need_of_night = need[np.maximum(start, 0)]  # (days,)
    total_w = np.zeros(clock.n_mins, dtype=np.int64)
    for keenness in (0.8, 1.1, 1.5):
        duration = np.rint(NIGHT_MINS * np.minimum(keenness * need_of_night, 1)).astype(np.int64)
        total_w += pulses(clock.n_mins, start, duration, home.heating_w // 3)
    return total_w
