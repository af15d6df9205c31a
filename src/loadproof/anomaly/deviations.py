"""Levels of context and day less what is usual at their half hour: what networks and components are shown."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from loadproof.anomaly.relative import relative_level
from loadproof.anomaly.usual import find_slots, usual_values
from loadproof.baselines.seasonal import home_scale
from loadproof.features.windows import Windows

__all__ = ["deviations", "usual_and_deviations"]


def usual_and_deviations(windows: Windows, *, chunk: int) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Yield the usual level of each step and the level less it, NaN where missing, ``(n, C + H)`` each at a time.

    The usual is the median of the context at the same local half hour, 0 where the context knows nothing.

    Args:
        windows: Days and their contexts.
        chunk: Windows at a time.
    """
    c, h = windows.inputs.context_kwh.shape[1], windows.inputs.horizon_steps
    slots = find_slots(windows.inputs, -c, h, day_types=False)
    for first in range(0, len(windows), chunk):
        rows = slice(first, first + chunk)
        some = windows.take(rows)
        kwh = np.concatenate([some.inputs.context_kwh, some.truth_kwh], axis=1)  # (n, C + H)
        level = relative_level(kwh, home_scale(some.inputs))
        usual = np.nan_to_num(usual_values(level[:, :c], [slots.take(rows)], spread=False).median)
        yield usual, level - usual


def deviations(windows: Windows, *, chunk: int) -> Iterator[NDArray[np.float32]]:
    """Yield the levels less the usual alone, ``(n, C + H)`` at a time."""
    for _, deviation in usual_and_deviations(windows, chunk=chunk):
        yield deviation
