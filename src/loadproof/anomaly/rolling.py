"""P-values and thresholds that follow the homes: each week is judged by the weeks before it alone.

A week's scores are ranked among those of the weeks before. The threshold is that which would have made the wanted rate
in the latest weeks judged so, and so has seen what ranking among an earlier time does; see the decisions. E homes by T
steps.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from loadproof.anomaly.alert_rule import JOIN_MINS, AlertRule, alarm_mask, choose_rule
from loadproof.anomaly.pvalues import PValues, Tail, fit_pvalues, p_values
from loadproof.errors import ConfigError

__all__ = ["HISTORY_WEEKS", "RULE_WEEKS", "RollingAlarms"]

HISTORY_WEEKS: Final = 8
"""A week is ranked among all weeks before it, and these are so many at least."""

RULE_WEEKS: Final = 6
"""The threshold is chosen on so many weeks that were ranked so."""

_WEEK_MINS: Final = 7 * 24 * 60


class RollingAlarms:
    """What clean history tells of each week to come.

    Args:
        clean: Scores of homes without known faults, from the first week of history on, NaN where missing, ``(E, T)``.
        entities: Whose, ``(E,)``.
        interval_mins: Length of a step in minutes.
        tail: See ``Tail``.
    """

    def __init__(
        self, clean: NDArray[np.float32], entities: NDArray[np.str_], *, interval_mins: int = 30, tail: Tail = "shared"
    ) -> None:
        self.interval_mins, self._week = interval_mins, _WEEK_MINS // interval_mins
        self._known: dict[int, PValues] = {}
        for week in range(HISTORY_WEEKS, -(-clean.shape[1] // self._week)):
            history = clean[:, : week * self._week]
            if not np.isnan(history).all():
                self._known[week] = fit_pvalues(history, entities, tail=tail)
        self.clean_p = self.p(clean, entities)

    @property
    def first_step(self) -> int:
        """The first step at which an alarm can stand."""
        return (HISTORY_WEEKS + RULE_WEEKS) * self._week

    def p(self, score: NDArray[np.float32], entities: NDArray[np.str_]) -> NDArray[np.float32]:
        """Return the p-value of each score of the same weeks, NaN in those without history, ``(E', T)``."""
        found = np.full(score.shape, np.nan, dtype=np.float32)
        for week, known in self._known.items():
            steps = slice(week * self._week, (week + 1) * self._week)
            found[:, steps] = p_values(known, score[:, steps], entities)
        return found

    def thresholds(self, alerts_per_week: float) -> NDArray[np.float32]:
        """Return the p-value at or below which a reading is odd at each step, ``(T,)``.

        It is 0, so that none is, before there is history enough, and where scores are too much alike for the rate.
        """
        found = np.zeros(self.clean_p.shape[1], dtype=np.float32)
        for week in range(HISTORY_WEEKS + RULE_WEEKS, -(-len(found) // self._week)):
            latest = self.clean_p[:, (week - RULE_WEEKS) * self._week : week * self._week]
            try:
                rule = choose_rule(latest, alerts_per_week=alerts_per_week, interval_mins=self.interval_mins)
            except ConfigError:
                continue
            found[week * self._week : (week + 1) * self._week] = rule.p_value
        return found

    def alarms(self, p: NDArray[np.float32], *, alerts_per_week: float) -> NDArray[np.bool_]:
        """Return where an alert stands in weeks that were ranked by :meth:`p`, ``(E', T)``."""
        with np.errstate(divide="ignore"):
            share = p / self.thresholds(alerts_per_week)  # at or below 1 where odd
        return alarm_mask(share, AlertRule(1.0, JOIN_MINS // self.interval_mins, alerts_per_week))
