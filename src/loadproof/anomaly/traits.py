"""What the hours around each reading look like: the features that an isolation forest splits by. F traits."""

from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from loadproof.anomaly.relative import relative_level
from loadproof.anomaly.runs import find_runs
from loadproof.anomaly.usual import Usual, find_slots, steps_per_day, usual_values
from loadproof.baselines.seasonal import home_scale
from loadproof.features.gaps import known_mean, known_std
from loadproof.features.windows import Windows

__all__ = ["TRAITS", "traits_of"]

TRAITS: Final = (
    "distance", "rise", "distance_around", "spread_around", "repeats", "distance_of_day", "absolute_distance_of_day",
    "an_hour_late", "an_hour_early",
)  # fmt: skip
"""Distance from the usual level in spreads; rise of the level since the reading before; mean distance and standard
deviation of levels from three hours before to three after; logarithm of the length of the run of equal readings; and of
the whole day the mean distance, with sign and without, and how much less it is from what is usual an hour before and
after."""

_AROUND_MINS: Final = 180
_LEVEL_FLOOR: Final = 0.3  # the least spread of levels: a third of a reading that is not small


def _around(values: NDArray[np.float32], reach: int) -> NDArray[np.float32]:
    """Return the values up to ``reach`` from each step, of ``(N, reach + H)`` the ``(N, H, 2 reach + 1)``."""
    ended = np.pad(values, ((0, 0), (0, reach)), constant_values=np.nan)  # nothing is known after the day
    return np.asarray(sliding_window_view(ended, 2 * reach + 1, axis=1))


def _nearer(level: NDArray[np.float32], usual: Usual, shift: int) -> NDArray[np.float32]:
    """Return how much nearer levels ``(N, S)`` lie to what is usual ``shift`` steps before, in spreads, ``(N, 1)``."""
    moved = np.roll(usual.median, shift, axis=1)
    moved[:, slice(None, shift) if shift > 0 else slice(shift, None)] = np.nan
    here = np.abs(level - usual.median) / usual.spread
    there = np.abs(level - moved) / usual.spread
    return (known_mean(np.where(np.isnan(there), np.float32(np.nan), here)) - known_mean(there))[:, None]


def traits_of(windows: Windows) -> NDArray[np.float32]:
    """Return the traits of each half hour of the day, in the order of ``TRAITS``, ``(N, H, F)``.

    A trait that cannot be told, for want of readings, is 0: as on a usual day.

    Raises:
        ConfigError: When the context is shorter than a week.
    """
    inputs = windows.inputs
    c, h = inputs.context_kwh.shape[1], inputs.horizon_steps
    reach = max(_AROUND_MINS // inputs.interval_mins, 1)
    kwh = np.concatenate([inputs.context_kwh, windows.truth_kwh], axis=1)  # (N, C + H)
    level = relative_level(kwh, home_scale(inputs))
    slots = [find_slots(inputs, -reach, h, day_types=day_types) for day_types in (True, False)]
    usual = usual_values(level[:, :c], slots)  # (N, reach + H)
    usual = Usual(usual.median, np.maximum(usual.spread, np.float32(_LEVEL_FLOOR)))
    near = level[:, c - reach :]  # (N, reach + H)
    distance = (near - usual.median) / usual.spread
    levels_around = _around(near, reach)  # (N, H, 2 reach + 1)
    of_day = Usual(usual.median[:, reach:], usual.spread[:, reach:])  # (N, H)
    hour, week = max(60 // inputs.interval_mins, 1), 7 * steps_per_day(inputs)
    columns = [
        distance[:, reach:],
        level[:, c:] - level[:, c - 1 : -1],
        known_mean(_around(distance, reach)),
        known_std(levels_around, known_mean(levels_around)),
        np.log(np.maximum(find_runs(kwh[:, c - week :]).whole(week), 1)),
        known_mean(distance[:, reach:])[:, None],
        known_mean(np.abs(distance[:, reach:]))[:, None],
        _nearer(level[:, c:], of_day, hour),
        _nearer(level[:, c:], of_day, -hour),
    ]
    return np.nan_to_num(np.stack([np.broadcast_to(x, (len(windows), h)) for x in columns], axis=-1, dtype=np.float32))
