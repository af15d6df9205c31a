"""How half hours hang together: from each one's chance to the chance of any, by the ranks of past days.

A past day says, for each half hour of the horizon, where its truth lay among the truths of all past days within their
own forecasts. Such a day of ranks is a sample path of today's forecast, whatever its quantiles and its tail (the copula
of the Schaake shuffle, Clark et al. 2004): the limit is passed where the rank is above the chance of staying below.
S days, H half hours, N entities.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from loadproof.evaluation.calibration_places import to_places
from loadproof.features.windows import Windows
from loadproof.feeders.paths import MIN_PATHS, shuffle_ranks
from loadproof.forecaster import Forecast

__all__ = ["MOST_DAYS", "any_together", "past_ranks"]

MOST_DAYS: Final = 1000
"""Past days at most: a chance is then a multiple of a thousandth."""

_ROWS_AT_ONCE: Final = 256

Floats = NDArray[np.float64]


def past_ranks(past: Windows, told: Forecast, *, rng: np.random.Generator) -> Floats | None:
    """Return the rank of each past day's truths, 0 to 1, ``(S, H)``; None where too few days are known.

    Days of all entities stand together: that one lies off for days on end hangs its half hours together as well.

    Args:
        past: Windows with their truths, before the instant that is forecast from.
        told: What had been forecast for them.
        rng: Which days are taken where there are many, and the rank of a truth that is missing.
    """
    known = np.flatnonzero((~np.isnan(past.truth_kwh)).mean(axis=1) > 0.5)
    if len(known) < MIN_PATHS:
        return None
    taken = np.sort(rng.choice(known, MOST_DAYS, replace=False)) if len(known) > MOST_DAYS else known
    places = to_places(past.truth_kwh[taken], told.quantiles_kwh[taken])  # (S, H)
    return shuffle_ranks(places[:, None], rng=rng)[:, 0]


def any_together(probability: Floats, ranks: Floats) -> Floats:
    """Return the chance that a limit is passed in at least one half hour, ``(N,)``; NaN stays.

    Never less than the likeliest half hour's, nor more than the sum of all.

    Args:
        probability: Of each half hour, ``(N, H)``.
        ranks: As :func:`past_ranks`, ``(S, H)``.
    """
    likeliest = probability.max(axis=1)  # (N,)
    share = likeliest.copy()
    rows = np.flatnonzero(likeliest > 1 - ranks.max())  # of all others no day passes the limit
    for some in np.split(rows, range(_ROWS_AT_ONCE, len(rows), _ROWS_AT_ONCE)):
        share[some] = (ranks > 1 - probability[some][:, None]).any(axis=2).mean(axis=1)
    return np.asarray(np.clip(share, likeliest, np.minimum(probability.sum(axis=1), 1.0)))
