"""Power on a minute grid in whole watts, and the energy of half hours in whole watt-hours.

Whole numbers add up to the same sum in any order, so that a sample has the same bytes wherever it is written.
"""

import numpy as np
import numpy.typing as npt

__all__ = ["BoolArray", "FloatArray", "IntArray", "chance_blocks", "half_hour_energy_wh", "pulses"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

HALF_HOUR_MINS = 30


def pulses(n_mins: int, start: IntArray, duration_mins: IntArray | int, power_w: IntArray | int) -> IntArray:
    """Return the power of rectangular pulses; what lies outside the grid is cut, what overlaps adds up.

    Args:
        n_mins: Length of the grid, M minutes.
        start: First minute of each pulse, any shape; it may lie before or after the grid.
        duration_mins: Length of each pulse, minutes.
        power_w: Height of each pulse, watts.

    Returns:
        Mean power of each minute, watts ``(M,)``.
    """
    first, duration, height = np.broadcast_arrays(start, duration_mins, power_w)
    change_w = np.zeros(n_mins + 1, dtype=np.int64)
    np.add.at(change_w, np.clip(first, 0, n_mins).ravel(), height.ravel())
    np.subtract.at(change_w, np.clip(first + duration, 0, n_mins).ravel(), height.ravel())
    return np.cumsum(change_w[:-1])


def chance_blocks(n_mins: int, block_mins: int, *, rng: np.random.Generator) -> FloatArray:
    """Return uniform chance that changes every ``block_mins`` only, ``(M,)``: a thermostat does not flicker."""
    return np.repeat(rng.random(-(-n_mins // block_mins)), block_mins)[:n_mins]


def half_hour_energy_wh(power_w: IntArray) -> IntArray:
    """Return the energy of each half hour, watt-hours ``(T,)``, rounded half up, of power in watts ``(M,)``."""
    watt_mins: IntArray = power_w.reshape(-1, HALF_HOUR_MINS).sum(axis=1)  # (T,)
    return (watt_mins + 30) // 60
