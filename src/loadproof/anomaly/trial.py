"""Detectors on trial: fitted on some homes, judged on others, with events set into them and without.

E homes by T steps; the first step is that of the first day scored.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.anomaly.ensemble import EnsembleDetector
from loadproof.anomaly.faulted import series_of, set_fault
from loadproof.anomaly.injection import Alteration
from loadproof.anomaly.rolling import RollingAlarms
from loadproof.detector import Detector, Scores
from loadproof.evaluation.detection import rank_homes
from loadproof.evaluation.detection_events import EVENT_SUMS, sum_events
from loadproof.evaluation.timeline import timeline_of
from loadproof.evaluation.vus import BUFFER_STEPS, RANKINGS
from loadproof.features.windows import Windows

__all__ = ["Bench", "Trial", "figures_of"]

_DIGITS: Final = 5
_HALF_HOUR_MINS: Final = 30

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


class Trial:
    """Untouched days, and what each detector makes of them.

    Args:
        bench: The detectors.
        windows: All days of homes that no detector was fitted on: history, then the test block.
        test_from: When the test block begins.
        homes: Homes that events are set into; a slow detector is judged on the first of them.
    """

    def __init__(self, bench: Bench, windows: Windows, *, test_from: np.datetime64, homes: Names) -> None:
        self.bench, self.windows, self.homes = bench, windows, homes
        self.line = timeline_of(windows.inputs)
        self.test_step = int((test_from - self.line.start) // np.timedelta64(self.line.interval_mins, "m"))
        self._scores = {name: bench.single[name].score(windows) for name in bench.quick}
        self._laid = {name: self._lay(scores) for name, scores in self._scores.items()}
        for name in bench.homes:
            mine = np.flatnonzero(np.isin(windows.inputs.entity, self.homes_of(name)))
            blank = np.full(self.line.shape, np.nan, dtype=np.float32)
            self._laid[name] = self._over(blank, mine, bench.single[name].score(windows.take(mine)))
        self._alarms = {name: self._rolling(laid) for name, laid in self._laid.items()}

    def homes_of(self, name: str) -> Names:
        """Return the homes that a detector is judged on."""
        return self.homes[: self.bench.homes.get(name, len(self.homes))]

    def _lay(self, scores: Scores) -> Laid:
        return self.line.lay(scores.score, blank=np.nan)

    def _rolling(self, laid: Laid) -> RollingAlarms:
        return RollingAlarms(laid, self.line.entities, interval_mins=self.line.interval_mins)

    def _over(self, laid: Laid, rows: NDArray[np.int64], scores: Scores) -> Laid:
        """Return laid scores with those of some windows in their place; of two that cover a step the later holds."""
        out, h = laid.copy(), scores.score.shape[1]
        order = np.argsort(self.line.step[rows], kind="stable")
        at = rows[order, None]
        out[self.line.row[at], self.line.step[at] + np.arange(h)] = scores.score[order]
        return out

    def _together(self, kind: str) -> tuple[Laid, RollingAlarms]:
        laid = self._lay(self.bench.together(self._scores, self.windows, kind))
        return laid, self._rolling(laid)

    def clean(self, rates: Sequence[float]) -> pl.DataFrame:
        """Return how many alerts each detector raises in each untouched home at each chosen rate."""
        laid, alarms = self._together("")
        every = {**self._laid, self.bench.ensemble.name: laid}
        rolling = {**self._alarms, self.bench.ensemble.name: alarms}
        return pl.concat([self._alerts(name, every[name], rolling[name], rate) for name in every for rate in rates])

    def _alerts(self, name: str, laid: Laid, alarms: RollingAlarms, rate: float) -> pl.DataFrame:
        there = ~np.isnan(laid).all(axis=1)
        stands = alarms.alarms(alarms.clean_p[there], alerts_per_week=rate)[:, self.test_step :]
        known = ~np.isnan(laid[there, self.test_step :])
        sums = sum_events(stands, np.zeros_like(stands), known, interval_mins=self.line.interval_mins)
        columns = {
            "detector": [name] * len(sums), "alerts_per_week": [float(rate)] * len(sums),
            "entity_id": self.line.entities[there].tolist(),
            "alerts": sums[:, EVENT_SUMS.index("alerts")].astype(np.int64),
            "weeks": np.round(sums[:, EVENT_SUMS.index("weeks")], _DIGITS),
        }  # fmt: skip
        return pl.DataFrame(columns)

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
        judged = (self.line.step >= self.test_step) & np.isin(self.windows.inputs.entity, self.homes)
        chosen = np.flatnonzero(judged)
        series = series_of(self.windows.take(chosen))
        together = self._together(kind)
        frames = []
        for strength in alteration.strengths:
            if (found := set_fault(series, alteration, strength, rng=rng)) is None:
                continue
            rows, label = chosen[found.rows], np.zeros(self.line.shape, dtype=bool)
            home, step = np.nonzero(found.label)
            label[self.line.row[rows[home]], self.line.step[rows[home]] + step] = True
            for name, laid, alarms in self._touched(_Set(found.windows, rows, label), kind, together):
                part = self._figures(name, laid, label, alarms, alerts_per_week)
                frames.append(part.with_columns(strength=pl.lit(strength, pl.Float32)))
        return pl.concat(frames)

    def _touched(
        self, event: _Set, kind: str, together: tuple[Laid, RollingAlarms]
    ) -> Iterator[tuple[str, Laid, RollingAlarms]]:
        """Yield each detector, its scores with the event in them, and its alarms."""
        scores = {name: self.bench.single[name].score(event.windows) for name in self.bench.quick}
        for name, some in scores.items():
            yield name, self._over(self._laid[name], event.rows, some), self._alarms[name]
        for name in self.bench.homes:
            mine = np.flatnonzero(np.isin(event.windows.inputs.entity, self.homes_of(name)))
            some = self.bench.single[name].score(event.windows.take(mine))
            yield name, self._over(self._laid[name], event.rows[mine], some), self._alarms[name]
        laid, alarms = together
        some = self.bench.together(scores, event.windows, kind)
        yield self.bench.ensemble.name, self._over(laid, event.rows, some), alarms

    def _figures(
        self, name: str, laid: Laid, label: NDArray[np.bool_], alarms: RollingAlarms, alerts_per_week: float
    ) -> pl.DataFrame:
        homes = self.homes_of(name)
        rows, test = np.searchsorted(self.line.entities, homes), slice(self.test_step, None)
        stands = alarms.alarms(alarms.p(laid[rows], homes), alerts_per_week=alerts_per_week)
        return figures_of(
            name, homes, laid[rows, test], label[rows, test], stands[:, test], interval_mins=self.line.interval_mins
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
