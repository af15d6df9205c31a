"""Windows with known faults in them: the series that windows were cut from, changed and cut again."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.anomaly.injection import Alteration, inject, place_events
from loadproof.anomaly.injection import Place as Span
from loadproof.errors import ConfigError
from loadproof.evaluation.timeline import Timeline, timeline_of
from loadproof.features.panel import Panel, to_us
from loadproof.features.windows import Windows

__all__ = ["Faulted", "Series", "recut", "series_of", "set_fault"]

_HALF_HOUR_MINS: Final = 30


class Series(NamedTuple):
    """What windows hold, as one panel, and how to find each window in it."""

    panel: Panel
    line: Timeline
    windows: Windows


class Faulted(NamedTuple):
    """The windows that an event touches, in their day or their context.

    Attributes:
        windows: Them, with the event in them, ``(M,)``.
        label: Where the event acts on a reading of the day, ``(M, H)``.
        rows: Which of the windows they are, ``(M,)``.
    """

    windows: Windows
    label: NDArray[np.bool_]
    rows: NDArray[np.int64]


def _pieces(windows: Windows, line: Timeline) -> Iterator[tuple[NDArray[np.int64], slice, NDArray[np.float32]]]:
    """Yield homes, steps and readings of all contexts and days, by origin."""
    c, h = windows.inputs.context_kwh.shape[1], windows.inputs.horizon_steps
    order = np.argsort(line.step, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(line.step[order])) + 1):
        at = int(line.step[rows[0]]) + c
        yield line.row[rows], slice(at - c, at), windows.inputs.context_kwh[rows]
        yield line.row[rows], slice(at, at + h), windows.truth_kwh[rows]


def series_of(windows: Windows) -> Series:
    """Return the series that the windows hold.

    Raises:
        SchemaError: When there is no window, or they are off one grid.
    """
    line, c = timeline_of(windows.inputs), windows.inputs.context_kwh.shape[1]
    energy = np.full((line.shape[0], line.shape[1] + c), np.nan, dtype=np.float32)
    for homes, steps, kwh in _pieces(windows, line):
        energy[homes, steps] = np.where(np.isnan(kwh), energy[homes, steps], kwh)
    start = np.datetime64(line.start - np.timedelta64(c * to_us(line.interval_mins), "us"))
    return Series(Panel(line.entities, start, line.interval_mins, energy), line, windows)


def recut(series: Series, energy_kwh: NDArray[np.float32], rows: NDArray[np.int64]) -> Windows:
    """Return some of the windows ``(M,)`` as they are with other readings ``(E, T)``; what was blank stays so."""
    windows, line = series.windows.take(rows), series.line
    c, h = windows.inputs.context_kwh.shape[1], windows.inputs.horizon_steps
    panel = replace(series.panel, energy_kwh=energy_kwh)
    context = panel.cut(line.row[rows], line.step[rows], c)
    truth = panel.cut(line.row[rows], line.step[rows] + c, h)
    context = np.where(np.isnan(windows.inputs.context_kwh), np.float32(np.nan), context)
    truth = np.where(np.isnan(windows.truth_kwh), np.float32(np.nan), truth)
    return Windows(replace(windows.inputs, context_kwh=context), truth)


def set_fault(series: Series, alteration: Alteration, strength: float, *, rng: np.random.Generator) -> Faulted | None:
    """Return the windows that one event in each home touches; None where the days are too few for one.

    Args:
        series: Of :func:`series_of`.
        alteration: What happens.
        strength: How strongly.
        rng: Where.
    """
    panel, c = series.panel, series.windows.inputs.context_kwh.shape[1]
    steps = max(alteration.half_hours(strength) * _HALF_HOUR_MINS // panel.interval_mins, 1)
    step = np.timedelta64(to_us(panel.interval_mins), "us")
    first, last = panel.start + c * step, panel.start + panel.energy_kwh.shape[1] * step
    try:
        events = place_events(panel, Span(first, last), half_hours=steps, daily=alteration.daily, rng=rng)
    except ConfigError:
        return None
    injected = inject(panel, alteration.change, events, strength=strength)
    changed = injected.label | ((injected.panel.energy_kwh != panel.energy_kwh) & ~np.isnan(panel.energy_kwh))
    so_far = np.cumsum(np.pad(changed, ((0, 0), (1, 0))), axis=1)  # (E, T + 1)
    home, begin = series.line.row, series.line.step
    stop = begin + c + series.windows.inputs.horizon_steps
    rows = np.flatnonzero(so_far[home, stop] > so_far[home, begin])  # (M,)
    windows = recut(series, injected.panel.energy_kwh, rows)
    days = begin[rows, None] + c + np.arange(windows.inputs.horizon_steps)
    label = injected.label[home[rows, None], days] & ~np.isnan(windows.truth_kwh)  # (M, H)
    return Faulted(windows, label, rows)
