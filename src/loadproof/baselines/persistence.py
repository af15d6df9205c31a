"""The last seven days as a bell curve: BuildingsBench's persistence ensemble, the bar on single homes.

Source: NREL/BuildingsBench, ``models/persistence.py``: mean and sample standard deviation, sigma clamped at 1e-3.
"""

from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.baselines.seasonal import mean_known
from loadproof.errors import ConfigError
from loadproof.features.windows import Inputs, Windows
from loadproof.forecaster import FitReport, Forecast, Forecaster, make_forecast
from loadproof.schema import LEVELS

__all__ = ["DAYS", "MIN_SIGMA_KWH", "PersistenceEnsemble"]

DAYS: Final = 7
MIN_SIGMA_KWH: Final = 1e-3

_HOWS: Final = (None, "fewer_days", "week_mean", "context_mean")


class _Moments(NamedTuple):
    n: NDArray[np.int64]
    mean: NDArray[np.float32]  # NaN where n is 0
    std: NDArray[np.float32]  # over n - 1, NaN where n is below 2


def _moments(kwh: NDArray[np.float32]) -> _Moments:
    """Return n, mean and sample standard deviation of what is known along axis 1."""
    mean = mean_known(kwh, axis=1)
    n = (~np.isnan(kwh)).sum(axis=1)
    variance = mean_known((kwh - np.expand_dims(mean, 1)) ** 2, axis=1)
    bessel = np.sqrt(np.divide(n, n - 1, where=n > 1, out=np.full(n.shape, np.nan)))
    return _Moments(n, mean, np.asarray(np.sqrt(variance) * bessel, dtype=np.float32))


def _last_days(inputs: Inputs) -> NDArray[np.float32]:
    """Return the last published seven days, kWh, ``(N, 7, S)`` with S steps a day; phase 0 is that of ``t0``."""
    n, c = inputs.context_kwh.shape
    per_day = 24 * 60 // inputs.interval_mins
    end = c - -(-inputs.data_lag_steps // per_day) * per_day
    if (start := end - DAYS * per_day) < 0:
        raise ConfigError(f"a context of {c} steps ends before {DAYS} days do; raise context_steps to {c - start}")
    return inputs.context_kwh[:, start:end].reshape(n, DAYS, per_day)  # (N, 7, S)


class PersistenceEnsemble(Forecaster):
    """Mean and spread of the same half hour over the last seven published days, as Gaussian quantiles."""

    name = "persistence_ensemble"

    def fit(self, train: Windows, valid: Windows, *, rng: np.random.Generator) -> FitReport:
        """Learn nothing: every window brings its own seven days."""
        del rng
        return FitReport(len(train), len(valid))

    def predict(self, inputs: Inputs) -> Forecast:
        """Forecast every window; a missing day is left out, and ``how`` says where that left fewer than seven.

        With fewer than two days for a half hour, the mean and spread of all half hours of the week stand in, and
        without two of those the context's.

        Raises:
            ConfigError: When the context is shorter than seven days and the lag.
        """
        days = _last_days(inputs)  # (N, 7, S)
        same = _moments(days)  # each (N, S)
        week = _moments(days.reshape(len(inputs), DAYS * days.shape[2]))  # each (N,)
        context = _moments(inputs.context_kwh)  # each (N,)
        if not context.n.all():
            lost = inputs.entity[context.n == 0]
            raise ConfigError(
                f"{len(lost)} windows, the first of {lost[0]}, have nothing observed; cut with min_observed"
            )
        ways = [same.n == DAYS, same.n >= 2, (week.n >= 2)[:, None]]
        how = np.select(ways, [0, 1, 2], default=3)  # (N, S)
        mean = np.choose(how, [same.mean, same.mean, week.mean[:, None], context.mean[:, None]])  # (N, S)
        std = np.choose(how, [same.std, same.std, week.std[:, None], context.std[:, None]])  # (N, S)
        sigma = np.fmax(std, np.float32(MIN_SIGMA_KWH))  # fmax: a single reading has no spread of its own
        phase = np.arange(inputs.horizon_steps) % days.shape[2]  # (H,)
        z = np.array([NormalDist().inv_cdf(level) for level in LEVELS], dtype=np.float32)  # (Q,)
        quantiles = mean[:, phase, None] + sigma[:, phase, None] * z  # (N, H, Q)
        return make_forecast(quantiles, LEVELS, mean[:, phase], how=how[:, phase], hows=_HOWS)
