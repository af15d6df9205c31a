"""How much a home has used lately, and how regularly: one value a window, from ``Inputs`` alone.

All are of what was published at ``t0``: with a data lag, the last 24 h are those before the lag.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from loadproof.features.gaps import known_mean, known_quantiles, known_share, known_std
from loadproof.features.windows import Inputs

__all__ = ["level_columns"]

_DAYS: Final = 7
_DAY_MINS: Final = 24 * 60
_RECENT_HOURS: Final = (3, 6, 24)
_SMALLEST_KWH: Final = 1e-3
"""Below this mean per step there is nothing to take a ratio to."""


def _ratio(part: NDArray[np.float32], whole: NDArray[np.float32]) -> NDArray[np.float32]:
    safe = np.where(whole > _SMALLEST_KWH, whole, np.float32(np.nan))
    return np.asarray(part / safe, dtype=np.float32)


def _recent_columns(kwh: NDArray[np.float32], interval_mins: int) -> dict[str, NDArray[np.float32]]:
    """Return the last reading, its age, and the means of the last hours of ``kwh (N, P)``."""
    length = kwh.shape[1]
    known = ~np.isnan(kwh)
    age = np.where(known.any(axis=1), known[:, ::-1].argmax(axis=1), length)  # (N,)
    last = kwh[np.arange(len(kwh)), np.maximum(length - 1 - age, 0)]
    columns = {"last_kwh": last, "last_age_hours": (age * (interval_mins / 60)).astype(np.float32)}
    for hours in _RECENT_HOURS:
        columns[f"last_{hours}h_mean_kwh"] = known_mean(kwh[:, -hours * 60 // interval_mins :])
    return columns


def _days(kwh: NDArray[np.float32], per_day: int) -> NDArray[np.float32]:
    """Return the whole days of ``kwh (N, P)``, counted back from its end, the latest first, ``(N, D, S)``."""
    n, length = kwh.shape
    return kwh[:, length % per_day :].reshape(n, length // per_day, per_day)[:, ::-1]


def _flat(days: NDArray[np.float32]) -> NDArray[np.float32]:
    n, d, s = days.shape
    return days.reshape(n, d * s)  # (N, D S)


def level_columns(inputs: Inputs) -> dict[str, NDArray[np.float32]]:
    """Return each level of every window, kWh per step unless its name says otherwise, each ``(N,)``."""
    kwh = inputs.context_kwh[:, : inputs.context_kwh.shape[1] - inputs.data_lag_steps]  # (N, P)
    per_day = _DAY_MINS // inputs.interval_mins
    columns = _recent_columns(kwh, inputs.interval_mins)
    days = _days(kwh, per_day)  # (N, D, S)
    daily = known_mean(days)  # (N, D)
    nothing = np.full(len(kwh), np.nan, dtype=np.float32)
    for day in range(1, _DAYS):
        columns[f"level_day_{day + 1}_kwh"] = daily[:, day] if day < daily.shape[1] else nothing
    week = kwh[:, -_DAYS * per_day :]  # (N, W)
    columns |= {"level_week_kwh": known_mean(week), "level_context_kwh": known_mean(kwh)}
    columns |= {
        "week_std_kwh": known_std(week, columns["level_week_kwh"]),
        "daily_std_kwh": known_std(daily[:, :_DAYS], known_mean(daily[:, :_DAYS])),
    }
    low, middle, high = known_quantiles(week, (0.1, 0.5, 0.95))
    columns |= {"week_base_kwh": low, "week_median_kwh": middle, "week_peak_kwh": high}
    upper = known_quantiles(daily, (0.75,))[0]
    scale = np.where(np.isnan(upper), columns["level_context_kwh"], upper)
    columns["scale_kwh"] = np.fmax(scale, np.float32(_SMALLEST_KWH))
    columns["known_share"], columns["week_known_share"] = known_share(kwh), known_share(week)
    columns["day_to_week_ratio"] = _ratio(columns["last_24h_mean_kwh"], columns["level_week_kwh"])
    columns["week_to_context_ratio"] = _ratio(columns["level_week_kwh"], columns["level_context_kwh"])
    six = 6 * 60 // inputs.interval_mins
    usual = known_mean(_flat(days[:, 1 : 1 + _DAYS, -six:]))  # the same 6 h on the days before
    columns["last_6h_to_usual_ratio"] = _ratio(columns["last_6h_mean_kwh"], usual)
    change = _flat(np.abs(np.diff(days[:, :_DAYS], axis=1)))
    columns["day_to_day_change_ratio"] = _ratio(known_mean(change), columns["level_week_kwh"])
    return columns
