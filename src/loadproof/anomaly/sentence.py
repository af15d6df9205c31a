"""One sentence that tells a person what an alert is about, in UK local time."""

import math
from typing import Final, NamedTuple

import numpy as np

from loadproof.anomaly.expected import Expected
from loadproof.features.calendar import to_local

__all__ = ["Told", "missing_sentence", "odd_sentence", "when"]

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_MOST_DIGITS: Final = 4  # one in a million: more says nothing more

_REMARKS: Final = {
    "frozen": "one value repeated",
    "limit": "more than the supply carries, less than nothing, or less than its sub-meters",
    "level_shift": "the whole level moved",
    "drift": "out of step with the days before",
}
"""What is said of a kind beside the figures; a spike and a dropout speak for themselves."""


class Told(NamedTuple):
    """The facts of one alert of odd readings."""

    start: np.datetime64
    end: np.datetime64
    kind: str
    energy_kwh: float
    expected: Expected
    word: str
    p_value: float


def _kwh(value: float) -> str:
    return f"{value:.1f}" if abs(value) >= 0.95 else f"{value:.2f}"


def _clock(at: np.datetime64) -> tuple[str, str]:
    """Return local date and time of day of an instant."""
    local = to_local(np.array([at]))[0].astype("datetime64[m]").item()
    return f"{local.day} {_MONTHS[local.month - 1]}", f"{local:%H:%M}"


def when(start: np.datetime64, end: np.datetime64) -> str:
    """Return a span in words: ``18:30 to 21:00``, with dates where it reaches into another day."""
    (first_day, first), (_, last) = _clock(start), _clock(end)
    last_day, _ = _clock(end - np.timedelta64(1, "us"))
    if first_day == last_day:
        return f"{first} to {'24:00' if last == '00:00' else last}"
    return f"{first_day} {first} to {_clock(end)[0]} {last}"


def _share(p_value: float) -> str:
    """Return how many of a hundred readings are less odd, with the digits it takes, four at most, never rounded up."""
    digits = min(max(math.ceil(-math.log10(p_value)) - 2, 0), _MOST_DIGITS) if p_value > 0 else _MOST_DIGITS
    return f"{math.floor((1 - p_value) * 100 * 10**digits + 1e-6) / 10**digits:.{digits}f} %"


def _days(told: Told) -> str:
    days, below, above = told.expected.days, told.expected.below, told.expected.above
    side, n = ("above", below) if below >= above else ("below", above)
    return f"{side} {'each' if n == days else n} of this home's last {days} {told.word}"


def odd_sentence(told: Told) -> str:
    """Return the sentence of an alert of odd readings."""
    known = not math.isnan(told.expected.low_kwh)
    band = f"{_kwh(told.expected.low_kwh)} to {_kwh(told.expected.high_kwh)} expected"
    against = f" against {band}; {_days(told)}" if known else "; too few days before to hold it against"
    remark = f"; {_REMARKS[told.kind]}" if told.kind in _REMARKS else ""
    odd = f"odder than {_share(told.p_value)} of usual readings"
    return f"{when(told.start, told.end)}: {_kwh(told.energy_kwh)} kWh{against}, {odd}{remark}"


def missing_sentence(start: np.datetime64, end: np.datetime64, n_steps: int) -> str:
    """Return the sentence of a stretch without readings."""
    return f"{when(start, end)}: {n_steps} {'reading' if n_steps == 1 else 'readings'} missing"
