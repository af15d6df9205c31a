"""What cannot be, or what this home never did: limits of the equipment, and records of the home.

Evidence is a reading, a run or a rise over its limit: 1 at the limit. A record is the largest of the context, of what
a fit saw of the same home, and of a floor.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.anomaly.evidence import EventKind, kind_code, scores_of
from loadproof.anomaly.runs import find_runs
from loadproof.detector import Detector, Scores
from loadproof.errors import SchemaError
from loadproof.features.windows import Windows
from loadproof.forecaster import FitReport, ModelState
from loadproof.limits import SERVICE_FUSE_A, Phases, fuse_limit

__all__ = ["RECORD_FLOORS", "PhysicalDetector"]

RECORD_FLOORS: Final = {"zero_steps": 2.0, "quiet_repeats": 3.0, "busy_repeats": 2.0, "rise": 10.0}
"""The least that a home's record is taken for: readings of zero in a row, repeats of a value below and above the home's
mean, and a rise from one reading to the next in multiples of that mean.

Source: ours, at or just above the upper quartile of 57 homes of LCL over 28 days, April to August 2013: no reading of
zero, 2 repeats of a low value, 1 of a high one, a rise by 10.4 means.
"""

_RESOLUTION_KWH: Final = 0.0005
"""Half of the last digit in which the meters read, a watt-hour: nearer to zero is zero."""

_STEEPNESS: Final = 4
"""Evidence counts to this power: half of a limit is next to nothing (1/16), twice a limit is much (16)."""

_IMPOSSIBLE: Final = 10.0
"""What counts for this many limits: a negative reading of an import register, and what no fuse carries without end."""

_CHUNK: Final = 256  # windows whose contexts lie in the cache together
_CHECKS: Final = tuple(RECORD_FLOORS)
_KINDS: Final[tuple[EventKind, ...]] = ("dropout", "frozen", "frozen", "spike")


class _Seen(NamedTuple):
    """What a chunk of windows holds, K checks in the order of ``RECORD_FLOORS``."""

    record: NDArray[np.float32]  # of the context, (N, K)
    day: NDArray[np.float32]  # at each step of the day, (N, H, K)


def _mean_of(kwh: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of what is known and not negative, 0 of nothing, ``(N, 1)``."""
    count = np.maximum(np.count_nonzero(~np.isnan(kwh), axis=1), 1)
    return np.asarray(np.fmax(kwh, 0).sum(axis=1) / count, dtype=np.float32)[:, None]


def _see(context: NDArray[np.float32], day: NDArray[np.float32]) -> _Seen:
    c = context.shape[1]
    kwh = np.concatenate([context, day], axis=1)  # (N, C + H)
    mean = _mean_of(context)  # (N, 1)
    zero, busy = np.abs(kwh) <= _RESOLUTION_KWH, kwh > mean
    runs = find_runs(kwh)
    whole = runs.whole(c).astype(np.float32)  # (N, H)
    classes = (zero, ~(zero | busy), busy & ~zero)
    longest = [runs.longest(c, which[:, :c]) for which in classes]
    rise = kwh[:, 1:] - np.maximum(kwh[:, :-1], 0)  # (N, C + H - 1)
    highest = np.fmax.reduce(rise[:, : c - 1], axis=1, initial=0) / np.maximum(mean[:, 0], _RESOLUTION_KWH)
    record = np.stack([longest[0], longest[1] - 1, longest[2] - 1, highest], axis=1)  # (N, K)
    of_day = [np.where(which[:, c:], whole - (k > 0), 0) for k, which in enumerate(classes)]
    of_day.append(rise[:, c - 1 :] / np.maximum(mean, _RESOLUTION_KWH))
    return _Seen(record.astype(np.float32), np.stack(of_day, axis=-1).astype(np.float32))


def _chunks(windows: Windows) -> Iterator[tuple[slice, _Seen]]:
    for first in range(0, len(windows), _CHUNK):
        rows = slice(first, first + _CHUNK)
        yield rows, _see(windows.inputs.context_kwh[rows], windows.truth_kwh[rows])


class PhysicalDetector(Detector):
    """Negative, above the fuse, frozen, zero for too long, or an impossible rise.

    It needs no training; a fit adds each home's own records over all that it is shown.

    Args:
        fuse_a: Rating of the service fuse in ampere; None where no fuse is known, as of a building or a feeder.
        phases: How many phases it has.
    """

    name = "physical"

    def __init__(self, fuse_a: float | None = SERVICE_FUSE_A, phases: Phases = 1) -> None:
        self.fuse_a, self.phases = fuse_a, phases
        self._entity = np.array([], dtype=np.str_)  # (E,), ascending
        self._record = np.zeros((0, len(_CHECKS)), dtype=np.float32)  # (E, K)

    def fit(self, train: Windows, valid: Windows, *, rng: np.random.Generator) -> FitReport:
        """Take down what each home ever did, in the contexts and days of ``train``."""
        del rng
        self._entity, at = np.unique(train.inputs.entity, return_inverse=True)  # (E,), (N,)
        self._record = np.zeros((len(self._entity), len(_CHECKS)), dtype=np.float32)
        for rows, seen in _chunks(train):
            both = np.fmax(seen.record, np.fmax.reduce(seen.day, axis=1, initial=0))  # (n, K)
            np.maximum.at(self._record, at[rows], both)
        return FitReport(len(train), len(valid))

    def _remembered(self, entity: NDArray[np.str_]) -> NDArray[np.float32]:
        """Return what the fit saw of each home, 0 of a stranger, ``(N, K)``."""
        if not len(self._entity):
            return np.zeros((len(entity), len(_CHECKS)), dtype=np.float32)
        names, at = np.unique(entity, return_inverse=True)
        place = np.minimum(np.searchsorted(self._entity, names), len(self._entity) - 1)
        known = self._entity[place] == names
        return np.asarray(np.where(known[:, None], self._record[place], 0)[at], dtype=np.float32)

    def score(self, windows: Windows) -> Scores:
        """Score every reading by the limit or record that it breaks most."""
        kwh = windows.truth_kwh
        floor = np.array(list(RECORD_FLOORS.values()), dtype=np.float32)
        limit = np.maximum(self._remembered(windows.inputs.entity), floor)  # (N, K)
        most, check = np.zeros(kwh.shape, dtype=np.float32), np.zeros(kwh.shape, dtype=np.int64)
        for rows, seen in _chunks(windows):
            ratio = seen.day / np.maximum(limit[rows], seen.record)[:, None]  # (n, H, K)
            ratio = np.nan_to_num(ratio, nan=0.0)
            check[rows] = ratio.argmax(axis=-1)
            most[rows] = ratio.max(axis=-1)
        kind = np.array([kind_code(k) for k in _KINDS])[check]  # (N, H)
        beyond = self._beyond(kwh, windows.inputs.interval_mins)
        kind = np.where(beyond >= most, kind_code("limit"), kind)
        most = np.fmax(most, beyond)
        return scores_of(most.astype(np.float64) ** _STEEPNESS, kwh, np.where(most > 1, kind, 0).astype(np.uint8))

    def _beyond(self, kwh: NDArray[np.float32], interval_mins: int) -> NDArray[np.float32]:
        """Return each reading in multiples of what the equipment lets through, ``(N, H)``."""
        beyond = np.where(kwh < -_RESOLUTION_KWH, np.float32(_IMPOSSIBLE), np.float32(0))
        if self.fuse_a is None:
            return beyond
        fuse = fuse_limit(fuse_a=self.fuse_a, phases=self.phases, interval_mins=interval_mins)
        carried = np.where(kwh > fuse.hard_kwh, _IMPOSSIBLE * kwh / fuse.hard_kwh, kwh / fuse.soft_kwh)
        return np.fmax(beyond, carried).astype(np.float32)

    def state(self) -> ModelState:
        """Return the fuse, the homes and their records; there are none before a fit."""
        knobs = {"fuse_a": self.fuse_a, "phases": self.phases, "entities": self._entity.tolist()}
        return ModelState(knobs, {"record": self._record}, {})

    def restore(self, state: ModelState) -> None:
        """Become what ``state`` says, as if fitted."""
        try:
            fuse_a, phases = state.knobs["fuse_a"], state.knobs["phases"]
            entity = np.array(state.knobs["entities"], dtype=np.str_)
            record = state.arrays["record"]
        except KeyError as error:
            raise SchemaError(f"the state of {self.name} lacks {error}; train it again") from error
        if record.shape != (len(entity), len(_CHECKS)) or (entity[1:] <= entity[:-1]).any():
            raise SchemaError(f"{len(entity)} homes do not fit records {record.shape}; train {self.name} again")
        self.fuse_a, self.phases, self._entity, self._record = fuse_a, phases, entity, record
