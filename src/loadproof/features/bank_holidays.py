"""The bank holidays of the four nations, and the days on which they leave people at work."""

import datetime as dt
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from loadproof.features.calendar import Instants
from loadproof.features.place import Nation

__all__ = ["is_bank_holiday", "is_working_day"]

_SUBDIVISIONS: Final[dict[Nation, str]] = {
    "england": "ENG", "wales": "WLS", "scotland": "SCT", "northern_ireland": "NIR",
}  # fmt: skip
_FIRST_YEAR: Final = 1970


@lru_cache(maxsize=1024)
def _holidays_of(nation: Nation, year: int) -> tuple[dt.date, ...]:
    from holidays import country_holidays  # reading it takes as long as all of the house: only where it is asked for

    return tuple(country_holidays("GB", subdiv=_SUBDIVISIONS[nation], years=year))


def is_bank_holiday(dates: Instants, nation: Nation) -> NDArray[np.bool_]:
    """Return which local dates are holidays of ``nation``, of the same shape.

    Substitutes in lieu of a weekend count, and so does the day itself: Christmas on a Sunday is Christmas.

    Args:
        dates: ``datetime64[D]``, local.
        nation: Whose holidays.
    """
    dates = np.asarray(dates, dtype="datetime64[D]")
    if not dates.size:
        return np.zeros(dates.shape, dtype=bool)
    first, last = (
        int(edge.astype("datetime64[Y]").astype(np.int64)) + _FIRST_YEAR for edge in (dates.min(), dates.max())
    )
    days = [day for year in range(first, last + 1) for day in _holidays_of(nation, year)]
    return np.isin(dates, np.array(days, dtype="datetime64[D]"))


def is_working_day(dates: Instants, nation: Nation) -> NDArray[np.bool_]:
    """Return which local dates are Monday to Friday and no holiday of ``nation``, of the same shape."""
    dates = np.asarray(dates, dtype="datetime64[D]")
    weekday = (dates.astype(np.int64) + 3) % 7  # day 0, 1970-01-01, was a Thursday
    return np.asarray((weekday < 5) & ~is_bank_holiday(dates, nation))
