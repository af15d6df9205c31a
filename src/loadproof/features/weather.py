"""One station's weather as seen from an origin: what was observed before it, and what a forecast would have said.

A half hour holds the last hourly observation, at most 3 h long: what a step shows was observed at its start or earlier.
Temperature is a moment's; NaN is missing. O origins, S steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.errors import ConfigError, SchemaError
from loadproof.features.calendar import Instants
from loadproof.schema import WEATHER
from loadproof.seeds import rng_for

__all__ = ["HEATING_BASE_DEGC", "OBSERVED_NAMES", "Weather", "WeatherArm", "ahead_names", "weather_from_table"]

WeatherArm: TypeAlias = Literal["observed", "forecast", "perfect"]
"""What is known of the weather after ``t0``: nothing, a simulated forecast, or (perfect) what really came."""

HEATING_BASE_DEGC: Final = 15.5
"""Outdoor temperature below which British homes are heated."""
# Source: Carbon Trust, "Degree days for energy management" (CTG075),
# http://www.carbontrust.com/resources/guides/energy-efficiency/degree-days

OBSERVED_NAMES: Final = ("temp_now_degc", "temp_mean_24h_degc", "temp_mean_7d_degc", "temp_lag_24h_degc")
"""Columns known at ``t0``. In the past each is as of its step; in the horizon all are as of ``t0``."""

_STEP_US: Final = 1_800_000_000
_DAY_STEPS: Final = 48
_MAX_HOLD_STEPS: Final = 6
"""A gap of less than 3 h keeps the last temperature; a longer one is missing from then on."""
_MIN_SHARE: Final = 0.5
"""A mean of less than half of its half hours is none."""


def ahead_names(arm: WeatherArm) -> tuple[str, ...]:
    """Return the columns that would have to be a forecast; their names tell a perfect forecast from a simulated one."""
    return (
        () if arm == "observed" else (f"temp_{arm}_degc", f"temp_{arm}_change_degc", f"heating_{arm}_degc_half_hours")
    )


@dataclass(frozen=True, eq=False)
class Weather:
    """A station's temperature on the half-hour grid, and from which arm the weather after an origin is taken.

    Attributes:
        start: The first half hour, UTC.
        temperature_degc: What was last observed at each half hour, NaN where nothing was for 3 h, ``(T,)``.
        station_id: Whose it is.
        arm: What is known of the weather after ``t0``.
        error_degc: Standard deviation of a simulated forecast's error 24 h ahead, degrees Celsius.
        seed: Of the simulated errors; each origin's are its own, whatever other origins are asked for.
    """

    start: np.datetime64
    temperature_degc: NDArray[np.float32]
    station_id: str
    arm: WeatherArm = "observed"
    error_degc: float = 0.0
    seed: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of ``past`` and ``ahead``, in order."""
        return OBSERVED_NAMES + ahead_names(self.arm)

    def as_arm(self, arm: WeatherArm, *, error_degc: float = 0.0, seed: int = 0) -> "Weather":
        """Return the same weather under another arm."""
        return replace(self, arm=arm, error_degc=error_degc, seed=seed)

    def past(self, ts: Instants) -> NDArray[np.float32]:
        """Return the columns named in ``names`` as of each step, ``(O, S, W)``; the forecast of the past is the past.

        Args:
            ts: Starts of steps before their origin, UTC, ``(O, S)``.
        """
        at = self._positions(ts)  # (O, S)
        return self._columns(at, at, self._at(at))

    def ahead(self, t0: Instants, ts: Instants) -> NDArray[np.float32]:
        """Return the columns named in ``names`` as of each origin, ``(O, S, W)``.

        Args:
            t0: Origins, UTC, ``(O,)``.
            ts: Starts of steps from the origin on, UTC, ``(O, S)``.
        """
        at = self._positions(ts)  # (O, S)
        now = self._positions(t0)[:, None] - 1  # (O, 1)
        return self._columns(at, np.broadcast_to(now, at.shape), self._to_come(t0, at))

    def _columns(
        self, at: NDArray[np.int64], now: NDArray[np.int64], to_come: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return all columns of steps ``at``, of which those up to ``now`` are known, ``(O, S, W)``."""
        days_back = np.maximum((at - now - 1) // _DAY_STEPS + 1, 1)  # (O, S)
        week = self._mean(now, 7 * _DAY_STEPS)  # (O, S)
        observed = [self._at(now), self._mean(now, _DAY_STEPS), week, self._at(at - days_back * _DAY_STEPS)]
        heating = np.maximum(HEATING_BASE_DEGC - to_come, 0)
        ahead = [] if self.arm == "observed" else [to_come, to_come - week, heating]
        return np.stack([*observed, *ahead], axis=-1, dtype=np.float32, casting="same_kind")  # (O, S, W)

    def _to_come(self, t0: Instants, at: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the temperature that is said to come, ``(O, S)``."""
        really = self._at(at)
        if self.arm != "forecast" or not self.error_degc:
            return really
        first = self._positions(t0)  # (O,)
        lead = at - first[:, None]  # (O, S)
        n_leads = int(lead.max(initial=0)) + 1
        origins_us = np.asarray(t0, dtype="datetime64[us]").astype(np.int64)
        errors = np.reshape([self._errors(int(origin), n_leads) for origin in origins_us], (-1, n_leads))  # (O, L)
        return really + np.take_along_axis(errors, lead, axis=1).astype(np.float32)  # (O, S)

    def _errors(self, t0_us: int, n_leads: int) -> NDArray[np.float64]:
        """Return one origin's forecast errors from the first half hour on, degrees Celsius, ``(L,)``.

        A random walk: its spread grows with the root of the lead, from 0.14 of ``error_degc`` at half an hour to all of
        it at 24 h, and what is wrong at noon is still wrong at one.
        """
        rng = rng_for(self.seed, f"weather/{t0_us}")
        return np.asarray(np.cumsum(rng.standard_normal(n_leads)) * self.error_degc / np.sqrt(_DAY_STEPS))

    def _positions(self, ts: Instants) -> NDArray[np.int64]:
        """Return the half hour in which each instant lies, counted from ``start``; may be outside."""
        away_us = np.asarray(ts, dtype="datetime64[us]").astype(np.int64) - int(self.start.astype(np.int64))
        return away_us // _STEP_US

    def _at(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        inside = (positions >= 0) & (positions < len(self.temperature_degc))
        held = self.temperature_degc[np.clip(positions, 0, len(self.temperature_degc) - 1)]
        return np.where(inside, held, np.float32(np.nan))

    def _mean(self, last: NDArray[np.int64], length: int) -> NDArray[np.float32]:
        """Return the mean of ``length`` half hours up to and with ``last``, NaN where half of them are missing."""
        known = ~np.isnan(self.temperature_degc)
        total = np.append(0.0, np.cumsum(np.where(known, self.temperature_degc, 0), dtype=np.float64))  # (T + 1,)
        count = np.append(0, np.cumsum(known))  # (T + 1,)
        stop, start = (np.clip(edge, 0, len(known)) for edge in (last + 1, last + 1 - length))
        n = count[stop] - count[start]
        enough = n >= _MIN_SHARE * length
        mean = np.divide(total[stop] - total[start], n, where=enough, out=np.full(n.shape, np.nan))
        return np.asarray(mean, dtype=np.float32)


def _held(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return a series in which each value holds until the next, at most so long as a hold may last, ``(T,)``."""
    known = ~np.isnan(values)
    last = np.maximum.accumulate(np.where(known, np.arange(len(values)), -_MAX_HOLD_STEPS))
    fresh = np.arange(len(values)) - last < _MAX_HOLD_STEPS
    return np.where(fresh, values[np.maximum(last, 0)], np.nan).astype(np.float32)


def _station(stations: Sequence[str], named: str | None) -> str:
    if named is None and len(stations) == 1:
        return stations[0]
    if named not in stations:
        which = f"no station is called {named!r}" if named else "the weather is of several stations"
        raise ConfigError(f"{which}; name one of {', '.join(stations[:10]) or 'none: ingest weather first'}")
    return str(named)


def weather_from_table(
    frame: pl.DataFrame | pl.LazyFrame, *, station_id: str | None = None, arm: WeatherArm = "observed",
    error_degc: float = 0.0, seed: int = 0,
) -> Weather:  # fmt: skip
    """Return one station's weather from rows of ``WEATHER``.

    Args:
        frame: The rows, in any order.
        station_id: Which station; may be None where there is only one.
        arm: What is known of the weather after ``t0``.
        error_degc: Standard deviation of a simulated forecast's error 24 h ahead.
        seed: Of the simulated errors.

    Raises:
        ConfigError: When no station is named of several, or one that is not there.
        SchemaError: When a column lacks, or a station tells one half hour twice.
    """
    frame = frame.lazy()
    columns = ("station_id", "ts_utc", "temperature_degc")
    if missing := set(columns) - set(frame.collect_schema().names()):
        raise SchemaError(
            f"weather lacks the columns {sorted(missing)}; read it with the columns of {list(WEATHER)[:3]}"
        )
    rows = frame.select(columns).filter(pl.col("temperature_degc").is_not_null()).collect()
    station = _station(rows["station_id"].unique().sort().to_list(), station_id)
    rows = rows.filter(pl.col("station_id") == station).sort("ts_utc")
    half_hours, late_us = np.divmod(rows["ts_utc"].dt.epoch("us").to_numpy(), _STEP_US)
    steps = half_hours + (late_us > 0)  # an observation between two half hours is first known at the later one
    if (np.diff(steps) == 0).any():
        raise SchemaError(f"{station} tells a half hour twice; ingest the weather again")
    values = np.full(int(steps[-1] - steps[0]) + _MAX_HOLD_STEPS, np.nan)
    values[steps - steps[0]] = rows["temperature_degc"].to_numpy()
    start = np.datetime64(int(steps[0]) * _STEP_US, "us")
    return Weather(start, _held(values), station, arm, error_degc, seed)
