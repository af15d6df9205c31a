"""What a day's score was made of, as a print: with the same readings a day need not be scored again."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from loadproof.anomaly.days import CONTEXT_DAYS
from loadproof.features.calendar import Instants
from loadproof.features.panel import Panel

__all__ = ["day_prints"]


def _print_of(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


def day_prints(panel: Panel, midnights: Instants) -> list[str]:
    """Return of each day a print of all that its scores see: its readings, its context's, and whose they are.

    Args:
        panel: The series of all that are scored together.
        midnights: The start of each day, ``(D,)``, whole hours UTC.
    """
    hour, day = 60 // panel.interval_mins, 24 * 60 // panel.interval_mins
    starts = panel.steps_to(midnights)  # (D,)
    begin, context = int(starts.min()) - CONTEXT_DAYS * day, CONTEXT_DAYS * day
    rows = np.arange(len(panel.entities))
    grid: NDArray[np.float32] = panel.cut(rows, np.full(len(rows), begin), int(starts.max()) + day - begin)  # (E, T)
    hours = [_print_of(grid[:, at : at + hour].tobytes()) for at in range(0, grid.shape[1], hour)]
    whose = _print_of("\n".join(panel.entities.tolist()).encode())
    firsts = ((starts - begin - context) // hour).tolist()  # (D,)
    return [_print_of(whose + b"".join(hours[at : at + 24 * (CONTEXT_DAYS + 1)])).hex() for at in firsts]
