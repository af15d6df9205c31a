"""Interruptions that were announced: known before they begin, as a calendar is, and to all homes of a panel alike."""

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.features.calendar import Instants

__all__ = ["NOTICE_NAMES", "Notice", "Notices"]

NOTICE_NAMES: Final = ("planned_outage",)
"""1 where a step begins inside an interruption that had been announced, else 0."""


class Notice(NamedTuple):
    """An interruption from ``start`` to before ``end``, and when it was announced; all UTC."""

    announced: np.datetime64
    start: np.datetime64
    end: np.datetime64


@dataclass(frozen=True)
class Notices:
    """All announcements; none is a fact as well: nothing is planned."""

    planned: tuple[Notice, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of :meth:`past` and :meth:`ahead`."""
        return NOTICE_NAMES

    def and_also(self, notice: Notice) -> "Notices":
        """Return these announcements and one more."""
        return replace(self, planned=(*self.planned, notice))

    def past(self, ts: Instants) -> NDArray[np.float32]:
        """Return what had been announced when each step ``ts (O, S)`` began, ``(O, S, 1)``."""
        return self._inside(ts, ts)

    def ahead(self, t0: Instants, ts: Instants) -> NDArray[np.float32]:
        """Return what was announced by each origin ``t0 (O,)`` of the steps ``ts (O, S)``, ``(O, S, 1)``."""
        return self._inside(np.broadcast_to(t0[:, None], ts.shape), ts)

    def _inside(self, known_at: Instants, ts: Instants) -> NDArray[np.float32]:
        inside = np.zeros(ts.shape, dtype=bool)
        for one in self.planned:
            inside |= (ts >= one.start) & (ts < one.end) & (one.announced <= known_at)
        return inside[..., None].astype(np.float32)
