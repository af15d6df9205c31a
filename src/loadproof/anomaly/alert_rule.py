"""How odd is odd enough: a threshold for the false alarms per home and week that a user chooses.

E homes by T steps. Alarmed steps a short while apart are one alert, and alerts are what is counted.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.errors import ConfigError
from loadproof.evaluation.timeline import find_spans

__all__ = [
    "JOIN_MINS",
    "AlertRate",
    "AlertRule",
    "AlertTally",
    "alarm_mask",
    "alert_rate",
    "choose_rule",
    "join_odd",
    "join_steps",
    "join_tallies",
    "rule_of_tally",
    "tally_alerts",
]

JOIN_MINS: Final = 120
"""Odd readings at most so far apart are one alert: a person looks once."""

_WEEK_MINS: Final = 7 * 24 * 60


class AlertRule(NamedTuple):
    """When an alert stands.

    Attributes:
        p_value: A reading with a p-value at or below it is odd.
        join_steps: Odd readings with at most so many steps between them are one alert.
        alerts_per_week: The false alarms per home and week that were asked for.
    """

    p_value: float
    join_steps: int
    alerts_per_week: float


class AlertRate(NamedTuple):
    """Alerts of each home ``(E,)``, and the weeks of readings in which they stood ``(E,)``."""

    alerts: NDArray[np.int64]
    weeks: NDArray[np.float64]

    @property
    def per_week(self) -> float:
        """Alerts per home and week over all homes."""
        return float(self.alerts.sum() / self.weeks.sum())


def join_steps(interval_mins: int) -> int:
    """Return ``JOIN_MINS`` in steps."""
    return JOIN_MINS // interval_mins


class AlertTally(NamedTuple):
    """How many alerts some homes have by the p-value from which on readings are odd; tallies of others add up.

    Attributes:
        levels: P-values that may be it, ascending, ``(L,)``.
        more: How many more alerts there are from each level on than just below it, which may be fewer, ``(L,)``.
        readings: Of how many readings, ``(1,)``.
    """

    levels: NDArray[np.float32]
    more: NDArray[np.int64]
    readings: NDArray[np.int64]


def tally_alerts(p: NDArray[np.float32], *, alerts_per_week: float, interval_mins: int = 30) -> AlertTally:
    """Return how many alerts there are by level.

    Args:
        p: P-values in time order, NaN where missing, ``(E, T)``.
        alerts_per_week: The rate that is to be found among the levels.
        interval_mins: Length of a step in minutes.
    """
    row, step = np.nonzero(p <= min(1.0, 50 * alerts_per_week * interval_mins / _WEEK_MINS + 0.01))
    found = p[row, step]  # enough, for an alert rarely holds so many readings
    before = np.full(len(found), np.inf, dtype=np.float32)  # the lowest of the readings that it would be joined to
    for back in range(1, join_steps(interval_mins) + 2):
        near = (row[back:] == row[:-back]) & (step[back:] - step[:-back] <= join_steps(interval_mins) + 1)
        before[back:][near] = np.minimum(before[back:][near], found[:-back][near])
    levels = np.unique(found)
    begins = found < before  # an alert begins there at levels from its own on, until that of one before it
    joins = begins & np.isfinite(before)
    at = (np.bincount(np.searchsorted(levels, some), minlength=len(levels)) for some in (found[begins], before[joins]))
    return AlertTally(levels, np.subtract(*at), np.array([(~np.isnan(p)).sum()]))


def join_tallies(tallies: Iterable[AlertTally]) -> AlertTally:
    """Return the tally of the homes of all."""
    none = AlertTally(np.zeros(0, np.float32), np.zeros(0, np.int64), np.zeros(1, np.int64))
    found, more, readings = (np.concatenate(parts) for parts in zip(none, *tallies, strict=True))
    order = np.argsort(found, kind="stable")
    levels, begin = np.unique(found[order], return_index=True)
    together = np.add.reduceat(more[order], begin) if len(levels) else more
    return AlertTally(levels, together, readings.sum(keepdims=True))


def rule_of_tally(tally: AlertTally, *, alerts_per_week: float, interval_mins: int = 30) -> AlertRule:
    """Return the rule that makes ``alerts_per_week`` alerts per home and week of the readings tallied.

    Args:
        tally: By this rate.
        alerts_per_week: False alarms per home and week.
        interval_mins: Length of a step in minutes.

    Raises:
        ConfigError: When the history is too short, or its highest scores too much alike, to set so low a rate.
    """
    weeks = float(tally.readings[0]) * interval_mins / _WEEK_MINS
    levels, alerts = tally.levels, np.cumsum(tally.more)
    low, high = -1, len(levels)  # levels up to low make no more alerts than wanted, at high more
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if alerts[middle] <= alerts_per_week * weeks else (low, middle)
    if low < 0:
        raise ConfigError(
            f"{weeks:.0f} home-weeks of clean history cannot tell {alerts_per_week} alerts per home and week apart "
            "from fewer; give more clean history, or raise alerts_per_week"
        )
    p_value = float(np.sqrt(levels[low] * levels[min(high, len(levels) - 1)], dtype=np.float64))
    return AlertRule(p_value, join_steps(interval_mins), alerts_per_week)


def choose_rule(p: NDArray[np.float32], *, alerts_per_week: float, interval_mins: int = 30) -> AlertRule:
    """Return the rule that makes ``alerts_per_week`` alerts per home and week of clean history.

    The rate on other clean days is to be measured there, by :func:`alert_rate`.

    Args:
        p: P-values of clean readings, each ranked among the others, NaN where missing, ``(E, T)``.
        alerts_per_week: False alarms per home and week.
        interval_mins: Length of a step in minutes.

    Raises:
        ConfigError: As :func:`rule_of_tally`.
    """
    tally = tally_alerts(p, alerts_per_week=alerts_per_week, interval_mins=interval_mins)
    return rule_of_tally(tally, alerts_per_week=alerts_per_week, interval_mins=interval_mins)


def join_odd(odd: NDArray[np.bool_], steps: int) -> NDArray[np.bool_]:
    """Return where an alert stands, from its first odd reading to its last, ``(E, T)``.

    Args:
        odd: Where readings are odd, in time order, ``(E, T)``.
        steps: Odd readings with at most so many steps between them are one alert.
    """
    row, first, last = find_spans(odd)
    joined = (row[1:] == row[:-1]) & (first[1:] - last[:-1] <= steps)
    edges = np.zeros((odd.shape[0], odd.shape[1] + 1), dtype=np.int8)
    edges[row[:-1][joined], last[:-1][joined]] = 1
    edges[row[1:][joined], first[1:][joined]] = -1
    return odd | (np.cumsum(edges, axis=1, dtype=np.int8)[:, :-1] > 0)


def alarm_mask(p: NDArray[np.float32], rule: AlertRule) -> NDArray[np.bool_]:
    """Return where an alert stands by one rule for all time, ``(E, T)``.

    Args:
        p: P-values in time order, NaN where missing, ``(E, T)``.
        rule: When one stands.
    """
    return join_odd(p <= rule.p_value, rule.join_steps)


def alert_rate(p: NDArray[np.float32], rule: AlertRule, *, interval_mins: int = 30) -> AlertRate:
    """Return how often the rule alarms on ``p (E, T)``; on clean readings, the achieved false-alarm rate."""
    alerts = np.bincount(find_spans(alarm_mask(p, rule)).row, minlength=len(p))
    return AlertRate(alerts, (~np.isnan(p)).sum(axis=1) * interval_mins / _WEEK_MINS)
