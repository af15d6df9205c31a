"""UK local time for arrays of UTC instants: midnights, half hours of the day, weekdays.

Instants are ``datetime64`` without a zone and mean UTC throughout.
"""

import datetime as dt
from functools import lru_cache
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from loadproof.errors import ConfigError

__all__ = [
    "UK_ZONE",
    "WEEKDAYS",
    "Instants",
    "Moment",
    "days_before",
    "is_clock_change",
    "last_whole_day",
    "local_date",
    "local_half_hour",
    "local_midnights",
    "local_weekday",
    "to_instant",
    "to_local",
]

Instants: TypeAlias = NDArray[np.datetime64]
"""UTC instants as ``datetime64``, any shape."""

Moment: TypeAlias = np.datetime64 | dt.datetime | dt.date
"""An instant as a caller may say it: see :func:`to_instant`."""

UK_ZONE: Final = "Europe/London"
"""The one clock of the house: local time is that of the United Kingdom."""

WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

_ZONE: Final = ZoneInfo(UK_ZONE)
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_DAY: Final = dt.timedelta(days=1)
_SECOND: Final = dt.timedelta(seconds=1)
_DAY_US: Final = 86_400_000_000
_HALF_HOUR_US: Final = 1_800_000_000


def _offset(at: dt.datetime) -> dt.timedelta:
    return at.astimezone(_ZONE).utcoffset() or dt.timedelta(0)


def _change_between(before: dt.datetime, after: dt.datetime) -> dt.datetime:
    """Return the first second, UTC, that has the offset of ``after``."""
    while after - before > _SECOND:
        middle = (before + (after - before) // 2).replace(microsecond=0)
        before, after = (middle, after) if _offset(middle) == _offset(before) else (before, middle)
    return after


@lru_cache(maxsize=256)
def _changes_of(year: int) -> tuple[tuple[dt.datetime, dt.timedelta], ...]:
    """Return each clock change of ``year`` as its UTC instant and the offset from then on."""
    start = dt.datetime(year, 1, 1, tzinfo=dt.UTC)
    days = [start + _DAY * day for day in range((start.replace(year=year + 1) - start).days + 1)]
    offsets = [_offset(day) for day in days]
    pairs = zip(days[:-1], days[1:], offsets[:-1], offsets[1:], strict=True)
    return tuple((_change_between(day, next_day), after) for day, next_day, was, after in pairs if was != after)


def _to_us(span: dt.timedelta) -> int:
    return span // dt.timedelta(microseconds=1)


def _utc_us(ts: Instants) -> NDArray[np.int64]:
    return np.asarray(ts, dtype="datetime64[us]").astype(np.int64)


def _offsets_us(utc_us: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return local time less UTC in microseconds, of the shape of ``utc_us``."""
    if not utc_us.size:
        return utc_us
    first, last = ((_EPOCH + dt.timedelta(microseconds=int(edge))).year for edge in (utc_us.min(), utc_us.max()))
    changes = [change for year in range(first, last + 1) for change in _changes_of(year)]
    instants = np.array([_to_us(at - _EPOCH) for at, _ in changes], dtype=np.int64)
    opening = _offset(dt.datetime(first, 1, 1, tzinfo=dt.UTC))
    offsets = np.array([_to_us(offset) for offset in (opening, *(after for _, after in changes))], dtype=np.int64)
    return np.asarray(offsets[np.searchsorted(instants, utc_us, side="right")])


def _local_us(ts: Instants) -> NDArray[np.int64]:
    utc_us = _utc_us(ts)
    return utc_us + _offsets_us(utc_us)


def to_instant(moment: Moment) -> np.datetime64:
    """Return ``moment`` as one UTC instant in microseconds.

    Args:
        moment: A ``datetime64`` is UTC; a ``datetime`` must carry its zone; a ``date`` is its UK midnight.

    Raises:
        ConfigError: When a ``datetime`` has no zone.
    """
    if isinstance(moment, np.datetime64):
        return np.datetime64(int(_utc_us(np.array(moment))), "us")
    if not isinstance(moment, dt.datetime):
        moment = dt.datetime(moment.year, moment.month, moment.day, tzinfo=_ZONE)
    if moment.tzinfo is None:
        raise ConfigError(f"{moment} has no zone; write {moment.isoformat()}Z if it is UTC")
    return np.datetime64(_to_us(moment - _EPOCH), "us")


def last_whole_day(at: Moment) -> dt.date:
    """Return the last UK day that has ended by an instant."""
    today: dt.date = local_date(to_instant(at).reshape(1))[0].astype(dt.date)
    return today - _DAY


def to_local(ts: Instants) -> Instants:
    """Return the local wall-clock time of UTC instants, of the same shape, in microseconds."""
    return _local_us(ts).astype("datetime64[us]")


def local_date(ts: Instants) -> Instants:
    """Return the local date of UTC instants, ``datetime64[D]``, of the same shape."""
    return (_local_us(ts) // _DAY_US).astype("datetime64[D]")


def is_clock_change(dates: Instants) -> NDArray[np.bool_]:
    """Return which local dates have 23 or 25 hours, of the same shape."""
    walls = np.asarray(dates, dtype="datetime64[D]").astype(np.int64) * _DAY_US
    # London changes its clocks after midnight: the offset of 0:00 UTC is that of the local midnight.
    return np.asarray(_offsets_us(walls) != _offsets_us(walls + _DAY_US))


def days_before(ts: Instants, days: NDArray[np.int64]) -> Instants:
    """Return the instants at which local clocks showed the same time some days earlier; broadcast.

    NaT where they never did, as at 01:30 on the day of the spring change; of two such it is one or the other.
    """
    utc_us, back_us = np.broadcast_arrays(_utc_us(ts), days * _DAY_US)
    wall_us = utc_us + _offsets_us(utc_us) - back_us
    then_us = wall_us - _offsets_us(wall_us - _offsets_us(utc_us))
    exists = then_us + _offsets_us(then_us) == wall_us
    return np.where(exists, then_us.astype("datetime64[us]"), np.datetime64("NaT", "us"))


def local_half_hour(ts: Instants) -> NDArray[np.int64]:
    """Return the half hour of the local day, 0 to 47, of UTC instants of any shape."""
    return _local_us(ts) % _DAY_US // _HALF_HOUR_US


def local_weekday(ts: Instants) -> NDArray[np.int64]:
    """Return the local weekday, 0 (Monday) to 6 (Sunday), of UTC instants of any shape."""
    return (_local_us(ts) // _DAY_US + 3) % 7  # day 0, 1970-01-01, was a Thursday


def local_midnights(first: Moment, last: Moment) -> Instants:
    """Return the UTC instants of the local midnights from ``first`` to before ``last``.

    Args:
        first: A midnight that falls on it is in.
        last: A midnight that falls on it is out.

    Returns:
        Ascending instants ``(M,)`` in microseconds, one per local date.
    """
    first_us, last_us = int(_utc_us(np.array(to_instant(first)))), int(_utc_us(np.array(to_instant(last))))
    walls = np.arange(first_us // _DAY_US - 1, last_us // _DAY_US + 2, dtype=np.int64) * _DAY_US
    midnights = walls - _offsets_us(walls)  # London changes its clocks after midnight: the offset of 0:00 UTC holds
    return midnights[(midnights >= first_us) & (midnights < last_us)].astype("datetime64[us]")
