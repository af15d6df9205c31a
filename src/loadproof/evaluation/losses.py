"""What a forecast costs against a truth: the pinball loss, the weights that make CRPS of it, and the bands."""

from typing import Any, Final, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.schema import LEVELS

__all__ = ["BANDS", "CRPS_WEIGHTS", "pinball", "tilt"]

CRPS_WEIGHTS: Final = (0.075, 0.1, 0.2, 0.25, 0.2, 0.1, 0.075)
"""The range of probability that each of ``LEVELS`` stands for."""

BANDS: Final = {50: (2, 4), 80: (1, 5), 90: (0, 6)}
"""Nominal coverage of each central band in per cent, and the positions in ``LEVELS`` of its edges."""

Numbers = TypeVar("Numbers", NDArray[Any], pl.Expr)


def tilt(short: Numbers, level: Numbers) -> Numbers:
    """Return the pinball loss at ``level`` of a quantile that lies ``short`` below the truth, in the unit of both.

    One formula for arrays and for columns: ``level`` times what is short, and 1 less ``level`` times what is over.
    """
    return level * short - short.clip(None, 0)  # type: ignore[no-any-return]


def pinball(
    truth_kwh: NDArray[np.floating[Any]],
    quantiles_kwh: NDArray[np.floating[Any]],
    levels: tuple[float, ...] = LEVELS,
) -> NDArray[np.floating[Any]]:
    """Return the pinball loss in kWh, ``(...)`` and ``(..., Q)`` to ``(..., Q)``."""
    return tilt(truth_kwh[..., None] - quantiles_kwh, np.asarray(levels))  # (..., Q)
