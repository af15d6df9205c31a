"""From scores of days to what is kept and shown of them: p-values, alerts, and how often it alarmed."""

import math
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.anomaly.alert_rule import AlertRule, alarm_mask
from loadproof.anomaly.alerts import find_alerts
from loadproof.anomaly.following import CleanHistory, following_p_values
from loadproof.anomaly.pvalues import score_table
from loadproof.anomaly.sweep import DayScores, Sweep
from loadproof.detector import Scores
from loadproof.errors import ConfigError
from loadproof.evaluation.bootstrap import MIN_BLOCKS, bounds, draw_weights, resample
from loadproof.evaluation.timeline import find_spans, timeline_of
from loadproof.features.calendar import local_date
from loadproof.features.windows import Windows

__all__ = ["AchievedRate", "Watched", "achieved_rate", "count_kinds", "watch", "worst_alerts"]

_WEEK_MINS: Final = 7 * 24 * 60


class AchievedRate(NamedTuple):
    """How often alerts stood, each taken for false, so that it is the most that the false-alarm rate can be.

    Attributes:
        alerts: How many, of odd readings; what is missing is no alarm of the detector.
        homes: Of how many homes.
        home_weeks: Weeks of readings of all of them.
        per_week: Alerts per home and week.
        low: Lower bound of its 95 % interval, over homes crossed with weeks; NaN of too few.
        high: Upper bound.
    """

    alerts: int
    homes: int
    home_weeks: float
    per_week: float
    low: float
    high: float

    def as_json(self) -> dict[str, float | None]:
        """Return the figures by name, None for one that there is not."""
        return {name: None if math.isnan(value) else value for name, value in self._asdict().items()}


class Watched(NamedTuple):
    """What a watch over some days found: rows of ``SCORES``, rows of ``ALERTS``, and the rate."""

    scores: pl.DataFrame
    alerts: pl.DataFrame
    rate: AchievedRate


def achieved_rate(
    p: NDArray[np.float32], rule: AlertRule, *, interval_mins: int, draws: int, rng: np.random.Generator
) -> AchievedRate:
    """Return how often the rule alarms on ``p (E, T)``, NaN where missing."""
    week = _WEEK_MINS // interval_mins
    n_homes, n_weeks = len(p), -(-p.shape[1] // week)
    sums = np.zeros((n_homes, n_weeks, 2))
    spans = find_spans(alarm_mask(p, rule))
    np.add.at(sums[..., 0], (spans.row, spans.first // week), 1)
    read = np.pad(~np.isnan(p), ((0, 0), (0, n_weeks * week - p.shape[1])))  # (E, W * week)
    sums[..., 1] = read.reshape(n_homes, n_weeks, week).sum(axis=2) / week
    alerts, home_weeks = sums.sum(axis=(0, 1))
    low = high = np.nan
    if min(n_homes, n_weeks) >= MIN_BLOCKS:
        drawn = resample(sums, draw_weights(n_homes, n_weeks, draws=draws, rng=rng))  # (D, 2)
        low, high = (float(bound) for bound in bounds(drawn[:, 0] / np.maximum(drawn[:, 1], 1e-9)))
    per_week = float(alerts / home_weeks) if home_weeks else np.nan
    return AchievedRate(int(alerts), n_homes, float(home_weeks), per_week, low, high)


def count_kinds(alerts: pl.DataFrame) -> dict[str, int]:
    """Return how many alerts there are of each kind, most first."""
    counted = alerts.group_by("kind").len().sort("len", "kind", descending=[True, False])
    return dict(counted.iter_rows())


def worst_alerts(alerts: pl.DataFrame, *, most: int = 8) -> list[dict[str, Any]]:
    """Return the gravest alert of each home as rows, by severity, then by the energy outside what was expected.

    What is missing has no severity, and no place here.
    """
    energy = pl.col("energy_kwh")
    outside = pl.max_horizontal(energy - pl.col("expected_high_kwh"), pl.col("expected_low_kwh") - energy, 0.0)
    ranked = alerts.filter(pl.col("severity").is_not_null()).sort(
        pl.col("severity"), outside, "entity_id", "start_utc", descending=[True, True, False, False], nulls_last=True
    )
    return ranked.unique("entity_id", keep="first", maintain_order=True).head(most).rows(named=True)


def watch(
    days: Sweep, found: DayScores, clean: CleanHistory, rule: AlertRule, *, detector: str, draws: int,
    rng: np.random.Generator,
) -> Watched:  # fmt: skip
    """Return what there is to tell of the days of ``days``.

    Args:
        days: The days to tell of, all from ``clean.until`` on; perhaps of some homes alone.
        found: The scores of these days, and of all that they are ranked among, of at least these homes.
        clean: The history.
        rule: When an alert stands.
        detector: Whose scores they are.
        draws: Resamples for the rate's interval.
        rng: Their chance.

    Raises:
        ConfigError: When none of them has a day that can be judged.
    """
    p = following_p_values(found, clean)
    entity, day = found.inputs.entity, local_date(found.inputs.t0)
    wanted = np.isin(entity, days.panel.entities) & np.isin(day, local_date(days.midnights))
    if not wanted.any():
        raise ConfigError(
            f"none of {len(days.panel.entities)} entities has a reading in the weeks before a day that is judged, from "
            f"{clean.until} on; choose a later day, or other entities"
        )
    judged, p = found.take(wanted), p[wanted]
    owners = judged.inputs.entity

    def tell(windows: Windows) -> pl.DataFrame:
        names = windows.inputs.entity
        if not len(names):
            return pl.DataFrame()
        first, last = np.searchsorted(owners, names[0]), np.searchsorted(owners, names[-1], side="right")
        rows = slice(int(first), int(last))
        mine = Scores(judged.scores.score[rows], judged.scores.kind[rows], judged.scores.kinds)
        return find_alerts(windows, mine, p[rows], rule=rule, detector=detector)

    alerts = pl.concat([table for table in days.work(tell) if table.width])
    interval_mins = judged.inputs.interval_mins
    laid = timeline_of(judged.inputs).lay(p, blank=np.nan)
    rate = achieved_rate(laid, rule, interval_mins=interval_mins, draws=draws, rng=rng)
    return Watched(score_table(detector, judged.scores, p, judged.inputs), alerts, rate)
