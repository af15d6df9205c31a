"""Changes that are no faults: a planner wants to know of them, and not as alarms. Same shape as the faults.

Sizes lie inside what is published; the shapes are those of the scenarios.
"""

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from loadproof.anomaly.injection import Alteration, Scene, lasting
from loadproof.scenario.shapes import charging_kwh, heat_pump_kwh, solar_kwh, taken_over, vacant_kwh

__all__ = ["CHANGES", "ChangeKind"]

ChangeKind = Literal["ev", "heat_pump", "solar", "vacancy", "new_occupant"]

_FOUR_WEEKS: Final = lasting(28 * 48)


def _ev(scene: Scene) -> NDArray[np.float32]:
    return scene.now + charging_kwh(scene.half_hour[scene.where], power_kw=scene.strength)


def _heat_pump(scene: Scene) -> NDArray[np.float32]:
    return scene.now + heat_pump_kwh(scene.half_hour[scene.where], mean_kw=scene.strength)


def _solar(scene: Scene) -> NDArray[np.float32]:
    given = solar_kwh(scene.half_hour[scene.where], noon_kw=scene.strength)
    return np.asarray(np.maximum(scene.now - given, 0), dtype=np.float32)


def _vacancy(scene: Scene) -> NDArray[np.float32]:
    return vacant_kwh(scene.now, scene.series[max(scene.where.start - 28 * 48, 0) : scene.where.start])


def _new_occupant(scene: Scene) -> NDArray[np.float32]:
    return taken_over(scene.now, scene.donor[scene.where])


CHANGES: Final[dict[ChangeKind, Alteration]] = {
    "ev": Alteration(_ev, "kW", (3.68, 7.36), _FOUR_WEEKS, daily=True),
    "heat_pump": Alteration(_heat_pump, "kW on average", (0.3, 0.6, 1.2), _FOUR_WEEKS, daily=True),
    "solar": Alteration(_solar, "kW at noon", (0.5, 1, 2), _FOUR_WEEKS, daily=True),
    "vacancy": Alteration(_vacancy, "days", (3, 7, 28), lambda days: round(days * 48), daily=True),
    "new_occupant": Alteration(_new_occupant, "homes", (1,), _FOUR_WEEKS, daily=True),
}
"""Things that happen to a home: a car that charges each evening, a heat pump, panels on the roof, nobody at home (its
lowest tenth of readings), somebody else's life."""
