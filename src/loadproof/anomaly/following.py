"""P-values and thresholds that go along: each period of days is judged by the days before it alone.

Homes change with the seasons, and a history that does not follow them alarms too often. The threshold is chosen on days
that were ranked as the next will be, among those before them, and so has seen what that does; see the decisions. What
an alert was raised on stays in the history, for nobody has said that it was wrong.
"""

import datetime as dt
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.anomaly.alert_rule import choose_rule
from loadproof.anomaly.pvalues import PValues, Tail, fit_pvalues, p_values
from loadproof.anomaly.sweep import DayScores
from loadproof.config import AnomalyConfig
from loadproof.errors import ConfigError
from loadproof.evaluation.timeline import timeline_of
from loadproof.features.calendar import local_date

__all__ = ["CleanHistory", "Followed", "Following", "between", "follow"]

Dates = NDArray[np.datetime64]


class CleanHistory(NamedTuple):
    """Which days others are judged by; all dates are UK local.

    Attributes:
        judged_from: The first day that is judged.
        days: A day is ranked among at most so many before it; of those that are judged none is older than so many
            before ``judged_from``, for the detector was fitted there.
        rule_days: The threshold is chosen on so many before it, of which each was ranked so itself; fewer than
            ``days``.
        refresh_days: Both are taken anew after so many days, counted from ``judged_from``.
        tail: See ``Tail``.
    """

    judged_from: dt.date
    days: int
    rule_days: int
    refresh_days: int
    tail: Tail = "shared"

    @classmethod
    def of(cls, judged_from: dt.date, knobs: AnomalyConfig) -> "CleanHistory":
        """Return the history before a day, as long as the config says."""
        return cls(judged_from, knobs.clean_days, knobs.rule_days, knobs.refresh_days)

    @property
    def first(self) -> dt.date:
        """The first day of history."""
        return self.judged_from - dt.timedelta(days=self.days)

    @property
    def ranked_from(self) -> dt.date:
        """The first day that is ranked among those before it."""
        return self.judged_from - dt.timedelta(days=self.rule_days)

    def period_of(self, day: dt.date) -> dt.date:
        """Return the first day of those that are ranked together with ``day``.

        Raises:
            ConfigError: When there is nothing to rank it among.
        """
        if day < self.ranked_from:
            raise ConfigError(f"{day} is before {self.ranked_from}, from when on days are ranked; choose a later day")
        back = (day - self.judged_from).days % self.refresh_days
        return max(day - dt.timedelta(days=back), self.ranked_from)

    def periods(self, first: dt.date, last: dt.date) -> list[dt.date]:
        """Return the first days of all periods from that of ``first`` to that of ``last``."""
        found = [self.period_of(first)]
        while (after := self.after(found[-1])) <= last:
            found.append(after)
        return found

    def after(self, period: dt.date) -> dt.date:
        """Return the first day of the next period."""
        behind = (period - self.judged_from).days % self.refresh_days
        return period + dt.timedelta(days=self.refresh_days - behind)

    def periods_for(self, day: dt.date) -> list[dt.date]:
        """Return the first days of all periods that are ranked to judge ``day``, its own last."""
        return self.periods(self.rule_of(self.period_of(day))[0], day)

    def history_of(self, period: dt.date) -> tuple[dt.date, dt.date]:
        """Return the first day that a period is ranked among, and the day after the last."""
        return max(self.first, period - dt.timedelta(days=self.days)), period

    def rule_of(self, period: dt.date) -> tuple[dt.date, dt.date]:
        """Return the first day that a period's threshold is chosen on, and the day after the last."""
        return max(self.ranked_from, period - dt.timedelta(days=self.rule_days)), period

    def needed_from(self, day: dt.date) -> dt.date:
        """Return the first day whose scores tell on those of ``day``, which is judged.

        Raises:
            ConfigError: When the day is part of the history.
        """
        if day < self.judged_from:
            raise ConfigError(f"{day} is before {self.judged_from}, from when on days are judged; choose a later day")
        return self.history_of(self.period_of(self.rule_of(self.period_of(day))[0]))[0]


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


def between(days: Dates, first: dt.date, until: dt.date) -> NDArray[np.bool_]:
    """Return which UK days are from ``first`` on and before ``until``."""
    return np.asarray((days >= np.datetime64(first)) & (days < np.datetime64(until)))


class Following:
    """What past scores tell of each period of days.

    Args:
        found: All days from ``clean.needed_from(judged_from)`` on.
        clean: The history.
        judged_from: The first day to judge.
    """

    def __init__(self, found: DayScores, clean: CleanHistory, judged_from: dt.date) -> None:
        self.found, self.clean = found, clean
        self._day = local_date(found.inputs.t0)  # (N,)
        last = self._day.max().astype(dt.date)
        self.judged = clean.periods(judged_from, last)
        periods = clean.periods(clean.rule_of(self.judged[0])[0], last)
        self._known: dict[dt.date, PValues] = {}
        score, self._home = found.scores.score, np.unique(found.inputs.entity, return_inverse=True)[1]  # (N,)
        for period in periods:
            history = between(self._day, *clean.history_of(period))
            if not np.isnan(score[history]).all():
                self._known[period] = fit_pvalues(score[history], self._home[history], tail=clean.tail)
        self._borders = [*periods, clean.after(periods[-1])]
        self.p = self.p_of(score, np.arange(len(score)))

    def p_of(self, score: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the p-values that scores have on some of the days; NaN where nothing is known, ``(M, H)``.

        Args:
            score: Scores of days, which may be others than those that history is made of, ``(M, H)``.
            rows: Which of all days each is, ``(M,)``.
        """
        p = np.full(score.shape, np.nan, dtype=np.float32)
        day, home = self._day[rows], self._home[rows]
        for period, after in pairwise(self._borders):
            now = between(day, period, after)
            if now.any() and period in self._known:
                p[now] = p_values(self._known[period], score[now], home[now])
        return p

    def limits(self, alerts_per_week: float) -> NDArray[np.float32]:
        """Return the p-value at or below which a reading of each day is odd, ``(N,)``.

        It is NaN of days that are not judged, and 0, so that none is odd, where scores are too much alike for the rate.

        Args:
            alerts_per_week: False alarms per home and week to put up with.
        """
        limit = np.full(len(self._day), np.nan, dtype=np.float32)
        for period in self.judged:
            now = between(self._day, period, self.clean.after(period))
            try:
                limit[now] = self.rule_of(period, alerts_per_week)
            except ConfigError:
                limit[now] = 0
        return limit

    def rule_of(self, period: dt.date, alerts_per_week: float) -> float:
        """Return the p-value at or below which a reading of a judged period is odd.

        Raises:
            ConfigError: When there are no scores before it, or they are too much alike for so low a rate.
        """
        latest = between(self._day, *self.clean.rule_of(period))
        if not latest.any():
            raise ConfigError(f"no day before {period} was scored; judge later days, or raise rule_days")
        inputs = self.found.inputs.take(latest)
        laid = timeline_of(inputs).lay(self.p[latest], blank=np.nan)
        return choose_rule(laid, alerts_per_week=alerts_per_week, interval_mins=inputs.interval_mins).p_value


def follow(found: DayScores, clean: CleanHistory, judged_from: dt.date, *, alerts_per_week: float) -> Followed:
    """Return p-values and thresholds of the days from ``judged_from`` on.

    Args:
        found: All days from ``clean.needed_from(judged_from)`` on.
        clean: The history.
        judged_from: The first day to judge.
        alerts_per_week: False alarms per home and week to put up with.

    Raises:
        ConfigError: When what is before the first day of all is empty, or too short for so low a rate.
    """
    following = Following(found, clean, judged_from)
    if following.judged[0] == clean.judged_from:
        following.rule_of(clean.judged_from, alerts_per_week)
    p, limit = following.p, following.limits(alerts_per_week)
    before = local_date(found.inputs.t0) < np.datetime64(judged_from)
    p[before] = np.nan
    limit[before] = np.nan
    return Followed(p, limit)
