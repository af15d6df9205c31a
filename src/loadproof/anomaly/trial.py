"""Detectors on trial: fitted on some homes, judged on others, with events set into them and without.

E homes by T steps; the first step is that of the first day scored.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.anomaly.alert_rule import join_odd, join_steps
from loadproof.anomaly.ensemble import EnsembleDetector
from loadproof.anomaly.faulted import series_of, set_fault
from loadproof.anomaly.following import CleanHistory, Following
from loadproof.anomaly.injection import Alteration
from loadproof.anomaly.sweep import DayScores
from loadproof.detector import Detector, Scores
from loadproof.evaluation.detection import rank_homes
from loadproof.evaluation.detection_events import EVENT_SUMS, sum_events
from loadproof.evaluation.timeline import timeline_of
from loadproof.evaluation.vus import BUFFER_STEPS, RANKINGS
from loadproof.features.calendar import local_date
from loadproof.features.windows import Windows

__all__ = ["Bench", "Trial", "figures_of"]

_DIGITS: Final = 5
_HALF_HOUR_MINS: Final = 30

Value = TypeVar("Value", bound=np.generic)
Laid = NDArray[np.float32]
Names = NDArray[np.str_]


class Bench(NamedTuple):
    """Fitted detectors.

    Attributes:
        single: By name, those of the ensemble among them.
        ensemble: Of some of them.
        homes: How many homes events are set into for a detector, where not for all: it is slow, and no member.
    """

    single: Mapping[str, Detector]
    ensemble: EnsembleDetector
    homes: Mapping[str, int]

    @property
    def quick(self) -> list[str]:
        """Those that are judged on all homes."""
        return [name for name in self.single if name not in self.homes]

    def together(self, scores: Mapping[str, Scores], windows: Windows, kind: str) -> Scores:
        """Return what the members' scores come to, by the weights that were learned without a kind."""
        members = [scores[member.name] for member in self.ensemble.members]
        return self.ensemble.without(kind).combine(members, windows)


class _Set(NamedTuple):
    """An event in each home: the windows that it touches, which of all windows they are, and where it acts."""

    windows: Windows
    rows: NDArray[np.int64]  # (M,)
    label: NDArray[np.bool_]  # (E, T)


class _Days(NamedTuple):
    """The days that a detector scored, and what past scores tell of them: which of all they are, ``(N',)``."""

    rows: NDArray[np.int64]
    following: Following

    @property
    def score(self) -> Laid:
        """Their scores, ``(N', H)``."""
        return self.following.found.scores.score


class Trial:
    """Untouched days, and what each detector makes of them.

    Args:
        bench: The detectors.
        windows: All days of homes that no detector was fitted on: history, then the test block.
        clean: By which days others are judged; the test block begins where days are judged.
        homes: Homes that events are set into; a slow detector is judged on the first of them.
    """

    def __init__(self, bench: Bench, windows: Windows, *, clean: CleanHistory, homes: Names) -> None:
        self.bench, self.windows, self.clean, self.homes = bench, windows, clean, homes
        self.line = timeline_of(windows.inputs)
        self.tested = local_date(windows.inputs.t0) >= np.datetime64(clean.judged_from)  # (N,)
        self.test_step = int(self.line.step[self.tested].min())
        every = np.arange(len(windows))
        self._scores = {name: bench.single[name].score(windows) for name in bench.quick}
        self._days = {name: self._follow(scores, every) for name, scores in self._scores.items()}
        for name in bench.homes:
            mine = np.flatnonzero(np.isin(windows.inputs.entity, self.homes_of(name)))
            self._days[name] = self._follow(bench.single[name].score(windows.take(mine)), mine)

    def homes_of(self, name: str) -> Names:
        """Return the homes that a detector is judged on."""
        return self.homes[: self.bench.homes.get(name, len(self.homes))]

    def _follow(self, scores: Scores, rows: NDArray[np.int64]) -> _Days:
        found = DayScores(self.windows.inputs.take(rows), scores)
        return _Days(rows, Following(found, self.clean, self.clean.judged_from))

    def _lay(self, days: _Days, values: NDArray[Value], *, blank: float) -> NDArray[Value]:
        """Return what is said of days at each step of all homes, ``(N', H)`` to ``(E, T)``."""
        return self.line.take(days.rows).lay(values, blank=blank)

    def _together(self, kind: str) -> _Days:
        return self._follow(self.bench.together(self._scores, self.windows, kind), np.arange(len(self.windows)))

    def clean_alerts(self, rates: Sequence[float]) -> pl.DataFrame:
        """Return how many alerts each detector raises in each untouched home at each chosen rate."""
        every = {**self._days, self.bench.ensemble.name: self._together("")}
        return pl.concat([self._alerts(name, days, rate) for name, days in every.items() for rate in rates])

    def _alerts(self, name: str, days: _Days, rate: float) -> pl.DataFrame:
        laid = self._lay(days, days.score, blank=np.nan)
        there = ~np.isnan(laid).all(axis=1)
        stands = self._alarms(days, days.following.p, rate)[there, self.test_step :]
        known = ~np.isnan(laid[there, self.test_step :])
        sums = sum_events(stands, np.zeros_like(stands), known, interval_mins=self.line.interval_mins)
        columns = {
            "detector": [name] * len(sums), "alerts_per_week": [float(rate)] * len(sums),
            "entity_id": self.line.entities[there].tolist(),
            "alerts": sums[:, EVENT_SUMS.index("alerts")].astype(np.int64),
            "weeks": np.round(sums[:, EVENT_SUMS.index("weeks")], _DIGITS),
        }  # fmt: skip
        return pl.DataFrame(columns)

    def _alarms(self, days: _Days, p: NDArray[np.float32], alerts_per_week: float) -> NDArray[np.bool_]:
        """Return where alerts stand by these p-values of days ``(N', H)``, ``(E, T)``."""
        odd = p <= days.following.limits(alerts_per_week)[:, None]
        return join_odd(self._lay(days, odd, blank=False), join_steps(self.line.interval_mins))

    def event(
        self, kind: str, alteration: Alteration, *, alerts_per_week: float, rng: np.random.Generator
    ) -> pl.DataFrame:
        """Return the figures of each detector, strength and home, one event a home.

        The ensemble never met the kind. P-values rank among untouched scores: as if a fault, once confirmed, were left
        out of what is usual.

        Args:
            kind: Of event.
            alteration: What it does, and how strongly.
            alerts_per_week: The rate at which alarms are judged.
            rng: Where events lie.
        """
        chosen = np.flatnonzero(self.tested & np.isin(self.windows.inputs.entity, self.homes))
        series = series_of(self.windows.take(chosen))
        together = self._together(kind)
        frames = []
        for strength in alteration.strengths:
            if (found := set_fault(series, alteration, strength, rng=rng)) is None:
                continue
            rows, label = chosen[found.rows], np.zeros(self.line.shape, dtype=bool)
            home, step = np.nonzero(found.label)
            label[self.line.row[rows[home]], self.line.step[rows[home]] + step] = True
            for name, days, touched, some in self._touched(_Set(found.windows, rows, label), kind, together):
                part = self._figures(name, days, touched, some, label, alerts_per_week)
                frames.append(part.with_columns(strength=pl.lit(strength, pl.Float32)))
        return pl.concat(frames)

    def _touched(
        self, event: _Set, kind: str, together: _Days
    ) -> Iterator[tuple[str, _Days, NDArray[np.int64], Scores]]:
        """Yield each detector, its days, which of these an event touches, and their scores with it in them."""
        scores = {name: self.bench.single[name].score(event.windows) for name in self.bench.quick}
        for name, some in scores.items():
            yield name, self._days[name], event.rows, some
        for name in self.bench.homes:
            mine = np.flatnonzero(np.isin(event.windows.inputs.entity, self.homes_of(name)))
            days = self._days[name]
            touched = np.searchsorted(days.rows, event.rows[mine])
            yield name, days, touched, self.bench.single[name].score(event.windows.take(mine))
        yield self.bench.ensemble.name, together, event.rows, self.bench.together(scores, event.windows, kind)

    def _figures(
        self, name: str, days: _Days, touched: NDArray[np.int64], some: Scores, label: NDArray[np.bool_],
        alerts_per_week: float,
    ) -> pl.DataFrame:  # fmt: skip
        homes = self.homes_of(name)
        rows, test = np.searchsorted(self.line.entities, homes), slice(self.test_step, None)
        score, p = days.score.copy(), days.following.p.copy()
        score[touched], p[touched] = some.score, days.following.p_of(some.score, touched)
        laid, stands = self._lay(days, score, blank=np.nan), self._alarms(days, p, alerts_per_week)
        return figures_of(
            name, homes, laid[rows, test], label[rows, test], stands[rows, test], interval_mins=self.line.interval_mins
        )


def figures_of(
    name: str, entities: Names, score: Laid, label: NDArray[np.bool_], alarm: NDArray[np.bool_], *, interval_mins: int
) -> pl.DataFrame:
    """Return a row for each home: ``RANKINGS`` of its scores and ``EVENT_SUMS`` of its alarms.

    Args:
        name: The detector's.
        entities: Whose, ``(E,)``.
        score: Scores, NaN where missing, ``(E, T)``.
        label: Where an event acts, ``(E, T)``.
        alarm: Where an alert stands, ``(E, T)``.
        interval_mins: Length of a step; the buffer of the volumes is as long at any.
    """
    ranked = rank_homes(score, label, buffer_steps=BUFFER_STEPS * _HALF_HOUR_MINS // interval_mins)  # (E, 4)
    sums = sum_events(alarm, label, ~np.isnan(score), interval_mins=interval_mins)  # (E, K)
    columns: dict[str, Any] = {"detector": [name] * len(entities), "entity_id": entities.tolist()}
    for names, values in ((RANKINGS, ranked), (EVENT_SUMS, sums)):
        columns |= {column: np.round(values[:, at], _DIGITS).astype(np.float32) for at, column in enumerate(names)}
    return pl.DataFrame(columns).fill_nan(None)
