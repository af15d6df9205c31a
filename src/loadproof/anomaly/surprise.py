"""Scores of different detectors on one scale: how many decades of clean readings score lower."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.features.gaps import known_mean

__all__ = ["VIEWS", "Scale", "fit_scale", "surprise", "views_of"]

VIEWS: Final = ("reading", "beyond", "hours_around", "day")
"""What is seen of a detector's surprise at each half hour: it, by how much it is beyond three decades, its mean from
three hours before to three after within the day, and its mean over the day."""

_BEYOND_DECADES: Final = 3.0  # one clean reading in a thousand

_TAILS: Final = np.array([1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 5e-4, 2e-4, 1e-4])
_MOST_DECADES: Final = 8.0
_AROUND_MINS: Final = 180
_MIN_OWN: Final = 672  # scores, two weeks of half hours: fewer tell nothing of a home's tail
_LEAST: Final = 1e-9  # of a score and of what it lacks to 1, so that the logarithm is finite


class Scale(NamedTuple):
    """The logarithm of the odds of a score, at which each share of clean readings is left above, ``(K,)``."""

    knots: NDArray[np.float64]


def _log_odds(score: NDArray[np.float32]) -> NDArray[np.float64]:
    bounded = np.clip(score.astype(np.float64), _LEAST, 1 - _LEAST)
    return np.asarray(np.log(bounded / (1 - bounded)))


def _knots(score: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(np.quantile(_log_odds(score), 1 - _TAILS), dtype=np.float64)


def fit_scale(score: NDArray[np.float32], entity: NDArray[np.str_]) -> Scale:
    """Return the scale of clean scores, that of the median home; without any score, of scores spread evenly.

    The tail of all homes together is that of the few oddest ones, by which nothing in the others would surprise.

    Args:
        score: Of clean windows, NaN where missing, ``(N, H)``.
        entity: Whose, ``(N,)``.
    """
    known = ~np.isnan(score)
    homes = [score[entity == name][known[entity == name]] for name in np.unique(entity)]
    read = [mine for mine in homes if mine.size]
    told = [mine for mine in read if mine.size >= _MIN_OWN] or [np.concatenate(read)] if read else []
    found = np.median([_knots(mine) for mine in told or [np.linspace(0, 1, 1001, dtype=np.float32)]], axis=0)
    return Scale(np.maximum.accumulate(found) + np.arange(len(_TAILS)) * _LEAST)


def surprise(score: NDArray[np.float32], scale: Scale) -> NDArray[np.float32]:
    """Return minus the decimal logarithm of the share of clean readings that score as high, of the same shape.

    Beyond what clean readings told, it goes on as steeply as over their last two decades, to eight at most.
    """
    at, decades = _log_odds(score), -np.log10(_TAILS)
    inside = np.interp(at, scale.knots, decades)
    rise = (decades[-1] - decades[6]) / max(scale.knots[-1] - scale.knots[6], _LEAST)
    beyond = decades[-1] + (at - scale.knots[-1]) * rise
    found = np.where(at > scale.knots[-1], np.minimum(beyond, _MOST_DECADES), inside)
    return np.where(np.isnan(score), np.float32(np.nan), found.astype(np.float32))


def views_of(surprises: NDArray[np.float32], *, interval_mins: int) -> NDArray[np.float32]:
    """Return ``VIEWS`` of surprises ``(N, H)``, NaN where missing, ``(N, H, 4)``."""
    reach = max(_AROUND_MINS // interval_mins, 1)
    h = surprises.shape[1]
    known = ~np.isnan(surprises)
    begin, stop = np.maximum(np.arange(h) - reach, 0), np.minimum(np.arange(h) + reach + 1, h)
    sums = [
        np.pad(np.cumsum(x, axis=1, dtype=np.float64), ((0, 0), (1, 0))) for x in (np.where(known, surprises, 0), known)
    ]
    total, count = (so_far[:, stop] - so_far[:, begin] for so_far in sums)
    around = (total / np.maximum(count, 1)).astype(np.float32)
    day = np.broadcast_to(known_mean(surprises)[:, None], surprises.shape)
    blank = np.float32(np.nan)
    beyond = np.maximum(surprises - np.float32(_BEYOND_DECADES), 0)
    return np.stack([surprises, beyond, np.where(known, around, blank), np.where(known, day, blank)], axis=-1)
