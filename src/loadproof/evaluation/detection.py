"""Scores and alarms of many homes against the truth: per home, pooled, and in the same draws of homes.

E homes by T steps, D draws. A pooled figure asks one threshold of all homes, so it needs scores that mean the same in
each; the mean over homes does not. Point-adjusted figures, which a random score can lead, are not made.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from loadproof.errors import SchemaError
from loadproof.evaluation.bootstrap import MIN_BLOCKS, Interval, bounds
from loadproof.evaluation.vus import (
    BUFFER_STEPS,
    RANKINGS,
    Counts,
    all_thresholds,
    count_alarms,
    rankings,
    telling_thresholds,
)

__all__ = [
    "count_homes",
    "intervals",
    "mean_over_homes",
    "pooled_rankings",
    "rank_homes",
    "sums_over_homes",
]

_RANK_GROWTH: Final = 1.02
"""Pooled thresholds lie at ranks that grow by this: the first fifty are all there, the tail is followed to 2 %."""

_DRAWS_AT_ONCE: Final = 50

Floats = NDArray[np.float64]


def _check(score: NDArray[np.floating], label: NDArray[np.bool_]) -> None:
    if score.shape != label.shape or score.ndim != 2:
        raise SchemaError(f"scores are {score.shape}, labels {label.shape}; lay both on one grid of homes and steps")


def _shared_thresholds(score: NDArray[np.floating]) -> Floats:
    """Return thresholds at ranks of all homes' scores, dense where scores are high, descending ``(K,)``."""
    ordered = np.sort(score[~np.isnan(score)])[::-1]
    ranks, rank = [0], 0
    while rank < len(ordered) - 1:
        rank = min(max(rank + 1, int(np.ceil(rank * _RANK_GROWTH))), len(ordered) - 1)
        ranks.append(rank)
    return all_thresholds(ordered[ranks])


def rank_homes(score: NDArray[np.floating], label: NDArray[np.bool_], *, buffer_steps: int = BUFFER_STEPS) -> Floats:
    """Return the figures of ``RANKINGS`` of each home by itself, at every threshold, ``(E, 4)``.

    NaN for a home without event. Missing readings (NaN scores) are left out.

    Args:
        score: Higher is odder, ``(E, T)``.
        label: Where an event acts, ``(E, T)``.
        buffer_steps: The largest buffer of the volumes.

    Raises:
        SchemaError: When the shapes differ.
    """
    _check(score, label)
    figures = np.full((len(score), len(RANKINGS)), np.nan)
    for home in np.flatnonzero((label & ~np.isnan(score)).any(axis=1)):
        thresholds = telling_thresholds(score[home], label[home], buffer_steps=buffer_steps)
        figures[home] = rankings(count_alarms(score[home], label[home], thresholds, buffer_steps=buffer_steps))
    return figures


def count_homes(score: NDArray[np.floating], label: NDArray[np.bool_], *, buffer_steps: int = BUFFER_STEPS) -> Counts:
    """Return each home's counts at thresholds that all share, each with E as its first axis.

    Raises:
        SchemaError: When the shapes differ, or no score is there.
    """
    _check(score, label)
    if np.isnan(score).all():
        raise SchemaError("no home has a score; score windows that hold readings")
    thresholds = _shared_thresholds(score)
    homes = [count_alarms(*home, thresholds, buffer_steps=buffer_steps) for home in zip(score, label, strict=True)]
    return Counts(*(np.stack(column) for column in zip(*homes, strict=True)))


def _weighed(counts: Counts, homes: Floats) -> Iterator[Counts]:
    for first in range(0, len(homes), _DRAWS_AT_ONCE):
        taken = homes[first : first + _DRAWS_AT_ONCE]
        yield Counts(*(np.tensordot(taken, column, axes=(1, 0)) for column in counts))


def pooled_rankings(counts: Counts, homes: Floats) -> Floats:
    """Return the figures of ``RANKINGS`` of all homes' readings together in each draw, ``(D, 4)``.

    Args:
        counts: Of :func:`count_homes`.
        homes: How often each draw takes each home, ``(D, E)``; ``np.ones((1, E))`` for all as they are.
    """
    return np.concatenate([rankings(drawn) for drawn in _weighed(counts, homes)])


def mean_over_homes(figures: Floats, homes: Floats) -> Floats:
    """Return the plain mean in each draw over the homes that have a figure, ``(E, M)`` and ``(D, E)`` to ``(D, M)``."""
    there = ~np.isnan(figures)
    with np.errstate(invalid="ignore"):
        return np.asarray(homes @ np.where(there, figures, 0) / (homes @ there))


def sums_over_homes(sums: Floats, homes: Floats) -> Floats:
    """Return the sums of each draw, ``(E, K)`` and ``(D, E)`` to ``(D, K)``, for what is made of sums."""
    return np.asarray(homes @ sums)


def intervals(once: Floats, drawn: Floats, *, n_homes: int) -> list[Interval]:
    """Return each figure and its 95 % interval, none below ``MIN_BLOCKS`` homes.

    For a paired difference give the difference of two detectors' figures in the very same draws.

    Args:
        once: The figures from all homes, ``(M,)``.
        drawn: The figures in each draw, ``(D, M)``.
        n_homes: E.
    """
    low, high = bounds(drawn) if n_homes >= MIN_BLOCKS else (np.full(len(once), np.nan),) * 2
    return [Interval(*map(float, figure)) for figure in zip(once, low, high, strict=True)]
