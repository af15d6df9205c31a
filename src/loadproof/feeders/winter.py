"""The winter peak of a year with its uncertainty, and how much more fits below a limit.

A winter is its weeks: each week has a highest half hour, and the highest of many is taken to be Gumbel's. Which weeks a
year brings is drawn anew (a bootstrap of weeks), so that few weeks make a wide answer. How one winter differs from the
next cannot be seen in one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.errors import ConfigError
from loadproof.features.calendar import to_local

__all__ = [
    "MIN_WEEKS",
    "WINTER_MONTHS",
    "WINTER_WEEKS",
    "Fits",
    "Weeks",
    "WinterPeak",
    "chance_above",
    "how_many_fit",
    "weekly_peaks",
    "winter_peak",
    "winter_weeks",
]

WINTER_MONTHS: Final = (11, 12, 1, 2)
WINTER_WEEKS: Final = 17
"""Weeks from November to February."""

MIN_WEEKS: Final = 8
"""With fewer weeks no peak of a winter is told."""

MIN_KNOWN: Final = 0.9
"""Share of a week's half hours that must be known."""

_WEEK_STEPS: Final = 336
_EULER: Final = 0.5772156649015329
_LEAST_SCALE_KWH: Final = 1e-6

Floats = NDArray[np.float64]


class Weeks(NamedTuple):
    """The winter's weeks of one entity: kWh per half hour, NaN where missing, and each half hour's local clock."""

    energy_kwh: Floats  # (W, 336)
    steps: NDArray[np.int64]  # where in the panel each half hour stands (W, 336)


def winter_weeks(energy_kwh: NDArray[np.floating], start: np.datetime64) -> Weeks:
    """Return the weeks from Monday to Sunday (UTC) that begin in winter and are known well enough.

    Args:
        energy_kwh: One series of half hours, ``(T,)``.
        start: Of its first.
    """
    ts = start + np.arange(len(energy_kwh)) * np.timedelta64(30, "m")
    us = ts.astype("datetime64[us]").astype(np.int64)
    monday = (us // 1_800_000_000 - 4 * 48) % _WEEK_STEPS == 0  # 1970-01-01 was a Thursday
    firsts = np.flatnonzero(monday)
    firsts = firsts[firsts + _WEEK_STEPS <= len(energy_kwh)]
    months = to_local(ts[firsts]).astype("datetime64[M]").astype(np.int64) % 12 + 1
    steps = firsts[np.isin(months, WINTER_MONTHS)][:, None] + np.arange(_WEEK_STEPS)  # (W, 336)
    kwh = np.asarray(energy_kwh, dtype=np.float64)[steps]
    known = (~np.isnan(kwh)).mean(axis=1) >= MIN_KNOWN if len(kwh) else np.zeros(0, dtype=bool)
    return Weeks(kwh[known], steps[known])


def weekly_peaks(energy_kwh: Floats) -> Floats:
    """Return the highest half hour of each week, ``(..., W, 336)`` to ``(..., W)``."""
    return np.asarray(np.nanmax(energy_kwh, axis=-1))


@dataclass(frozen=True, eq=False)
class WinterPeak:
    """The highest half hour of a winter as a mixture of Gumbels, one a draw of weeks.

    Attributes:
        mode_kwh: ``(D,)``.
        scale_kwh: ``(D,)``.
    """

    mode_kwh: Floats
    scale_kwh: Floats

    def quantile_kwh(self, level: float) -> float:
        """Return a quantile of the mixture, by bisection to a Wh."""
        low = float((self.mode_kwh - 5 * self.scale_kwh).min())
        high = float((self.mode_kwh + 30 * self.scale_kwh).max())
        while high - low > 1e-3:
            middle = (low + high) / 2
            low, high = (middle, high) if 1 - chance_above(self, middle) < level else (low, middle)
        return (low + high) / 2


def chance_above(peak: WinterPeak, limit_kwh: float) -> float:
    """Return the chance that a winter's highest half hour is above a limit."""
    away = np.clip((limit_kwh - peak.mode_kwh) / peak.scale_kwh, -50, 700)
    return float(-np.expm1(-np.exp(-away)).mean())


def winter_peak(peaks_kwh: Floats, *, draws: int, rng: np.random.Generator, weeks: int = WINTER_WEEKS) -> WinterPeak:
    """Return the distribution of the highest half hour of so many weeks.

    Args:
        peaks_kwh: The highest half hour of each week that was seen, ``(W,)``.
        draws: Resamples of weeks.
        rng: Of the draws.
        weeks: Of a winter.

    Raises:
        ConfigError: With fewer than ``MIN_WEEKS`` weeks.
    """
    n = len(peaks_kwh)
    if n < MIN_WEEKS:
        raise ConfigError(
            f"{n} winter week(s) are known well enough, and the peak of a winter wants {MIN_WEEKS} or more; ingest a "
            "winter of readings (November to February)"
        )
    taken = np.sort(peaks_kwh[rng.integers(0, n, size=(draws, n))], axis=1)  # (D, W)
    mean = taken.mean(axis=1)
    # L-moments: Gumbel's scale is the second over ln 2; they are steadier than a likelihood on few weeks.
    second = 2 * (taken * (np.arange(n) / (n - 1))).mean(axis=1) - mean
    scale = np.maximum(second / np.log(2), _LEAST_SCALE_KWH)
    return WinterPeak(mean - _EULER * scale + scale * np.log(weeks), scale)


class Fits(NamedTuple):
    """How many devices fit: the most with which the chance stays at or below what is accepted; -1 where none is needed.

    ``chances`` is that of each number that was looked at.
    """

    most: int
    of: int
    chances: dict[int, float]


def how_many_fit(
    weeks: Weeks, added: Callable[[int], Floats], limit_kwh: float, *, of: int, accept: float, draws: int,
    rng: np.random.Generator,
) -> Fits:  # fmt: skip
    """Return how many devices may be added before a winter exceeds the limit with more than the accepted chance.

    What the devices draw is added half hour by half hour and the peaks are found anew: diversity is what the sum
    shows. Found by bisection, for more devices never lower a peak.

    Args:
        weeks: The load without them.
        added: What a number of devices draws in these half hours, several drawings of them, kWh ``(R, W, 336)``.
        limit_kwh: The limit.
        of: The largest number to be looked at, one a home.
        accept: The chance per winter that is accepted.
        draws: Resamples of weeks.
        rng: Of the draws; every number sees the same.

    Raises:
        ConfigError: As :func:`winter_peak`.
    """
    seed = int(rng.integers(2**63))
    chances: dict[int, float] = {}

    def chance(number: int) -> float:
        if number not in chances:
            peaks = weekly_peaks(weeks.energy_kwh + added(number))  # (R, W)
            chances[number] = float(np.mean([
                chance_above(winter_peak(row, draws=draws, rng=np.random.default_rng(seed)), limit_kwh)
                for row in peaks
            ]))  # fmt: skip
        return chances[number]

    if chance(0) > accept:
        return Fits(-1, of, chances)
    if chance(of) <= accept:
        return Fits(of, of, chances)
    low, high = 0, of
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if chance(middle) <= accept else (low, middle)
    return Fits(low, of, chances)
