"""Detectors on LEAD's buildings: each building judged by what was learned from the others, against people's labels."""

import datetime as dt
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.anomaly.alert_rule import join_odd, join_steps
from loadproof.anomaly.bench import RngOf, fit_bench
from loadproof.anomaly.days import cut_days
from loadproof.anomaly.following import CleanHistory, Following
from loadproof.anomaly.sweep import DayScores
from loadproof.anomaly.trial import figures_of
from loadproof.config import AnomalyConfig
from loadproof.detector import Detector
from loadproof.evaluation.groups import take_homes
from loadproof.evaluation.timeline import timeline_of
from loadproof.features.calendar import local_date
from loadproof.features.panel import Panel

__all__ = ["LeadBuildings", "buildings_of", "judge_building"]

_HOUR_MINS: Final = 60
_MEAN_KWH: Final = 0.5
"""Each building is taken in such a unit that an hour has this mean, so that a fault set in by the kilowatt to learn
the weights is as large for it as for a home."""

_VALID_SHARE: Final = 1 / 3  # the last part of the others' year, which calibrates and takes faults


class LeadBuildings(NamedTuple):
    """The buildings' series, and where people marked them, ``(E, T)``."""

    panel: Panel
    odd: NDArray[np.bool_]


def buildings_of(frame: pl.DataFrame) -> LeadBuildings:
    """Return readings of LEAD as series on one hourly grid, each divided by its own mean; an absent hour is missing."""
    names = frame["building_id"].unique().sort()
    hours = frame["ts"].dt.epoch("us").to_numpy() // (_HOUR_MINS * 60_000_000)
    first = int(hours.min())
    shape = (len(names), int(hours.max()) - first + 1)
    row = np.searchsorted(names.to_numpy(), frame["building_id"].to_numpy())
    energy, odd = np.full(shape, np.nan, dtype=np.float32), np.zeros(shape, dtype=bool)
    energy[row, hours - first] = frame["energy_kwh"].to_numpy()
    odd[row, hours - first] = frame["odd"].to_numpy()
    energy *= _MEAN_KWH / np.nanmean(energy, axis=1, keepdims=True)
    entities = np.array([f"lead:{name:06d}" for name in names.to_list()])
    start = np.datetime64(first * _HOUR_MINS * 60_000_000, "us")
    return LeadBuildings(Panel(entities, start, _HOUR_MINS, energy), odd)


def judge_building(
    buildings: LeadBuildings, building: str, singles: dict[str, Detector], *, alerts_per_week: float,
    knobs: AnomalyConfig, rng_of: RngOf,
) -> pl.DataFrame:  # fmt: skip
    """Return the figures of each detector on one building, fitted on all others; nobody's labels are learned from.

    Args:
        buildings: All of them.
        building: Which is judged.
        singles: Detectors, unfitted.
        alerts_per_week: The rate at which alarms are judged.
        knobs: By which days others are judged.
        rng_of: The chance of each detector, by its name.
    """
    panel = buildings.panel
    end = panel.start + panel.energy_kwh.shape[1] * np.timedelta64(1, "h")
    border = end - int(panel.energy_kwh.shape[1] * _VALID_SHARE) // 24 * np.timedelta64(1, "D")
    first, middle, last = (x.astype(dt.datetime).replace(tzinfo=dt.UTC) for x in (panel.start, border, end))
    others = take_homes(panel, panel.entities[panel.entities != building])
    bench = fit_bench(
        singles, cut_days(others, first, middle), cut_days(others, middle, last), slow={},
        fault_homes=len(panel.entities), rng_of=rng_of,
    )  # fmt: skip
    windows = cut_days(take_homes(panel, np.array([building])), first, last)
    line = timeline_of(windows.inputs)
    scores = {name: detector.score(windows) for name, detector in bench.single.items()}
    scores[bench.ensemble.name] = bench.together(scores, windows, "")
    offset = int(panel.steps_to(np.array([line.start]))[0])
    label = np.zeros(line.shape, dtype=bool)
    judged = buildings.odd[panel.entities == building, offset : offset + line.shape[1]]
    label[:, : judged.shape[1]] = judged
    judged_from = local_date(windows.inputs.t0.min()[None])[0].astype(dt.date) + dt.timedelta(days=knobs.clean_days)
    clean = CleanHistory.of(judged_from, knobs)
    frames = []
    for name, some in scores.items():
        following = Following(DayScores(windows.inputs, some), clean, judged_from)
        odd = following.p <= following.limits(alerts_per_week)[:, None]
        stands = join_odd(line.lay(odd, blank=False), join_steps(_HOUR_MINS))
        laid = line.lay(some.score, blank=np.nan)
        frames.append(figures_of(name, line.entities, laid, label, stands, interval_mins=_HOUR_MINS))
    return pl.concat(frames)
