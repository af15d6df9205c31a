"""Every home and day of a panel, a few homes at a time, so that memory grows with the scores alone.

N days of all homes, ordered by home, then day.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from loadproof.anomaly.days import CONTEXT_DAYS, cut_days
from loadproof.detector import Detector, Scores
from loadproof.errors import SchemaError
from loadproof.features.calendar import Instants, Moment, local_date, local_midnights, to_instant
from loadproof.features.panel import Panel
from loadproof.features.place import LONDON, Place
from loadproof.features.weather import Weather
from loadproof.features.windows import Inputs, Windows

__all__ = ["DayScores", "Sweep", "join_scores", "score_windows", "without_context"]

T = TypeVar("T")

_CHUNK_VALUES: Final = 8_000_000
"""Readings that are laid out as windows together: 32 MB, of which a thread needs a few times as much."""


class DayScores(NamedTuple):
    """The scores of days, and whose and when they were: ``inputs`` without their context."""

    inputs: Inputs
    scores: Scores

    def take(self, index: NDArray[np.bool_] | slice) -> "DayScores":
        """Return the days that ``index`` (mask ``(N,)`` or slice) picks."""
        picked = replace(self.scores, score=self.scores.score[index], kind=self.scores.kind[index])
        return DayScores(self.inputs.take(index), picked)


def join_scores(parts: Iterable[DayScores]) -> DayScores:
    """Return the scores of several parts as one, in their order.

    Raises:
        SchemaError: When there is none, or they are of several detectors.
    """
    found = [part for part in parts if len(part.inputs)]
    if not found:
        raise SchemaError("no day was scored; choose days that the readings hold, with readings before them")
    if len({part.scores.kinds for part in found}) > 1:
        raise SchemaError("the scores name their kinds differently; score all days with one detector")
    of_inputs: dict[str, Any] = {
        name: np.concatenate([getattr(part.inputs, name) for part in found]) for name in ("context_kwh", "t0", "entity")
    }
    score, kind = (np.concatenate([getattr(part.scores, name) for part in found]) for name in ("score", "kind"))
    return DayScores(replace(found[0].inputs, **of_inputs), Scores(score, kind, found[0].scores.kinds))


def without_context(inputs: Inputs) -> Inputs:
    """Return the inputs without their context, which weighs most."""
    return replace(inputs, context_kwh=inputs.context_kwh[:, :0].copy())


def score_windows(detector: Detector, windows: Windows) -> DayScores:
    """Return the scores of some windows, without their context."""
    return DayScores(without_context(windows.inputs), detector.score(windows))


class Sweep:
    """The days from ``first`` to before ``last`` of all homes of a panel, also those without any reading.

    What begins after the last reading of anybody is no day.

    Args:
        panel: The series; may begin earlier, for context.
        first: First moment; a midnight that falls on it is in.
        last: Moment after the last.
        weather: The weather to know, if any.
        place: Where the homes stand.
        threads: How many chunks of homes are worked on together; what comes of it is the same.
    """

    def __init__(
        self, panel: Panel, first: Moment, last: Moment, *, weather: Weather | None = None, place: Place = LONDON,
        threads: int = 1,
    ) -> None:  # fmt: skip
        self.panel, self.first, self.last = panel, to_instant(first), min(to_instant(last), panel.end)
        self.weather, self.place, self.threads = weather, place, threads

    @property
    def midnights(self) -> Instants:
        """The start of each day."""
        return local_midnights(self.first, self.last)

    @property
    def dates(self) -> list[dt.date]:
        """The days, UK local."""
        dates: list[dt.date] = local_date(self.midnights).tolist()
        return dates

    @property
    def chunks(self) -> int:
        """How many results there will be."""
        return -(-len(self.panel.entities) // self._homes_a_chunk())

    def _homes_a_chunk(self) -> int:
        steps_a_day = 24 * 60 // self.panel.interval_mins
        return max(_CHUNK_VALUES // max(len(self.midnights) * (CONTEXT_DAYS + 1) * steps_a_day, 1), 1)

    @property
    def lots(self) -> list[tuple[str, ...]]:
        """The names of each chunk's homes."""
        return [tuple(self.panel.entities[homes].tolist()) for homes in self._slices()]

    def _slices(self) -> list[slice]:
        size = self._homes_a_chunk()
        return [slice(first, first + size) for first in range(0, len(self.panel.entities), size)]

    def _cut(self, homes: slice) -> Windows:
        panel = self.panel
        part = Panel(panel.entities[homes], panel.start, panel.interval_mins, panel.energy_kwh[homes])
        return cut_days(part, self.first, self.last, require_truth=False, weather=self.weather, place=self.place)

    def work(self, ask: Callable[[Windows], T]) -> Iterator[T]:
        """Yield what ``ask`` makes of each chunk of homes, in their order."""
        slices = self._slices()
        if self.threads == 1:
            yield from (ask(self._cut(homes)) for homes in slices)
            return
        with ThreadPoolExecutor(self.threads) as pool:
            yield from pool.map(lambda homes: ask(self._cut(homes)), slices)

    def score(self, detector: Detector) -> Iterator[DayScores]:
        """Yield the scores of each chunk of homes; :func:`join_scores` makes one of them."""
        return self.work(partial(score_windows, detector))
