"""Intervals by resampling households crossed with weeks, never rows: neighbours in time and kin are not independent.

A table of sums ``(E, W, K)`` holds, per household and week, the K sums that a metric is made of. Each draw takes E
households and W weeks with replacement; the weight of a cell is the product of both counts.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "MIN_BLOCKS",
    "Interval",
    "Statistic",
    "Weights",
    "bounds",
    "draw_weights",
    "paired_difference",
    "paired_ratio",
    "resample",
    "resample_weeks",
    "weigh_once",
]


MIN_BLOCKS: Final = 4
"""With fewer weeks, or for a figure over all households fewer households, no interval is claimed."""

_COVER: Final = (0.025, 0.975)


class Weights(NamedTuple):
    """How often each draw takes each household ``(D, E)`` and each week ``(D, W)``."""

    homes: NDArray[np.float64]
    weeks: NDArray[np.float64]


Statistic: TypeAlias = Callable[[NDArray[np.float64], Weights], NDArray[np.float64]]
"""Sums ``(E, W, K)`` to one metric in every draw, ``(D,)``."""


class Interval(NamedTuple):
    """A figure from all the data, and its 95 % interval."""

    value: float
    low: float
    high: float


def draw_weights(n_homes: int, n_weeks: int, *, draws: int, rng: np.random.Generator) -> Weights:
    """Return ``draws`` resamples with replacement of the households and, independently, of the weeks."""
    homes, weeks = (rng.multinomial(n, np.full(n, 1 / n), size=draws) for n in (n_homes, n_weeks))
    return Weights(homes.astype(np.float64), weeks.astype(np.float64))


def weigh_once(n_homes: int, n_weeks: int) -> Weights:
    """Return the weights of one draw that takes each household and each week once: all the data as they are."""
    return Weights(np.ones((1, n_homes)), np.ones((1, n_weeks)))


def resample(sums: NDArray[np.float64], weights: Weights) -> NDArray[np.float64]:
    """Return the pooled sums of each draw, ``(E, W, K)`` to ``(D, K)``."""
    by_week = np.tensordot(weights.homes, sums, axes=(1, 0))  # (D, W, K)
    return np.asarray(np.einsum("dw,dwk->dk", weights.weeks, by_week))  # (D, K)


def resample_weeks(sums: NDArray[np.float64], weights: Weights) -> NDArray[np.float64]:
    """Return each household's own sums of each draw, weeks resampled alone, ``(E, W, K)`` to ``(D, E, K)``."""
    return np.tensordot(weights.weeks, sums, axes=(1, 1))  # (D, E, K)


def bounds(draws: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the 2.5 and 97.5 % percentiles along axis 0 of the draws in which the figure exists (is not NaN)."""
    ordered = np.sort(draws, axis=0)  # NaN last
    last = np.maximum((~np.isnan(ordered)).sum(axis=0, keepdims=True) - 1, 0)
    found = []
    for share in _COVER:
        at = share * last
        below, above = np.floor(at).astype(np.int64), np.ceil(at).astype(np.int64)
        low, high = np.take_along_axis(ordered, below, axis=0), np.take_along_axis(ordered, above, axis=0)
        found.append((low + (high - low) * (at - below))[0])
    return found[0], found[1]


def _paired(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    statistic: Statistic,
    weights: Weights,
    combine: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]],
) -> Interval:
    """Return ``combine`` of both figures, in all the data and in the very same draws; NaN where it is not finite."""
    once = weigh_once(*first.shape[:2])
    with np.errstate(divide="ignore", invalid="ignore"):
        value, draws = (combine(statistic(first, taken), statistic(second, taken)) for taken in (once, weights))
    value, draws = (np.where(np.isfinite(figure), figure, np.nan) for figure in (value, draws))  # (1,), (D,)
    low, high = bounds(draws) if min(first.shape[:2]) >= MIN_BLOCKS else (np.nan, np.nan)
    return Interval(float(value[0]), float(low), float(high))


def paired_difference(
    first: NDArray[np.float64], second: NDArray[np.float64], statistic: Statistic, weights: Weights
) -> Interval:
    """Return ``first`` less ``second`` by the same draws; both are sums ``(E, W, K)`` of the same cells."""
    return _paired(first, second, statistic, weights, np.subtract)


def paired_ratio(
    first: NDArray[np.float64], second: NDArray[np.float64], statistic: Statistic, weights: Weights
) -> Interval:
    """Return ``first`` over ``second`` by the same draws; both are sums ``(E, W, K)`` of the same cells."""
    return _paired(first, second, statistic, weights, np.divide)
