"""Exponential smoothing with a daily season, ETS(A,N,A), of one window at a time, by statsforecast's AutoETS.

Chosen over MSTL with the daily and the weekly season, which took six times as long on real homes and scored worse.
Each window is a fit of its own, of a bounded number of days. The library takes no missing value: the mean of the same
half hour in the window's context stands in for one, inside the fit alone, and ``how`` says ``gaps_filled``.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from statsforecast.models import AutoETS

from loadproof.baselines.history import HISTORY_HOWS, history_ways, require_observed
from loadproof.baselines.profile import Profile, profile_of, steps_per_day
from loadproof.config import StatisticalConfig
from loadproof.errors import ConfigError
from loadproof.features.windows import Inputs, Windows
from loadproof.forecaster import FitReport, Forecast, Forecaster, make_forecast
from loadproof.schema import LEVELS

__all__ = ["StatisticalForecaster"]

_MODEL: Final = "ANA"
"""Additive errors and daily season, no trend: a trend would run away over a day of half hours."""
_STILL: Final = 1e-3
"""A window that departs less than this from its usual day, in multiples of scale, has nothing to smooth."""
_LEAST_DAYS: Final = 4
"""A season of a day needs its initial states and some days to learn from."""
_HOWS: Final = (*HISTORY_HOWS, "gaps_filled", "same_half_hour_mean")
_MEDIAN: Final = 0.5


def _band(level: float) -> int:
    """Return the two-sided band in per cent of which ``level`` is an edge."""
    return round(100 * abs(1 - 2 * level))


_BANDS: Final = sorted({_band(level) for level in LEVELS if level != _MEDIAN})


def _smooth(series: NDArray[np.float64], season: int, steps: int) -> NDArray[np.float64]:
    """Return the quantiles, last the mean, of the last of ``steps`` ahead of one series, ``(steps, Q + 1)``."""
    found: dict[str, Any] = AutoETS(season_length=season, model=_MODEL).forecast(series, steps, level=_BANDS)
    edges = [
        found["mean"] if level == _MEDIAN else found[f"{'lo' if level < _MEDIAN else 'hi'}-{_band(level)}"]
        for level in LEVELS
    ]
    return np.stack([*edges, found["mean"]], axis=-1)


class StatisticalForecaster(Forecaster):
    """AutoETS window by window, with the library's own Gaussian intervals; it learns nothing from other windows."""

    name = "statistical"

    def __init__(self, config: StatisticalConfig | None = None) -> None:
        self.config = config or StatisticalConfig()

    def fit(self, train: Windows, valid: Windows, *, rng: np.random.Generator) -> FitReport:
        """Learn nothing: every window is a fit of its own."""
        del rng
        return FitReport(len(train), len(valid))

    def predict(self, inputs: Inputs) -> Forecast:
        """Forecast every window.

        A window that repeats its usual day exactly, or is constant, gets that day: ``same_half_hour_mean``.

        Raises:
            ConfigError: When a window has nothing observed, or less than four days of its context are published.
        """
        require_observed(inputs)
        per_day = steps_per_day(inputs)
        profile = profile_of(inputs)
        series, gaps = self._series(inputs, profile)  # (N, L), (N,)
        days = series.reshape(len(inputs), series.shape[1] // per_day, per_day)  # (N, D, S)
        still = np.abs(days - days.mean(axis=1, keepdims=True)).max(axis=(1, 2), initial=0) < _STILL  # (N,)
        lag, h = inputs.data_lag_steps, inputs.horizon_steps
        scaled = np.repeat(profile.mean[:, np.arange(h) % per_day, None], len(LEVELS) + 1, axis=2)  # (N, H, Q + 1)
        still |= self._forecast_into(scaled, series, np.flatnonzero(~still), per_day, lag)
        history = history_ways(inputs)
        how = np.where((history == 0) & gaps, _HOWS.index("gaps_filled"), history)
        how = np.where(still, _HOWS.index("same_half_hour_mean"), how)[:, None]  # (N, 1)
        energy = scaled * profile.scale_kwh[:, None, None]  # (N, H, Q + 1)
        return make_forecast(energy[..., :-1], LEVELS, energy[..., -1], how=how, hows=_HOWS)

    def _series(self, inputs: Inputs, profile: Profile) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the last published whole days, scaled and filled ``(N, L)``, and whether there was a gap ``(N,)``."""
        per_day = steps_per_day(inputs)
        c = inputs.context_kwh.shape[1]
        published = c - inputs.data_lag_steps
        days = min(self.config.lookback_days, published // per_day)
        if days < _LEAST_DAYS:
            need = inputs.data_lag_steps + _LEAST_DAYS * per_day
            raise ConfigError(
                f"{published} published steps of context hold less than {_LEAST_DAYS} days; "
                f"raise context_steps to {need}"
            )
        at = np.arange(published - days * per_day, published)  # (L,)
        scaled = inputs.context_kwh[:, at] / profile.scale_kwh[:, None]  # (N, L)
        missing = np.isnan(scaled)
        filled = np.where(missing, profile.mean[:, (at - c) % per_day], scaled)  # (N, L)
        return filled.astype(np.float64), missing.any(axis=1)

    def _forecast_into(
        self, scaled: NDArray[np.float32], series: NDArray[np.float64], rows: NDArray[np.int64], season: int, lag: int
    ) -> NDArray[np.bool_]:
        """Put the forecast of each row into ``scaled (N, H, Q + 1)``, and return where none came of it, ``(N,)``."""
        failed = np.zeros(len(series), dtype=bool)
        for row in rows:
            values = _smooth(series[row], season, lag + scaled.shape[1])[lag:]  # (H, Q + 1)
            failed[row] = not np.isfinite(values).all()
            if not failed[row]:
                scaled[row] = values
        return failed
