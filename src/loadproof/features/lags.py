"""The same half hour on earlier days: lags, their statistics and their neighbours, from ``Inputs`` alone.

Days are counted on the local clock and from the latest that was published: ``day_1`` is the last published day that has
the step's half hour. At midnight and without a lag ``day_7`` is a week ago; with a lag of a week ``day_1`` is. Letters:
N windows, O origins, H horizon steps, D earlier days.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.features.bank_holidays import is_working_day
from loadproof.features.calendar import days_before, local_date
from loadproof.features.gaps import known_mean, known_quantiles, known_share, known_std
from loadproof.features.windows import Inputs

__all__ = ["MAX_DAYS", "lag_columns"]

MAX_DAYS: Final = 28
"""So many days back lags and their statistics reach, as far as the context does."""

_WEEK: Final = 7
_N_WEEKS: Final = 4
_FADING: Final = 0.85
"""Weight of a day against the one after it: half after 4 days."""
_DAY_MINS: Final = 24 * 60


class _Earlier(NamedTuple):
    """Where in the context the same half hour of earlier days lies, by origin."""

    positions: NDArray[np.int64]  # (O, H, D), -1 where it is not there
    days_back: NDArray[np.int64]  # (O, H), of the latest
    same_kind: NDArray[np.bool_]  # (O, H, D), both working days or both not


def _positions(inputs: Inputs, t0: NDArray[np.datetime64], days_back: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where the horizon's half hours were so many days back ``(O, H, D)``; -1 unless published and reached."""
    c, h = inputs.context_kwh.shape[1], inputs.horizon_steps
    step = np.timedelta64(inputs.interval_mins, "m")
    ts = t0[:, None, None] + np.arange(h)[:, None] * step  # (O, H, 1)
    then = days_before(ts, days_back)  # (O, H, D)
    never = np.isnat(then)
    away = np.where(never, t0[:, None, None], then) - t0[:, None, None]
    at = c + away // step  # (O, H, D)
    return np.where(never | (at < 0) | (at >= c - inputs.data_lag_steps), -1, at)


def _earlier_days(inputs: Inputs, t0: NDArray[np.datetime64]) -> _Earlier:
    per_day = _DAY_MINS // inputs.interval_mins
    steps = np.arange(inputs.horizon_steps)
    by_sun = ((steps + inputs.data_lag_steps) // per_day + 1)[:, None] + np.arange(-1, 2)  # (H, 3)
    # Local days have 23 to 25 hours, so the latest published one may be a day beside that of 24 hours.
    published = _positions(inputs, t0, np.maximum(by_sun, 1)) >= 0  # (O, H, 3)
    days_back = np.maximum(by_sun, 1)[np.arange(len(steps)), published.argmax(axis=-1)]  # (O, H)
    reach = min(MAX_DAYS, -(-inputs.context_kwh.shape[1] // per_day))  # a day that is begun counts
    all_back = days_back[..., None] + np.arange(reach)  # (O, H, D)
    dates = local_date(t0[:, None] + steps * np.timedelta64(inputs.interval_mins, "m"))  # (O, H)
    nation = inputs.place.nation
    same_kind = is_working_day(dates[..., None] - all_back, nation) == is_working_day(dates, nation)[..., None]
    return _Earlier(_positions(inputs, t0, all_back), days_back, same_kind)


def _gather(inputs: Inputs, at: NDArray[np.int64], positions: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the context at ``positions (O, H, K)`` of each window's origin, NaN at -1, ``(N, H, K)``."""
    where = positions[at]  # (N, H, K)
    values = inputs.context_kwh[np.arange(len(at))[:, None, None], where]
    return np.where(where < 0, np.float32(np.nan), values)


def _week_columns(kwh: NDArray[np.float32], days_back: NDArray[np.int64]) -> dict[str, NDArray[np.float32]]:
    """Return the same half hour of the latest weeks, counted in whole weeks, and their mean."""
    first = -days_back % _WEEK  # (N, H): day_1 and so many more days back make whole weeks
    at = first[..., None] + _WEEK * np.arange(_N_WEEKS)  # (N, H, 4)
    reach = kwh.shape[-1]
    weeks = np.take_along_axis(kwh, np.minimum(at, reach - 1), axis=-1)  # (N, H, 4)
    weeks = np.where(at < reach, weeks, np.float32(np.nan))
    columns = {f"week_{week + 1}_kwh": weeks[..., week] for week in range(_N_WEEKS)}
    return columns | {"weeks_mean_kwh": known_mean(weeks)}


def _day_columns(kwh: NDArray[np.float32], same_kind: NDArray[np.bool_]) -> dict[str, NDArray[np.float32]]:
    """Return each of the last days, and statistics of the last 7 and of all, from ``kwh (N, H, D)``."""
    week = kwh[..., :_WEEK]  # (N, H, 7)
    nothing = np.full(kwh.shape[:2], np.nan, dtype=np.float32)
    columns = {f"day_{day + 1}_kwh": kwh[..., day] if day < kwh.shape[2] else nothing for day in range(_WEEK)}
    low, middle, high = known_quantiles(week, (0.0, 0.5, 1.0))
    mean_7, mean_28 = known_mean(week), known_mean(kwh)
    columns |= {"days_7_mean_kwh": mean_7, "days_7_std_kwh": known_std(week, mean_7)}
    columns |= {"days_7_min_kwh": low, "days_7_median_kwh": middle, "days_7_max_kwh": high}
    columns |= {"days_28_mean_kwh": mean_28, "days_28_std_kwh": known_std(kwh, mean_28)}
    names = [f"days_28_{name}_kwh" for name in ("q10", "q25", "median", "q75", "q90", "max")]
    columns |= dict(zip(names, known_quantiles(kwh, (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)), strict=True))
    columns["days_28_known_share"] = known_share(kwh)
    columns["days_faded_mean_kwh"] = known_mean(kwh, np.float32(_FADING) ** np.arange(kwh.shape[2], dtype=np.float32))
    alike = np.where(same_kind, kwh, np.float32(np.nan))  # (N, H, D)
    columns["same_kind_mean_kwh"] = known_mean(alike)
    columns["same_kind_median_kwh"] = known_quantiles(alike, (0.5,))[0]
    return columns


def _around_columns(inputs: Inputs, at: NDArray[np.int64], earlier: _Earlier) -> dict[str, NDArray[np.float32]]:
    """Return what surrounds the same half hour on the last 7 days: one half hour either side, and two."""
    published = inputs.context_kwh.shape[1] - inputs.data_lag_steps
    days = earlier.positions[..., :_WEEK]  # (O, H, 7)
    beside = days[..., None] + np.arange(-2, 3)  # (O, H, 7, 5)
    beside = np.where((days[..., None] < 0) | (beside < 0) | (beside >= published), -1, beside)
    o, h, d, _ = beside.shape
    kwh = _gather(inputs, at, beside.reshape(o, h, d * 5)).reshape(len(at), h, d, 5)  # (N, H, 7, 5)
    nearest = kwh[..., 1:4].reshape(len(at), h, d * 3)  # (N, H, 21)
    names = [f"around_7_{name}_kwh" for name in ("q10", "median", "q90")]
    columns = dict(zip(names, known_quantiles(nearest, (0.1, 0.5, 0.9)), strict=True))
    wide = kwh.reshape(len(at), h, d * 5)  # (N, H, 35)
    columns["around_7_mean_kwh"] = known_mean(wide)
    columns["around_7_std_kwh"] = known_std(wide, columns["around_7_mean_kwh"])
    latest = kwh[:, :, 0]  # (N, H, 5)
    columns |= {"day_1_before_kwh": latest[..., 1], "day_1_after_kwh": latest[..., 3]}
    columns["day_1_around_mean_kwh"] = known_mean(latest)
    return columns


def lag_columns(inputs: Inputs) -> dict[str, NDArray[np.float32]]:
    """Return each lag feature of every window and step, kWh unless named otherwise, each ``(N, H)``."""
    origins, at = np.unique(inputs.t0, return_inverse=True)  # (O,), (N,)
    earlier = _earlier_days(inputs, origins)
    kwh = _gather(inputs, at, earlier.positions)  # (N, H, D)
    days_back = earlier.days_back[at]  # (N, H)
    columns = {"days_back": days_back.astype(np.float32)}
    columns |= _day_columns(kwh, earlier.same_kind[at])
    columns |= _week_columns(kwh, days_back)
    return columns | _around_columns(inputs, at, earlier)
