"""How odd is odd enough: a threshold for the false alarms per home and week that a user chooses.

E homes by T steps. Alarmed steps a short while apart are one alert, and alerts are what is counted.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.errors import ConfigError
from loadproof.evaluation.timeline import find_spans

__all__ = ["JOIN_MINS", "AlertRate", "AlertRule", "alarm_mask", "alert_rate", "choose_rule", "join_odd", "join_steps"]

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


def _count(row: NDArray[np.int64], step: NDArray[np.int64], joined_steps: int) -> int:
    """Return how many alerts alarmed steps make, ordered by row, then step."""
    if not len(row):
        return 0
    return 1 + int(((np.diff(row) != 0) | (np.diff(step) > joined_steps + 1)).sum())


def choose_rule(p: NDArray[np.float32], *, alerts_per_week: float, interval_mins: int = 30) -> AlertRule:
    """Return the rule that makes ``alerts_per_week`` alerts per home and week of clean history.

    The rate on other clean days is to be measured there, by :func:`alert_rate`.

    Args:
        p: P-values of clean readings, each ranked among the others, NaN where missing, ``(E, T)``.
        alerts_per_week: False alarms per home and week.
        interval_mins: Length of a step in minutes.

    Raises:
        ConfigError: When the history is too short, or its highest scores too much alike, to set so low a rate.
    """
    weeks = float((~np.isnan(p)).sum()) * interval_mins / _WEEK_MINS
    wanted, steps = alerts_per_week * weeks, join_steps(interval_mins)
    row, step = np.nonzero(p <= min(1.0, 50 * alerts_per_week * interval_mins / _WEEK_MINS + 0.01))
    found = p[row, step]  # enough, for an alert rarely holds so many readings
    levels = np.unique(found)
    low, high = -1, len(levels)  # levels up to low make no more alerts than wanted, at high more
    while high - low > 1:
        middle = (low + high) // 2
        few = _count(row[found <= levels[middle]], step[found <= levels[middle]], steps) <= wanted
        low, high = (middle, high) if few else (low, middle)
    if low < 0:
        raise ConfigError(
            f"{weeks:.0f} home-weeks of clean history cannot tell {alerts_per_week} alerts per home and week apart "
            "from fewer; give more clean history, or raise alerts_per_week"
        )
    p_value = float(np.sqrt(levels[low] * levels[min(high, len(levels) - 1)], dtype=np.float64))
    return AlertRule(p_value, steps, alerts_per_week)


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
