"""P-values and thresholds that go along: each day is judged by the weeks before it alone.

Homes change with the seasons, and a history that does not follow them alarms too often. What an alert was raised on
stays in the history, for nobody has said that it was wrong; see the decisions for what that is worth.
"""

import datetime as dt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.anomaly.alert_rule import choose_rule
from loadproof.anomaly.pvalues import Tail, fit_pvalues, p_values
from loadproof.anomaly.sweep import DayScores
from loadproof.errors import ConfigError
from loadproof.evaluation.timeline import timeline_of
from loadproof.features.calendar import local_date

__all__ = ["CleanHistory", "Followed", "follow"]

Dates = NDArray[np.datetime64]


class CleanHistory(NamedTuple):
    """Which days others are judged by; all dates are UK local.

    Attributes:
        first: The first of them: the detector was fitted on earlier ones.
        until: The first day that is judged.
        days: A day is ranked among at most so many before it.
        rule_days: The threshold is chosen on so many before it, of which each was ranked so itself; at most ``days``.
        refresh_days: Both are taken anew after so many days, counted from ``until``.
        tail: See ``Tail``.
    """

    first: dt.date
    until: dt.date
    days: int
    rule_days: int
    refresh_days: int
    tail: Tail = "shared"

    def period_of(self, day: dt.date) -> dt.date:
        """Return the first day of those that are judged together with ``day``.

        Raises:
            ConfigError: When the day is part of the history.
        """
        if day < self.until:
            raise ConfigError(f"{day} is before {self.until}, from when on days are judged; choose a later day")
        return day - dt.timedelta(days=(day - self.until).days % self.refresh_days)

    def history_of(self, period: dt.date) -> tuple[dt.date, dt.date]:
        """Return the first day that a period is ranked among, and the day after the last."""
        return max(self.first, period - dt.timedelta(days=self.days)), period

    def needed_from(self, day: dt.date) -> dt.date:
        """Return the first day whose scores tell on those of ``day``."""
        back = self.days + self.rule_days + self.refresh_days
        return max(self.first, self.period_of(day) - dt.timedelta(days=back))


class Followed(NamedTuple):
    """What the history makes of each day's scores; NaN before the first that is judged.

    Attributes:
        p: P-values, NaN where missing, ``(N, H)``.
        limit: The p-value at or below which a reading of the day is odd, ``(N,)``; 0, so that none is, where the
            latest scores were too much alike for the rate.
    """

    p: NDArray[np.float32]
    limit: NDArray[np.float32]

    @property
    def odd(self) -> NDArray[np.bool_]:
        """Which readings are odd, ``(N, H)``."""
        return self.p <= self.limit[:, None]


def _between(days: Dates, first: dt.date, until: dt.date) -> NDArray[np.bool_]:
    return np.asarray((days >= np.datetime64(first)) & (days < np.datetime64(until)))


def _rank(found: DayScores, days: Dates, clean: CleanHistory, periods: list[dt.date]) -> NDArray[np.float32]:
    """Return p-values of these periods and of the first one's own history, each of those ranked among the others."""
    score, entity = found.scores.score, found.inputs.entity
    p = np.full(score.shape, np.nan, dtype=np.float32)
    for period in periods:
        history = _between(days, *clean.history_of(period))
        known = fit_pvalues(score[history], entity[history], tail=clean.tail)
        now = _between(days, period, period + dt.timedelta(days=clean.refresh_days))
        p[now] = p_values(known, score[now], entity[now])
        if period == clean.until:
            p[history] = p_values(known, score[history], entity[history], of_history=True)
    return p


def follow(found: DayScores, clean: CleanHistory, judged_from: dt.date, *, alerts_per_week: float) -> Followed:
    """Return p-values and thresholds of the days from ``judged_from`` on.

    Args:
        found: All days from ``clean.needed_from(judged_from)`` on.
        clean: The history.
        judged_from: The first day to judge.
        alerts_per_week: False alarms per home and week to put up with.

    Raises:
        ConfigError: When the history is empty, or what is before the first day of all is too short for so low a rate.
    """
    days = local_date(found.inputs.t0)  # (N,)
    first, last = clean.period_of(judged_from), days.max().astype(dt.date)
    rule_days, step = dt.timedelta(days=clean.rule_days), dt.timedelta(days=clean.refresh_days)
    begin = clean.period_of(max(first - rule_days, clean.until))
    periods = [begin + n * step for n in range((last - begin).days // clean.refresh_days + 1)]
    p = _rank(found, days, clean, periods)
    limit = np.full(len(days), np.nan, dtype=np.float32)
    for period in periods:
        if period < first:
            continue
        latest = _between(days, max(period - rule_days, clean.first), period)
        laid = timeline_of(found.inputs.take(latest)).lay(p[latest], blank=np.nan)
        now = _between(days, period, period + step)
        try:
            rule = choose_rule(laid, alerts_per_week=alerts_per_week, interval_mins=found.inputs.interval_mins)
        except ConfigError:
            if period == clean.until:
                raise
            limit[now] = 0
        else:
            limit[now] = rule.p_value
    p[days < np.datetime64(judged_from)] = np.nan
    limit[days < np.datetime64(judged_from)] = np.nan
    return Followed(p, limit)
