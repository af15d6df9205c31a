"""Quantiles of residuals per local half hour and, within it, per group of windows that are alike in some measure.

G groups: equal shares of the windows learned from, by that measure.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.features.windows import KNOWN_NAMES, Inputs
from loadproof.schema import LEVELS

__all__ = ["HALF_HOURS", "Spread", "fit_spread", "half_hours", "spread_at"]

HALF_HOURS: Final = 48


class Spread(NamedTuple):
    """What residuals were like."""

    edges: NDArray[np.float32]  # between groups (48, G - 1)
    offsets: NDArray[np.float32]  # quantiles of the residuals (48, G, Q)


def half_hours(inputs: Inputs) -> NDArray[np.int64]:
    """Return the local half hour of each target interval, ``(N, H)``."""
    origins = inputs.by_origin()
    return origins.known[origins.at][..., KNOWN_NAMES.index("local_half_hour")].astype(np.int64)


def _groups_of(residuals: NDArray[np.float32], measure: NDArray[np.float32], groups: int) -> Spread:
    """Return one half hour's edges ``(G - 1,)`` and offsets ``(G, Q)`` from ``(M,)`` residuals and measures."""
    edges = np.quantile(measure, np.arange(1, groups) / groups).astype(np.float32)  # (G - 1,)
    group = np.searchsorted(edges, measure)  # (M,)
    order = np.argsort(group, kind="stable")
    parts = np.split(residuals[order], np.cumsum(np.bincount(group, minlength=groups))[:-1])
    offsets = [np.quantile(part if part.size else residuals, LEVELS) for part in parts]
    return Spread(edges, np.array(offsets, dtype=np.float32))


def fit_spread(
    residuals: NDArray[np.float32], hours: NDArray[np.int64], measure: NDArray[np.float32], *, groups: int
) -> Spread:
    """Return the spread of residuals; a half hour never seen gets that of all half hours.

    Args:
        residuals: In multiples of the home's scale, NaN where there is none but not everywhere, ``(N, H)``.
        hours: Local half hours ``(N, H)``.
        measure: By what windows are alike, in multiples of the home's scale, ``(N, H)``.
        groups: G.
    """
    known = ~np.isnan(residuals)
    pooled, of_hour, alike = residuals[known], hours[known], measure[known]  # (M,) each
    order = np.argsort(of_hour, kind="stable")
    ends = np.cumsum(np.bincount(of_hour, minlength=HALF_HOURS))[:-1]
    everything = _groups_of(pooled, alike, groups)
    split = zip(np.split(pooled[order], ends), np.split(alike[order], ends), strict=True)
    found = [_groups_of(part, like, groups) if part.size else everything for part, like in split]
    return Spread(np.stack([f.edges for f in found]), np.stack([f.offsets for f in found]))


def spread_at(spread: Spread, hours: NDArray[np.int64], measure: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the offsets of each half hour and measure, both ``(N, H)``, in multiples of scale, ``(N, H, Q)``."""
    group = np.zeros(hours.shape, dtype=np.int64)  # (N, H)
    for edge in range(spread.edges.shape[1]):
        group += measure > spread.edges[hours, edge]
    return np.asarray(spread.offsets[hours, group])
