"""Score each day as it comes, from what is kept of the days before; nothing is fitted again."""

from typing import NamedTuple

import numpy as np

from loadproof.anomaly.days import CONTEXT_DAYS, cut_days
from loadproof.detector import Detector, Scores
from loadproof.errors import ConfigError
from loadproof.features.calendar import local_midnights
from loadproof.features.panel import Panel, to_us
from loadproof.features.place import LONDON, Place
from loadproof.features.weather import Weather
from loadproof.features.windows import Windows

__all__ = ["ScoredDay", "Stream"]


class ScoredDay(NamedTuple):
    """One day of all homes, and its scores."""

    windows: Windows
    scores: Scores


def _joined(before: Panel, after: Panel) -> Panel:
    """Return both panels as one; a home or a time that neither holds is missing."""
    entities = np.union1d(before.entities, after.entities)
    gap = int(before.steps_to(np.array([after.start]))[0])
    energy = np.full((len(entities), gap + after.energy_kwh.shape[1]), np.nan, dtype=np.float32)
    energy[np.searchsorted(entities, before.entities), : before.energy_kwh.shape[1]] = before.energy_kwh
    energy[np.searchsorted(entities, after.entities), gap:] = after.energy_kwh
    return Panel(entities, before.start, before.interval_mins, energy)


class Stream:
    """A fitted detector that is given one day after the other.

    The scores equal those of a batch over ``cut_days`` of the whole series: a day is judged by its context and itself.

    Args:
        detector: Fitted.
        history: Readings before the first day; what lies before the context is forgotten.
        context_steps: C; ``CONTEXT_DAYS`` unless told.
        weather: The weather to know, if the detector wants it; it must reach as far as the days that will come.
        place: Where the homes stand.
    """

    def __init__(
        self, detector: Detector, history: Panel, *, context_steps: int | None = None, weather: Weather | None = None,
        place: Place = LONDON,
    ) -> None:  # fmt: skip
        self.detector, self.weather, self.place = detector, weather, place
        self.context_steps = CONTEXT_DAYS * 24 * 60 // history.interval_mins if context_steps is None else context_steps
        self._kept = self._recent(history)

    def _recent(self, panel: Panel) -> Panel:
        dropped = max(panel.energy_kwh.shape[1] - self.context_steps, 0)
        start = np.datetime64(panel.start + np.timedelta64(dropped * to_us(panel.interval_mins), "us"))
        return Panel(panel.entities, start, panel.interval_mins, panel.energy_kwh[:, dropped:].copy())

    def _refuse(self, day: Panel) -> None:
        if day.interval_mins != self._kept.interval_mins:
            raise ConfigError(f"a day of {day.interval_mins} minute steps; give steps of {self._kept.interval_mins}")
        if local_midnights(day.start, day.end).tolist() != [day.start.astype("datetime64[us]").item()]:
            raise ConfigError(f"{day.start} to {day.end} is no UK local day; give one, from midnight on")
        if day.start < self._kept.end:
            raise ConfigError(f"the day of {day.start} was given before; go on from {self._kept.end}")

    def update(self, new_day: Panel) -> ScoredDay:
        """Score the newest day and keep it as context of those to come.

        Days may be left out, and are then missing. A home unknown so far is scored once it has context.

        Args:
            new_day: The readings of one local day from its midnight on, NaN where missing; 23, 24 or 25 hours.

        Raises:
            ConfigError: When it is no such day, or not after those before.
        """
        self._refuse(new_day)
        joined = _joined(self._kept, new_day)
        windows = cut_days(
            joined, new_day.start, new_day.end, context_steps=self.context_steps, weather=self.weather,
            place=self.place,
        )  # fmt: skip
        scores = self.detector.score(windows)
        self._kept = self._recent(joined)
        return ScoredDay(windows, scores)
