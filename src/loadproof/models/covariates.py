"""Features known in advance as a network likes them: circles and flags of the calendar, weather around nought.

Half hours become two circles of the day, weekdays seven flags, other flags stay; weather is less its mean over its
spread in training, 0 where missing, with a flag that says so. What training rarely saw or never saw again is left out:
the time of year, of which a year or less of training shows each part once at most, and clock changes.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.features.windows import KNOWN_NAMES

__all__ = ["Covariates", "encode", "encoded_width", "fit_covariates"]

_LEFT_OUT: Final = ("clock_change", "solar_elevation_deg", "day_of_year_sin", "day_of_year_cos")
_CIRCLES: Final = 2
_WEEKDAYS: Final = 7
_HALF_HOURS: Final = 48
_MIN_SPREAD: Final = 1e-3


class Covariates(NamedTuple):
    """The features' names, and the mean and spread of each in training, ``(F,)``."""

    names: tuple[str, ...]
    mean: NDArray[np.float32]
    spread: NDArray[np.float32]


def fit_covariates(names: tuple[str, ...], features: NDArray[np.float32]) -> Covariates:
    """Return what :func:`encode` needs of the training's features ``(O, S, F)``; of an all-missing one, 0 and 1."""
    flat = features.reshape(-1, features.shape[-1]).astype(np.float64)  # (O S, F)
    known = ~np.isnan(flat)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.sum(flat, axis=0, where=known) / count
    spread = np.sqrt(np.sum((flat - mean) ** 2, axis=0, where=known) / count)
    spread = np.where(spread < _MIN_SPREAD, 1.0, spread)
    return Covariates(names, mean.astype(np.float32), spread.astype(np.float32))


def _channels(covariates: Covariates, at: int, values: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    name = covariates.names[at]
    if name in _LEFT_OUT:
        return []
    if name == "local_half_hour":
        angles = [values * np.float32(2 * np.pi * turns / _HALF_HOURS) for turns in range(1, 1 + _CIRCLES)]
        return [wave(angle) for angle in angles for wave in (np.sin, np.cos)]
    if name == "local_weekday":
        return [(values == day).astype(np.float32) for day in range(_WEEKDAYS)]
    if name in KNOWN_NAMES:
        return [values]
    missing = np.isnan(values)
    standard = (values - covariates.mean[at]) / covariates.spread[at]
    return [np.where(missing, np.float32(0), standard), missing.astype(np.float32)]


def encode(covariates: Covariates, features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return features ``(O, S, F)`` as the network's channels ``(O, S, G)``, none of them missing."""
    channels = [
        channel for at in range(len(covariates.names)) for channel in _channels(covariates, at, features[..., at])
    ]
    return np.stack(channels, axis=-1, dtype=np.float32, casting="same_kind")


def encoded_width(covariates: Covariates) -> int:
    """Return G, the channels that :func:`encode` makes."""
    return int(encode(covariates, np.zeros((1, 1, len(covariates.names)), dtype=np.float32)).shape[-1])
