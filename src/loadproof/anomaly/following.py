"""P-values that go along: each day is ranked among the homes' own last weeks, never among days that it is part of.

Homes change with the seasons, and a history that does not follow them alarms too often. What an alert was raised on
stays in the history, for nobody has said that it was wrong.
"""

import datetime as dt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.anomaly.alert_rule import AlertRule, choose_rule
from loadproof.anomaly.pvalues import Tail, fit_pvalues, p_values
from loadproof.anomaly.sweep import DayScores
from loadproof.errors import ConfigError
from loadproof.evaluation.timeline import timeline_of
from loadproof.features.calendar import local_date

__all__ = ["CleanHistory", "clean_rule", "following_p_values"]


class CleanHistory(NamedTuple):
    """Which days others are ranked among.

    Attributes:
        first: The first of them, UK local: the detector was fitted on earlier ones.
        until: The first day that is judged.
        days: A day is ranked among at most so many before it.
        refresh_days: The history is taken anew after so many days, counted from ``until``.
        tail: See ``Tail``.
    """

    first: dt.date
    until: dt.date
    days: int
    refresh_days: int
    tail: Tail = "shared"

    def period_of(self, day: dt.date) -> tuple[dt.date, dt.date]:
        """Return the first day of the history that ``day`` is ranked among, and the day after its last.

        Raises:
            ConfigError: When the day is part of the history.
        """
        if day < self.until:
            raise ConfigError(f"{day} is before {self.until}, from when on days are judged; choose a later day")
        end = day - dt.timedelta(days=(day - self.until).days % self.refresh_days)
        return max(self.first, end - dt.timedelta(days=self.days)), end


def _days_of(found: DayScores) -> NDArray[np.datetime64]:
    return local_date(found.inputs.t0)  # (N,)


def _between(days: NDArray[np.datetime64], first: dt.date, until: dt.date) -> NDArray[np.bool_]:
    return np.asarray((days >= np.datetime64(first)) & (days < np.datetime64(until)))


def clean_rule(found: DayScores, clean: CleanHistory, *, alerts_per_week: float) -> AlertRule:
    """Return the rule that makes so many alerts per home and week in the days before ``clean.until``.

    Raises:
        ConfigError: When that history is too short for so low a rate.
    """
    history = found.take(_between(_days_of(found), *clean.period_of(clean.until)))
    score, entity = history.scores.score, history.inputs.entity
    p = p_values(fit_pvalues(score, entity, tail=clean.tail), score, entity, of_history=True)
    laid = timeline_of(history.inputs).lay(p, blank=np.nan)
    return choose_rule(laid, alerts_per_week=alerts_per_week, interval_mins=found.inputs.interval_mins)


def following_p_values(found: DayScores, clean: CleanHistory) -> NDArray[np.float32]:
    """Return the p-value of each reading from ``clean.until`` on, NaN before and where missing, ``(N, H)``.

    Args:
        found: All days from the first that any history reaches back to.
        clean: The history.
    """
    days, score, entity = _days_of(found), found.scores.score, found.inputs.entity
    p = np.full(score.shape, np.nan, dtype=np.float32)
    judged = np.unique(days[days >= np.datetime64(clean.until)]).astype(dt.date).tolist()
    for first, until in dict.fromkeys(clean.period_of(day) for day in judged):
        history = _between(days, first, until)
        now = _between(days, until, until + dt.timedelta(days=clean.refresh_days))
        known = fit_pvalues(score[history], entity[history], tail=clean.tail)
        p[now] = p_values(known, score[now], entity[now])
    return p
