"""How much a window knows of its home: enough, nothing of late, or too little to tell its week."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from loadproof.errors import ConfigError
from loadproof.features.windows import Inputs

__all__ = ["HISTORY_HOWS", "SHORT_DAYS", "STALE_DAYS", "history_ways", "require_observed"]

SHORT_DAYS: Final = 6
"""Fewer readings than so many days hold are a short history: six days in a row always have one of a weekend."""

STALE_DAYS: Final = 3
"""Without a reading on the last so many published days, what is known is stale."""

HISTORY_HOWS: Final = (None, "stale_history", "short_history")
"""The ways of :func:`history_ways`."""

_DAY_MINS: Final = 24 * 60


def require_observed(inputs: Inputs) -> None:
    """Refuse windows that know nothing.

    Raises:
        ConfigError: When a window has nothing observed.
    """
    nothing = ~inputs.observed.any(axis=1)  # (N,)
    if nothing.any():
        raise ConfigError(
            f"{nothing.sum()} windows, the first of {inputs.entity[nothing][0]}, have nothing observed; "
            "cut them with min_observed of 1 or more"
        )


def history_ways(inputs: Inputs) -> NDArray[np.uint8]:
    """Return the position in ``HISTORY_HOWS`` that tells how much each window knows, ``(N,)``; short before stale."""
    observed = inputs.observed  # (N, C)
    per_day = _DAY_MINS // inputs.interval_mins
    published = observed.shape[1] - inputs.data_lag_steps
    stale = ~observed[:, max(published - STALE_DAYS * per_day, 0) : published].any(axis=1)  # (N,)
    short = observed.sum(axis=1) < SHORT_DAYS * per_day  # (N,)
    return np.where(short, 2, np.where(stale, 1, 0)).astype(np.uint8)
