"""Which windows are hard by what is known without the outcome: calendar, cold, gaps, and change in the context."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from loadproof.features.bank_holidays import is_bank_holiday
from loadproof.features.calendar import local_date
from loadproof.features.weather import Weather
from loadproof.features.windows import Inputs

__all__ = ["HARD", "hard_windows"]

HARD: Final = ("holidays", "cold", "gaps", "changed")

_DAY: Final = 48
_COLD_SHARE: Final = 0.1
_GAP_STEPS: Final = 12
_CHANGE: Final = 0.7
"""The last two days' mean is half, or twice, that of the days before: the logarithm is this far from 0."""


def _holidays(inputs: Inputs) -> NDArray[np.bool_]:
    """Return whose day is a bank holiday, or lies from Christmas Eve to New Year's Day, ``(N,)``."""
    dates = local_date(inputs.t0)  # (N,)
    days = (dates - dates.astype("datetime64[M]")).astype(np.int64) + 1
    months = dates.astype("datetime64[M]").astype(np.int64) % 12 + 1
    season = ((months == 12) & (days >= 24)) | ((months == 1) & (days == 1))
    return np.asarray(season | is_bank_holiday(dates, inputs.place.nation))


def _cold(inputs: Inputs, weather: Weather | None) -> NDArray[np.bool_]:
    """Return whose day is among the coldest tenth of the windows' days, by what weather really came, ``(N,)``."""
    if weather is None:
        return np.zeros(len(inputs), dtype=bool)
    perfect = weather.as_arm("perfect")
    origins, at = np.unique(inputs.t0, return_inverse=True)  # (O,), (N,)
    ts = origins[:, None] + np.arange(_DAY) * np.timedelta64(30, "m")
    mean = perfect.ahead(origins, ts)[..., perfect.names.index("temp_perfect_degc")].mean(axis=1)  # (O,)
    coldest = mean <= np.nanquantile(mean, _COLD_SHARE)
    return np.asarray(coldest[at])


def _changed(context_kwh: NDArray[np.float32]) -> NDArray[np.bool_]:
    with np.errstate(divide="ignore", invalid="ignore"):
        late, early = (
            np.where(
                (n := (~np.isnan(part)).sum(axis=1)) > part.shape[1] // 2, np.nansum(part, axis=1) / n, np.nan
            )
            for part in (context_kwh[:, -2 * _DAY :], context_kwh[:, : -2 * _DAY])
        )  # fmt: skip
        return np.asarray(np.abs(np.log(late / early)) > _CHANGE)


def hard_windows(inputs: Inputs, weather: Weather | None = None) -> dict[str, NDArray[np.bool_]]:
    """Return which windows are hard in each way of ``HARD``, ``(N,)`` each; nothing here has seen a truth.

    Args:
        inputs: The windows.
        weather: What weather came, whatever the forecaster knows of it; None calls no day cold.
    """
    missing = np.isnan(inputs.context_kwh[:, -7 * _DAY :]).sum(axis=1)  # (N,)
    return {
        "holidays": _holidays(inputs),
        "cold": _cold(inputs, weather),
        "gaps": missing >= _GAP_STEPS,
        "changed": _changed(inputs.context_kwh),
    }
