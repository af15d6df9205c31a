"""Alarms against events: found or missed, how soon, how much, and how often for nothing.

All is made of sums per home, so that it can be pooled over any draw of homes. An alert is a run of alarmed readings;
a missing reading parts neither an event nor an alert.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from loadproof.errors import SchemaError
from loadproof.evaluation.timeline import Spans, find_spans

__all__ = ["EVENT_FIGURES", "EVENT_SUMS", "event_delays", "event_figures", "sum_events"]

EVENT_SUMS: Final = (
    "events", "found", "delay_steps", "alerts", "false_alerts", "alarmed", "alarmed_right", "range_recall",
    "range_precision", "weeks",
)  # fmt: skip
"""What :func:`sum_events` counts of a home, in order."""

EVENT_FIGURES: Final = {
    "event_recall": "1",
    "event_precision": "1",
    "event_f1": "1",
    "range_recall": "1",
    "range_precision": "1",
    "range_f1": "1",
    "alerts_right": "1",
    "detection_delay": "steps",
    "false_alarms": "per home and week",
}
"""What :func:`event_figures` makes of them, and in what unit.

``event_f1`` joins recall by event with precision by reading, so that one alert over everything earns nothing.
Source: Garg et al. 2021, IEEE TNNLS, composite F-score. ``range_f1`` is that of Tatbul et al. 2018, NeurIPS, with flat
bias, 1 over the number of pieces, and ``_EXISTENCE`` of recall for being found at all.
"""

_EXISTENCE: Final = 0.2  # alpha; as in Paparrizos et al. 2022
_DAYS_A_WEEK: Final = 7

Floats = NDArray[np.float64]


def _per_row(row: NDArray[np.int64], n: int, weights: Floats | None = None) -> Floats:
    return np.bincount(row, weights=weights, minlength=n).astype(np.float64)


def _within(mask: NDArray[np.bool_], spans: Spans) -> NDArray[np.int64]:
    """Return how many true steps of ``mask (E, T)`` lie in each span, ``(S,)``."""
    so_far = np.zeros((mask.shape[0], mask.shape[1] + 1), dtype=np.int64)
    np.cumsum(mask, axis=1, out=so_far[:, 1:])
    return np.asarray(so_far[spans.row, spans.last] - so_far[spans.row, spans.first])


def _overlap(spans: Spans, mask: NDArray[np.bool_], others: Spans, known: NDArray[np.bool_]) -> Floats:
    """Return the share of each span's readings in ``mask``, over the number of ``others`` that touch it, ``(S,)``."""
    key = mask.shape[1] + 1
    begun = np.searchsorted(others.row * key + others.first, spans.row * key + spans.last)
    ended = np.searchsorted(others.row * key + others.last, spans.row * key + spans.first, side="right")
    share = _within(mask & known, spans) / np.maximum(_within(known, spans), 1)
    return np.asarray(share / np.maximum(begun - ended, 1))


def _spans(mask: NDArray[np.bool_], known: NDArray[np.bool_]) -> Spans:
    return find_spans(mask & known, bridge=~known)


def event_delays(alarm: NDArray[np.bool_], label: NDArray[np.bool_], known: NDArray[np.bool_]) -> Floats:
    """Return the steps from the start of each event to its first alarmed reading, NaN where missed, ``(S,)``.

    Events are ordered by home, then time.

    Args:
        alarm: Where an alert stands, ``(E, T)``.
        label: Where an event acts, ``(E, T)``.
        known: Where there is a reading, ``(E, T)``.
    """
    events = _spans(label, known)
    n_steps = alarm.shape[1]
    steps = np.where(alarm & known, np.arange(n_steps), n_steps)
    coming = np.minimum.accumulate(steps[:, ::-1], axis=1)[:, ::-1]  # the next alarmed step from each on
    first = coming[events.row, events.first]
    return np.where(first < events.last, first - events.first, np.nan)


def sum_events(
    alarm: NDArray[np.bool_], label: NDArray[np.bool_], known: NDArray[np.bool_], *, interval_mins: int = 30
) -> Floats:
    """Return the counts of ``EVENT_SUMS`` of each home, ``(E, K)``.

    Args:
        alarm: Where an alert stands, ``(E, T)``.
        label: Where an event acts, ``(E, T)``; all false for clean homes.
        known: Where there is a reading, ``(E, T)``; the rest is left out.
        interval_mins: Length of a step in minutes.

    Raises:
        SchemaError: When the shapes differ.
    """
    if not alarm.shape == label.shape == known.shape:
        raise SchemaError(f"alarms {alarm.shape}, labels {label.shape}, known {known.shape}; lay all on one grid")
    n, events, alerts = len(alarm), _spans(label, known), _spans(alarm, known)
    delay = event_delays(alarm, label, known)
    found = ~np.isnan(delay)
    right = _within(label & known, alerts) > 0
    recall = _EXISTENCE * found + (1 - _EXISTENCE) * _overlap(events, alarm, alerts, known)
    columns = (
        _per_row(events.row, n), _per_row(events.row, n, found.astype(np.float64)),
        _per_row(events.row, n, np.where(found, delay, 0)),
        _per_row(alerts.row, n), _per_row(alerts.row, n, (~right).astype(np.float64)),
        (alarm & known).sum(axis=1), (alarm & known & label).sum(axis=1),
        _per_row(events.row, n, recall), _per_row(alerts.row, n, _overlap(alerts, label, events, known)),
        known.sum(axis=1) * interval_mins / (60 * 24 * _DAYS_A_WEEK),
    )  # fmt: skip
    return np.stack(columns, axis=-1).astype(np.float64)


def _f1(precision: Floats, recall: Floats) -> Floats:
    """Return the harmonic mean, 0 where there was no alarm."""
    both = precision + recall
    return np.asarray(np.where(both > 0, 2 * precision * recall / both, np.where(np.isnan(recall), np.nan, 0)))


def event_figures(sums: Floats) -> Floats:
    """Return the figures of ``EVENT_FIGURES`` from sums of ``EVENT_SUMS``, ``(..., K)`` to ``(..., M)``.

    NaN where a figure is not defined: precision without alarm, recall without event, delay where none was found.
    """
    total = {name: sums[..., at] for at, name in enumerate(EVENT_SUMS)}
    with np.errstate(divide="ignore", invalid="ignore"):
        recall, precision = total["found"] / total["events"], total["alarmed_right"] / total["alarmed"]
        range_recall = total["range_recall"] / total["events"]
        range_precision = total["range_precision"] / total["alerts"]
        values = (
            recall, precision, _f1(precision, recall),
            range_recall, range_precision, _f1(range_precision, range_recall),
            1 - total["false_alerts"] / total["alerts"],
            total["delay_steps"] / total["found"],
            total["false_alerts"] / total["weeks"],
        )  # fmt: skip
    return np.stack(values, axis=-1)
