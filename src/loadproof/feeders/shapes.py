"""What a feeder's load looks like, per reporting device: curves and numbers of each of F feeders over T half hours."""

from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.errors import SchemaError
from loadproof.features.calendar import local_date, local_half_hour, local_weekday, to_local
from loadproof.features.panel import panel_from_readings

__all__ = [
    "EXCEEDED",
    "SEASONS",
    "Shapes",
    "autocorrelations",
    "daily_peaks",
    "duration_curves",
    "ramps",
    "shapes_of",
    "weekly_load_factors",
]

SEASONS: Final = ("winter", "spring", "summer", "autumn")
"""Meteorological: winter is December to February."""

EXCEEDED: Final = np.concatenate([[0.001, 0.0025, 0.005], np.arange(1, 100) / 100])
"""Shares of time at which a load-duration curve is read."""

_ENOUGH_OF_A_SPAN: Final = 0.9
_HALF_HOURS: Final = 48

Numbers = NDArray[np.float64]


class Shapes(NamedTuple):
    """Some feeders on one half-hourly grid.

    Attributes:
        entities: Names, ascending, ``(F,)``.
        devices: Median number of devices that report, ``(F,)``.
        kwh: Energy per reporting device and half hour, NaN where missing, ``(F, T)``.
        half_hour: UK local half hour of the day, ``(T,)``.
        season: Position in ``SEASONS``, ``(T,)``.
        day: Number of the UK local day, ``(T,)``.
        week: Number of the UK local week, ``(T,)``.
    """

    entities: NDArray[np.str_]
    devices: Numbers
    kwh: Numbers
    half_hour: NDArray[np.int64]
    season: NDArray[np.int64]
    day: NDArray[np.int64]
    week: NDArray[np.int64]

    def take(self, rows: NDArray[np.int64]) -> "Shapes":
        """Return some of the feeders."""
        return self._replace(entities=self.entities[rows], devices=self.devices[rows], kwh=self.kwh[rows])


def shapes_of(feeders: pl.DataFrame) -> Shapes:
    """Return the feeders' loads per device that reports; half hours without a known count are missing.

    Args:
        feeders: ``FEEDERS``, of half hours.

    Raises:
        SchemaError: When no half hour has a count, or the intervals are no half hours.
    """
    counted = feeders.filter(pl.col("reporting") > 0)
    if counted.is_empty() or counted["interval_mins"].unique().to_list() != [30]:
        raise SchemaError(
            f"{counted.height} of {feeders.height} rows are half hours of a feeder that say how many devices report; "
            "aggregate homes first, or ingest ssen again"
        )
    panel = panel_from_readings(counted.with_columns(pl.col("energy_kwh") / pl.col("reporting")))
    sizes = counted.group_by("entity_id").agg(n=pl.col("reporting").median()).sort("entity_id")
    ts = panel.start + np.arange(panel.energy_kwh.shape[1]) * np.timedelta64(30, "m")  # (T,)
    months = to_local(ts).astype("datetime64[M]").astype(np.int64) % 12
    days = local_date(ts).astype(np.int64)
    return Shapes(
        panel.entities,
        sizes["n"].to_numpy().astype(np.float64),
        panel.energy_kwh.astype(np.float64),
        local_half_hour(ts),
        np.asarray((months + 1) % 12 // 3),
        days,
        days - local_weekday(ts),
    )


def duration_curves(shapes: Shapes) -> Numbers:
    """Return the load that each feeder exceeds for each share of ``EXCEEDED`` of its time, kWh, ``(F, 102)``."""
    return np.array([np.quantile(row[~np.isnan(row)], 1 - EXCEEDED) for row in shapes.kwh])


def _spans(kwh: Numbers, of: NDArray[np.int64], length: int) -> tuple[Numbers, Numbers, NDArray[np.int64]]:
    """Return mean, highest value and where it is of each feeder's spans that are nearly whole, NaN or -1 elsewhere."""
    numbers, first = np.unique(of, return_index=True)
    shape = (len(kwh), len(numbers))
    mean, top, at = np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, -1)
    for column, (start, stop) in enumerate(zip(first, [*first[1:], len(of)], strict=True)):
        part = kwh[:, start:stop]  # (F, S)
        whole = (~np.isnan(part)).sum(axis=1) >= _ENOUGH_OF_A_SPAN * length  # (F,)
        if whole.any():
            mean[whole, column] = np.nanmean(part[whole], axis=1)
            top[whole, column] = np.nanmax(part[whole], axis=1)
            at[whole, column] = start + np.nanargmax(part[whole], axis=1)
    return mean, top, at


def daily_peaks(shapes: Shapes) -> tuple[Numbers, Numbers]:
    """Return hour of the UK day and size in kW per device of each nearly whole day's peak, both ``(F, D)``."""
    _, top, at = _spans(shapes.kwh, shapes.day, _HALF_HOURS)
    hour = np.where(at >= 0, shapes.half_hour[at] / 2, np.nan)  # (F, D)
    return hour, top * 2


def weekly_load_factors(shapes: Shapes) -> Numbers:
    """Return mean over peak of each nearly whole week, ``(F, W)``."""
    mean, top, _ = _spans(shapes.kwh, shapes.week, 7 * _HALF_HOURS)
    return np.asarray(np.divide(mean, top, where=top > 0, out=np.full_like(top, np.nan)))


def ramps(shapes: Shapes) -> Numbers:
    """Return how much each half hour differs from the one before, kWh per device, NaN where one lacks, ``(F, T-1)``."""
    return np.abs(np.diff(shapes.kwh, axis=1))


def autocorrelations(shapes: Shapes, lag: int) -> Numbers:
    """Return each feeder's correlation with itself ``lag`` half hours before, NaN where it cannot be had, ``(F,)``."""
    found = np.full(len(shapes.kwh), np.nan)
    for row, kwh in enumerate(shapes.kwh):
        one, two = kwh[lag:], kwh[:-lag]
        both = ~(np.isnan(one) | np.isnan(two))
        if both.sum() > 2 and one[both].std() > 0 and two[both].std() > 0:
            found[row] = np.corrcoef(one[both], two[both])[0, 1]
    return found
