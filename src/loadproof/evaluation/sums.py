"""Forecasts and truth to sums over scored half hours (those with a truth), kept per household and week."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from loadproof.errors import SchemaError
from loadproof.evaluation.losses import BANDS, CRPS_WEIGHTS, pinball
from loadproof.features.calendar import WEEKDAYS, local_half_hour, local_weekday, to_local
from loadproof.forecaster import ForecastRows
from loadproof.schema import LEVELS

__all__ = ["MEAN_UNITS", "SLICES", "SUM_NAMES", "Sums", "sum_scores"]

MEAN_UNITS: Final = {
    "pinball": "kWh",
    "crps": "kWh",
    **{f"coverage_{band}": "1" for band in BANDS},
    **{f"width_{band}": "kWh" for band in BANDS},
    **{f"share_below_{level}": "1" for level in LEVELS},
}
"""Metrics that are a plain mean over scored half hours, and their units."""

SUM_NAMES: Final = ("n", "n_scaled", "load", "abs", "abs_scaled", "square", *MEAN_UNITS)
"""The K sums that metrics are made of; ``_scaled`` ones are over households that have a MASE scale."""

SLICES: Final = (
    "all",
    *(f"weekday={day}" for day in WEEKDAYS),
    *(f"half_hour={half // 2:02d}:{half % 2 * 30:02d}" for half in range(48)),
)
"""The slices, by the UK local time of the target interval."""


@dataclass(frozen=True, eq=False)
class Sums:
    """The sums of one model's scores.

    Attributes:
        model: Who forecast.
        entities: Households, ascending, ``(E,)``.
        weeks: The local Monday of the week in which a window begins, ascending, ``(W,)``.
        values: Sums per household, week, slice (the first S of ``SLICES``) and name of ``SUM_NAMES``, ``(E, W, S, K)``.
    """

    model: str
    entities: NDArray[np.str_]
    weeks: NDArray[np.datetime64]
    values: NDArray[np.float64]

    def over_all_times(self) -> "Sums":
        """Return the slice ``all`` alone: a fiftieth of the memory, and enough to compare models by."""
        return replace(self, values=self.values[:, :, :1].copy())


def _half_hour_sums(
    truth: NDArray[np.float64],
    quantiles: NDArray[np.float32],
    mean: NDArray[np.float32],
    scale: NDArray[np.float64],
) -> Iterator[NDArray[Any]]:
    """Yield the ``(M,)`` terms of each sum of ``SUM_NAMES``, in order; ``quantiles`` is ``(M, Q)``."""
    yield np.ones_like(truth)
    yield (scaled := np.isfinite(scale) & (scale > 0))
    yield truth
    yield (absolute := np.abs(quantiles[:, LEVELS.index(0.5)] - truth))
    yield np.divide(absolute, scale, where=scaled, out=np.zeros_like(truth))
    yield (mean - truth) ** 2
    loss = pinball(truth, quantiles)  # (M, Q)
    yield loss.mean(axis=-1)
    yield 2 * loss @ np.array(CRPS_WEIGHTS)
    below = truth[:, None] <= quantiles  # (M, Q)
    for low, high in BANDS.values():
        yield below[:, high] & (truth >= quantiles[:, low])
    for low, high in BANDS.values():
        yield quantiles[:, high] - quantiles[:, low]
    yield from below.T


def _cell_sums(
    cells: NDArray[np.int64], n_cells: int, groups: NDArray[np.int64], n_groups: int, terms: list[NDArray[Any]]
) -> NDArray[np.float64]:
    """Return each term summed per cell and group, ``(n_cells, n_groups, K)``."""
    keys = cells * n_groups + groups  # (M,)
    size = n_cells * n_groups
    columns = [np.bincount(keys, weights=term, minlength=size) for term in terms]
    stacked = np.stack(columns, axis=-1, dtype=np.float64)
    return stacked.reshape(n_cells, n_groups, len(terms))


def _mondays(t0: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
    days = to_local(t0).astype("datetime64[D]").astype(np.int64)
    return (days - local_weekday(t0)).astype("datetime64[D]")  # (N,)


def sum_scores(
    rows: ForecastRows, truth_kwh: NDArray[np.float32], *, interval_mins: int, scales_kwh: Mapping[str, float]
) -> Sums:
    """Sum up the scores of every half hour that has a truth.

    Args:
        rows: Whose forecast, from when, and the forecast at ``LEVELS``.
        truth_kwh: What was measured, kWh, NaN where missing, ``(N, H)``.
        interval_mins: Length of a step in minutes.
        scales_kwh: The MASE scale of each household in kWh; one that is absent, NaN or 0 leaves it out of MASE.

    Raises:
        SchemaError: When the levels are not ``LEVELS`` or the truth has another shape.
    """
    forecast = rows.forecast
    if tuple(forecast.levels) != LEVELS or forecast.mean_kwh.shape != truth_kwh.shape:
        raise SchemaError(
            f"{rows.model} has levels {forecast.levels} and shape {forecast.mean_kwh.shape}, the truth "
            f"{truth_kwh.shape}; forecast at the levels {LEVELS} and cut the truth at the same t0"
        )
    scored = ~np.isnan(truth_kwh)  # (N, H)
    entities, home = np.unique(rows.entity, return_inverse=True)  # (E,), (N,)
    weeks, week = np.unique(_mondays(rows.t0), return_inverse=True)  # (W,), (N,)
    scale = np.array([scales_kwh.get(name, np.nan) for name in entities.tolist()])  # (E,)
    window = np.nonzero(scored)[0]  # (M,)
    ts = (rows.t0[:, None] + np.arange(truth_kwh.shape[1]) * np.timedelta64(interval_mins, "m"))[scored]  # (M,)
    truth = truth_kwh[scored].astype(np.float64)  # (M,)
    terms = list(_half_hour_sums(truth, forecast.quantiles_kwh[scored], forecast.mean_kwh[scored], scale[home[window]]))
    cells, n_cells = (home * len(weeks) + week)[window], len(entities) * len(weeks)
    by_day = _cell_sums(cells, n_cells, local_weekday(ts), 7, terms)  # (E W, 7, K)
    by_hour = _cell_sums(cells, n_cells, local_half_hour(ts), 48, terms)  # (E W, 48, K)
    values = np.concatenate([by_day.sum(axis=1, keepdims=True), by_day, by_hour], axis=1)  # (E W, S, K)
    return Sums(rows.model, entities, weeks, values.reshape(len(entities), len(weeks), len(SLICES), len(SUM_NAMES)))
