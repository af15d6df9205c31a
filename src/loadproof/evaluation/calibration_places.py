"""Where a truth lies within its own forecast, free of kWh: its *place*, and back from places to energy.

On a quantile the place is the normal score of its level (0 on the median, 1.64 on the 0.95 quantile), linear in
between. Beyond the outermost quantiles it goes on in steps of the outer spread that the window has on average, so that
a single narrow half hour makes no giant of an ordinary truth. Homes, hours and models become comparable by it.
"""

from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.schema import LEVELS

__all__ = ["NORMAL_SCORES", "TIE_KWH", "to_energy", "to_places"]

NORMAL_SCORES: Final = np.array([NormalDist().inv_cdf(level) for level in LEVELS])
"""The places of the quantiles themselves, ``(Q,)``."""

TIE_KWH: Final = 1e-4
"""Neighbouring quantiles are set that far apart, so that a truth on equal ones has one place and not several.

Source: readings are multiples of 1e-3 kWh, so a tenth of that decides nothing else.
"""

_OUTER: Final = 2
"""The outer spread lies between the outermost quantile and the second after it: 0.05 to 0.25, 0.75 to 0.95."""


class _Ruler(NamedTuple):
    knots: NDArray[np.float64]  # energy at NORMAL_SCORES, rising, (N, H, Q)
    below: NDArray[np.float64]  # kWh of a unit of place below the lowest knot, (N, 1)
    above: NDArray[np.float64]  # and above the highest


def _ruler(quantiles_kwh: NDArray[np.float32]) -> _Ruler:
    q = len(NORMAL_SCORES)
    knots = quantiles_kwh + TIE_KWH * (np.arange(q) - q // 2)  # (N, H, Q)
    units = []
    for inner, outer in ((_OUTER, 0), (q - 1, q - 1 - _OUTER)):
        spread = (knots[..., inner] - knots[..., outer]).mean(axis=1, keepdims=True)  # (N, 1)
        units.append(spread / (NORMAL_SCORES[inner] - NORMAL_SCORES[outer]))
    return _Ruler(knots, *units)


def to_places(truth_kwh: NDArray[np.float32], quantiles_kwh: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the place of each truth in its forecast, NaN where it is missing.

    Args:
        truth_kwh: What was measured, kWh, ``(N, H)``.
        quantiles_kwh: The forecast at ``LEVELS``, kWh, ``(N, H, Q)``.
    """
    ruler, truth = _ruler(quantiles_kwh), truth_kwh.astype(np.float64)
    passed = (truth[..., None] >= ruler.knots).sum(axis=-1)  # (N, H), 0 to Q
    at = np.clip(passed - 1, 0, len(NORMAL_SCORES) - 2)[..., None]  # (N, H, 1)
    left, right = (np.take_along_axis(ruler.knots, at + step, axis=-1)[..., 0] for step in (0, 1))  # (N, H)
    from_, to = NORMAL_SCORES[at[..., 0]], NORMAL_SCORES[at[..., 0] + 1]  # (N, H)
    within = from_ + (truth - left) * (to - from_) / (right - left)
    low = NORMAL_SCORES[0] + (truth - ruler.knots[..., 0]) / ruler.below
    high = NORMAL_SCORES[-1] + (truth - ruler.knots[..., -1]) / ruler.above
    return np.asarray(np.where(passed == 0, low, np.where(passed == len(NORMAL_SCORES), high, within)))  # NaN stays


def to_energy(places: NDArray[np.float64], quantiles_kwh: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the energy at each place, kWh, never negative, both ``(N, H, Q)``; the inverse of :func:`to_places`."""
    ruler = _ruler(quantiles_kwh)
    at = np.clip(np.searchsorted(NORMAL_SCORES, places, side="right") - 1, 0, len(NORMAL_SCORES) - 2)  # (N, H, Q)
    left, right = (np.take_along_axis(ruler.knots, at + step, axis=-1) for step in (0, 1))
    from_, to = NORMAL_SCORES[at], NORMAL_SCORES[at + 1]
    within = left + (places - from_) * (right - left) / (to - from_)
    low = ruler.knots[..., :1] + (places - NORMAL_SCORES[0]) * ruler.below[..., None]
    high = ruler.knots[..., -1:] + (places - NORMAL_SCORES[-1]) * ruler.above[..., None]
    energy = np.where(places < NORMAL_SCORES[0], low, np.where(places > NORMAL_SCORES[-1], high, within))
    return np.asarray(np.maximum(energy, 0))
