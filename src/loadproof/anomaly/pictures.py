"""What is drawn of an alert: the days around it, and what was expected of each of their half hours."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.anomaly.days import CONTEXT_DAYS
from loadproof.anomaly.expected import BAND
from loadproof.features.calendar import local_half_hour, local_midnights, to_instant
from loadproof.features.gaps import known_quantiles
from loadproof.features.panel import Panel, to_us
from loadproof.features.selection import as_datetime

__all__ = ["pictures", "span_needed"]

_MOST_DAYS: Final = 6
_MIN_DAYS: Final = 4  # fewer readings of a half hour tell no band

_STEPS: Final = pl.Schema(
    {
        "ts_utc": pl.Datetime("us", "UTC"),
        "energy_kwh": pl.Float32(),
        "low_kwh": pl.Float32(),
        "middle_kwh": pl.Float32(),
        "high_kwh": pl.Float32(),
    }
)


def _shown(alert: Mapping[str, Any]) -> tuple[np.datetime64, np.datetime64]:
    """Return the midnights between which an alert is shown: a day before it and a day after, six in all at most."""
    day = dt.timedelta(days=1)
    first = local_midnights(alert["start_utc"] - 2 * day, alert["start_utc"])[-1] - np.timedelta64(1, "D")
    last = local_midnights(alert["end_utc"], alert["end_utc"] + 2 * day)[0] + np.timedelta64(1, "D")
    return first, min(last, first + np.timedelta64(_MOST_DAYS, "D"))


def span_needed(alerts: Iterable[Mapping[str, Any]]) -> tuple[dt.datetime, dt.datetime]:
    """Return from when to when readings are needed to draw all of these alerts, at least one."""
    spans = [_shown(alert) for alert in alerts]
    first = min(span[0] for span in spans) - np.timedelta64(CONTEXT_DAYS, "D")
    return as_datetime(first), as_datetime(max(span[1] for span in spans))


def _expected(context: NDArray[np.float32], ts: NDArray[np.datetime64]) -> dict[int, NDArray[np.float32]]:
    """Return low, middle and high of each local half hour in the context, NaN of too few readings."""
    slot, found = local_half_hour(ts), {}
    for half_hour in np.unique(slot):
        readings = context[slot == half_hour]
        enough = np.count_nonzero(~np.isnan(readings)) >= _MIN_DAYS
        quantiles = np.concatenate(known_quantiles(readings[None], (BAND[0], 0.5, BAND[1])))  # (3,)
        found[int(half_hour)] = quantiles if enough else np.full(3, np.nan, np.float32)
    return found


def pictures(panel: Panel, alerts: Iterable[Mapping[str, Any]]) -> Iterator[pl.DataFrame]:
    """Yield for each alert the steps around it: ``ts_utc, energy_kwh, low_kwh, middle_kwh, high_kwh``.

    The band holds what the home used in nine of ten of the same half hours of the 28 days before the alert; null where
    unknown or missing.

    Args:
        panel: Readings of at least these homes over :func:`span_needed`.
        alerts: Rows of ``ALERTS``.
    """
    step = np.timedelta64(to_us(panel.interval_mins), "us")
    for alert in alerts:
        row = np.flatnonzero(panel.entities == alert["entity_id"])
        first, last = _shown(alert)
        before = to_instant(alert["start_utc"])
        context_ts, ts = (np.arange(begin, end, step) for begin, end in
                          ((before - np.timedelta64(CONTEXT_DAYS, "D"), before), (first, last)))  # fmt: skip
        context, energy = (panel.cut(row, panel.steps_to(times[:1]), len(times))[0] for times in (context_ts, ts))
        bands = _expected(context, context_ts)
        unknown = np.full(3, np.nan, np.float32)
        band = np.stack([bands.get(slot, unknown) for slot in local_half_hour(ts).tolist()], axis=1)  # (3, T)
        columns = {"ts_utc": pl.Series(ts).dt.replace_time_zone("UTC"), "energy_kwh": energy}
        columns |= dict(zip(("low_kwh", "middle_kwh", "high_kwh"), band, strict=True))
        yield pl.DataFrame(columns).fill_nan(None).match_to_schema(_STEPS)
