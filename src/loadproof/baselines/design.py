"""What a linear regression sees of a window: all in multiples of the home's scale.

F inputs of the regression, L steps of lookback, S steps a day.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.baselines.profile import Profile, profile_of, steps_in_day, steps_per_day
from loadproof.baselines.seasonal import mean_known
from loadproof.features.windows import KNOWN_NAMES, Inputs

__all__ = ["Design", "design_of", "width_of"]

_WEEKDAYS: Final = 7
_WEATHER_UNIT: Final = np.float32(10)
"""Weather enters in tens of its unit, so that a penalty weighs on it as on the rest."""


class Design(NamedTuple):
    """The inputs of a regression, of which the first is the constant, and what its answer departs from."""

    inputs: NDArray[np.float64]  # (N, F)
    base: NDArray[np.float32]  # mean of the same half hour (N, H)
    profile: Profile
    gaps: NDArray[np.bool_]  # whether a reading of the lookback is missing (N,)


def _calendar(inputs: Inputs) -> NDArray[np.float64]:
    """Return the weekday of ``t0`` as seven of 0 or 1, and the weather known ahead as its mean, ``(N, 7 + W)``."""
    origins = inputs.by_origin()
    weekday = origins.known[:, 0, KNOWN_NAMES.index("local_weekday")].astype(np.int64)  # (O,)
    weather = mean_known(origins.known[:, :, len(KNOWN_NAMES) :], axis=1) / _WEATHER_UNIT  # (O, W)
    return np.hstack([np.eye(_WEEKDAYS)[weekday], np.nan_to_num(weather)])[origins.at]


def width_of(lookback_steps: int, *, interval_mins: int, n_known: int) -> int:
    """Return F, the inputs that :func:`design_of` makes of windows with so many features known."""
    per_day = steps_in_day(interval_mins)
    return 1 + lookback_steps + lookback_steps // per_day + per_day + 1 + _WEEKDAYS + n_known - len(KNOWN_NAMES)


def design_of(inputs: Inputs, lookback_steps: int) -> Design:
    """Return the design of every window from its last published ``lookback_steps``, whole days within its context.

    A missing reading deviates by 0 from the mean of its half hour; its day's share of missing ones is an input too.
    """
    n, c = inputs.context_kwh.shape
    per_day = steps_per_day(inputs)
    profile = profile_of(inputs)
    at = np.arange(c - inputs.data_lag_steps - lookback_steps, c - inputs.data_lag_steps)  # (L,)
    usual = profile.mean[:, (at - c) % per_day]  # (N, L)
    deviations = inputs.context_kwh[:, at] / profile.scale_kwh[:, None] - usual  # (N, L)
    missing = np.isnan(deviations)
    deviations[missing] = 0
    by_day = missing.reshape(n, lookback_steps // per_day, per_day).mean(axis=2)  # (N, L / S)
    level = profile.mean.mean(axis=1, keepdims=True)  # (N, 1)
    blocks = [np.ones((n, 1)), deviations, by_day, profile.mean - level, level, _calendar(inputs)]
    base = profile.mean[:, np.arange(inputs.horizon_steps) % per_day]  # (N, H)
    return Design(np.hstack(blocks, dtype=np.float64), base, profile, missing.any(axis=1))
