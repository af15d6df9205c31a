"""Readings to a panel: every entity's series on one regular grid, E entities by T time steps; NaN is missing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from loadproof.cards import Card
from loadproof.errors import ConfigError, SchemaError
from loadproof.features.calendar import Instants

__all__ = ["Panel", "panel_from_readings", "to_us"]


def _refuse_duplicates(frame: pl.DataFrame, cells: NDArray[np.int64], n_cells: int) -> None:
    taken = np.zeros(n_cells, dtype=bool)
    taken[cells] = True
    if (n_twice := len(cells) - int(taken.sum())) == 0:
        return
    keys = frame.select("entity_id", "ts_utc")
    entity_id, ts_utc = keys.filter(keys.is_duplicated()).row(0)
    raise SchemaError(
        f"{n_twice} readings share entity_id and ts_utc with another, the first is {entity_id} at {ts_utc}; "
        "merge the store again, or drop them with unique(['entity_id', 'ts_utc'])"
    )


def _one_interval(frame: pl.DataFrame) -> int:
    if missing := {"entity_id", "ts_utc", "interval_mins", "energy_kwh"} - set(frame.columns):
        raise SchemaError(f"readings lack the columns {sorted(missing)}; read them with the columns of READINGS")
    intervals = frame["interval_mins"].unique().sort().to_list()
    if len(intervals) != 1:
        found = f"of {intervals} minutes are mixed" if intervals else "are empty"
        raise SchemaError(f"the readings {found}; choose rows of one interval_mins, at least one")
    return int(intervals[0])


def _minute(ts: np.datetime64) -> str:
    return str(ts.astype("datetime64[m]")).replace("T", " ")


def _instant(ts: np.datetime64) -> str:
    return f"{ts.astype('datetime64[m]')}Z"


def to_us(interval_mins: int) -> int:
    """Return an interval in microseconds."""
    return interval_mins * 60_000_000


@dataclass(frozen=True, eq=False, repr=False)
class Panel(Card):
    """Every entity's series on one regular grid.

    Attributes:
        entities: Names, ascending, ``(E,)``.
        start: Start of the first interval, UTC.
        interval_mins: Length of a step in minutes.
        energy_kwh: Energy per step in kWh, NaN where missing, float32 ``(E, T)``.
    """

    entities: NDArray[np.str_]
    start: np.datetime64
    interval_mins: int
    energy_kwh: NDArray[np.float32]

    @property
    def end(self) -> np.datetime64:
        """The end of the last interval, UTC."""
        length_us = self.energy_kwh.shape[1] * to_us(self.interval_mins)
        return np.datetime64(self.start + np.timedelta64(length_us, "us"))

    def card(self) -> dict[str, object]:
        """Return what a reader wants to see of it."""
        missing = np.isnan(self.energy_kwh).mean() if self.energy_kwh.size else 0.0
        return {
            "entities": len(self.entities),
            "UTC": f"{_minute(self.start)} to {_minute(self.end)}",
            "step": f"{self.interval_mins} min",
            "missing": f"{missing:.1%}",
        }

    def only(self, names: Sequence[str]) -> "Panel":
        """Return the series of some entities alone; one that is not here is not there either."""
        rows = np.isin(self.entities, list(names))
        return Panel(self.entities[rows], self.start, self.interval_mins, self.energy_kwh[rows])

    def reaching(self, end: np.datetime64) -> "Panel":
        """Return the same series up to ``end`` at least, on the grid; what is added is missing."""
        more = max(int(self.steps_to(np.array([end]))[0]) - self.energy_kwh.shape[1], 0)
        energy = np.pad(self.energy_kwh, ((0, 0), (0, more)), constant_values=np.nan) if more else self.energy_kwh
        return Panel(self.entities, self.start, self.interval_mins, energy)

    def steps_to(self, ts: Instants) -> NDArray[np.int64]:
        """Return how many steps after ``start`` each instant lies, of the same shape; may be negative.

        Raises:
            ConfigError: When an instant is no multiple of the interval away from ``start``.
        """
        away_us = np.asarray(ts, dtype="datetime64[us]").astype(np.int64) - int(self.start.astype(np.int64))
        steps, off_us = np.divmod(away_us, to_us(self.interval_mins))
        if off_us.any():
            worst = int(np.argmax(off_us))
            strange = np.asarray(ts, dtype="datetime64[us]").flat[worst]
            before = strange - np.timedelta64(int(off_us.flat[worst]), "us")
            after = before + np.timedelta64(self.interval_mins, "m")
            raise ConfigError(
                f"{strange.astype('datetime64[s]')}Z: is off the {self.interval_mins} minute grid; "
                f"write {_instant(before)} or {_instant(after)} (with --at)"
            )
        return np.asarray(steps)

    def count(self, starts: NDArray[np.int64], length: int) -> NDArray[np.int64]:
        """Return how many readings each entity has in ``length`` steps from each start ``(O,)``, ``(E, O)``."""
        n_entities, n_steps = self.energy_kwh.shape
        so_far = np.zeros((n_entities, n_steps + 1), dtype=np.int32)
        np.cumsum(~np.isnan(self.energy_kwh), axis=1, out=so_far[:, 1:])  # (E, T)
        edges = np.clip([starts, starts + length], 0, n_steps)  # (2, O)
        return np.asarray(so_far[:, edges[1]] - so_far[:, edges[0]], dtype=np.int64)  # (E, O)

    def cut(self, rows: NDArray[np.int64], starts: NDArray[np.int64], length: int) -> NDArray[np.float32]:
        """Return ``length`` steps of each row ``(N,)`` from each start ``(N,)``, NaN outside, ``(N, length)``."""
        padded = np.pad(self.energy_kwh, ((0, 0), (length, length)), constant_values=np.nan)  # (E, T + 2 length)
        # A slice wholly outside becomes wholly padding.
        inside = np.clip(starts + length, 0, self.energy_kwh.shape[1] + length)
        return np.asarray(sliding_window_view(padded, length, axis=1)[rows, inside])  # (N, length)


def panel_from_readings(frame: pl.DataFrame) -> Panel:
    """Return the readings as one panel from the first interval to the last of any entity.

    Args:
        frame: Columns ``entity_id``, ``ts_utc``, ``interval_mins``, ``energy_kwh`` of ``READINGS``, in any order.

    Raises:
        SchemaError: When a column lacks, intervals are mixed, no row is there, a row is off the grid, or two rows
            share entity and time.
    """
    interval_mins = _one_interval(frame)
    entities = frame["entity_id"].unique().sort().cast(pl.String)
    codes = frame["entity_id"].cast(pl.Enum(entities)).to_physical().to_numpy().astype(np.int64)  # (R,)
    steps, off_grid = np.divmod(frame["ts_utc"].dt.epoch("us").to_numpy(), to_us(interval_mins))  # (R,)
    if off_grid.any():
        raise SchemaError(f"{np.count_nonzero(off_grid)} readings are off the grid; ingest them again with their rules")
    first = int(steps.min())
    length = int(steps.max()) - first + 1
    cells = codes * length + (steps - first)  # (R,)
    _refuse_duplicates(frame, cells, len(entities) * length)
    energy = np.full(len(entities) * length, np.nan, dtype=np.float32)
    energy[cells] = frame["energy_kwh"].cast(pl.Float32).to_numpy()
    start = np.datetime64(first * to_us(interval_mins), "us")
    return Panel(np.array(entities.to_list(), dtype=np.str_), start, interval_mins, energy.reshape(len(entities), -1))
