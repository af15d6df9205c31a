"""The minutes of a sample in UTC, beside what London's clocks, calendar and sky say of each."""

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import holidays
import numpy as np

from loadproof.samples.pulses import BoolArray, FloatArray, IntArray

__all__ = ["DAY_MINS", "Clock", "build_clock"]

DAY_MINS = 1440
LONDON = ZoneInfo("Europe/London")
LATITUDE_DEG = 51.5  # London; its longitude is taken as zero
TILT_DEG = 23.44  # the Earth's axis


@dataclass(frozen=True, eq=False)
class Clock:
    """``n_days`` days from midnight UTC of ``first_day``: M = 1440 n_days minutes, D = n_days + 1 local days.

    In summer local midnight comes an hour before UTC's, so that the last local day is cut short.
    """

    first_day: dt.date
    n_days: int
    minute_of_day: IntArray  # local wall clock (M,)
    day: IntArray  # local day of each minute, 0 to D - 1 (M,)
    day_start: IntArray  # minute of the grid at which each local day begins (D,)
    day_of_year: IntArray  # 1 to 366 (D,)
    is_workday: BoolArray  # neither weekend nor bank holiday in England (D,)
    sun_elevation_deg: FloatArray  # angle of the sun above the horizon (M,)

    @property
    def n_mins(self) -> int:
        """Length of the grid, M."""
        return self.n_days * DAY_MINS


def build_clock(first_day: dt.date, n_days: int) -> Clock:
    """Return the clock of ``n_days`` UTC days from ``first_day``."""
    days = [first_day + dt.timedelta(days=i) for i in range(n_days + 1)]
    bank_holidays = holidays.country_holidays("GB", subdiv="ENG", years=range(days[0].year, days[-1].year + 1))
    utc_mins = np.arange(n_days * DAY_MINS)
    local_mins = utc_mins + np.repeat(_offset_mins(first_day, 24 * n_days, step_mins=60), 60)  # (M,)
    noon_offset_mins = _offset_mins(first_day, n_days + 1, step_mins=DAY_MINS, first_mins=DAY_MINS // 2)  # (D,)
    return Clock(
        first_day=first_day,
        n_days=n_days,
        minute_of_day=local_mins % DAY_MINS,
        day=local_mins // DAY_MINS,
        day_start=np.arange(n_days + 1) * DAY_MINS - noon_offset_mins,
        day_of_year=np.array([day.timetuple().tm_yday for day in days]),
        is_workday=np.array([day.weekday() < 5 and day not in bank_holidays for day in days]),
        sun_elevation_deg=_sun_elevation_deg(first_day, utc_mins),
    )


def _offset_mins(first_day: dt.date, n: int, *, step_mins: int, first_mins: int = 0) -> IntArray:
    """Return London's offset from UTC, minutes ``(n,)``; clocks change on whole hours UTC."""
    midnight = dt.datetime.combine(first_day, dt.time(), tzinfo=dt.UTC)
    stamps = (midnight + dt.timedelta(minutes=first_mins + i * step_mins) for i in range(n))
    offsets = (stamp.astimezone(LONDON).utcoffset() or dt.timedelta() for stamp in stamps)
    return np.array([offset // dt.timedelta(minutes=1) for offset in offsets])


def _sun_elevation_deg(first_day: dt.date, utc_mins: IntArray) -> FloatArray:
    """Return the sun's elevation, degrees ``(M,)``, without the equation of time: right to a quarter of an hour."""
    day_of_year = first_day.timetuple().tm_yday + utc_mins / DAY_MINS
    declination = -np.radians(TILT_DEG) * np.cos(2 * np.pi * (day_of_year + 9) / 365.25)
    hour_angle = 2 * np.pi * (utc_mins / DAY_MINS - 0.5)
    latitude = np.radians(LATITUDE_DEG)
    sine = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(hour_angle)
    elevation_deg: FloatArray = np.degrees(np.arcsin(sine))
    return elevation_deg
