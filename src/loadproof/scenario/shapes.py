"""Load shapes by local half hour of the day: what a car, a heat pump, panels and an absence do to a home, in kWh.

Plain functions of arrays ``(..., H)``; times of day and daylight are simple shapes, for they set a change into a real
series and need not simulate it.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from loadproof.limits import half_hour_kwh

__all__ = [
    "HEAT_PUMP_SHAPE",
    "STEPS_A_DAY",
    "base_kwh",
    "charging_kwh",
    "heat_pump_kwh",
    "solar_kwh",
    "taken_over",
    "vacant_kwh",
]

STEPS_A_DAY: Final = 48

_CHARGE_FROM: Final = 37.0  # 18:30, the evening's arrival
_CHARGE_HOURS: Final = 3.0
_DAWN, _DUSK = 14, 34  # 7:00 and 17:00: a London day between winter and equinox

HEAT_PUMP_SHAPE: Final = np.interp(
    np.arange(STEPS_A_DAY), [0, 11, 14, 19, 30, 36, 43, 48], [0.6, 0.7, 1.6, 1.2, 0.8, 1.3, 0.9, 0.6]
)
"""A heat pump's power over its mean by half hour of the day, morning peak first, ``(48,)``.

Source: shape after Love et al. 2017, Applied Energy 204 (morning peak above the evening's); the numbers are ours.
"""


def charging_kwh(
    half_hour: NDArray[Any], *, power_kw: float, from_half_hour: float = _CHARGE_FROM, energy_kwh: float | None = None
) -> NDArray[np.float32]:
    """Return what a charger draws, ``(..., H)``: full power from its start until the car has its energy.

    Args:
        half_hour: Local half hours, 0 to 47, or half hours counted on over midnights, ``(..., H)``.
        power_kw: Of the charger.
        from_half_hour: When the car is plugged in, each day.
        energy_kwh: What a charge takes, at most a day's worth; None for three hours of full power.
    """
    full = half_hour_kwh(power_kw)
    wanted = power_kw * _CHARGE_HOURS if energy_kwh is None else energy_kwh
    plugged = (np.asarray(half_hour) - from_half_hour) % STEPS_A_DAY  # half hours since the plug
    return np.asarray(np.clip(wanted - plugged * full, 0, full), dtype=np.float32)


def heat_pump_kwh(half_hour: NDArray[Any], *, mean_kw: float) -> NDArray[np.float32]:
    """Return what a heat pump draws that takes ``mean_kw`` on average over a day, ``(..., H)``."""
    return np.asarray(half_hour_kwh(mean_kw) * HEAT_PUMP_SHAPE[np.asarray(half_hour)], dtype=np.float32)


def solar_kwh(half_hour: NDArray[Any], *, noon_kw: float) -> NDArray[np.float32]:
    """Return what panels give that give ``noon_kw`` at noon, ``(..., H)``."""
    day = (np.asarray(half_hour) - _DAWN) / (_DUSK - _DAWN)  # 0 at dawn, 1 at dusk
    share = np.where((day > 0) & (day < 1), np.sin(np.pi * day), 0)
    return np.asarray(half_hour_kwh(noon_kw) * share, dtype=np.float32)


def base_kwh(before: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the lowest tenth of ``before (..., P)``, ``(..., 1)``; 0 where that knows nothing."""
    if not before.shape[-1]:
        return np.zeros((*before.shape[:-1], 1), dtype=np.float32)
    nothing = np.isnan(before).all(axis=-1, keepdims=True)
    low = np.nanquantile(np.where(nothing, 0, before), 0.1, axis=-1, keepdims=True)
    return np.asarray(low, dtype=np.float32)


def vacant_kwh(kwh: NDArray[np.float32], before: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return ``kwh (..., H)`` at no more than the home's base, which ``before (..., P)`` shows."""
    return np.asarray(np.minimum(kwh, base_kwh(before)), dtype=np.float32)


def taken_over(kwh: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return another home's readings in place of ``kwh``, which stays where the other's are missing, ``(..., H)``."""
    return np.where(np.isnan(other), kwh, other)
