"""The value one season ago, with the spread that such values had in training, per local half hour."""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.errors import ConfigError, NotFittedError, SchemaError
from loadproof.features.windows import KNOWN_NAMES, Inputs, Windows
from loadproof.forecaster import FitReport, Forecast, Forecaster, ModelState, make_forecast
from loadproof.schema import LEVELS

__all__ = ["MIN_SCALE_KWH", "SeasonalNaive", "home_scale", "mean_known"]

MIN_SCALE_KWH: Final = 1e-3
"""A home below this mean per step stands still; its residuals have no scale and teach nothing."""

_NAMES: Final = {48: "seasonal_naive", 336: "seasonal_naive_week"}
_HOWS: Final = (None, "earlier_season", "same_half_hour_mean", "context_mean")
_HALF_HOURS: Final = 48
_HALF_HOUR_MINS: Final = 30


class _Values(NamedTuple):
    kwh: NDArray[np.float32]  # (N, H)
    how: NDArray[np.uint8]  # (N, H)


def mean_known(kwh: NDArray[np.floating[Any]], axis: int) -> NDArray[np.float32]:
    """Return the mean along ``axis`` of what is not NaN; NaN where nothing is."""
    known = ~np.isnan(kwh)
    count = known.sum(axis=axis)
    total = np.sum(kwh, axis=axis, where=known, dtype=np.float64)
    mean = np.divide(total, count, where=count > 0, out=np.full(count.shape, np.nan))
    return np.asarray(mean, dtype=np.float32)


def _days(inputs: Inputs) -> NDArray[np.float32]:
    """Return the last whole days of the context, kWh, ``(N, D, S)`` with S steps a day; phase 0 is that of ``t0``."""
    n, c = inputs.context_kwh.shape
    per_day = 24 * 60 // inputs.interval_mins
    return inputs.context_kwh[:, c % per_day :].reshape(n, c // per_day, per_day)  # (N, D, S)


def home_scale(inputs: Inputs) -> NDArray[np.float32]:
    """Return each window's usual energy per step, kWh ``(N,)``, at least ``MIN_SCALE_KWH``.

    The upper quartile of its daily means, so that an absence of less than three quarters of the context does not
    shrink it; without a whole day, the mean of the context.
    """
    daily = np.sort(mean_known(_days(inputs), axis=2), axis=1)  # (N, D), NaN last
    n_known = (~np.isnan(daily)).sum(axis=1)  # (N,)
    overall = mean_known(inputs.context_kwh, axis=1)  # (N,)
    if not daily.shape[1]:
        return np.fmax(overall, np.float32(MIN_SCALE_KWH))
    upper = np.take_along_axis(daily, (np.maximum(n_known - 1, 0) * 3 // 4)[:, None], axis=1)[:, 0]  # (N,)
    return np.fmax(np.where(n_known > 0, upper, overall), np.float32(MIN_SCALE_KWH))


def _first_positions(inputs: Inputs, season_steps: int) -> NDArray[np.int64]:
    """Return where in the context each step's latest published season lies, ``(H,)``."""
    c, lag = inputs.context_kwh.shape[1], inputs.data_lag_steps
    steps = np.arange(inputs.horizon_steps)
    seasons_back = (steps + lag) // season_steps + 1  # (H,)
    positions = np.asarray(c + steps - season_steps * seasons_back, dtype=np.int64)  # (H,)
    if (positions < 0).any():
        need = c - int(positions.min())
        raise ConfigError(f"a context of {c} steps holds no season of {season_steps}; raise context_steps to {need}")
    return positions


def _filled(kwh: NDArray[np.float32], how: NDArray[np.uint8], by: NDArray[np.float32], way: int) -> _Values:
    """Return ``kwh`` with its gaps filled by ``by`` where that is known, marked as ``way``, all ``(R, H)``."""
    fill = np.isnan(kwh) & ~np.isnan(by)
    return _Values(np.where(fill, by, kwh), np.where(fill, np.uint8(way), how))


def _seasonal_values(inputs: Inputs, season_steps: int) -> _Values:
    """Return each step's value one season ago, or the next best that the context knows."""
    at = _first_positions(inputs, season_steps)  # (H,)
    kwh = inputs.context_kwh[:, at]  # (N, H)
    how = np.zeros(kwh.shape, dtype=np.uint8)
    rows = np.flatnonzero(np.isnan(kwh).any(axis=1))
    while rows.size and ((at := at - season_steps) >= 0).any():
        earlier = np.where(at >= 0, inputs.context_kwh[np.ix_(rows, np.maximum(at, 0))], np.nan)
        kwh[rows], how[rows] = _filled(kwh[rows], how[rows], earlier, 1)
        rows = rows[np.isnan(kwh[rows]).any(axis=1)]
    if rows.size:
        gaps = inputs.take(rows)
        profile = mean_known(_days(gaps), axis=1)  # (R, S)
        same = profile[:, np.arange(inputs.horizon_steps) % profile.shape[1]]  # (R, H)
        kwh[rows], how[rows] = _filled(kwh[rows], how[rows], same, 2)
        kwh[rows], how[rows] = _filled(kwh[rows], how[rows], mean_known(gaps.context_kwh, axis=1)[:, None], 3)
    if np.isnan(kwh).any():
        lost = np.isnan(kwh).any(axis=1)
        raise ConfigError(
            f"{lost.sum()} windows, the first of {inputs.entity[lost][0]}, have nothing observed; "
            "cut them with min_observed of 1 or more"
        )
    return _Values(kwh, how)


def _half_hours(inputs: Inputs) -> NDArray[np.int64]:
    return inputs.known[..., KNOWN_NAMES.index("local_half_hour")].astype(np.int64)  # (N, H)


def _why_nothing_to_learn(train: Windows, known: NDArray[np.bool_]) -> str:
    if not len(train):
        return "there is no training window; begin training earlier, or let validation begin later"
    if not known.any():
        return f"{len(train)} training windows have no reading after t0; cut them with require_truth"
    homes = np.unique(train.inputs.entity)  # (E,)
    return (
        f"all {len(homes)} homes to learn from, the first of them {homes[0]}, stand still (below {MIN_SCALE_KWH} kWh "
        "a step before t0), and such teach no spread; leave them out, or train where they use something"
    )


class SeasonalNaive(Forecaster):
    """The value of the latest season again; its quantiles add the home's scale times the residuals of training.

    Residuals are pooled over all homes, each divided by its scale, per local half hour. The mean is the value itself.
    """

    def __init__(self, season_half_hours: int = 48) -> None:
        """Take the season in half hours; at another interval it is as many minutes."""
        self.season_half_hours = season_half_hours
        self.name = _NAMES.get(season_half_hours, f"seasonal_naive_{season_half_hours}")
        self._spread: NDArray[np.float32] | None = None  # (48, Q), multiples of the home's scale

    def fit(self, train: Windows, valid: Windows, *, rng: np.random.Generator) -> FitReport:
        """Learn the spread of residuals per local half hour; an hour never seen gets that of all hours.

        Raises:
            ConfigError: When no window has a residual to learn from.
        """
        del rng
        scale = home_scale(train.inputs)[:, None]  # (N, 1)
        residuals = (train.truth_kwh - self._values(train.inputs).kwh) / scale  # (N, H)
        known = ~np.isnan(residuals)
        usable = known & (scale > MIN_SCALE_KWH)
        if not usable.any():
            raise ConfigError(_why_nothing_to_learn(train, known))
        pooled, hours = residuals[usable], _half_hours(train.inputs)[usable]  # (M,), (M,)
        groups = np.split(
            pooled[np.argsort(hours, kind="stable")], np.cumsum(np.bincount(hours, minlength=_HALF_HOURS))[:-1]
        )
        spread = [np.quantile(group if group.size else pooled, LEVELS) for group in groups]
        self._spread = np.array(spread, dtype=np.float32)  # (48, Q)
        return FitReport(len(train), len(valid))

    def predict(self, inputs: Inputs) -> Forecast:
        """Forecast every window; ``how`` names the source of a value that its season lacks."""
        spread_of_hour = self._known()
        values = self._values(inputs)
        spread = home_scale(inputs)[:, None, None] * spread_of_hour[_half_hours(inputs)]  # (N, H, Q)
        return make_forecast(values.kwh[..., None] + spread, LEVELS, values.kwh, how=values.how, hows=_HOWS)

    def state(self) -> ModelState:
        """Return the season and the spread of its residuals."""
        return ModelState({"season_half_hours": self.season_half_hours}, {"spread": self._known()}, {})

    def restore(self, state: ModelState) -> None:
        """Become what ``state`` says, as if fitted.

        Raises:
            SchemaError: When the state is of another season or of another forecaster, or damaged.
        """
        spread = state.arrays.get("spread")
        fits = spread is not None and spread.shape == (_HALF_HOURS, len(LEVELS)) and bool(np.isfinite(spread).all())
        if spread is None or not fits or state.knobs.get("season_half_hours") != self.season_half_hours:
            raise SchemaError(f"the state is not that of {self.name}, or damaged; train it again")
        self._spread = np.asarray(spread, dtype=np.float32)

    def _values(self, inputs: Inputs) -> _Values:
        season_steps, beyond_mins = divmod(self.season_half_hours * _HALF_HOUR_MINS, inputs.interval_mins)
        if beyond_mins:
            raise ConfigError(
                f"a season of {self.season_half_hours} half hours is no number of steps of {inputs.interval_mins} "
                "minutes; resample to 30 or 60"
            )
        return _seasonal_values(inputs, season_steps)

    def _known(self) -> NDArray[np.float32]:
        if self._spread is None:
            raise NotFittedError(f"{self.name} was not fitted; call fit first")
        return self._spread
