"""A window's usual day: its scale, and the mean and spread of each half hour over its context."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.baselines.seasonal import home_scale, mean_known
from loadproof.features.windows import Inputs

__all__ = ["Profile", "profile_of", "steps_in_day", "steps_per_day"]

_DAY_MINS: Final = 24 * 60


class Profile(NamedTuple):
    """The usual day in multiples of the home's scale, S steps of which phase 0 is that of ``t0``."""

    scale_kwh: NDArray[np.float32]  # (N,)
    mean: NDArray[np.float32]  # of the same half hour (N, S)
    deviation: NDArray[np.float32]  # standard deviation of the same half hour (N, S)


def steps_in_day(interval_mins: int) -> int:
    """Return S, the steps in 24 hours."""
    return _DAY_MINS // interval_mins


def steps_per_day(inputs: Inputs) -> int:
    """Return S of these windows."""
    return steps_in_day(inputs.interval_mins)


def profile_of(inputs: Inputs) -> Profile:
    """Return the usual day of every window; a half hour never known has the mean and spread of all."""
    per_day = steps_per_day(inputs)
    n, c = inputs.context_kwh.shape
    scale = home_scale(inputs)  # (N,)
    scaled = inputs.context_kwh / scale[:, None]  # (N, C)
    days = scaled[:, c % per_day :].reshape(n, c // per_day, per_day)  # (N, D, S)
    overall = mean_known(scaled, axis=1)[:, None]  # (N, 1)
    mean = mean_known(days, axis=1)  # (N, S)
    mean = np.where(np.isnan(mean), overall, mean)
    variance = mean_known((days - mean[:, None]) ** 2, axis=1)  # (N, S)
    overall_variance = mean_known((scaled - overall) ** 2, axis=1)[:, None]  # (N, 1)
    return Profile(scale, mean, np.sqrt(np.where(np.isnan(variance), overall_variance, variance)))
