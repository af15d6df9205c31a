"""Whether probabilities of exceeding a limit came true: Brier scores, reliability by bins, and alarms that were right.

N windows (of feeders and origins), H half hours. A truth that is missing is neither an event nor none. Intervals are
95 %, from weeks drawn with replacement: feeders that share homes are not independent, so they are never drawn.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.evaluation.bootstrap import MIN_BLOCKS, bounds

__all__ = ["BINS", "RISK_SCORES", "Alarms", "Judged", "alarm_rows", "brier_rows", "reliability_rows"]

BINS: Final = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Edges of the bins of forecast probability; the lower edge is in."""

RISK_SCORES: Final = pl.Schema(
    {
        "subject": pl.String(),
        "percentile": pl.Float64(),
        "days_ahead": pl.Int32(),
        "slice": pl.String(),
        "metric": pl.String(),
        "value": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
        "n": pl.Int64(),
    }
)
"""``subject`` says who gave the probability; ``percentile`` which of a feeder's training loads is the limit;
``days_ahead`` is 1 for the first day of the horizon; ``slice`` a bin, a number of alarms or a threshold."""

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


class Judged(NamedTuple):
    """Probabilities and what came, of half hours or days.

    Attributes:
        probability: ``(N, H)``.
        event: 1 where the limit was exceeded, 0 where not, NaN where nobody knows, ``(N, H)``.
        week: Number of the week that each window is in, from 0, ``(N,)``.
    """

    probability: Floats
    event: Floats
    week: NDArray[np.int64]


def _draws(weeks: NDArray[np.int64], draws: int, rng: np.random.Generator) -> Floats:
    """Return how often each draw takes each week, ``(D, W)``."""
    n = int(weeks.max(initial=-1)) + 1
    return rng.multinomial(n, np.full(n, 1 / n), size=draws).astype(np.float64)


def _by_week(values: Floats, week: NDArray[np.int64]) -> Floats:
    """Return sums per week, ``(N, K)`` to ``(W, K)``."""
    sums = np.zeros((int(week.max(initial=-1)) + 1, values.shape[1]))
    np.add.at(sums, week, values)
    return sums


def _interval(ratio: Floats, weeks: int) -> tuple[float, float]:
    if weeks < MIN_BLOCKS:
        return np.nan, np.nan
    low, high = bounds(ratio)
    return float(low), float(high)


def _row(metric: str, value: float, low: float, high: float, n: float, at: str = "all") -> dict[str, Any]:
    return {"metric": metric, "slice": at, "value": value, "low": low, "high": high, "n": int(n)}


def _shares(sums: Floats, taken: Floats, over: int, under: int) -> tuple[float, float, float]:
    """Return the ratio of two sums ``(W, K)`` over all weeks, with its interval."""
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = taken @ sums  # (D, K)
        total = sums.sum(axis=0)  # (K,)
        weeks = int((sums[:, under] > 0).sum())
        return (float(total[over] / total[under]), *_interval(drawn[:, over] / drawn[:, under], weeks))


def brier_rows(
    judged: Judged, references: dict[str, Floats], *, draws: int, rng: np.random.Generator
) -> Iterator[dict[str, Any]]:
    """Yield the Brier score, its skill over each reference on the same half hours, and how often events came.

    Args:
        judged: Half hours.
        references: Probabilities of climatologies by name, ``(N, H)``.
        draws: Of weeks.
        rng: Of the draws.
    """
    known = ~np.isnan(judged.event)
    event = np.where(known, judged.event, 0)
    squares = [np.where(known, (p - event) ** 2, 0).sum(axis=1) for p in (judged.probability, *references.values())]
    forecast = np.where(known, judged.probability, 0).sum(axis=1)
    columns = np.stack([known.sum(axis=1), event.sum(axis=1), forecast, *squares], axis=1)  # (N, 4 + R)
    sums, taken = _by_week(columns, judged.week), _draws(judged.week, draws, rng)
    n = sums[:, 0].sum()
    yield _row("event_rate", *_shares(sums, taken, 1, 0), n)
    yield _row("mean_probability", *_shares(sums, taken, 2, 0), n)
    yield _row("brier", *_shares(sums, taken, 3, 0), n)
    for number, name in enumerate(references):
        ratio, low, high = _shares(sums, taken, 3, 4 + number)
        yield _row(f"brier_skill:{name}", 1 - ratio, 1 - high, 1 - low, n)


def reliability_rows(judged: Judged, *, draws: int, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Yield, per bin of probability, the mean probability and how often the event came, and what both miss in all.

    ``reliability_error`` is the mean distance of the two over the half hours of all bins.
    """
    known = ~np.isnan(judged.event)
    bins = np.clip(np.searchsorted(BINS, judged.probability, side="right") - 1, 0, len(BINS) - 2)  # (N, H)
    shape = (int(judged.week.max(initial=-1)) + 1, len(BINS) - 1)
    week = np.broadcast_to(judged.week[:, None], bins.shape)
    sums = np.zeros((*shape, 3))
    for column, values in enumerate((np.ones(bins.shape), judged.probability, np.where(known, judged.event, 0))):
        np.add.at(sums[..., column], (week[known], bins[known]), values[known])
    taken = _draws(judged.week, draws, rng)
    total = sums.sum(axis=0)  # (B, 3)
    for number in np.flatnonzero(total[:, 0]):
        at = f"{BINS[number]:g}-{BINS[number + 1]:g}"
        n = total[number, 0]
        yield _row("observed", *_shares(sums[:, number], taken, 2, 0), n, at)
        yield _row("forecast", float(total[number, 1] / n), np.nan, np.nan, n, at)
    drawn = np.tensordot(taken, sums, axes=(1, 0))  # (D, B, 3)
    error = np.abs(drawn[..., 1] - drawn[..., 2]).sum(axis=1) / drawn[..., 0].sum(axis=1)
    value = float(np.abs(total[:, 1] - total[:, 2]).sum() / total[:, 0].sum())
    yield _row("reliability_error", value, *_interval(error, len(sums)), total[:, 0].sum())


class Alarms(NamedTuple):
    """Days of feeders: how likely an event was said to be, whether one came, and when.

    Attributes:
        chance: Of at least one event in the day, as ranked, ``(N,)``.
        event: 1, 0, or NaN where nobody knows, ``(N,)``.
        first_hours: Hours from the day's start to its first event, NaN without one, ``(N,)``.
        lead_hours: Hours from the first of the unbroken warnings to the first event, by threshold, ``(N, T)``.
        day: Number of the day, ``(N,)``.
        week: Number of its week, from 0, ``(N,)``.
    """

    chance: Floats
    event: Floats
    first_hours: Floats
    lead_hours: Floats
    day: NDArray[np.int64]
    week: NDArray[np.int64]


def _best(alarms: Alarms, k: int) -> Bools:
    """Return who is among the k likeliest of each day; ties go to whoever stands first."""
    order = np.lexsort((-alarms.chance, alarms.day))
    starts = np.searchsorted(alarms.day[order], np.unique(alarms.day))
    rank = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    chosen = np.zeros(len(order), dtype=bool)
    chosen[order[rank < k]] = True
    return chosen


def alarm_rows(
    alarms: Alarms, *, ks: Sequence[int], thresholds: Sequence[float], draws: int, rng: np.random.Generator
) -> Iterator[dict[str, Any]]:
    """Yield precision among the k likeliest of each day; and by threshold hits, false alarms, misses and lead time.

    Days whose outcome is unknown are left out. ``lead_hours`` is the median over hits.
    """
    known = ~np.isnan(alarms.event)
    event = np.where(known, alarms.event, 0)
    taken = _draws(alarms.week, draws, rng)

    def shares(metric: str, over: Bools | Floats, under: Bools, at: str) -> dict[str, Any]:
        sums = _by_week(np.stack([over, under], axis=1).astype(np.float64), alarms.week)
        return _row(metric, *_shares(sums, taken, 0, 1), sums[:, 1].sum(), at)

    yield shares("day_rate", event * known, known, "all")
    for k in ks:
        chosen = _best(alarms, k) & known
        yield shares("precision", event * chosen, chosen, f"k={k}")
    for number, threshold in enumerate(thresholds):
        at = f"p={threshold:g}"
        warned = (alarms.chance >= threshold) & known
        hit = warned & (event > 0)
        for metric, count in (("hits", hit), ("false_alarms", warned & ~hit), ("misses", known & (event > 0) & ~hit)):
            yield _row(metric, float(count.sum()), np.nan, np.nan, known.sum(), at)
        yield shares("precision", hit.astype(np.float64), warned, at)
        yield shares("recall", hit.astype(np.float64), known & (event > 0), at)
        leads = alarms.lead_hours[hit, number]
        median, low, high = np.quantile(leads, (0.5, 0.1, 0.9)) if leads.size else (np.nan,) * 3
        yield _row("lead_hours", float(median), float(low), float(high), leads.size, at)
