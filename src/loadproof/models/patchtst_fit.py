"""What a fit of PatchTST fixes for good: learned from the windows, kept in a state, and what network it makes."""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.config import PatchTSTConfig
from loadproof.errors import ConfigError
from loadproof.features.windows import Windows
from loadproof.forecaster import ModelState
from loadproof.models.covariates import Covariates, encoded_width, fit_covariates
from loadproof.models.history import SHORT_DAYS
from loadproof.models.patchtst import PatchTST
from loadproof.schema import LEVELS

__all__ = ["FLOOR_KWH", "Fitted", "day_steps", "fitted_of", "learn", "network_of"]

FLOOR_KWH: Final = 1e-3
"""A home below this mean per step stands still; its readings are not blown up to a scale of their own."""

_HALF_HOUR_MINS: Final = 30
_DAY_MINS: Final = 24 * 60
_SIZES: Final = ("lookback_steps", "horizon_steps", "interval_mins")


class Fitted(NamedTuple):
    """What a fit fixes for good: inputs of any other kind are refused."""

    lookback_steps: int
    horizon_steps: int
    interval_mins: int
    typical_kwh: float  # mean truth of the training
    covariates: Covariates

    def knobs(self) -> dict[str, Any]:
        """Return what of it a state keeps among its knobs."""
        sizes = {name: getattr(self, name) for name in _SIZES}
        return {**sizes, "typical_kwh": self.typical_kwh, "known_names": list(self.covariates.names)}

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return what of it a state keeps among its arrays."""
        return {"covariates/mean": self.covariates.mean, "covariates/spread": self.covariates.spread}


def _steps(half_hours: int, interval_mins: int) -> int:
    return max(half_hours * _HALF_HOUR_MINS // interval_mins, 1)


def day_steps(interval_mins: int) -> int:
    """Return how many steps a day has.

    Raises:
        ConfigError: When they do not fill it.
    """
    if _DAY_MINS % interval_mins:
        raise ConfigError(f"an interval of {interval_mins} minutes does not divide a day; resample to 30 or 60 minutes")
    return _DAY_MINS // interval_mins


def learn(knobs: PatchTSTConfig, train: Windows) -> Fitted:
    """Return what the training windows fix, but for the weights.

    Raises:
        ConfigError: When they hold no truth, or too short a context.
    """
    inputs = train.inputs
    if not len(train) or np.isnan(train.truth_kwh).all():
        raise ConfigError(f"{len(train)} training windows hold no truth; begin training earlier")
    day = day_steps(inputs.interval_mins)
    context_steps = inputs.context_kwh.shape[1]
    lookback = min(_steps(knobs.lookback_steps, inputs.interval_mins), context_steps) // day * day
    published = max(lookback - inputs.data_lag_steps, 0)
    if published < (least := max(SHORT_DAYS * day, 2 * _steps(knobs.patch_steps, inputs.interval_mins))):
        raise ConfigError(
            f"a context of {context_steps} steps is too short: it looks back upon {lookback}, of which {published} are "
            f"published; raise context_steps and patchtst.lookback_steps to {least + inputs.data_lag_steps} or more"
        )
    typical = max(float(np.nanmean(train.truth_kwh, dtype=np.float64)), FLOOR_KWH)
    covariates = fit_covariates(inputs.known_names, inputs.by_origin().known)
    return Fitted(lookback, inputs.horizon_steps, inputs.interval_mins, typical, covariates)


def network_of(knobs: PatchTSTConfig, fitted: Fitted) -> PatchTST:
    """Return the network that knobs make of what a fit fixes, its weights drawn from torch's generator."""
    interval, features = fitted.interval_mins, encoded_width(fitted.covariates)
    return PatchTST(
        context_steps=fitted.lookback_steps, horizon_steps=fitted.horizon_steps, quantiles=len(LEVELS),
        past_features=features, known_features=features, patch_steps=_steps(knobs.patch_steps, interval),
        stride_steps=_steps(knobs.stride_steps, interval), width=knobs.width, heads=knobs.heads,
        layers=knobs.layers, feedforward=knobs.feedforward, dropout=knobs.dropout, transform="root",
        floor=FLOOR_KWH, day_steps=day_steps(interval), head_width=knobs.head_width,
    )  # fmt: skip


def fitted_of(state: ModelState) -> Fitted:
    """Return what a state says that a fit has fixed.

    Raises:
        ValueError: When a size is none, or a number is not finite.
    """
    sizes = [state.knobs[name] for name in _SIZES]
    if not all(type(size) is int and size > 0 for size in sizes):
        raise ValueError(f"its lookback, horizon and interval are {sizes}")
    if strange := [name for name, array in state.arrays.items() if not np.isfinite(array).all()]:
        raise ValueError(f"{strange[0]} is not finite")
    names = tuple(state.knobs["known_names"])
    mean, spread = (state.arrays[f"covariates/{name}"] for name in ("mean", "spread"))
    if not mean.shape == spread.shape == (len(names),) or not (spread > 0).all():
        raise ValueError(f"it has no mean and spread of each of its {len(names)} features")
    return Fitted(sizes[0], sizes[1], sizes[2], float(state.knobs["typical_kwh"]), Covariates(names, mean, spread))
