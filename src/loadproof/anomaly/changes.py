"""Changes that are no faults: a planner wants to know of them, and not as alarms. Same shape as the faults.

Sizes lie inside what is published; times of day and daylight are simple shapes, for they set a change into a real
series and need not simulate it.
"""

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from loadproof.anomaly.injection import Alteration, Scene, lasting
from loadproof.limits import half_hour_kwh

__all__ = ["CHANGES", "ChangeKind"]

ChangeKind = Literal["ev", "heat_pump", "solar", "vacancy", "new_occupant"]

_FOUR_WEEKS: Final = lasting(28 * 48)

_CHARGE_FROM: Final = 37  # 18:30, the evening's arrival
_CHARGE_HALF_HOURS: Final = 6
_DAWN, _DUSK = 14, 34  # 7:00 and 17:00: a London day between winter and equinox

_HEAT_PUMP_SHAPE: Final = np.interp(
    np.arange(48), [0, 11, 14, 19, 30, 36, 43, 48], [0.6, 0.7, 1.6, 1.2, 0.8, 1.3, 0.9, 0.6]
)
"""A heat pump's power over its mean by half hour of the day, morning peak first.

Source: shape after Love et al. 2017, Applied Energy 204 (morning peak above the evening's); the numbers are ours.
"""


def _ev(scene: Scene) -> NDArray[np.float32]:
    plugged = (scene.half_hour[scene.where] - _CHARGE_FROM) % 48 < _CHARGE_HALF_HOURS  # (L,)
    return scene.now + np.float32(half_hour_kwh(scene.strength)) * plugged.astype(np.float32)


def _heat_pump(scene: Scene) -> NDArray[np.float32]:
    shape = _HEAT_PUMP_SHAPE[scene.half_hour[scene.where]]  # (L,)
    return scene.now + (half_hour_kwh(scene.strength) * shape).astype(np.float32)


def _solar(scene: Scene) -> NDArray[np.float32]:
    day = (scene.half_hour[scene.where] - _DAWN) / (_DUSK - _DAWN)  # (L,), 0 at dawn, 1 at dusk
    share = np.where((day > 0) & (day < 1), np.sin(np.pi * day), 0)
    return np.maximum(scene.now - (half_hour_kwh(scene.strength) * share).astype(np.float32), 0)


def _vacancy(scene: Scene) -> NDArray[np.float32]:
    before = scene.series[max(scene.where.start - 28 * 48, 0) : scene.where.start]
    low = np.nanquantile(before, 0.1) if np.isfinite(before).any() else 0.0
    return np.minimum(scene.now, np.float32(low))


def _new_occupant(scene: Scene) -> NDArray[np.float32]:
    other = scene.donor[scene.where]
    return np.where(np.isnan(other), scene.now, other)


CHANGES: Final[dict[ChangeKind, Alteration]] = {
    "ev": Alteration(_ev, "kW", (3.68, 7.36), _FOUR_WEEKS, daily=True),
    "heat_pump": Alteration(_heat_pump, "kW on average", (0.3, 0.6, 1.2), _FOUR_WEEKS, daily=True),
    "solar": Alteration(_solar, "kW at noon", (0.5, 1, 2), _FOUR_WEEKS, daily=True),
    "vacancy": Alteration(_vacancy, "days", (3, 7, 28), lambda days: round(days * 48), daily=True),
    "new_occupant": Alteration(_new_occupant, "homes", (1,), _FOUR_WEEKS, daily=True),
}
"""Things that happen to a home: a car that charges each evening, a heat pump, panels on the roof, nobody at home (its
lowest tenth of readings), somebody else's life."""
