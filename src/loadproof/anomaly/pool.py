"""A day judged among homes of many groups, of whom nobody holds all rows.

Each group leaves a little of every period that the day is judged by (:func:`leaves_of`), that is gathered
(:func:`gather`), and each group ranks its own day among it (:func:`rank_day`) to the p-values of :func:`watch.judge` on
all rows, bit by bit. The threshold comes of tallies. E homes with enough history, X excesses over their borders.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.anomaly.alert_rule import AlertTally, join_tallies, rule_of_tally, tally_alerts
from loadproof.anomaly.following import CleanHistory, between
from loadproof.anomaly.pvalues import Floats, conformal, in_scales, least_excess, own_history, p_values
from loadproof.anomaly.sweep import DayScores
from loadproof.errors import ConfigError, SchemaError
from loadproof.evaluation.timeline import timeline_of
from loadproof.features.calendar import local_date

__all__ = [
    "Landed",
    "Leaves",
    "Pool",
    "Ranked",
    "among_all",
    "gather",
    "land",
    "leaves_of",
    "limit_of",
    "rank_day",
]

Counts = NDArray[np.int64]
Mask = NDArray[np.bool_]
Scores = NDArray[np.float32]


class Leaves(NamedTuple):
    """What a group leaves of one period.

    Attributes:
        means: Mean excess of each home's tail, ``(E,)``.
        over: Excesses over the borders, ``(X,)``.
        counts: How many of each home, ``(E,)``.
        sums: Their sum, ``(E,)``.
        greatest: The size of the largest past score, ``(1,)``.
        size: How many past scores there are, ``(1,)``.
        asked: Scores of homes without enough history, which are to be ranked among all past scores, ascending.
    """

    means: Floats
    over: Scores
    counts: Counts
    sums: Floats
    greatest: Floats
    size: Counts
    asked: Scores


class Pool(NamedTuple):
    """What all groups together tell of one period.

    Attributes:
        least: What no home's mean excess is taken for less than, ``(1,)``.
        excess: All excesses in scales, ascending.
        size: How many past scores there are, ``(1,)``.
        asked: Scores that are to be ranked among them, ascending and distinct, ``(A,)``.
        at_least: How many past scores are as high, ``(A,)``; of none until :func:`among_all` was asked.
    """

    least: Floats
    excess: Scores
    size: Counts
    asked: Scores
    at_least: Counts

    def rank(self, score: Scores) -> Floats:
        """Return the p-values of scores that were asked for."""
        return conformal(self.at_least[np.searchsorted(self.asked, score)], int(self.size[0]))


class Landed(NamedTuple):
    """How many of a group's past scores, ``scores``, are as high as exactly the ``lowest`` so many asked for."""

    lowest: Counts
    scores: Counts


class _Period(NamedTuple):
    """Days that are ranked together: of all rows, those that are, and those that they are ranked among, ``(N,)``."""

    ranked: Mask
    history: Mask


def _periods(found: DayScores, clean: CleanHistory, day: dt.date) -> Iterator[_Period]:
    """Yield what is ranked, and among what, of each of ``clean.periods_for(day)``."""
    days, (first, until) = local_date(found.inputs.t0), clean.rule_of(clean.period_of(day))
    wanted = between(days, first, until) | (days == np.datetime64(day))
    for period in clean.periods_for(day):
        ranked = between(days, period, clean.after(period)) & wanted
        yield _Period(ranked, between(days, *clean.history_of(period)))


def _homes(found: DayScores) -> Counts:
    return np.unique(found.inputs.entity, return_inverse=True)[1].astype(np.int64)


def leaves_of(found: DayScores, clean: CleanHistory, day: dt.date) -> list[Leaves]:
    """Return what a group leaves of each period that a day is judged by.

    Args:
        found: Its days from ``clean.needed_from(day)`` to ``day``.
        clean: The history.
        day: The day.
    """
    score, home, leaves = found.scores.score, _homes(found), []
    for period in _periods(found, clean, day):
        own = own_history(score[period.history], home[period.history])
        asked = score[period.ranked & ~np.isin(home, own.entities)]
        facts = np.array([own.greatest]), np.array([own.size], dtype=np.int64)
        tail = own.means, own.over, own.counts, own.sums
        leaves.append(Leaves(*tail, *facts, np.unique(asked[~np.isnan(asked)])))
    return leaves


def gather(leaves: Callable[[], Iterable[Leaves]], clean: CleanHistory) -> Pool:
    """Return what all groups tell of one period, its strangers not counted yet.

    Args:
        leaves: Yields those of each group; it is asked twice, so that a group's are held for a moment alone.
        clean: The history.

    Raises:
        SchemaError: When there are none.
    """
    means, asked, greatest, size = [np.zeros(0)], [np.zeros(0, np.float32)], 0.0, 0
    for one in leaves():
        means.append(one.means)
        asked.append(one.asked)
        greatest, size = max(greatest, float(one.greatest[0])), size + int(one.size[0])
    if len(means) == 1:
        raise SchemaError("no day was scored; choose days that the readings hold, with readings before them")
    least = least_excess(np.concatenate(means), greatest)
    parts = [np.zeros(0, np.float32)]
    if clean.tail == "shared":
        parts += [in_scales(one.over, one.counts, one.sums, least=least) for one in leaves()]
    excess = np.concatenate(parts)
    excess.sort()
    wanted = np.unique(np.concatenate(asked))
    return Pool(np.array([least]), excess, np.array([size], dtype=np.int64), wanted, np.zeros(0, np.int64))


def land(found: DayScores, clean: CleanHistory, day: dt.date, asked: Sequence[Scores]) -> list[Landed]:
    """Return where a group's past scores land among those asked for, by period."""
    landed = []
    for period, wanted in zip(_periods(found, clean, day), asked, strict=True):
        past = found.scores.score[period.history] if len(wanted) else np.zeros(0, np.float32)
        places = np.searchsorted(wanted, past[~np.isnan(past)], side="right")
        landed.append(Landed(*(part.astype(np.int64) for part in np.unique(places, return_counts=True))))
    return landed


def among_all(pool: Pool, landed: Iterable[Landed]) -> Pool:
    """Return the pool with what is asked for counted among the past scores of all groups."""
    count = np.zeros(len(pool.asked) + 1, dtype=np.int64)
    for one in landed:
        count[one.lowest] += one.scores
    return pool._replace(at_least=np.cumsum(count[:0:-1])[::-1])


class Ranked(NamedTuple):
    """A group's day among all groups: its rows, their p-values ``(N, H)``, and what tells on the threshold."""

    found: DayScores
    p: Scores
    tally: AlertTally


def rank_day(
    found: DayScores, clean: CleanHistory, day: dt.date, pools: Iterable[Pool], *, alerts_per_week: float
) -> Ranked:
    """Return what a group's day is among all groups.

    Args:
        found: Its days from ``clean.needed_from(day)`` to ``day``.
        clean: The history.
        day: The day.
        pools: What all groups tell, by period.
        alerts_per_week: False alarms per home and week to put up with.
    """
    score, home = found.scores.score, _homes(found)
    p = np.full(score.shape, np.nan, dtype=np.float32)
    for period, pool in zip(_periods(found, clean, day), pools, strict=True):
        if pool.size[0] and period.ranked.any():
            own = own_history(score[period.history], home[period.history])
            known = own.among(np.zeros(0, np.float32), pool.excess, least=float(pool.least[0]), tail=clean.tail)
            p[period.ranked] = p_values(known, score[period.ranked], home[period.ranked], strangers=pool.rank)
    days = local_date(found.inputs.t0)
    latest, mine = between(days, *clean.rule_of(clean.period_of(day))), days == np.datetime64(day)
    tally, interval_mins = join_tallies(()), found.inputs.interval_mins
    if latest.any():
        laid = timeline_of(found.inputs.take(latest)).lay(p[latest], blank=np.nan)
        tally = tally_alerts(laid, alerts_per_week=alerts_per_week, interval_mins=interval_mins)
    return Ranked(found.take(mine), p[mine], tally)


def limit_of(
    tallies: Iterable[AlertTally], clean: CleanHistory, day: dt.date, *, alerts_per_week: float, interval_mins: int
) -> float:
    """Return the p-value at or below which a reading of the day is odd, as :func:`following.follow` does.

    Raises:
        ConfigError: When what is before the first day of all is too short for so low a rate.
    """
    try:
        tally = join_tallies(tallies)
        rule = rule_of_tally(tally, alerts_per_week=alerts_per_week, interval_mins=interval_mins)
        return float(np.float32(rule.p_value))
    except ConfigError:
        if clean.period_of(day) == clean.judged_from:
            raise
        return 0.0
