"""Volume under the surface: how well scores rank events, with credit for an alarm that is a little early or late.

Around each event a buffer of ``w`` steps gives soft credit, for every ``w`` from 0 to the largest; the volume is the
mean of the areas under the curves. Areas under precision and recall are summed by steps, never by straight lines, so
that a constant score earns the prevalence and no more.

Letters: T steps of one home, K thresholds, W buffers; any axes D may stand before those of ``Counts``.

Source: Paparrizos et al. 2022, Volume Under the Surface, PVLDB 15(11); in the form of TSB-AD (Liu & Paparrizos 2024,
NeurIPS), whose recall counts the soft credit of a buffer only where it was earned.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.evaluation.timeline import find_spans

__all__ = ["BUFFER_STEPS", "RANKINGS", "Counts", "all_thresholds", "count_alarms", "rankings", "telling_thresholds"]

BUFFER_STEPS: Final = 24
"""The largest buffer: half of it, six hours of half hours, on either side of an event.

Fixed beforehand. TSB-AD takes the period, here 48; half of that, for many of our faults last an hour or two.
"""

RANKINGS: Final = ("vus_pr", "vus_roc", "average_precision", "roc_auc")
"""What :func:`rankings` returns, in order; pure ratios, higher is better."""

Floats = NDArray[np.float64]


class Counts(NamedTuple):
    """What alarms at each threshold would find; may be summed over homes.

    Attributes:
        alarmed: Readings in alarm, ``(..., K)``.
        hit: Of those, readings of an event, ``(..., K)``.
        near: Of those, credit for readings in the buffer, ``(..., W, K)``.
        found: Events with an alarm in them or their buffer, ``(..., W, K)``; events whose buffers meet are one.
        events: How many events there are, ``(..., W)``.
        labelled: Readings of events, ``(...)``.
        readings: Readings, ``(...)``.
    """

    alarmed: Floats
    hit: Floats
    near: Floats
    found: Floats
    events: Floats
    labelled: Floats
    readings: Floats


class _Events(NamedTuple):
    first: NDArray[np.int64]  # (S,)
    last: NDArray[np.int64]  # (S,), the last step, not the one after


def _events(label: NDArray[np.bool_], known: NDArray[np.bool_]) -> _Events:
    spans = find_spans((label & known)[None], bridge=~known[None])  # a missing reading parts no event
    return _Events(spans.first, spans.last - 1)


def _credit(events: _Events, open_: NDArray[np.bool_], buffer_steps: int) -> tuple[NDArray[np.int64], Floats]:
    """Return the steps near events that may earn credit ``(B,)``, and what each earns at each buffer ``(W, B)``."""
    away = np.arange(1, buffer_steps // 2 + 1)
    at = np.concatenate([events.first[:, None] - away, events.last[:, None] + away], axis=1)  # (S, 2 A)
    distance = np.broadcast_to(np.tile(away, 2), at.shape)
    inside = (at >= 0) & (at < len(open_))
    inside[inside] = open_[at[inside]]
    steps, place = np.unique(at[inside], return_inverse=True)
    width = np.arange(buffer_steps + 1)[:, None]
    weight = np.sqrt(np.clip(1 - distance[inside] / np.maximum(width, 1), 0, None)) * (distance[inside] <= width // 2)
    cells = width * len(steps) + place  # a step between two events is near both
    credit = np.bincount(cells.ravel(), weights=weight.ravel(), minlength=(buffer_steps + 1) * len(steps))
    return steps, np.minimum(credit, 1).reshape(buffer_steps + 1, len(steps))  # (W, B)


def _running(at: NDArray[np.int64], n: int, weights: Floats | None = None) -> Floats:
    """Return how much has been reached at each threshold, from the threshold ``at`` which each item is reached."""
    return np.cumsum(np.bincount(at, weights=weights, minlength=n + 1)[:n]).astype(np.float64)


def _found(events: _Events, score: NDArray[np.floating], thresholds: Floats, half: int) -> tuple[Floats, int]:
    """Return how many events are found at each threshold, ``(K,)``, and how many there are."""
    first, last = np.maximum(events.first - half, 0), np.minimum(events.last + half, len(score) - 1)
    apart = np.flatnonzero(first[1:] > last[:-1]) + 1
    edges = np.stack([first[np.append(0, apart)], last[np.append(apart - 1, len(last) - 1)] + 1], axis=1)  # (S', 2)
    padded = np.append(np.where(np.isnan(score), -np.inf, score), -np.inf)
    most = np.maximum.reduceat(padded, edges.ravel())[::2]  # (S',)
    return _running(np.searchsorted(-thresholds, -most), len(thresholds)), len(edges)


def all_thresholds(score: NDArray[np.floating]) -> Floats:
    """Return every different score that is not NaN, descending, ``(K,)``."""
    return np.unique(score[~np.isnan(score)])[::-1].astype(np.float64)


def telling_thresholds(
    score: NDArray[np.floating], label: NDArray[np.bool_], *, buffer_steps: int = BUFFER_STEPS
) -> Floats:
    """Return the thresholds of one home at which the curves of :func:`rankings` bend, descending, ``(K,)``.

    Between them no event or buffer is reached, so the figures are those of all thresholds, for far less work.

    Args:
        score: Higher is odder, NaN where the reading is missing, ``(T,)``.
        label: Where an event acts, ``(T,)``.
        buffer_steps: The largest buffer, in steps.
    """
    every = all_thresholds(score)
    half, edges = buffer_steps // 2, np.zeros(len(score) + 1, dtype=np.int64)
    events = _events(label, ~np.isnan(score))
    np.add.at(edges, np.maximum(events.first - half, 0), 1)
    np.add.at(edges, np.minimum(events.last + half + 1, len(score)), -1)
    around = score[(np.cumsum(edges)[:-1] > 0) & ~np.isnan(score)]
    bends = np.searchsorted(-every, -around.astype(np.float64))
    kept = np.zeros(len(every), dtype=bool)
    kept[bends] = kept[np.maximum(bends - 1, 0)] = kept[-1:] = True
    return every[kept]


def count_alarms(
    score: NDArray[np.floating], label: NDArray[np.bool_], thresholds: Floats, *, buffer_steps: int = BUFFER_STEPS
) -> Counts:
    """Return what alarms at or above each threshold would find in one home; missing readings are left out.

    Args:
        score: Higher is odder, NaN where the reading is missing, ``(T,)``.
        label: Where an event acts, ``(T,)``.
        thresholds: Descending, ``(K,)``.
        buffer_steps: The largest buffer, in steps.
    """
    n, known = len(thresholds), ~np.isnan(score)
    hit = label & known
    reached = np.searchsorted(-thresholds, -score.astype(np.float64))  # (T,), NaN reaches none
    events = _events(label, known)
    near, found = np.zeros((2, buffer_steps + 1, n))
    n_events = np.zeros(buffer_steps + 1)
    if len(events.first):
        steps, credit = _credit(events, known & ~label, buffer_steps)
        for width in range(buffer_steps + 1):
            near[width] = _running(reached[steps], n, credit[width])
        for half in range(buffer_steps // 2 + 1):
            same = np.arange(buffer_steps + 1) // 2 == half
            found[same], n_events[same] = _found(events, score, thresholds, half)
    totals = np.array(float(hit.sum())), np.array(float(known.sum()))
    return Counts(_running(reached[known], n), _running(reached[hit], n), near, found, n_events, *totals)


def _area_pr(recall: Floats, precision: Floats) -> Floats:
    return np.asarray((np.diff(recall, axis=-1, prepend=0) * precision).sum(axis=-1))


def _area_roc(recall: Floats, false_share: Floats) -> Floats:
    first, last = np.zeros((*recall.shape[:-1], 1)), np.ones((*recall.shape[:-1], 1))
    y, x = (np.concatenate([first, curve, last], axis=-1) for curve in (recall, false_share))
    return np.asarray((np.diff(x, axis=-1) * (y[..., 1:] + y[..., :-1]) / 2).sum(axis=-1))


def rankings(counts: Counts) -> Floats:
    """Return the figures of ``RANKINGS`` from counts, ``(..., 4)``; NaN where there is no event, or nothing else."""
    alarmed, hit = counts.alarmed, counts.hit
    labelled, readings = counts.labelled[..., None], counts.readings[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        precision, recall = np.where(alarmed > 0, hit / alarmed, 1), hit / labelled  # (..., K)
        plain = _area_pr(recall, precision), _area_roc(recall, (alarmed - hit) / (readings - labelled))
        true = hit[..., None, :] + counts.near  # (..., W, K)
        wanted = labelled[..., None] + counts.near / 2
        recall = np.minimum(true / wanted, 1) * counts.found / counts.events[..., None]
        precision = np.where(alarmed[..., None, :] > 0, true / alarmed[..., None, :], 1)
        false_share = (alarmed[..., None, :] - true) / (readings[..., None] - wanted)
        volumes = _area_pr(recall, precision).mean(axis=-1), _area_roc(recall, false_share).mean(axis=-1)
    figures = np.stack([*volumes, *plain], axis=-1)
    judged = (counts.labelled > 0) & (counts.labelled < counts.readings)
    return np.where(judged[..., None], figures, np.nan)
