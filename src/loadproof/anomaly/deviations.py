"""Levels of context and day less what is usual at their half hour: what networks and components are shown."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.anomaly.relative import relative_level
from loadproof.anomaly.usual import find_slots, usual_values
from loadproof.baselines.seasonal import home_scale
from loadproof.features.windows import Windows

__all__ = ["Deviations", "deviations"]


class Deviations(NamedTuple):
    """Of some windows the usual level of each step, and the level less it, NaN where missing, ``(n, C + H)`` each.

    ``rows`` says which of all windows they are, ``(n,)``.
    """

    rows: NDArray[np.int64]
    usual: NDArray[np.float32]
    deviation: NDArray[np.float32]


def deviations(windows: Windows, *, chunk: int) -> Iterator[Deviations]:
    """Yield what is usual and how far from it each step is, of some windows at a time.

    The usual is the median of the context at the same local half hour, 0 where the context knows nothing. Windows with
    one clock come together, not in the order given: what is alike about them is then found once.

    Args:
        windows: Days and their contexts.
        chunk: Windows at a time.
    """
    c, h = windows.inputs.context_kwh.shape[1], windows.inputs.horizon_steps
    slots = find_slots(windows.inputs, -c, h, day_types=False)
    order = np.argsort(slots.at, kind="stable")
    for first in range(0, len(windows), chunk):
        rows = order[first : first + chunk]
        some = windows.take(rows)
        kwh = np.concatenate([some.inputs.context_kwh, some.truth_kwh], axis=1)  # (n, C + H)
        level = relative_level(kwh, home_scale(some.inputs))
        usual = np.nan_to_num(usual_values(level[:, :c], [slots.take(rows)], spread=False).median)
        yield Deviations(rows, usual, level - usual)
