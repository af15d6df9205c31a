"""A panel to windows: cut at origins into inputs and truth.

Five letters for the shapes: N windows, C context steps, H horizon steps, F features, Q levels. Instants are
``datetime64[us]`` and mean UTC; NaN is a missing reading.
"""

from dataclasses import dataclass, fields, replace
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from loadproof.cards import Card
from loadproof.errors import ConfigError, SchemaError
from loadproof.features.bank_holidays import is_bank_holiday, is_working_day
from loadproof.features.calendar import (
    Instants,
    is_clock_change,
    local_date,
    local_half_hour,
    local_weekday,
)
from loadproof.features.notices import Notices
from loadproof.features.panel import Panel, to_us
from loadproof.features.place import LONDON, Place
from loadproof.features.sun import solar_elevation_deg
from loadproof.features.weather import Weather

__all__ = [
    "KNOWN_NAMES",
    "Inputs",
    "OriginFeatures",
    "Skipped",
    "Windows",
    "cut_truth",
    "cut_windows",
]

Index: TypeAlias = slice | NDArray[np.bool_] | NDArray[np.integer[Any]]

KNOWN_NAMES: Final = (
    "local_half_hour",
    "local_weekday",
    "bank_holiday",
    "working_day",
    "working_day_next",
    "clock_change",
    "solar_elevation_deg",
    "day_of_year_sin",
    "day_of_year_cos",
)
"""The calendar among the features F of ``past`` and ``known``, in order: 0 to 47, and 0 (Monday) to 6, both UK local;
four of 0 or 1 that tell of the local date; the sun in the middle of the step; the year as a circle."""

_YEAR_DAYS: Final = 365.2425


def _grid(t0: Instants, steps: NDArray[np.int64], interval_mins: int) -> Instants:
    """Return ``t0`` plus each number of steps, ``(N, S)``."""
    origins_us = t0.astype("datetime64[us]").astype(np.int64)
    return (origins_us[:, None] + steps * to_us(interval_mins)).astype("datetime64[us]")  # (N, S)


def _calendar(ts: Instants, interval_mins: int, place: Place) -> NDArray[np.float32]:
    """Return the features named in ``KNOWN_NAMES`` of the steps that start at ``ts (O, S)``, ``(O, S, F)``."""
    dates, at = np.unique(local_date(ts), return_inverse=True)  # (D,), (O, S)
    working = is_working_day(np.append(dates, dates + 1).reshape(2, -1), place.nation)  # (2, D)
    year_rad = 2 * np.pi * (dates - dates.astype("datetime64[Y]")).astype(np.int64) / _YEAR_DAYS  # (D,)
    of_date = [is_bank_holiday(dates, place.nation), *working, is_clock_change(dates)]
    middle = ts + np.timedelta64(to_us(interval_mins) // 2, "us")
    sun = solar_elevation_deg(middle, latitude_deg=place.latitude_deg, longitude_deg=place.longitude_deg)
    columns = [local_half_hour(ts), local_weekday(ts), *(x[at] for x in of_date), sun]
    columns += [np.sin(year_rad)[at], np.cos(year_rad)[at]]
    return np.stack(columns, axis=-1, dtype=np.float32, casting="unsafe")  # (O, S, F)


class OriginFeatures(NamedTuple):
    """Features by origin, which all homes share: window n has those of origin ``at[n]``."""

    at: NDArray[np.int64]  # (N,)
    past: NDArray[np.float32]  # (O, C, F)
    known: NDArray[np.float32]  # (O, H, F)


@dataclass(frozen=True, eq=False, repr=False)
class Inputs(Card):
    """All that a forecaster may see: nothing here was measured or published after ``t0`` less the data lag.

    What follows from these, ``observed``, ``past`` and ``known``, is made anew each time it is asked for: kept, it
    would weigh many times as much as all the rest. ``by_origin`` tells the same once per origin.

    Attributes:
        context_kwh: Energy of the C steps before ``t0`` in kWh, NaN where unknown, float32 ``(N, C)``.
        t0: Start of the first target interval, UTC, ``(N,)``.
        entity: Entity names ``(N,)``.
        horizon_steps: H.
        interval_mins: Length of a step in minutes.
        data_lag_steps: The last so many context steps were not published yet at ``t0``.
        weather: The weather where they stand, if any; it says itself what is known of it at ``t0``.
        place: Where they stand.
        notices: Interruptions announced to them; None where nobody would say so.
    """

    context_kwh: NDArray[np.float32]
    t0: Instants
    entity: NDArray[np.str_]
    horizon_steps: int
    interval_mins: int
    data_lag_steps: int = 0
    weather: Weather | None = None
    place: Place = LONDON
    notices: Notices | None = None

    def __len__(self) -> int:
        return len(self.t0)

    def card(self) -> dict[str, object]:
        """Return what a reader wants to see of them."""
        days = self.t0.astype("datetime64[D]")
        lag = f", the last {self.data_lag_steps} not yet published" if self.data_lag_steps else ""
        return {
            "windows": len(self),
            "entities": len(np.unique(self.entity)),
            "t0": f"{days.min()} to {days.max()}" if len(self) else "none",
            "context": f"{self.context_kwh.shape[1]} steps of {self.interval_mins} min{lag}",
            "horizon": f"{self.horizon_steps} steps",
            "weather": self.weather.arm if self.weather else "none",
        }

    @property
    def observed(self) -> NDArray[np.bool_]:
        """Where ``context_kwh`` is known, ``(N, C)``."""
        return ~np.isnan(self.context_kwh)

    @property
    def known_names(self) -> tuple[str, ...]:
        """The features F of ``past`` and ``known``, in order: the calendar, the weather, what was announced."""
        return KNOWN_NAMES + tuple(name for one in self._around() for name in one.names)

    def _around(self) -> tuple[Weather | Notices, ...]:
        """Return what tells of more than the calendar, in order."""
        return tuple(one for one in (self.weather, self.notices) if one is not None)

    @property
    def past(self) -> NDArray[np.float32]:
        """Features of the context steps, each as of its step, named in ``known_names``, ``(N, C, F)``."""
        origins, at = np.unique(self.t0, return_inverse=True)  # (O,), (N,)
        return np.asarray(self._past_of(origins)[at])

    @property
    def known(self) -> NDArray[np.float32]:
        """Features of the horizon steps, known or said at ``t0``, named in ``known_names``, ``(N, H, F)``."""
        origins, at = np.unique(self.t0, return_inverse=True)  # (O,), (N,)
        return np.asarray(self._known_of(origins)[at])

    def by_origin(self) -> OriginFeatures:
        """Return ``past`` and ``known`` once for each different ``t0``, ascending."""
        origins, at = np.unique(self.t0, return_inverse=True)  # (O,), (N,)
        return OriginFeatures(at, self._past_of(origins), self._known_of(origins))

    def _past_of(self, origins: Instants) -> NDArray[np.float32]:
        ts = _grid(origins, np.arange(-self.context_kwh.shape[1], 0), self.interval_mins)  # (O, C)
        once, at = np.unique(ts, return_inverse=True)  # (T,), (O, C): contexts of neighbouring origins overlap
        calendar = _calendar(once[:, None], self.interval_mins, self.place)  # (T, 1, F)
        features = np.concatenate([calendar, *(one.past(once[:, None]) for one in self._around())], axis=-1)
        return np.asarray(features[at.reshape(ts.shape), 0])  # (O, C, F)

    def _known_of(self, origins: Instants) -> NDArray[np.float32]:
        ts = _grid(origins, np.arange(self.horizon_steps), self.interval_mins)  # (O, H)
        calendar = _calendar(ts, self.interval_mins, self.place)
        return np.concatenate([calendar, *(one.ahead(origins, ts) for one in self._around())], axis=-1)

    def take(self, index: Index) -> "Inputs":
        """Return the windows that ``index`` (positions, mask ``(N,)`` or slice) picks, in its order."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        picked: dict[str, Any] = {name: x[index] for name, x in values.items() if isinstance(x, np.ndarray)}
        return replace(self, **picked)

    def ts(self) -> Instants:
        """Return the start of each target interval, UTC, ``(N, H)``."""
        return _grid(self.t0, np.arange(self.horizon_steps), self.interval_mins)


class Skipped(NamedTuple):
    """How many pairs of entity and origin gave no window: too little known context, or (else) no truth at all."""

    no_context: int
    no_truth: int


NONE_SKIPPED: Final = Skipped(0, 0)


@dataclass(frozen=True, eq=False, repr=False)
class Windows(Card):
    """Inputs, and by another door the truth in kWh, NaN where missing, float32 ``(N, H)``; ``skipped`` by the cut."""

    inputs: Inputs
    truth_kwh: NDArray[np.float32]
    skipped: Skipped = NONE_SKIPPED

    def __len__(self) -> int:
        return len(self.inputs)

    def card(self) -> dict[str, object]:
        """Return what a reader wants to see of them."""
        missing = np.isnan(self.truth_kwh).mean() if self.truth_kwh.size else 0.0
        return {**self.inputs.card(), "truth missing": f"{missing:.1%}"}

    def take(self, index: Index) -> "Windows":
        """Return the windows that ``index`` (positions, mask ``(N,)`` or slice) picks, in its order."""
        return Windows(self.inputs.take(index), self.truth_kwh[index])


def cut_windows(
    panel: Panel, *, context_steps: int, horizon_steps: int, origins: Instants, data_lag_steps: int = 0,
    min_observed: int = 1, require_truth: bool = True, weather: Weather | None = None, place: Place = LONDON,
) -> Windows:  # fmt: skip
    """Cut one window per entity and origin, ordered by entity, then origin; those skipped are counted.

    Args:
        panel: The series.
        context_steps: C, the steps before ``t0``.
        horizon_steps: H, the steps from ``t0`` on.
        origins: The forecast origins ``t0``, UTC, on the panel's grid; a set, so order and repeats do not matter.
        data_lag_steps: Known at ``t0`` are the readings that ended at least so many steps before it.
        min_observed: A window needs so many known readings in its context.
        require_truth: Whether a window needs a reading in its horizon; false to forecast the future.
        weather: The weather to know, if any.
        place: Where the homes stand: whose bank holidays, whose sun.

    Raises:
        ConfigError: When the lag leaves no context, a size is not positive, or an origin is off the grid.
    """
    if min(horizon_steps, min_observed) < 1 or not 0 <= data_lag_steps < context_steps:
        sizes = f"{context_steps=}, {horizon_steps=}, {data_lag_steps=}, {min_observed=}"
        raise ConfigError(f"{sizes} leave nothing to learn; raise context_steps above the lag, the others to 1")
    t0 = np.unique(np.asarray(origins, dtype="datetime64[us]"))  # (O,)
    ends = panel.steps_to(t0)  # (O,)
    known_steps = context_steps - data_lag_steps
    has_context = panel.count(ends - context_steps, known_steps) >= min_observed  # (E, O)
    has_truth = (panel.count(ends, horizon_steps) > 0) | (not require_truth)  # (E, O)
    rows, columns = np.nonzero(has_context & has_truth)  # (N,), (N,)
    context = panel.cut(rows, ends[columns] - context_steps, context_steps)  # (N, C)
    context[:, known_steps:] = np.nan
    inputs = Inputs(
        context, t0[columns], panel.entities[rows], horizon_steps, panel.interval_mins, data_lag_steps, weather, place
    )
    skipped = Skipped(int((~has_context).sum()), int((has_context & ~has_truth).sum()))
    return Windows(inputs, panel.cut(rows, ends[columns], horizon_steps), skipped)


def cut_truth(panel: Panel, entity: NDArray[np.str_], t0: Instants, *, horizon_steps: int) -> NDArray[np.float32]:
    """Return what was measured from each ``t0 (N,)`` on for each ``entity (N,)``, kWh, NaN where missing, ``(N, H)``.

    Raises:
        SchemaError: When an entity is not in the panel.
    """
    rows = np.minimum(np.searchsorted(panel.entities, entity), len(panel.entities) - 1)
    if (strange := panel.entities[rows] != entity).any():
        raise SchemaError(f"no readings of {np.unique(entity[strange])[:3].tolist()}; read the dataset forecast upon")
    return panel.cut(rows, panel.steps_to(t0), horizon_steps)
