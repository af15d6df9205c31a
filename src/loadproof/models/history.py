"""What a network sees of a context whose readings are few, late or long ago; each such way has a name."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.errors import ConfigError
from loadproof.features.windows import Inputs

__all__ = ["HOWS", "SHORT_DAYS", "Seen", "look_back"]

HOWS: Final = (None, "stale_history", "short_history", "older_history")
"""The plain way; nothing observed in the last three published days; less than three days observed in all; nothing
observed within the lookback, so that the last days there are stand in for it."""

SHORT_DAYS: Final = 3
"""Fewer readings than so many days hold are a short history: two days tell a network no day from another."""

_FRESH_DAYS: Final = 3


def _older(context: NDArray[np.float32], lookback: int, day: int) -> NDArray[np.float32]:
    """Return each context ``(R, C)`` moved on by whole days until its last reading is on its last day, ``(R, L)``."""
    rows, c = context.shape
    last = c - 1 - np.argmax(~np.isnan(context[:, ::-1]), axis=1)  # (R,)
    back = (c - 1 - last) // day * day  # (R,)
    padded = np.pad(context, ((0, 0), (lookback, 0)), constant_values=np.nan)
    at = (c - back)[:, None] + np.arange(lookback)  # (R, L), in the padded context
    return np.asarray(padded[np.arange(rows)[:, None], at])


class Seen(NamedTuple):
    """What the network sees of each context, and the position in ``HOWS`` of the way that this is."""

    context: NDArray[np.float32]  # (N, L)
    how: NDArray[np.uint8]  # (N,)


def look_back(inputs: Inputs, *, lookback_steps: int, day_steps: int) -> Seen:
    """Return the last ``lookback_steps`` of each context, or what stands in for them.

    Raises:
        ConfigError: When a window has nothing observed.
    """
    lookback, day = lookback_steps, day_steps
    context = inputs.context_kwh[:, inputs.context_kwh.shape[1] - lookback :]  # (N, L)
    observed = ~np.isnan(context)
    published = lookback - inputs.data_lag_steps
    stale = ~observed[:, max(published - _FRESH_DAYS * day, 0) : max(published, 0)].any(axis=1)
    blind = ~observed.any(axis=1)
    short = inputs.observed.sum(axis=1) < SHORT_DAYS * day
    how = np.select([blind, short, stale], [3, 2, 1], default=0).astype(np.uint8)  # (N,)
    if (rows := np.flatnonzero(how == 3)).size:
        lost = rows[np.isnan(inputs.context_kwh[rows]).all(axis=1)]
        if lost.size:
            raise ConfigError(
                f"{lost.size} windows, the first of {inputs.entity[lost[0]]}, have nothing observed; cut with "
                "min_observed"
            )
        context = context.copy()
        context[rows] = _older(inputs.context_kwh[rows], lookback, day)
    return Seen(context, how)
