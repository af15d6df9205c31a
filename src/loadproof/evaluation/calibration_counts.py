"""What calibration has counted so far, faded with age, and the distribution curves that follow from it.

Three counts, each of what the one before leaves over: *places* of truths in their forecasts, of all homes, per day
ahead and half hour of the local day; *ranks* of those places in that curve, per home and part of its day; *outcomes*,
the ranks of those ranks in the home's curve, of all homes together. Few counts lean on a prior: half hours on all half
hours and these on the forecast itself, a part of the day on the home, and the home on all homes.
"""

from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "DAY_PARTS",
    "HALF_HOURS",
    "OUTCOME_EDGES",
    "PLACE_EDGES",
    "POOL_PRIOR",
    "RANK_EDGES",
    "Counts",
    "Seen",
    "blank_counts",
    "cumulate",
    "nothing_seen",
    "rank_in",
    "value_at",
]

HALF_HOURS: Final = 48
DAY_PARTS: Final = 8
"""Parts of three hours.

Source: of 1, 4, 6 and 8 parts a day, 8 gave the least loss of seasonal naive and hardly differed for LightGBM (LCL).
"""

PLACE_EDGES: Final = np.sinh(np.linspace(np.arcsinh(-8), np.arcsinh(25), 301))
"""Edges of the bins of places: 0.02 wide around the median, wider outwards; what lies beyond is in the last ones."""

RANK_EDGES: Final = np.linspace(0, 1, 33)
OUTCOME_EDGES: Final = np.linspace(0, 1, 65)

# Source: a coarse scan on April to September 2013 of the LCL homes, for persistence, seasonal naive and LightGBM, and
# for sums of 10, 30 and 100 homes: low pinball loss with 9 homes of 10 within 5 points.
POOL_PRIOR: Final = 60.0
_HOME_PRIOR: Final = 200.0
_PART_PRIOR: Final = 150.0
_OUTCOME_PRIOR: Final = 500.0
"""How many readings the prior of each curve weighs."""

_AS_FORECAST: Final = np.diff([0.0, *map(NormalDist().cdf, PLACE_EDGES[1:-1].tolist()), 1.0])
"""How places spread over the bins where the forecast is right, ``(K,)``."""


def cumulate(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distribution at the upper edge of each bin, ``(..., K)`` to ``(..., K)``, 1 at the last."""
    total = np.cumsum(counts, axis=-1)
    return np.asarray(total / total[..., -1:])


def rank_in(
    curves: NDArray[np.float64], which: NDArray[np.int64], values: NDArray[np.float64], edges: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the rank from 0 to 1 of each value ``(M,)`` in the curve that ``which`` names, of ``(R, K)``."""
    at = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)  # (M,)
    high = curves[which, at]
    low = np.where(at > 0, curves[which, at - 1], 0.0)
    return np.asarray(low + (high - low) * np.clip((values - edges[at]) / (edges[at + 1] - edges[at]), 0, 1))


def value_at(
    curves: NDArray[np.float64], which: NDArray[np.int64], ranks: NDArray[np.float64], edges: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the value at each rank ``(..., Q)`` of the curve that ``which (...)`` names, of ``(R, K)``; rising."""
    bins = curves.shape[1]
    row = which[..., None]  # (..., 1)
    # Two apart, the curves of all rows are one rising list, and one search serves them all.
    in_a_row = (curves + 2.0 * np.arange(len(curves))[:, None]).ravel()  # (R K,)
    at = np.clip(np.searchsorted(in_a_row, ranks + 2.0 * row) - row * bins, 0, bins - 1)  # (..., Q)
    high = curves[row, at]
    low = np.where(at > 0, curves[row, at - 1], 0.0)
    share = np.divide(ranks - low, high - low, where=high > low, out=np.zeros(at.shape))
    return np.asarray(edges[at] + np.clip(share, 0, 1) * (edges[at + 1] - edges[at]))


class Seen(NamedTuple):
    """Truths set against the forecast that was issued for them, M of them, in a fixed order.

    ``rank`` and ``outcome`` are NaN where nothing had been counted yet when the forecast was issued.
    """

    published_us: NDArray[np.int64]  # instant since when the truth is known (M,)
    cell: NDArray[np.int64]  # day ahead times 48 plus local half hour
    home: NDArray[np.int64]  # position among the homes
    place: NDArray[np.float64]
    rank: NDArray[np.float64]
    outcome: NDArray[np.float64]

    def take(self, mask: NDArray[np.bool_]) -> "Seen":
        """Return those that ``mask (M,)`` picks."""
        return Seen._make(column[mask] for column in self)

    def and_then(self, other: "Seen") -> "Seen":
        """Return these, then those of ``other``."""
        return Seen(*(np.concatenate(pair) for pair in zip(self, other, strict=True)))


def nothing_seen() -> Seen:
    """Return no truths."""
    whole, real = np.empty(0, dtype=np.int64), np.empty(0)
    return Seen(whole, whole, whole, real, real, real)


def _bin(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.asarray(np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Counts:
    """How many readings fell in each bin, in readings of today: older ones count less.

    Attributes:
        places: Per cell (day ahead times 48 plus half hour) and bin of ``PLACE_EDGES``, ``(D 48, K)``.
        ranks: Per home, part of the day and bin of ``RANK_EDGES``, ``(E, 8, K)``.
        outcomes: Per bin of ``OUTCOME_EDGES``, ``(K,)``.
    """

    places: NDArray[np.float64]
    ranks: NDArray[np.float64]
    outcomes: NDArray[np.float64]

    def faded(self, place_share: float, rank_share: float) -> "Counts":
        """Return the counts with that share of each left; outcomes fade like places."""
        return Counts(self.places * place_share, self.ranks * rank_share, self.outcomes * place_share)

    def with_homes(self, positions: NDArray[np.int64], n_homes: int) -> "Counts":
        """Return the counts with the E homes at ``positions (E,)`` of ``n_homes``; the others are blank."""
        ranks = np.zeros((n_homes, *self.ranks.shape[1:]))
        ranks[positions] = self.ranks
        return replace(self, ranks=ranks)

    def add(self, seen: Seen, place_weight: NDArray[np.float64], rank_weight: NDArray[np.float64]) -> None:
        """Count ``seen`` into these very arrays, each with its weight ``(M,)``."""
        np.add.at(self.places, (seen.cell, _bin(seen.place, PLACE_EDGES)), place_weight)
        ranked = ~np.isnan(seen.rank)
        some = seen.take(ranked)
        part = some.cell % HALF_HOURS * DAY_PARTS // HALF_HOURS
        np.add.at(self.ranks, (some.home, part, _bin(some.rank, RANK_EDGES)), rank_weight[ranked])
        np.add.at(self.outcomes, _bin(some.outcome, OUTCOME_EDGES), place_weight[ranked])

    def place_curves(self) -> NDArray[np.float64]:
        """Return the distribution of places per cell, ``(D 48, K)``."""
        cells = self.places.reshape(-1, HALF_HOURS, self.places.shape[1])  # (D, 48, K)
        overall = cells.sum(axis=1, keepdims=True) + POOL_PRIOR * _AS_FORECAST  # (D, 1, K)
        overall /= overall.sum(axis=-1, keepdims=True)
        return cumulate(cells + POOL_PRIOR * overall).reshape(self.places.shape)

    def rank_curves(self, homes: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the distribution of ranks of each of ``homes (R,)`` and part of the day, ``(R, 8, K)``."""
        parts = self.ranks[homes]  # (R, 8, K)
        own = parts.sum(axis=1, keepdims=True) + _HOME_PRIOR / parts.shape[-1]  # (R, 1, K)
        own /= own.sum(axis=-1, keepdims=True)
        return cumulate(parts + _PART_PRIOR * own)

    def outcome_curve(self) -> NDArray[np.float64]:
        """Return the distribution of outcomes, ``(1, K)``."""
        return cumulate(self.outcomes + _OUTCOME_PRIOR / len(self.outcomes))[None]


def blank_counts(n_homes: int, days_ahead: int) -> Counts:
    """Return counts of nothing, for that many homes and days of horizon."""
    return Counts(
        np.zeros((days_ahead * HALF_HOURS, len(PLACE_EDGES) - 1)),
        np.zeros((n_homes, DAY_PARTS, len(RANK_EDGES) - 1)),
        np.zeros(len(OUTCOME_EDGES) - 1),
    )
