"""One home over a clock's minutes, appliance by appliance; the meter reads their sum."""

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np

from loadproof.limits import NOMINAL_VOLTAGE_V, SERVICE_FUSE_A
from loadproof.samples.appliances import (
    Scene,
    cooking_w,
    dishwasher_w,
    fridge_w,
    kettle_w,
    laundry_w,
    lighting_w,
    screens_w,
    standby_w,
)
from loadproof.samples.clock import Clock
from loadproof.samples.heating import car_w, heating_w, portable_heater_w, shower_w, water_w
from loadproof.samples.homes import Home
from loadproof.samples.people import draw_away_days, simulate_presence
from loadproof.samples.pulses import BoolArray, IntArray
from loadproof.samples.weather import Weather

__all__ = ["APPLIANCES", "Appliance", "meter_w", "simulate_home"]

FUSE_W = round(NOMINAL_VOLTAGE_V * SERVICE_FUSE_A)

Appliance = Literal[
    "standby",
    "fridge",
    "lighting",
    "screens",
    "kettle",
    "cooking",
    "laundry",
    "dishwasher",
    "shower",
    "heating",
    "portable_heater",
    "water",
    "car",
]

APPLIANCES: dict[Appliance, Callable[..., IntArray]] = {
    "standby": standby_w,
    "fridge": fridge_w,
    "lighting": lighting_w,
    "screens": screens_w,
    "kettle": kettle_w,
    "cooking": cooking_w,
    "laundry": laundry_w,
    "dishwasher": dishwasher_w,
    "shower": shower_w,
    "heating": heating_w,
    "portable_heater": portable_heater_w,
    "water": water_w,
    "car": car_w,
}


def simulate_home(
    home: Home, clock: Clock, weather: Weather, *, rng: np.random.Generator, vacant: BoolArray | None = None
) -> dict[Appliance, IntArray]:
    """Return the power of each appliance, watts ``(M,)``, zeros where the home has none.

    Each appliance draws from its own child of ``rng``, so that a change to one leaves the others as they were.

    Args:
        home: What it owns and who lives there.
        clock: The minutes; M of them.
        weather: The hours of the same clock.
        rng: Chance.
        vacant: Local days ``(D,)`` on which the home stands empty, beside those that its people spend away.
    """
    away_rng, presence_rng, *children = rng.spawn(2 + len(APPLIANCES))
    away = draw_away_days(clock, home.trips_per_year, rng=away_rng)
    if vacant is not None:
        away = away | vacant
    scene = Scene(clock, weather, simulate_presence(home.persons, clock, away, rng=presence_rng))
    power_w = {
        name: draw(home, scene, rng=child) for (name, draw), child in zip(APPLIANCES.items(), children, strict=True)
    }
    if not home.unplugged_when_away:
        return power_w
    plugged_in = (~away[clock.day]).astype(np.int64)  # (M,)
    return {name: values * plugged_in for name, values in power_w.items()}


def meter_w(power_w: dict[Appliance, IntArray]) -> IntArray:
    """Return what the meter of the whole home sees, watts ``(M,)``, never more than the fuse lets through."""
    total_w: IntArray = np.sum(list(power_w.values()), axis=0)
    return np.minimum(total_w, FUSE_W)


assert set(APPLIANCES) == set(get_args(Appliance))
