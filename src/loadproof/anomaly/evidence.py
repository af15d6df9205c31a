"""From evidence of any size to scores between 0 and 1, and the kinds of event that a detector may name."""

from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from loadproof.detector import Scores

__all__ = ["KINDS", "EventKind", "kind_code", "kinds_of_distance", "scores_of"]

EventKind = Literal["spike", "dropout", "level_shift", "frozen", "drift", "limit"]

KINDS: Final[tuple[EventKind | None, ...]] = (None, "spike", "dropout", "level_shift", "frozen", "drift", "limit")
"""What a detector may take a half hour for; the first is no opinion."""

_MOST: Final = 1e12  # beyond it a score rounds to 1 anyway
_SHIFTED_Z: Final = 1.0


def kind_code(kind: EventKind | None) -> np.uint8:
    """Return the position of ``kind`` in ``KINDS``."""
    return np.uint8(KINDS.index(kind))


def kinds_of_distance(z: NDArray[np.floating[Any]], *, odd_z: float) -> NDArray[np.uint8]:
    """Return the kind of each reading that lies beyond ``odd_z``, ``(N, H)``; none for the others.

    A level shift where three quarters of the day's readings lie more than one spread off on one side, otherwise a
    spike above and a dropout below.

    Args:
        z: Signed distance from the usual in spreads, NaN where unknown, ``(N, H)``.
        odd_z: From where on a reading is named.
    """
    known = np.maximum(np.count_nonzero(~np.isnan(z), axis=1), 1)
    sides = [np.count_nonzero(side, axis=1) / known for side in (z > _SHIFTED_Z, z < -_SHIFTED_Z)]
    shifted = np.max(sides, axis=0)[:, None] >= 0.75  # (N, 1)
    point = np.where(z > 0, kind_code("spike"), kind_code("dropout"))
    kind = np.where(shifted, kind_code("level_shift"), point)
    return np.where(np.abs(z) > odd_z, kind, np.uint8(0)).astype(np.uint8)


def scores_of(
    evidence: NDArray[np.floating[Any]], truth_kwh: NDArray[np.float32], kind: NDArray[np.uint8] | None = None
) -> Scores:
    """Return scores that rise with the evidence: 0 for none, 0.5 for 1, towards 1 without end.

    A reading without evidence, having nothing to be held against, scores 0; a half hour without reading is NaN.

    Args:
        evidence: Dimensionless, 0 or more, in multiples of what is barely odd, NaN where there is none, ``(N, H)``.
        truth_kwh: The day's readings in kWh, NaN where missing, ``(N, H)``.
        kind: Positions in ``KINDS``, ``(N, H)``; None for no opinion on any.
    """
    sound = np.nan_to_num(np.minimum(evidence.astype(np.float64), _MOST))
    missing = np.isnan(truth_kwh)
    score = np.where(missing, np.nan, sound / (1 + sound)).astype(np.float32)
    named = np.zeros(score.shape, np.uint8) if kind is None else np.where(missing, 0, kind).astype(np.uint8)
    return Scores(score, named, KINDS)
