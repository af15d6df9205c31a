"""The feature table: one row a home, origin and step, with all that a tree may know of it.

N windows, H horizon steps, F features. Columns and their units are in ``nomenclature``; NaN is unknown.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.config import FeatureConfig
from loadproof.errors import ConfigError, SchemaError
from loadproof.features.calendar import Instants, local_date, local_midnights
from loadproof.features.lags import lag_columns
from loadproof.features.levels import level_columns
from loadproof.features.nomenclature import FEATURES
from loadproof.features.panel import panel_from_readings
from loadproof.features.place import LONDON, Place
from loadproof.features.weather import OBSERVED_NAMES, Weather, ahead_names
from loadproof.features.windows import Inputs, Windows, cut_windows

__all__ = ["FeatureMatrix", "FeatureMonth", "FeatureSpec", "FeaturesOf", "build_features", "feature_matrix",
           "feature_months", "month_features", "spec_from_config"]  # fmt: skip

_CHUNK_CELLS: Final = 100_000
"""Windows times steps that are made at once: about 100 MB of lags."""
_WINDOWS_PER_FRAME: Final = 2000
"""Days of homes in a frame of the table, and so in a file of it."""
_MAX_EXTRA: Final = dt.timedelta(hours=1)
"""A local day is at most so much longer than 24 h."""
_READING_COLUMNS: Final = ("entity_id", "ts_utc", "interval_mins", "energy_kwh")


@dataclass(frozen=True)
class FeatureSpec:
    """Which columns a feature table has, in order.

    Raises:
        ConfigError: When a name is no feature's, or comes twice.
    """

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if unknown := [name for name in self.names if name not in FEATURES]:
            raise ConfigError(f"no feature is called {unknown[0]!r}; choose from features/nomenclature.py")
        if len(set(self.names)) < len(self.names):
            raise ConfigError("a feature is named twice; name each once")


class FeatureMatrix(NamedTuple):
    """Feature values and what they are called."""

    values: NDArray[np.float32]  # (N, H, F)
    names: tuple[str, ...]


class FeatureMonth(NamedTuple):
    """A local month of the feature table: its name (``2013-01``), its midnights, UTC, and the length of a step."""

    name: str
    midnights: Instants
    interval_mins: int

    def span(self, context_steps: int) -> tuple[dt.datetime, dt.datetime]:
        """Return the first and the last start of an interval, UTC, that its rows depend on."""
        interval = dt.timedelta(minutes=self.interval_mins)
        first, last = (edge.replace(tzinfo=dt.UTC) for edge in self.midnights[[0, -1]].astype(dt.datetime))
        return first - context_steps * interval, last + dt.timedelta(days=1) + _MAX_EXTRA


FeaturesOf: TypeAlias = Callable[[Inputs, FeatureSpec], FeatureMatrix]
"""Tells the features of windows: :func:`feature_matrix`, or a table of what it told before."""


def spec_from_config(config: FeatureConfig) -> FeatureSpec:
    """Return all columns of the config's weather arm but those left out.

    Raises:
        ConfigError: When a column left out is none of the arm.
    """
    weather = () if config.weather == "none" else OBSERVED_NAMES + ahead_names(config.weather)
    names = [name for name, feature in FEATURES.items() if feature.kind in ("calendar", "readings") or name in weather]
    if strange := set(config.left_out) - set(names):
        raise ConfigError(
            f"left_out names {sorted(strange)[0]!r}, which weather={config.weather!r} does not have; drop it"
        )
    return FeatureSpec(tuple(name for name in names if name not in config.left_out))


def _columns(inputs: Inputs) -> dict[str, NDArray[np.float32]]:
    """Return every column that these inputs allow, each broadcastable to ``(N, H)``."""
    origins = inputs.take(np.unique(inputs.t0, return_index=True)[1])
    at = np.unique(inputs.t0, return_inverse=True)[1]  # (N,)
    known = origins.known  # (O, H, F)
    columns = {name: known[..., place][at] for place, name in enumerate(inputs.known_names)}
    columns["step"] = np.arange(inputs.horizon_steps, dtype=np.float32)[None]  # (1, H)
    columns |= lag_columns(inputs)
    return columns | {name: level[:, None] for name, level in level_columns(inputs).items()}


def feature_matrix(inputs: Inputs, spec: FeatureSpec) -> FeatureMatrix:
    """Return the features of every window and step, as known at its ``t0``.

    Each window's are its own, whatever windows stand beside it. They weigh ``4 N H F`` bytes, stored column by column,
    so that ``values.reshape(-1, F)`` copies nothing; take fewer windows at once where that is too much.

    Raises:
        ConfigError: When the spec names weather that the inputs do not have.
    """
    weather = inputs.weather.names if inputs.weather else ()
    lacking = [name for name in spec.names if FEATURES[name].kind in ("weather", "forecast") and name not in weather]
    if lacking:
        arm = inputs.weather.arm if inputs.weather else "none"
        raise ConfigError(
            f"the inputs' weather ({arm}) has no {lacking[0]}; cut them with the weather of the spec's arm"
        )
    columns_first = np.empty((len(spec.names), len(inputs), inputs.horizon_steps), dtype=np.float32)  # (F, N, H)
    order = np.argsort(inputs.t0, kind="stable")  # (N,): windows of one origin share what is made by origin
    n_once = max(1, _CHUNK_CELLS // inputs.horizon_steps)
    for first in range(0, len(order), n_once):
        chunk = order[first : first + n_once]
        columns = _columns(inputs.take(chunk))
        for place, name in enumerate(spec.names):
            columns_first[place, chunk] = columns[name]
    return FeatureMatrix(columns_first.transpose(1, 2, 0), spec.names)


def _rows(windows: Windows, spec: FeatureSpec) -> pl.DataFrame:
    """Return the rows of the windows whose step lies on the local day of their ``t0``, by entity, then time."""
    inputs = windows.inputs
    ts = inputs.ts()  # (N, H)
    on_day = local_date(ts) == local_date(inputs.t0)[:, None]  # (N, H)
    on_day &= (on_day & ~np.isnan(windows.truth_kwh)).any(axis=1)[:, None]
    matrix = feature_matrix(inputs, spec)
    window, step = np.nonzero(on_day)  # (R,), (R,)
    values = matrix.values[window, step]  # (R, F)
    head = {
        "entity_id": pl.Series(inputs.entity.tolist(), dtype=pl.String).gather(window),
        "t0_utc": pl.Series(inputs.t0[window]).dt.replace_time_zone("UTC"),
        "ts_utc": pl.Series(ts[window, step]).dt.replace_time_zone("UTC"),
    }
    features = {name: pl.Series(values[:, place]).fill_nan(None) for place, name in enumerate(matrix.names)}
    truth = pl.Series(windows.truth_kwh[window, step]).fill_nan(None)
    return pl.DataFrame({**head, **features, "energy_kwh": truth})


def _edges(readings: pl.LazyFrame) -> tuple[dt.datetime, dt.datetime, int]:
    """Return the first and the last start of an interval, and its length in minutes."""
    ts, mins = pl.col("ts_utc"), pl.col("interval_mins")
    found = readings.select(
        ts.min().alias("first"), ts.max().alias("last"), mins.min(), mins.max().alias("most")
    ).collect()
    first, last, least, most = found.row(0)
    if first is None or least != most:
        raise SchemaError("the readings are empty or of several interval_mins; choose rows of one, at least one")
    return first, last, int(least)


def feature_months(readings: pl.LazyFrame | pl.DataFrame) -> list[FeatureMonth]:
    """Return the local months that hold a midnight of the readings, in order.

    Raises:
        SchemaError: When no reading is there, or intervals are mixed.
    """
    first, last, interval_mins = _edges(readings.lazy())
    midnights = local_midnights(first, last + dt.timedelta(minutes=interval_mins))
    months = local_date(midnights).astype("datetime64[M]")
    return [FeatureMonth(str(month), midnights[months == month], interval_mins) for month in np.unique(months)]


def month_features(
    readings: pl.LazyFrame | pl.DataFrame, weather: Weather | None, spec: FeatureSpec, month: FeatureMonth, *,
    context_steps: int, data_lag_steps: int = 0, place: Place = LONDON, windows_per_frame: int = _WINDOWS_PER_FRAME,
    between: tuple[str, str] | None = None,
) -> Iterator[pl.DataFrame]:  # fmt: skip
    """Yield one month of the feature table as :func:`build_features` does, of all homes or of those between two names.

    A home's rows are its own, whatever homes stand beside it; frames begin anew with the first of them.
    """
    interval = dt.timedelta(minutes=month.interval_mins)
    horizon_steps = (dt.timedelta(days=1) + _MAX_EXTRA) // interval
    since, until = month.span(context_steps)
    wanted = [pl.col("ts_utc").is_between(since, until)]
    wanted += [pl.col("entity_id").is_between(pl.lit(between[0]), pl.lit(between[1]))] if between else []
    frame = readings.lazy().select(_READING_COLUMNS).filter(*wanted).collect()
    if frame.is_empty():
        return
    windows = cut_windows(
        panel_from_readings(frame), context_steps=context_steps, horizon_steps=horizon_steps, origins=month.midnights,
        data_lag_steps=data_lag_steps, weather=weather, place=place,
    )  # fmt: skip
    for at in range(0, len(windows), windows_per_frame):
        rows = _rows(windows.take(slice(at, at + windows_per_frame)), spec)
        if rows.height:
            yield rows


def build_features(
    readings: pl.LazyFrame | pl.DataFrame, weather: Weather | None, spec: FeatureSpec, *, context_steps: int,
    data_lag_steps: int = 0, place: Place = LONDON, windows_per_frame: int = _WINDOWS_PER_FRAME,
) -> Iterator[pl.DataFrame]:  # fmt: skip
    """Yield the feature table frame by frame: every half hour of every local day, as known at that day's midnight.

    A day without a reading, or with none before it in its context, gives no row. No frame is empty; they come by month,
    then by home, and only a month and its context are in memory.

    Args:
        readings: Rows of ``READINGS`` of one ``interval_mins``, in any order; scanned once a month.
        weather: The weather to know, if any.
        spec: Which columns.
        context_steps: Steps before midnight that features may reach.
        data_lag_steps: Known at midnight are the readings that ended at least so many steps before it.
        place: Where the homes stand.
        windows_per_frame: Days of homes in a frame, at most.

    Yields:
        ``entity_id``, ``t0_utc``, ``ts_utc``, the spec's columns (float32, null unknown), and the truth ``energy_kwh``.

    Raises:
        SchemaError: When no reading is there, or intervals are mixed.
    """
    for month in feature_months(readings):
        yield from month_features(
            readings, weather, spec, month, context_steps=context_steps, data_lag_steps=data_lag_steps, place=place,
            windows_per_frame=windows_per_frame,
        )  # fmt: skip
