"""Quantiles of every node to joint sample paths: today's quantiles in the order of past truths (Schaake shuffle).

A path is one past day: at each node and half hour it takes the quantile whose rank the truth of that day had among the
days taken. So each node keeps its own calibrated quantiles, and the paths their dependence in time and between nodes.
S paths, M nodes.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from loadproof.errors import ConfigError, SchemaError
from loadproof.evaluation.calibration_places import to_energy, to_places

__all__ = ["MIN_PATHS", "draw_paths", "past_places", "quantiles_of_paths", "shuffle_ranks"]

MIN_PATHS: Final = 20
"""Fewer past days give no 0.05 quantile of their own."""

Numbers = NDArray[np.float64]


def past_places(truth_kwh: NDArray[np.float32], quantiles_kwh: NDArray[np.float32]) -> Numbers:
    """Return where each past truth lay in its own forecast, NaN where it is missing.

    Args:
        truth_kwh: What was measured, ``(S, M, H)``.
        quantiles_kwh: What had been forecast at ``LEVELS``, ``(S, M, H, Q)``.
    """
    s, m, h = truth_kwh.shape
    places = to_places(truth_kwh.reshape(s * m, h), quantiles_kwh.reshape(s * m, h, -1))
    return places.reshape(s, m, h)


def shuffle_ranks(places: Numbers, *, rng: np.random.Generator) -> Numbers:
    """Return each day's rank among the days as a probability, ``(S, M, H)``; a missing day takes any by chance.

    Raises:
        ConfigError: When there are too few days.
    """
    if len(places) < MIN_PATHS:
        raise ConfigError(f"{len(places)} past days give no paths; let {MIN_PATHS} or more lie before the first origin")
    known = ~np.isnan(places)
    order = np.where(known, places, np.inf).argsort(axis=0, kind="stable").argsort(axis=0)
    ranks = (order + 0.5) / np.maximum(known.sum(axis=0), 1)  # (S, M, H)
    return np.where(known, ranks, rng.uniform(0.5 / len(places), 1 - 0.5 / len(places), places.shape))


def draw_paths(quantiles_kwh: NDArray[np.float32], places: Numbers, *, rng: np.random.Generator) -> Numbers:
    """Return one path for each past day, kWh, never negative, ``(S, M, H)``.

    Args:
        quantiles_kwh: Forecast of one origin at ``LEVELS``, ``(M, H, Q)``.
        places: As :func:`past_places`, of days whose truths were published by the origin, ``(S, M, H)``.
        rng: Where the ranks of missing truths come from.

    Raises:
        SchemaError: When nodes or steps differ.
        ConfigError: When there are too few days.
    """
    if places.shape[1:] != quantiles_kwh.shape[:2]:
        raise SchemaError(f"places are {places.shape}, quantiles {quantiles_kwh.shape}; give the same nodes and steps")
    scores = ndtri(shuffle_ranks(places, rng=rng)).transpose(1, 2, 0)  # (M, H, S)
    return np.asarray(to_energy(scores, quantiles_kwh).transpose(2, 0, 1))  # (S, M, H)


def quantiles_of_paths(paths_kwh: Numbers, levels: tuple[float, ...]) -> NDArray[np.float32]:
    """Return the quantiles of paths ``(S, M, H)`` as ``(M, H, Q)``; those of S quantiles at even levels are these."""
    found = np.quantile(paths_kwh, levels, axis=0, method="hazen")  # (Q, M, H)
    return found.transpose(1, 2, 0).astype(np.float32)
