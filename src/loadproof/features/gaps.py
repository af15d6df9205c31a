"""Statistics along the last axis of what is known; NaN is unknown, and so is what nothing is known of."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["known_mean", "known_quantiles", "known_share", "known_std"]


def _over(total: NDArray[np.floating[Any]], whole: NDArray[Any]) -> NDArray[np.float32]:
    unknown = np.full(whole.shape, np.nan)
    return np.asarray(np.divide(total, whole, where=whole > 0, out=unknown), dtype=np.float32)


def known_share(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the share that is known, 0 to 1; 0 of nothing."""
    count = np.count_nonzero(~np.isnan(values), axis=-1)
    return np.asarray(count / max(values.shape[-1], 1), dtype=np.float32)


def known_mean(values: NDArray[np.float32], weights: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """Return the mean of what is known, weighted if weights along the axis are given."""
    known = ~np.isnan(values)
    filled = np.where(known, values, np.float32(0))
    if weights is None:
        return _over(filled.sum(axis=-1, dtype=np.float64), np.count_nonzero(known, axis=-1))
    return _over((filled * weights).sum(axis=-1, dtype=np.float64), (known * weights).sum(axis=-1, dtype=np.float64))


def known_std(values: NDArray[np.float32], mean: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the standard deviation of what is known about its ``mean``; 0 of one value."""
    return np.sqrt(known_mean(np.square(values - mean[..., None])))


def known_quantiles(values: NDArray[np.float32], levels: tuple[float, ...]) -> list[NDArray[np.float32]]:
    """Return quantiles of what is known, interpolated linearly as numpy does, one array a level."""
    if not values.shape[-1]:
        return [np.full(values.shape[:-1], np.nan, dtype=np.float32) for _ in levels]
    ordered = np.sort(values, axis=-1)  # NaN last
    last = np.maximum(np.count_nonzero(~np.isnan(values), axis=-1) - 1, 0)  # the first of nothing known is NaN
    quantiles = []
    for level in levels:
        place = last * level
        low = place.astype(np.int64)
        below = np.take_along_axis(ordered, low[..., None], axis=-1)[..., 0]
        above = np.take_along_axis(ordered, np.minimum(low + 1, last)[..., None], axis=-1)[..., 0]
        quantiles.append((below + (above - below) * (place - low)).astype(np.float32))
    return quantiles
