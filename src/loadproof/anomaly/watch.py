"""From scores of days to what is kept and shown of them: p-values, alerts, and how often it alarmed."""

import datetime as dt
import math
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.anomaly.alert_rule import join_odd, join_steps
from loadproof.anomaly.alerts import find_alerts
from loadproof.anomaly.following import CleanHistory, follow
from loadproof.anomaly.pvalues import score_table
from loadproof.anomaly.sweep import DayScores, Sweep
from loadproof.errors import ConfigError
from loadproof.evaluation.bootstrap import MIN_BLOCKS, bounds, draw_weights, resample
from loadproof.evaluation.timeline import find_spans, timeline_of
from loadproof.features.calendar import local_date
from loadproof.features.windows import Windows
from loadproof.schema import ALERTS

__all__ = [
    "AchievedRate",
    "Judged",
    "Told",
    "achieved_rate",
    "alert_sums",
    "alerts_to_show",
    "count_kinds",
    "join_alerts",
    "judge",
    "nothing_to_judge",
    "tell",
    "worst_alerts",
]

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


def alert_sums(odd: NDArray[np.bool_], read: NDArray[np.bool_], *, interval_mins: int) -> NDArray[np.float64]:
    """Return alerts and weeks of readings by home and week, ``(E, W, 2)``.

    Args:
        odd: Which readings are odd, in time order, ``(E, T)``.
        read: Where there are readings, ``(E, T)``.
        interval_mins: Length of a step in minutes.
    """
    week = _WEEK_MINS // interval_mins
    n_homes, n_weeks = len(odd), -(-odd.shape[1] // week)
    sums = np.zeros((n_homes, n_weeks, 2))
    spans = find_spans(join_odd(odd, join_steps(interval_mins)))
    np.add.at(sums[..., 0], (spans.row, spans.first // week), 1)
    padded = np.pad(read, ((0, 0), (0, n_weeks * week - read.shape[1])))  # (E, W * week)
    sums[..., 1] = padded.reshape(n_homes, n_weeks, week).sum(axis=2) / week
    return sums


def achieved_rate(parts: Iterable[NDArray[np.float64]], *, draws: int, rng: np.random.Generator) -> AchievedRate:
    """Return how often alerts stood.

    Args:
        parts: Sums of :func:`alert_sums`, of homes in their order and of the same weeks, ``(E, W, 2)`` each.
        draws: Resamples for the interval.
        rng: Their chance.
    """
    sums = np.concatenate(list(parts))
    n_homes, n_weeks, _ = sums.shape
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


def _by_gravity(alerts: pl.DataFrame) -> pl.DataFrame:
    """Return the alerts that have a severity, by it, then by the energy outside what was expected."""
    energy = pl.col("energy_kwh")
    outside = pl.max_horizontal(energy - pl.col("expected_high_kwh"), pl.col("expected_low_kwh") - energy, 0.0)
    return alerts.filter(pl.col("severity").is_not_null()).sort(
        pl.col("severity"), outside, "entity_id", "start_utc", descending=[True, True, False, False], nulls_last=True
    )


def worst_alerts(alerts: pl.DataFrame, *, most: int = 8) -> list[dict[str, Any]]:
    """Return the gravest alert of each home as rows, the gravest first.

    What is missing has no severity, and no place here.
    """
    return _by_gravity(alerts).unique("entity_id", keep="first", maintain_order=True).head(most).rows(named=True)


def alerts_to_show(alerts: pl.DataFrame, *, homes: int = 16, most: int = 60) -> list[dict[str, Any]]:
    """Return the gravest alert of each of so many homes, then their others, last the longest stretch without readings.

    Where all that is more than ``most``, the least grave of the others are left out.
    """
    first = worst_alerts(alerts, most=homes)
    missing = alerts.filter(kind="missing").with_columns(length=pl.col("end_utc") - pl.col("start_utc"))
    longest = missing.sort("length", "entity_id", descending=[True, False]).head(1).drop("length").rows(named=True)
    theirs = pl.col("entity_id").is_in([alert["entity_id"] for alert in first])
    others = [alert for alert in _by_gravity(alerts.filter(theirs)).rows(named=True) if alert not in first]
    return [*first, *others[: max(most - len(first) - len(longest), 0)], *longest]


class Judged(NamedTuple):
    """Days that were judged, each among what came before it: whose and when, scores, p-values, and which are odd."""

    found: DayScores
    p: NDArray[np.float32]  # (N, H)
    limit: NDArray[np.float32]  # (N,)

    @property
    def odd(self) -> NDArray[np.bool_]:
        """Which readings are odd, ``(N, H)``."""
        return self.p <= self.limit[:, None]

    def table(self, detector: str) -> pl.DataFrame:
        """Return the rows of ``SCORES``."""
        return score_table(detector, self.found.scores, self.p, self.found.inputs)

    def sums(self) -> NDArray[np.float64]:
        """Return alerts and weeks of readings by home and week, ``(E, W, 2)``."""
        line, interval_mins = timeline_of(self.found.inputs), self.found.inputs.interval_mins
        odd, read = line.lay(self.odd, blank=False), line.lay(~np.isnan(self.found.scores.score), blank=False)
        return alert_sums(odd, read, interval_mins=interval_mins)

    def rate(self, *, draws: int, rng: np.random.Generator) -> AchievedRate:
        """Return how often alerts stood; the interval is of so many ``draws``."""
        return achieved_rate([self.sums()], draws=draws, rng=rng)

    def limits(self) -> dict[str, float]:
        """Return the p-value at or below which a reading is odd, by UK day."""
        days = local_date(self.found.inputs.t0).astype(str).tolist()
        return dict(sorted(dict(zip(days, self.limit.tolist(), strict=True)).items()))


def nothing_to_judge(homes: int, clean: CleanHistory) -> ConfigError:
    """Return what is raised where none of so many homes has a day to judge."""
    return ConfigError(
        f"none of {homes} entities has a reading in the weeks before a day that is judged, from {clean.judged_from} "
        "on; choose a later day, or other entities"
    )


def judge(
    found: DayScores, clean: CleanHistory, dates: Sequence[dt.date], entities: NDArray[np.str_] | None = None, *,
    alerts_per_week: float,
) -> Judged:  # fmt: skip
    """Return what the history makes of some days of some entities.

    Args:
        found: The scores of these days, and of all that they are judged by, of at least these entities.
        clean: The history.
        dates: The UK days to judge, all from ``clean.judged_from`` on.
        entities: Whose; None for all.
        alerts_per_week: False alarms per home and week to put up with.

    Raises:
        ConfigError: When none of them has a day that can be judged, or the history is too short.
    """
    whose = np.unique(found.inputs.entity) if entities is None else entities
    wanted = np.isin(found.inputs.entity, whose) & np.isin(local_date(found.inputs.t0), np.array(dates, "datetime64"))
    if not wanted.any():
        raise nothing_to_judge(len(whose), clean)
    followed = follow(found, clean, dates[0], alerts_per_week=alerts_per_week)
    return Judged(found.take(wanted), followed.p[wanted], followed.limit[wanted])


class Told(NamedTuple):
    """What there is to tell of some days: rows of ``ALERTS``, and how often one stood."""

    alerts: pl.DataFrame
    rate: AchievedRate


def join_alerts(tables: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Return several tables of alerts as one, in their order."""
    return pl.concat([pl.DataFrame(schema=ALERTS), *tables])


def tell(days: Sweep, judged: Judged, *, detector: str) -> pl.DataFrame:
    """Return the alerts of the days of ``days``, which were judged, as rows of ``ALERTS``, by entity and time."""
    owners, odd = judged.found.inputs.entity, judged.odd

    def find(windows: Windows) -> pl.DataFrame | None:
        names = windows.inputs.entity
        if not len(names):
            return None
        first, last = np.searchsorted(owners, names[0]), np.searchsorted(owners, names[-1], side="right")
        rows = slice(int(first), int(last))
        mine = judged.found.take(rows).scores
        return find_alerts(windows, mine, judged.p[rows], odd=odd[rows], detector=detector)

    return join_alerts(table for table in days.work(find) if table is not None)
