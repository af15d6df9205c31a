"""What scenarios may borrow from real homes: their windows, their gaps, and how each answers to the cold.

A ground is made of training windows, and of nothing else: so nobody's test day can come in by this door.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from loadproof.errors import ConfigError
from loadproof.features.calendar import Instants, local_half_hour, local_weekday
from loadproof.features.weather import HEATING_BASE_DEGC, Weather
from loadproof.features.windows import Windows
from loadproof.scenario.kinds import KINDS, Kind

__all__ = ["Ground", "lay_ground"]

_DAY: Final = 48
_MONTH_DAYS: Final = 30.4
_LEAST_DAYS: Final = 30
"""A home's answer to the cold is measured on so many days at least."""


@dataclass(frozen=True, eq=False)
class Ground:
    """Training windows to borrow from.

    Attributes:
        kwh: Context and truth of each window in one, NaN where missing, ``(M, S)``.
        entity: Whose, ``(M,)``.
        t0: From when, ``(M,)``.
        clock: Local half hour of the week of each ``t0``, ``(M,)``.
        missing_steps: How many context steps are missing, ``(M,)``.
        whole: Where nothing is missing, context or truth, ``(M,)``.
        context_steps: How many of the S steps are context.
        response_kwh: kWh a half hour by half hour of the day that a degree of cold adds, ``(48,)`` by home.
    """

    kwh: NDArray[np.float32]
    entity: NDArray[np.str_]
    t0: Instants
    clock: NDArray[np.int64]
    missing_steps: NDArray[np.int64]
    whole: NDArray[np.bool_]
    context_steps: int
    response_kwh: dict[str, NDArray[np.float32]]

    def lends(self) -> tuple[Kind, ...]:
        """Return the kinds that can be played upon this ground: to some it lends nothing, for some it is too short."""
        lacking: set[Kind] = set()
        if len(np.unique(self.entity[self.whole])) < 2:
            lacking |= {"ADDED_LOAD", "CHANGED_OCCUPANCY"}
        if not self.missing_steps.any():
            lacking.add("REAL_GAPS")
        if not self.response_kwh:
            lacking.add("COLD_SNAP")
        long_enough = [kind for kind, facts in KINDS.items() if -facts.onset_steps[0] <= self.context_steps]
        return tuple(kind for kind in long_enough if kind not in lacking)

    def donors(
        self, entity: NDArray[np.str_], t0: Instants, *, months_apart: float = 0, rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """Return a whole window of the same half hour for each, of the same weekday if there is one, ``(N, S)``.

        Another home's, as near in time as may be; with ``months_apart``, the same home's about so far away, or
        another's where it has none.

        Raises:
            ConfigError: When no other home has such a window.
        """
        return self.kwh[[self._donor(who, when, months_apart, rng) for who, when in zip(entity, t0, strict=True)]]

    def _donor(self, who: np.str_, when: np.datetime64, months_apart: float, rng: np.random.Generator) -> int:
        clock = int(_clock(np.asarray(when)))
        away_days = np.abs((self.t0 - when).astype("timedelta64[h]").astype(np.int64) / 24)  # (M,)
        wanted_days = months_apart * _MONTH_DAYS
        own = (self.entity == who) & (away_days > wanted_days / 2)
        away_days = np.abs(away_days - wanted_days)
        others = self.entity != who
        same_day, same_hour = self.clock == clock, self.clock % _DAY == clock % _DAY
        tries = [own & same_day] if months_apart else []
        for chosen in (*tries, others & same_day, others & same_hour):
            if (rows := np.flatnonzero(self.whole & chosen)).size:
                nearest = rows[away_days[rows] == away_days[rows].min()]
                return int(rng.choice(nearest))
        raise ConfigError(f"no other home has a whole window at the half hour of {when}; train on more homes")

    def gaps(self, n: int, *, least_steps: float, rng: np.random.Generator) -> NDArray[np.bool_]:
        """Return where ``n`` real contexts with so many gaps were missing, ``(N, C)``.

        Raises:
            ConfigError: When no context has a gap.
        """
        if not (most := self.missing_steps.max(initial=0)):
            raise ConfigError("no real context has a gap to transplant; leave REAL_GAPS out")
        rows = np.flatnonzero(self.missing_steps >= min(least_steps, most))
        return np.isnan(self.kwh[rng.choice(rows, n), : self.context_steps])

    def responses(self, entity: NDArray[np.str_], *, rng: np.random.Generator) -> NDArray[np.float32]:
        """Return each home's own answer to a degree of cold, a random other's where it was not measured, ``(N, 48)``.

        Raises:
            ConfigError: When none was measured.
        """
        if not self.response_kwh:
            raise ConfigError("no home's answer to the cold is known; lay the ground with weather")
        names = sorted(self.response_kwh)
        drawn = rng.choice(names, len(entity))
        return np.stack(
            [
                self.response_kwh.get(str(who), self.response_kwh[str(other)])
                for who, other in zip(entity, drawn, strict=True)
            ]
        )


def _clock(t0: Instants) -> NDArray[np.int64]:
    return np.asarray(local_weekday(t0) * _DAY + local_half_hour(t0))


def _response(kwh: NDArray[np.float32], heating_degc: NDArray[np.float64]) -> NDArray[np.float32] | None:
    """Return one home's answer ``(48,)``: the slope of its days on their cold, spread as its days are.

    Args:
        kwh: Whole days ``(D, 48)``.
        heating_degc: Mean degrees below the base of each, ``(D,)``.
    """
    away = heating_degc - heating_degc.mean()
    if len(kwh) < _LEAST_DAYS or not (spread := float((away**2).sum())):
        return None
    slope = max(float((away * kwh.mean(axis=1)).sum()) / spread, 0.0)
    profile = kwh.mean(axis=0, dtype=np.float64)
    return np.asarray(slope * profile / max(float(profile.mean()), 1e-6), dtype=np.float32)


def _responses(windows: Windows, weather: Weather) -> dict[str, NDArray[np.float32]]:
    perfect = weather.as_arm("perfect")
    at = perfect.names.index("temp_perfect_degc")
    origins, of = np.unique(windows.inputs.t0, return_inverse=True)  # (O,), (N,)
    ts = origins[:, None] + np.arange(_DAY) * np.timedelta64(30, "m")  # (O, 48)
    heating = np.maximum(HEATING_BASE_DEGC - perfect.ahead(origins, ts)[..., at].astype(np.float64), 0).mean(axis=1)
    whole = ~np.isnan(windows.truth_kwh[:, :_DAY]).any(axis=1) & ~np.isnan(heating[of])  # (N,)
    found = {}
    for who in np.unique(windows.inputs.entity):
        rows = whole & (windows.inputs.entity == who)
        if (response := _response(windows.truth_kwh[rows, :_DAY], heating[of[rows]])) is not None:
            found[str(who)] = response
    return found


def lay_ground(windows: Windows, weather: Weather | None = None) -> Ground:
    """Return what may be borrowed from training windows of a day ahead; with weather, homes' answers to the cold too.

    Raises:
        ConfigError: When the windows are not half-hourly, or of less than a day.
    """
    inputs = windows.inputs
    if inputs.interval_mins != 30 or inputs.horizon_steps < _DAY:
        raise ConfigError(
            f"{inputs.horizon_steps} steps of {inputs.interval_mins} minutes are no day of half hours; cut those"
        )
    kwh = np.concatenate([inputs.context_kwh, windows.truth_kwh], axis=1)  # (N, S)
    known, c = ~np.isnan(kwh), inputs.context_kwh.shape[1]
    return Ground(
        kwh, inputs.entity, inputs.t0, _clock(inputs.t0), (~known[:, :c]).sum(axis=1), known.all(axis=1), c,
        _responses(windows, weather) if weather else {},
    )  # fmt: skip
