"""Windows laid side by side in time again: one row a home, one column a step.

E homes by T steps. A step that no window covers is blank, and so is told from one that was covered and not read.
"""

from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from loadproof.errors import SchemaError
from loadproof.features.calendar import Instants
from loadproof.features.panel import to_us
from loadproof.features.windows import Inputs

__all__ = ["Spans", "Timeline", "find_spans", "timeline_of"]

Value = TypeVar("Value", bound=np.generic)


class Timeline(NamedTuple):
    """The grid that windows lie on.

    Attributes:
        entities: Names, ascending, ``(E,)``.
        start: Start of the first step, UTC.
        interval_mins: Length of a step in minutes.
        shape: E and T.
        row: Row of each window, ``(N,)``.
        step: First step of each window, ``(N,)``.
    """

    entities: NDArray[np.str_]
    start: np.datetime64
    interval_mins: int
    shape: tuple[int, int]
    row: NDArray[np.int64]
    step: NDArray[np.int64]

    def lay(self, values: NDArray[Value], *, blank: float) -> NDArray[Value]:
        """Return what the windows say of each step, ``(N, H)`` to ``(E, T)``, ``blank`` where none does.

        Where two windows cover a step, as when the clocks go forward, the one that begins later holds.
        """
        out = np.full(self.shape, blank, dtype=values.dtype)
        order = np.argsort(self.step, kind="stable")
        steps = self.step[order, None] + np.arange(values.shape[1])
        out[self.row[order, None], steps] = values[order]
        return out

    def take(self, rows: NDArray[np.int64]) -> "Timeline":
        """Return the same grid with these windows alone."""
        return self._replace(row=self.row[rows], step=self.step[rows])

    def ts(self, steps: NDArray[np.int64]) -> Instants:
        """Return the start of steps, UTC, of the same shape."""
        return self.start + steps * np.timedelta64(to_us(self.interval_mins), "us")


class Spans(NamedTuple):
    """Runs of steps: row, first step, and the step after the last, ``(S,)`` each, ordered by row, then time."""

    row: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]


def timeline_of(inputs: Inputs) -> Timeline:
    """Return the grid of these windows.

    Raises:
        SchemaError: When there is no window, or origins are no multiple of the interval apart.
    """
    if not len(inputs):
        raise SchemaError("no window to lay in time; cut some first")
    entities, row = np.unique(inputs.entity, return_inverse=True)  # (E,), (N,)
    t0_us = inputs.t0.astype("datetime64[us]").astype(np.int64)
    step, off_grid = np.divmod(t0_us - t0_us.min(), to_us(inputs.interval_mins))
    if off_grid.any():
        raise SchemaError(f"windows begin off the {inputs.interval_mins} minute grid; cut them from one panel")
    shape = (len(entities), int(step.max()) + inputs.horizon_steps)
    return Timeline(entities, np.datetime64(int(t0_us.min()), "us"), inputs.interval_mins, shape, row, step)


def find_spans(mask: NDArray[np.bool_], *, bridge: NDArray[np.bool_] | None = None) -> Spans:
    """Return the runs of true steps in each row of ``mask (E, T)``.

    Args:
        mask: What to find.
        bridge: Steps that part no run when they lie between two true ones, ``(E, T)``; None for none.
    """
    edge = np.zeros((len(mask), 1), dtype=bool)
    changes = np.diff(np.concatenate([edge, mask, edge], axis=1).view(np.int8), axis=1)  # (E, T + 1)
    row, first = np.nonzero(changes == 1)
    last = np.nonzero(changes == -1)[1]
    if bridge is None or len(row) < 2:
        return Spans(row, first, last)
    so_far = np.zeros((len(mask), mask.shape[1] + 1), dtype=np.int32)
    np.cumsum(~bridge, axis=1, out=so_far[:, 1:])
    joined = (row[1:] == row[:-1]) & (so_far[row[1:], first[1:]] == so_far[row[:-1], last[:-1]])
    begins, ends = np.append(True, ~joined), np.append(~joined, True)
    return Spans(row[begins], first[begins], last[ends])
