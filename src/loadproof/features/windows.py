"""Readings to windows: a panel of regular series, cut at origins into inputs and truth, split in time or by home.

Five letters for the shapes: N windows, C context steps, H horizon steps, F features, Q levels; besides E entities
and T time steps of a panel. Instants are ``datetime64[us]`` and mean UTC; NaN is a missing reading.
"""

from dataclasses import dataclass, fields, replace
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import polars as pl
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from loadproof.errors import ConfigError, SchemaError
from loadproof.features.calendar import Instants, Moment, local_half_hour, local_weekday, to_instant

__all__ = [
    "KNOWN_NAMES",
    "EntitySplit",
    "Inputs",
    "Panel",
    "Skipped",
    "Split",
    "Windows",
    "cut_truth",
    "cut_windows",
    "panel_from_readings",
    "split_by_entity",
    "split_by_time",
]

Index: TypeAlias = slice | NDArray[np.bool_] | NDArray[np.integer[Any]]

KNOWN_NAMES: Final = ("local_half_hour", "local_weekday")
"""The features F of ``past`` and ``known``, in order: 0 to 47, and 0 (Monday) to 6, both UK local."""


@dataclass(frozen=True, eq=False)
class Panel:
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

    def steps_to(self, ts: Instants) -> NDArray[np.int64]:
        """Return how many steps after ``start`` each instant lies, of the same shape; may be negative.

        Raises:
            ConfigError: When an instant is no multiple of the interval away from ``start``.
        """
        away_us = np.asarray(ts, dtype="datetime64[us]").astype(np.int64) - int(self.start.astype(np.int64))
        if (away_us % _us(self.interval_mins)).any():
            raise ConfigError(f"an instant is off the {self.interval_mins} minute grid; round it to the grid")
        return away_us // _us(self.interval_mins)


@dataclass(frozen=True, eq=False)
class Inputs:
    """All that a forecaster may see: nothing here was measured or published after ``t0`` less the data lag.

    Attributes:
        context_kwh: Energy of the C steps before ``t0`` in kWh, NaN where unknown, float32 ``(N, C)``.
        observed: Where ``context_kwh`` is known, ``(N, C)``.
        past: Features of the context steps, float32 ``(N, C, F)``.
        known: Features of the horizon steps, which are known in advance, float32 ``(N, H, F)``.
        known_names: Names of the F features.
        t0: Start of the first target interval, UTC, ``(N,)``.
        entity: Entity names ``(N,)``.
        horizon_steps: H.
        interval_mins: Length of a step in minutes.
        data_lag_steps: The last so many context steps were not published yet at ``t0``.
    """

    context_kwh: NDArray[np.float32]
    observed: NDArray[np.bool_]
    past: NDArray[np.float32]
    known: NDArray[np.float32]
    known_names: tuple[str, ...]
    t0: Instants
    entity: NDArray[np.str_]
    horizon_steps: int
    interval_mins: int
    data_lag_steps: int = 0

    def __len__(self) -> int:
        return len(self.t0)

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


@dataclass(frozen=True, eq=False)
class Windows:
    """Inputs, and by another door the truth in kWh, NaN where missing, float32 ``(N, H)``; ``skipped`` by the cut."""

    inputs: Inputs
    truth_kwh: NDArray[np.float32]
    skipped: Skipped = NONE_SKIPPED

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, index: Index) -> "Windows":
        """Return the windows that ``index`` (positions, mask ``(N,)`` or slice) picks, in its order."""
        return Windows(self.inputs.take(index), self.truth_kwh[index])


class Split(NamedTuple):
    """Three blocks in time; ``dropped`` counts the windows whose truth crossed a border."""

    train: Windows
    valid: Windows
    test: Windows
    dropped: int


class EntitySplit(NamedTuple):
    """The windows of two disjoint sets of homes."""

    seen: Windows
    unseen: Windows


def _us(interval_mins: int) -> int:
    return interval_mins * 60_000_000


def _grid(t0: Instants, steps: NDArray[np.int64], interval_mins: int) -> Instants:
    """Return ``t0`` plus each number of steps, ``(N, S)``."""
    origins_us = t0.astype("datetime64[us]").astype(np.int64)
    return (origins_us[:, None] + steps * _us(interval_mins)).astype("datetime64[us]")  # (N, S)


def _calendar(ts: Instants) -> NDArray[np.float32]:
    """Return the features named in ``KNOWN_NAMES``, ``(..., F)``."""
    return np.stack([local_half_hour(ts), local_weekday(ts)], axis=-1, dtype=np.float32, casting="unsafe")


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
    steps, off_grid = np.divmod(frame["ts_utc"].dt.epoch("us").to_numpy(), _us(interval_mins))  # (R,)
    if off_grid.any():
        raise SchemaError(f"{np.count_nonzero(off_grid)} readings are off the grid; ingest them again with their rules")
    first = int(steps.min())
    length = int(steps.max()) - first + 1
    cells = codes * length + (steps - first)  # (R,)
    _refuse_duplicates(frame, cells, len(entities) * length)
    energy = np.full(len(entities) * length, np.nan, dtype=np.float32)
    energy[cells] = frame["energy_kwh"].cast(pl.Float32).to_numpy()
    start = np.datetime64(first * _us(interval_mins), "us")
    return Panel(np.array(entities.to_list(), dtype=np.str_), start, interval_mins, energy.reshape(len(entities), -1))


def _counts(energy: NDArray[np.float32], starts: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Return how many readings each entity has in ``length`` steps from each start, ``(E, O)``."""
    n_steps = energy.shape[1]
    so_far = np.zeros((energy.shape[0], n_steps + 1), dtype=np.int32)
    np.cumsum(~np.isnan(energy), axis=1, out=so_far[:, 1:])  # (E, T)
    edges = np.clip([starts, starts + length], 0, n_steps)  # (2, O)
    return np.asarray(so_far[:, edges[1]] - so_far[:, edges[0]], dtype=np.int64)  # (E, O)


def _slices(
    energy: NDArray[np.float32], rows: NDArray[np.int64], starts: NDArray[np.int64], length: int
) -> NDArray[np.float32]:
    """Return ``length`` steps of each row from each start, NaN outside the panel, ``(N, length)``."""
    padded = np.pad(energy, ((0, 0), (length, length)), constant_values=np.nan)  # (E, T + 2 length)
    inside = np.clip(starts + length, 0, energy.shape[1] + length)  # a slice wholly outside becomes wholly padding
    return np.asarray(sliding_window_view(padded, length, axis=1)[rows, inside])  # (N, length)


def cut_windows(
    panel: Panel,
    *,
    context_steps: int,
    horizon_steps: int,
    origins: Instants,
    data_lag_steps: int = 0,
    min_observed: int = 1,
    require_truth: bool = True,
) -> Windows:
    """Cut one window per entity and origin, ordered by entity, then origin.

    Args:
        panel: The series.
        context_steps: C, the steps before ``t0``.
        horizon_steps: H, the steps from ``t0`` on.
        origins: The forecast origins ``t0``, UTC, on the panel's grid; a set, so order and repeats do not matter.
        data_lag_steps: Known at ``t0`` are the readings that ended at least so many steps before it.
        min_observed: A window needs so many known readings in its context.
        require_truth: Whether a window needs a reading in its horizon; false to forecast the future.

    Returns:
        The windows, with the count of those skipped for want of context or truth.

    Raises:
        ConfigError: When the lag leaves no context, a size is not positive, or an origin is off the grid.
    """
    if min(horizon_steps, min_observed) < 1 or not 0 <= data_lag_steps < context_steps:
        sizes = f"{context_steps=}, {horizon_steps=}, {data_lag_steps=}, {min_observed=}"
        raise ConfigError(f"{sizes} leave nothing to learn; raise context_steps above the lag, the others to 1")
    t0 = np.unique(np.asarray(origins, dtype="datetime64[us]"))  # (O,)
    ends = panel.steps_to(t0)  # (O,)
    known_steps = context_steps - data_lag_steps
    has_context = _counts(panel.energy_kwh, ends - context_steps, known_steps) >= min_observed  # (E, O)
    has_truth = (_counts(panel.energy_kwh, ends, horizon_steps) > 0) | (not require_truth)  # (E, O)
    rows, columns = np.nonzero(has_context & has_truth)  # (N,), (N,)
    context = _slices(panel.energy_kwh, rows, ends[columns] - context_steps, context_steps)  # (N, C)
    context[:, known_steps:] = np.nan
    inputs = Inputs(
        context_kwh=context,
        observed=~np.isnan(context),
        past=_calendar(_grid(t0, np.arange(-context_steps, 0), panel.interval_mins))[columns],  # (N, C, F)
        known=_calendar(_grid(t0, np.arange(horizon_steps), panel.interval_mins))[columns],  # (N, H, F)
        known_names=KNOWN_NAMES,
        t0=t0[columns],
        entity=panel.entities[rows],
        horizon_steps=horizon_steps,
        interval_mins=panel.interval_mins,
        data_lag_steps=data_lag_steps,
    )
    truth = _slices(panel.energy_kwh, rows, ends[columns], horizon_steps)  # (N, H)
    return Windows(inputs, truth, Skipped(int((~has_context).sum()), int((has_context & ~has_truth).sum())))


def cut_truth(panel: Panel, entity: NDArray[np.str_], t0: Instants, *, horizon_steps: int) -> NDArray[np.float32]:
    """Return what was measured from each ``t0 (N,)`` on for each ``entity (N,)``, kWh, NaN where missing, ``(N, H)``.

    Raises:
        SchemaError: When an entity is not in the panel.
    """
    rows = np.minimum(np.searchsorted(panel.entities, entity), len(panel.entities) - 1)
    if (strange := panel.entities[rows] != entity).any():
        raise SchemaError(f"no readings of {np.unique(entity[strange])[:3].tolist()}; read the dataset forecast upon")
    return _slices(panel.energy_kwh, rows, panel.steps_to(t0), horizon_steps)


def split_by_time(windows: Windows, *, valid_from: Moment, test_from: Moment) -> Split:
    """Split into blocks by ``t0``; a window not wholly published by its block's end is dropped and counted.

    Args:
        windows: The windows to split.
        valid_from: First instant of the middle block; see ``to_instant`` for how to say it.
        test_from: First instant of the last block.

    Raises:
        ConfigError: When the borders are not in order.
    """
    first, second = to_instant(valid_from), to_instant(test_from)
    if first > second:
        raise ConfigError(f"valid_from {first} comes after test_from {second}; exchange them")
    inputs = windows.inputs
    t0 = inputs.t0
    known_at = _grid(t0, np.array([inputs.horizon_steps + inputs.data_lag_steps]), inputs.interval_mins)[:, 0]  # (N,)
    train, valid, test = known_at <= first, (t0 >= first) & (known_at <= second), t0 >= second
    dropped = len(windows) - int(train.sum() + valid.sum() + test.sum())
    return Split(windows.take(train), windows.take(valid), windows.take(test), dropped)


def split_by_entity(windows: Windows, *, share: float, rng: np.random.Generator) -> EntitySplit:
    """Set aside all windows of a random ``share`` (0 to 1) of the homes, rounded to whole homes, as unseen.

    Raises:
        ConfigError: When either side would be left without a home.
    """
    homes = np.unique(windows.inputs.entity)  # (E,)
    n_unseen = round(share * len(homes))
    if not 0 < n_unseen < len(homes):
        raise ConfigError(f"share={share} of {len(homes)} homes sets {n_unseen} aside; choose one that divides them")
    unseen = np.isin(windows.inputs.entity, rng.permutation(homes)[:n_unseen])  # (N,)
    return EntitySplit(windows.take(~unseen), windows.take(unseen))
