"""How likely a limit is exceeded, and by how much: from quantiles, or from sample paths.

Up to the median the load is spread evenly between two quantile levels, and below the lowest evenly down to 0. Above the
median the chance of more falls off exponentially from level to level. Above the highest there is no quantile, so the
tail is said by name. ``exponential``: the chance goes on falling as it did between the last two levels, which is exact
for an exponential tail and cautious for a bell. ``none``: nothing lies above.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.errors import ConfigError

__all__ = [
    "Exceedance",
    "Tail",
    "any_exceeded",
    "exceedance_of_paths",
    "exceedance_of_quantiles",
    "quantile_at",
]

Tail = Literal["exponential", "none"]

_EVENLY_TO: Final = 0.5

_FLAT_KWH: Final = 1e-9
"""Quantiles nearer than this are one point; a stretch between them has no slope."""

_ROWS_AT_ONCE: Final = 4096
"""Entities at a time, so that what lies between is a few MB however many there are."""

Floats = NDArray[np.floating[Any]]


class Exceedance(NamedTuple):
    """Probability that a load is above its limit, and the expected energy above it in kWh; NaN without a limit."""

    probability: NDArray[np.float64]  # (N, H)
    excess_kwh: NDArray[np.float64]  # (N, H)


def _segments(quantiles_kwh: Floats, levels: Sequence[float]) -> Iterator[tuple[float, float, Floats, Floats]]:
    """Yield lower and upper level of each stretch of the distribution, and the loads there, from (0, 0 kWh) up."""
    below = 0.0
    at: Floats = np.zeros(quantiles_kwh.shape[:-1])  # (N, H)
    for number, level in enumerate(levels):
        yield below, level, at, quantiles_kwh[..., number]
        below, at = level, quantiles_kwh[..., number]


def _tail_scale_kwh(quantiles_kwh: Floats, levels: Sequence[float], tail: Tail) -> NDArray[np.float64]:
    """Return the mean excess above the highest quantile, kWh ``(N, H)``; 0 for no tail."""
    if tail == "none":
        return np.zeros(quantiles_kwh.shape[:-1])
    fall = np.log((1 - levels[-2]) / (1 - levels[-1]))
    return np.asarray((quantiles_kwh[..., -1] - quantiles_kwh[..., -2]) / fall, dtype=np.float64)


def _require_levels(quantiles_kwh: Floats, levels: Sequence[float]) -> None:
    rising = all(low < high for low, high in zip((0.0, *levels), (*levels, 1.0), strict=True))
    if len(levels) < 2 or not rising or quantiles_kwh.shape[-1] != len(levels):
        raise ConfigError(
            f"the levels {tuple(levels)} do not fit {quantiles_kwh.shape[-1]} quantiles; give two or more, rising "
            "between 0 and 1, one a quantile"
        )


def _exceedance(quantiles_kwh: Floats, levels: Sequence[float], limit: Floats, tail: Tail) -> Exceedance:
    below = np.zeros(quantiles_kwh.shape[:-1])  # (N, H)
    excess = np.zeros(quantiles_kwh.shape[:-1])  # (N, H)
    for low, high, from_kwh, to_kwh in _segments(quantiles_kwh, levels):
        width = to_kwh - from_kwh  # (N, H)
        flat = width <= _FLAT_KWH
        at = np.clip((limit - from_kwh) / np.where(flat, 1.0, width), 0, 1)  # share of the stretch under the limit
        at = np.where(flat, limit >= to_kwh, at)
        if low < _EVENLY_TO:
            left = (high - low) * (1 - at)  # chance to lie in the stretch, above the limit
            excess += width * (1 - at) * (left / 2 + 1 - high)
        else:
            left = (1 - low) * ((1 - high) / (1 - low)) ** at - (1 - high)
            excess += width * left / np.log((1 - low) / (1 - high))
        below += high - low - left
    top, last = quantiles_kwh[..., -1], 1 - levels[-1]
    scale = _tail_scale_kwh(quantiles_kwh, levels, tail)
    over = np.maximum(limit - top, 0)
    left = np.exp(-over / np.where(scale > _FLAT_KWH, scale, 1.0))  # share of the tail above the limit
    left = np.where(scale > _FLAT_KWH, left, limit < top)
    below += last * (1 - left)
    excess += last * scale * left
    # Sums of binary fractions may end a hair outside.
    return Exceedance(np.clip(1 - below, 0, 1), excess)


def exceedance_of_quantiles(
    quantiles_kwh: Floats, levels: Sequence[float], limit_kwh: Floats, *, tail: Tail = "exponential"
) -> Exceedance:
    """Return how likely each half hour is above its limit, and the expected excess.

    Args:
        quantiles_kwh: Ascending along Q, kWh ``(N, H, Q)``.
        levels: Their levels, ascending, ``(Q,)``.
        limit_kwh: Limits in kWh per interval, ``(N,)`` or ``(N, H)``; NaN for none.
        tail: What lies above the highest quantile.

    Raises:
        ConfigError: When the levels do not fit.
    """
    _require_levels(quantiles_kwh, levels)
    limit = np.asarray(limit_kwh, dtype=np.float64)
    limit = limit[:, None] if limit.ndim == 1 else limit
    parts = []
    for first in range(0, max(len(quantiles_kwh), 1), _ROWS_AT_ONCE):
        here = slice(first, first + _ROWS_AT_ONCE)
        part = _exceedance(np.asarray(quantiles_kwh[here], dtype=np.float64), levels, limit[here], tail)
        parts.append(Exceedance(*(np.where(np.isnan(limit[here]), np.nan, values) for values in part)))
    return Exceedance(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def exceedance_of_paths(paths_kwh: Floats, limit_kwh: Floats) -> Exceedance:
    """Return the share of paths above the limit in each half hour, and their mean excess.

    Args:
        paths_kwh: Sample paths in kWh ``(N, P, H)``.
        limit_kwh: Limits in kWh ``(N,)``; NaN for none.
    """
    limit = np.asarray(limit_kwh, dtype=np.float64)[:, None, None]
    over = np.asarray(paths_kwh, dtype=np.float64) - limit  # (N, P, H)
    gone = np.isnan(limit[:, 0])  # (N, 1)
    probability, excess = (over > 0).mean(axis=1), np.maximum(over, 0).mean(axis=1)  # (N, H)
    return Exceedance(np.where(gone, np.nan, probability), np.where(gone, np.nan, excess))


def any_exceeded(probability: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return between what the probability lies that the limit is exceeded in at least one half hour, each ``(N,)``.

    Quantiles say nothing of how half hours hang together: at least the likeliest half hour's, at most the sum of all.
    """
    return np.asarray(probability.max(axis=1)), np.minimum(probability.sum(axis=1), 1.0)


def quantile_at(quantiles_kwh: Floats, levels: Sequence[float], level: float) -> NDArray[np.float64]:
    """Return the load at one level, interpolated between those that there are, kWh ``(N, H)``.

    Raises:
        ConfigError: When the level lies outside them.
    """
    _require_levels(quantiles_kwh, levels)
    if not levels[0] <= level <= levels[-1]:
        raise ConfigError(f"level {level} lies outside {levels[0]} to {levels[-1]}; ask for one that was forecast")
    upper = max(int(np.searchsorted(levels, level)), 1)
    share = (level - levels[upper - 1]) / (levels[upper] - levels[upper - 1])
    low, high = (np.asarray(quantiles_kwh[..., at], dtype=np.float64) for at in (upper - 1, upper))
    return np.asarray(low + share * (high - low))
