"""The days of a panel as windows: one per home and UK local day, judged by itself."""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from loadproof.features.calendar import Moment, local_date, local_midnights, to_instant
from loadproof.features.panel import Panel
from loadproof.features.place import LONDON, Place
from loadproof.features.weather import Weather
from loadproof.features.windows import Inputs, Windows, cut_windows

__all__ = ["CONTEXT_DAYS", "beyond_day", "cut_days", "cut_learning_days"]

CONTEXT_DAYS: Final = 28
"""Days before a day that it is held against."""


def beyond_day(inputs: Inputs) -> NDArray[np.bool_]:
    """Return which steps of windows are no more of the local day on which they begin, ``(N, H)``."""
    origins, at = np.unique(inputs.t0, return_inverse=True)  # (O,), (N,)
    ahead = np.arange(inputs.horizon_steps) * np.timedelta64(inputs.interval_mins, "m")
    other = local_date(origins[:, None] + ahead) != local_date(origins)[:, None]  # (O, H)
    return np.asarray(other[at])


def cut_days(
    panel: Panel, first: Moment, last: Moment, *, context_steps: int | None = None, require_truth: bool = True,
    every: int = 1, weather: Weather | None = None, place: Place = LONDON,
) -> Windows:  # fmt: skip
    """Cut one window for each home and local day from ``first`` to before ``last``.

    A day has 24 hours of steps here: on the day of 23 hours the last hour, which is the next day's, is blank, and of
    the day of 25 hours the last hour is judged by nobody.

    Args:
        panel: The series.
        first: First moment; a midnight that falls on it is in.
        last: Moment after the last; a midnight that falls on it is out.
        context_steps: C; ``CONTEXT_DAYS`` unless told.
        require_truth: Whether a day needs a reading; false to hear of whole days missing.
        every: Take one day of so many, the first among them.
        weather: The weather to know, if any.
        place: Where the homes stand.
    """
    day_steps = 24 * 60 // panel.interval_mins
    context = CONTEXT_DAYS * day_steps if context_steps is None else context_steps
    midnights = local_midnights(to_instant(first), last)[::every]
    windows = cut_windows(
        panel, context_steps=context, horizon_steps=day_steps, origins=midnights, require_truth=require_truth,
        weather=weather, place=place,
    )  # fmt: skip
    other = beyond_day(windows.inputs)
    if not other.any():
        return windows
    return replace(windows, truth_kwh=np.where(other, np.float32(np.nan), windows.truth_kwh))


def cut_learning_days(
    panel: Panel, first: Moment, last: Moment, *, most: int, weather: Weather | None = None, place: Place = LONDON
) -> Windows:
    """Cut about ``most`` windows at most to learn from: every so many days of all homes, each weekday among them.

    Args:
        panel: The series.
        first: First moment.
        last: Moment after the last.
        most: How many windows.
        weather: The weather to know, if any.
        place: Where the homes stand.
    """
    days = len(local_midnights(to_instant(first), last))
    every = max(-(-days * len(panel.entities) // most), 1)
    return cut_days(panel, first, last, every=every + (every % 7 == 0), weather=weather, place=place)
