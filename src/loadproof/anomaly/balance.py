"""Whether a home's sub-meters read more than its mains: energy that is measured twice or never came in."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.anomaly.evidence import kind_code, scores_of
from loadproof.detector import Scores
from loadproof.errors import SchemaError

__all__ = ["MeterTolerance", "balance_scores"]

_STEEPNESS: Final = 4  # as of a home's limits: half of it is next to nothing


class MeterTolerance(NamedTuple):
    """By how much sub-meters may exceed the mains and still agree with them.

    Source of 0.1 and 0.005: ours; on house 2 of UK-DALE, May and June 2013, the kettle, washing machine, dishwasher
    and microwave stay below it in every half hour.

    Attributes:
        share: Of the mains' reading.
        kwh: For a half hour in which hardly anything is used.
    """

    share: float = 0.1
    kwh: float = 0.005


def balance_scores(
    mains_kwh: NDArray[np.float32],
    submeters_kwh: NDArray[np.float32],
    tolerance: MeterTolerance = MeterTolerance(),  # noqa: B008 - a tuple of numbers
) -> Scores:
    """Score each half hour by the sum of the sub-meters over the most that the mains allow; 0.5 at that limit.

    Sub-meters that were not read count as nothing, so that a gap never raises an alarm; a half hour without mains is
    NaN.

    Args:
        mains_kwh: The whole home's energy, NaN where missing, ``(N, H)``.
        submeters_kwh: Each of M sub-meters, none of which feeds another, NaN where missing, ``(N, M, H)``.
        tolerance: What the meters may differ by.

    Raises:
        SchemaError: When the shapes do not belong together.
    """
    n, h = mains_kwh.shape
    if submeters_kwh.ndim != 3 or (submeters_kwh.shape[0], submeters_kwh.shape[2]) != (n, h):
        raise SchemaError(f"mains are {mains_kwh.shape}, sub-meters {submeters_kwh.shape}; give ({n}, M, {h}) of them")
    metered = np.nansum(submeters_kwh, axis=1, dtype=np.float64)  # (N, H)
    allowed = np.maximum(mains_kwh, 0) * (1 + tolerance.share) + tolerance.kwh
    ratio = metered / allowed
    kind = np.where(ratio > 1, kind_code("limit"), np.uint8(0))
    return scores_of(np.maximum(ratio, 0) ** _STEEPNESS, mains_kwh, kind.astype(np.uint8))
