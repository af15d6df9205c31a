"""What every forecaster promises, what a forecast is, and its table at rest (``FORECASTS``)."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from loadproof.cards import Card
from loadproof.errors import ConfigError, SchemaError
from loadproof.features.calendar import Instants
from loadproof.features.table import FeaturesOf
from loadproof.features.windows import Inputs, Windows
from loadproof.ranks import Ranks
from loadproof.schema import FORECASTS

__all__ = [
    "FitReport",
    "Forecast",
    "ForecastRows",
    "Forecaster",
    "ModelState",
    "forecast_from_table",
    "forecast_table",
    "make_forecast",
]


@dataclass(frozen=True, eq=False, repr=False)
class Forecast(Card):
    """Quantiles and mean of each target interval; finite, not negative, and never crossing.

    Attributes:
        quantiles_kwh: Ascending along Q, kWh, float32 ``(N, H, Q)``.
        levels: Quantile levels, ascending, ``(Q,)``.
        mean_kwh: Mean in kWh, float32 ``(N, H)``.
        how: Position in ``hows`` of the way that each interval was forecast, uint8 ``(N, H)``.
        hows: Names of the ways; the first is None, the plain way, the others are fallbacks.
    """

    quantiles_kwh: NDArray[np.float32]
    levels: tuple[float, ...]
    mean_kwh: NDArray[np.float32]
    how: NDArray[np.uint8]
    hows: tuple[str | None, ...] = (None,)

    def __post_init__(self) -> None:
        n, h, q = self.quantiles_kwh.shape
        if (len(self.levels), self.mean_kwh.shape, self.how.shape) != (q, (n, h), (n, h)):
            raise SchemaError(f"quantiles are {(n, h, q)}, the rest is not; give {q} levels, mean and how {(n, h)}")
        if not (np.isfinite(self.quantiles_kwh).all() and np.isfinite(self.mean_kwh).all()):
            raise SchemaError(
                "a forecast is not finite; give the forecaster only windows with something observed, and if these are, "
                "train it again"
            )
        rising = self.quantiles_kwh[..., 1:] >= self.quantiles_kwh[..., :-1]  # (N, H, Q - 1)
        if not rising.all() or (self.quantiles_kwh < 0).any() or (self.mean_kwh < 0).any():
            raise SchemaError("quantiles cross or a value is negative; build the forecast with make_forecast")
        if self.how.size and int(self.how.max()) >= len(self.hows):
            raise SchemaError(f"how names way {self.how.max()} of {len(self.hows)}; list every way in hows")

    def __len__(self) -> int:
        return len(self.mean_kwh)

    def card(self) -> dict[str, object]:
        """Return what a reader wants to see of it."""
        plain = float((self.how == 0).mean()) if self.how.size else 1.0
        return {
            "windows": len(self),
            "steps": self.mean_kwh.shape[1],
            "levels": ", ".join(f"{level:g}" for level in self.levels),
            "the plain way": f"{plain:.1%}",
            "fallbacks": ", ".join(str(way) for way in self.hows if way) or "none",
        }


class FitReport(NamedTuple):
    """What a fit saw, in windows, one record per epoch where there are epochs, and what there is to look at."""

    train_windows: int
    valid_windows: int
    records: tuple[dict[str, float], ...] = ()
    pictures: pl.DataFrame | None = None


class ForecastRows(NamedTuple):
    """A forecast read back from its table: whose, ``(N,)``, from when, ``(N,)``, and the forecast itself."""

    model: str
    entity: NDArray[np.str_]
    t0: Instants
    forecast: Forecast


class ModelState(NamedTuple):
    """All that a fitted forecaster knows, in kinds that a file can hold without being executed when read."""

    knobs: dict[str, Any]  # JSON values: what it was built with, and small facts that it learned
    arrays: dict[str, NDArray[Any]]
    texts: dict[str, str]  # models in their library's own text format


class Forecaster(ABC):
    """An exchangeable forecaster. ``predict`` cannot see truth, for ``Inputs`` has none."""

    name: str

    def learn_from(self, features: FeaturesOf) -> None:
        """Have ``fit`` take the features of its windows from a table; one that learns from none leaves it alone."""
        del features

    @abstractmethod
    def fit(self, train: Windows, valid: Windows, *, rng: np.random.Generator) -> FitReport:
        """Learn from ``train``; ``valid`` may stop or calibrate, and every chance comes from ``rng``."""

    def fit_together(self, train: Windows, valid: Windows, *, rng: np.random.Generator, ranks: Ranks) -> FitReport:
        """Learn as ``fit`` does, each batch shared among several processes; every one of them is given the same.

        Raises:
            ConfigError: When there are several, and this forecaster learns in one.
        """
        if ranks.world > 1:
            raise ConfigError(f"{self.name} learns in one process, not in {ranks.world}; train it without torchrun")
        return self.fit(train, valid, rng=rng)

    @abstractmethod
    def predict(self, inputs: Inputs) -> Forecast:
        """Forecast every window at the levels of ``LEVELS``.

        Raises:
            NotFittedError: When asked before ``fit``.
            ConfigError: When a window has nothing observed, or the context is too short for this forecaster.
        """

    def state(self) -> ModelState:
        """Return what the fit left behind; empty for a forecaster that learns nothing.

        Raises:
            NotFittedError: When asked before ``fit``.
        """
        return ModelState({}, {}, {})

    def restore(self, state: ModelState) -> None:
        """Become what ``state`` says, as if fitted.

        Raises:
            SchemaError: When the state is another forecaster's.
        """
        if any(state):
            raise SchemaError(f"{self.name} learns nothing, yet its state holds something; train it again")


def make_forecast(
    quantiles_kwh: NDArray[np.floating[Any]],
    levels: Sequence[float],
    mean_kwh: NDArray[np.floating[Any]],
    *,
    how: ArrayLike = 0,
    hows: Sequence[str | None] = (None,),
) -> Forecast:
    """Return the forecast with quantiles sorted along Q and all values clipped at 0.

    Args:
        quantiles_kwh: Quantiles in kWh, in any order along Q, ``(N, H, Q)``.
        levels: Ascending quantile levels ``(Q,)``.
        mean_kwh: Mean in kWh ``(N, H)``.
        how: Positions in ``hows``, anything that broadcasts to ``(N, H)``.
        hows: Names of the ways; the first is None.
    """
    quantiles = np.sort(np.asarray(quantiles_kwh, dtype=np.float32), axis=-1)  # (N, H, Q)
    mean = np.maximum(np.asarray(mean_kwh, dtype=np.float32), 0)  # (N, H)
    ways = np.broadcast_to(np.asarray(how, dtype=np.uint8), mean.shape)  # (N, H)
    return Forecast(np.maximum(quantiles, 0, out=quantiles), tuple(levels), mean, ways, tuple(hows))


def _pick(values: Sequence[Any], dtype: pl.DataType, positions: NDArray[Any]) -> pl.Series:
    """Return ``values`` at ``positions``, as a column; far faster than a numpy array of strings."""
    return pl.Series(values, dtype=dtype).gather(positions.ravel())


def _instants(ts: Instants) -> pl.Series:
    return pl.Series(ts.astype("datetime64[us]").ravel()).dt.replace_time_zone("UTC")


def forecast_table(model: str, forecast: Forecast, inputs: Inputs) -> pl.DataFrame:
    """Return the rows of ``FORECASTS``, ordered by entity, t0, ts and level, the mean (null level) first."""
    n, h, q = forecast.quantiles_kwh.shape
    if len(inputs) != n or inputs.horizon_steps != h:
        raise SchemaError(f"{n} forecasts of {h} steps do not fit {len(inputs)} inputs; forecast these very inputs")
    names, codes = np.unique(inputs.entity, return_inverse=True)  # (E,), (N,)
    order = np.lexsort((inputs.t0, codes))  # (N,)
    rows = (n, h, 1 + q)
    energy = np.concatenate([forecast.mean_kwh[..., None], forecast.quantiles_kwh], axis=-1)  # (N, H, 1 + Q)
    entity = np.broadcast_to(codes[order].astype(np.uint32)[:, None, None], rows)
    how = np.broadcast_to(forecast.how[order][..., None], rows).astype(np.uint32)
    level = np.broadcast_to(np.arange(1 + q, dtype=np.uint32), rows)
    columns = {
        "entity_id": _pick(names.tolist(), pl.String(), entity),
        "t0_utc": _instants(np.broadcast_to(inputs.t0[order][:, None, None], rows)),
        "ts_utc": _instants(np.broadcast_to(inputs.ts()[order][..., None], rows)),
        "level": _pick([None, *forecast.levels], pl.Float64(), level),
        "energy_kwh": pl.Series(energy[order].ravel()),
        "how": _pick(forecast.hows, pl.String(), how),
    }
    return pl.DataFrame(columns).select(pl.lit(model).alias("model"), pl.all()).match_to_schema(FORECASTS)


class _Grid(NamedTuple):
    starts: NDArray[np.int64]  # first row of each window (N,)
    h: int
    levels: tuple[float, ...]


def _grid_of(frame: pl.DataFrame) -> _Grid | None:
    """Return how the rows form windows, steps and levels, or None where they do not in this order."""
    level = frame["level"].to_numpy()  # null becomes NaN
    means = np.flatnonzero(np.isnan(level))
    per_step = int(means[1]) if len(means) > 1 else len(level)  # 1 + Q
    if len(level) % per_step or not np.array_equal(means, np.arange(0, len(level), per_step)):
        return None
    table = level.reshape(-1, per_step)  # (N H, 1 + Q)
    levels = tuple(float(x) for x in table[0, 1:])
    keys = frame.select(pl.struct("entity_id", "t0_utc").rle_id()).to_series().to_numpy()
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    h, uneven = divmod(len(table), len(starts))
    regular = np.array_equal(starts, np.arange(len(starts)) * h * per_step) and not uneven
    firsts = frame.select("entity_id", "t0_utc")[starts]
    regular = regular and firsts.equals(firsts.unique().sort("entity_id", "t0_utc"))
    sorted_levels = (table[:, 1:] == table[:1, 1:]).all() and list(levels) == sorted(levels)
    return _Grid(starts, h, levels) if regular and sorted_levels else None


def _steps_are_whole(frame: pl.DataFrame, grid: _Grid) -> bool:
    shape = (len(grid.starts), grid.h, 1 + len(grid.levels))
    ts = frame["ts_utc"].dt.epoch("us").to_numpy().reshape(shape)  # (N, H, 1 + Q)
    t0 = frame["t0_utc"].dt.epoch("us").to_numpy().reshape(shape)[:, 0, 0]  # (N,)
    away = ts - t0[:, None, None]
    return bool(
        (away == away[:1, :, :1]).all() and (np.diff(away[0, :, 0], prepend=-1) > 0).all() and away[0, 0, 0] == 0
    )


def forecast_from_table(frame: pl.DataFrame) -> ForecastRows:
    """Return the arrays of one model's ``FORECASTS`` rows, windows ordered by entity, then t0.

    Raises:
        SchemaError: When the rows are of no or several models, or are not one whole grid of windows, steps and levels.
    """
    models = frame["model"].unique().to_list()
    if len(models) != 1:
        raise SchemaError(f"the table holds the models {sorted(models)}; filter it to one")
    grid = _grid_of(frame)
    if grid is None:
        frame = frame.sort("entity_id", "t0_utc", "ts_utc", "level", nulls_last=False)
        grid = _grid_of(frame)
    if grid is None or not _steps_are_whole(frame, grid):
        raise SchemaError(
            f"the forecasts of {models[0]} lack rows or repeat some; write the table again from its model"
        )
    n, h, q = len(grid.starts), grid.h, len(grid.levels)
    energy = frame["energy_kwh"].to_numpy().reshape(n, h, 1 + q)
    firsts = frame.select("entity_id", pl.col("t0_utc").dt.replace_time_zone(None))[grid.starts]
    ways = (None, *frame["how"].drop_nulls().unique().sort())
    codes = frame["how"].cast(pl.Enum(ways[1:])).to_physical().cast(pl.Int16).fill_null(-1).to_numpy() + 1
    forecast = Forecast(
        quantiles_kwh=energy[..., 1:],
        levels=grid.levels,
        mean_kwh=energy[..., 0],
        how=codes.reshape(n, h, 1 + q)[..., 0].astype(np.uint8),
        hows=ways,
    )
    return ForecastRows(models[0], np.array(firsts["entity_id"].to_list()), firsts["t0_utc"].to_numpy(), forecast)
