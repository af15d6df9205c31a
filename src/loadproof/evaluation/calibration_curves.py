"""The curves of one origin: what the counts say of its windows, level by level and truth by truth."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from loadproof.evaluation.calibration_counts import (
    DAY_PARTS,
    HALF_HOURS,
    OUTCOME_EDGES,
    PLACE_EDGES,
    POOL_PRIOR,
    RANK_EDGES,
    Counts,
    rank_in,
    value_at,
)
from loadproof.evaluation.calibration_places import to_energy
from loadproof.schema import LEVELS

__all__ = ["Curves"]

_FURTHEST: Final = 4
"""A home's tail is at most so many times thinner than that of all homes: the 0.95 quantile is at most their 0.9875.

Source: with readings published after 7 days, a home back from a holiday got bands many times too wide without a limit,
and with one of 2.5 fewer homes came within 5 points (LCL, April to September 2013).
"""


def _conformal_levels(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the levels per cell that hold for one truth more than those in it ``(D 48, K)``, ``(D 48, Q)``."""
    levels, n = np.array(LEVELS), places.sum(axis=1, keepdims=True) + POOL_PRIOR  # (Q,), (D 48, 1)
    away = np.sign(levels - 0.5) * np.maximum(levels, 1 - levels)  # (Q,), the median stays
    return np.asarray(np.clip(levels + away / n, 0, 1))


def _parts(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where in ``(R 8,)`` each step's window and part of the day is, both ``(R, H)``."""
    windows = np.arange(len(cells))[:, None] * DAY_PARTS
    return np.asarray(windows + cells % HALF_HOURS * DAY_PARTS // HALF_HOURS)


class Curves:
    """The curves as of one origin, and what they say of its windows."""

    def __init__(self, counts: Counts, home: NDArray[np.int64] | None) -> None:
        """Draw the curves; ``home (R,)`` is whose each window is, None where all homes are one."""
        self._counts = counts
        self._places = counts.place_curves()  # (D 48, K)
        self._homes = None if home is None else counts.rank_curves(home).reshape(len(home) * DAY_PARTS, -1)  # (R 8, K)

    def quantiles(self, forecast_kwh: NDArray[np.float32], cells: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the calibrated quantiles, both ``(R, H, Q)``."""
        if self._homes is None:
            levels = _conformal_levels(self._counts.places)  # (D 48, Q)
            places = value_at(self._places, np.arange(len(levels)), levels, PLACE_EDGES)  # (D 48, Q)
            return to_energy(places[cells], forecast_kwh)
        curve, levels = self._counts.outcome_curve(), np.array([LEVELS])  # (1, K), (1, Q)
        outcomes = value_at(curve, np.zeros(1, dtype=np.int64), levels, OUTCOME_EDGES)  # (1, Q)
        ranks = value_at(self._homes, np.arange(len(self._homes)), outcomes, RANK_EDGES)  # (R 8, Q)
        ranks = np.clip(ranks, levels / _FURTHEST, 1 - (1 - levels) / _FURTHEST)
        return to_energy(value_at(self._places, cells, ranks[_parts(cells)], PLACE_EDGES), forecast_kwh)

    def ranks(
        self, places: NDArray[np.float64], cells: NDArray[np.int64], known: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return rank and outcome of the places ``(M,)`` that are known ``(R, H)``; NaN while nothing is counted."""
        if self._homes is None or not self._counts.places.any():
            nothing = np.full(places.shape, np.nan)
            return nothing, nothing
        rank = rank_in(self._places, cells[known], places, PLACE_EDGES)  # (M,)
        return rank, rank_in(self._homes, _parts(cells)[known], rank, RANK_EDGES)
