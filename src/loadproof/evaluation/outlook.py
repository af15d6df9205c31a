"""A forecast of each entity in a few figures, for one who looks at a terminal."""

import datetime as dt
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from loadproof.evaluation.losses import BANDS
from loadproof.features.calendar import UK_ZONE
from loadproof.features.windows import Inputs
from loadproof.forecaster import Forecast

__all__ = ["Outlook", "count_fallbacks", "outlooks"]


class Outlook(NamedTuple):
    """One window in a few figures; the peak is the interval with the highest median, in UK local time.

    Attributes:
        entity_id: Whose.
        total_kwh: The means of all intervals, added.
        peak_local: Start of the peak.
        peak_kwh: The median there.
        peak_low_kwh: The lower end of the 80 % band there.
        peak_high_kwh: The upper end.
        steps: Number of intervals.
        fallbacks: By how many intervals each fallback was needed.
    """

    entity_id: str
    total_kwh: float
    peak_local: dt.datetime
    peak_kwh: float
    peak_low_kwh: float
    peak_high_kwh: float
    steps: int
    fallbacks: dict[str, int]


def count_fallbacks(forecast: Forecast) -> dict[str, int]:
    """Return how many windows needed each fallback in any interval, those alone that were needed."""
    counts = {name: int((forecast.how == at).any(axis=1).sum()) for at, name in enumerate(forecast.hows) if name}
    return {name: count for name, count in counts.items() if count}


def outlooks(forecast: Forecast, inputs: Inputs) -> list[Outlook]:
    """Return the outlook of each window, in their order."""
    low, high = BANDS[80]
    median = forecast.quantiles_kwh[..., forecast.levels.index(0.5)]  # (N, H)
    peaks, ts = median.argmax(axis=1), inputs.ts()  # (N,), (N, H)
    found = []
    for n, peak in enumerate(peaks):
        counts = np.bincount(forecast.how[n], minlength=len(forecast.hows))
        stamp: dt.datetime = ts[n, peak].item()
        found.append(
            Outlook(
                entity_id=str(inputs.entity[n]),
                total_kwh=float(forecast.mean_kwh[n].sum(dtype=np.float64)),
                peak_local=stamp.replace(tzinfo=dt.UTC).astimezone(ZoneInfo(UK_ZONE)),
                peak_kwh=float(median[n, peak]),
                peak_low_kwh=float(forecast.quantiles_kwh[n, peak, low]),
                peak_high_kwh=float(forecast.quantiles_kwh[n, peak, high]),
                steps=median.shape[1],
                fallbacks={name: int(counts[at]) for at, name in enumerate(forecast.hows) if name and counts[at]},
            )
        )
    return found
