"""Runs of equal readings: how long each is, and how long the longest was.

T steps; a missing reading ends a run.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Runs", "find_runs"]


def _next_marked(values: NDArray[np.int16], marked: NDArray[np.bool_]) -> NDArray[np.int16]:
    """Return at each step the value of the first marked step at or after it; the last step is marked."""
    steps = np.arange(values.shape[1], dtype=np.int16)
    nearest = np.where(marked, steps, steps[-1])
    nearest = np.minimum.accumulate(nearest[:, ::-1], axis=1)[:, ::-1]  # (N, S)
    return np.asarray(np.take_along_axis(values, nearest.astype(np.int64), axis=1))


class Runs(NamedTuple):
    """For each step where its run begins, and how many readings the run has up to it, ``(N, T)``.

    A missing reading is a run of its own, of length 0.
    """

    begin: NDArray[np.int16]
    length: NDArray[np.int16]

    def whole(self, first: int) -> NDArray[np.int16]:
        """Return the whole length of each step's run, for the steps from ``first`` on, ``(N, T - first)``."""
        ends = np.ones(self.begin[:, first:].shape, dtype=bool)
        np.not_equal(self.begin[:, first + 1 :], self.begin[:, first:-1], out=ends[:, :-1])
        return _next_marked(self.length[:, first:], ends)

    def longest(self, stop: int, which: NDArray[np.bool_]) -> NDArray[np.int16]:
        """Return the length of the longest run that ended before ``stop``, 0 of none, ``(N,)``.

        A run that reaches the step ``stop`` is part of what is judged there, and no record.

        Args:
            stop: The step after the last that counts.
            which: The steps that count, ``(N, stop)``.
        """
        over = self.begin[:, :stop] != self.begin[:, stop : stop + 1]
        return np.asarray((self.length[:, :stop] * (over & which)).max(axis=1))


def find_runs(kwh: NDArray[np.float32]) -> Runs:
    """Return the runs of equal readings in kWh, NaN where missing, ``(N, T)``, T below 32,767."""
    steps = np.arange(kwh.shape[1], dtype=np.int16)
    goes_on = np.zeros(kwh.shape, dtype=bool)
    np.equal(kwh[:, 1:], kwh[:, :-1], out=goes_on[:, 1:])  # NaN equals nothing
    begin = np.maximum.accumulate(np.where(goes_on, np.int16(-1), steps), axis=1)  # (N, T)
    return Runs(begin, np.where(np.isnan(kwh), np.int16(0), steps - begin + np.int16(1)))
