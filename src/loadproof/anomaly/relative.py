"""Readings as levels that homes of any size share, on a scale on which a dropout is as far off as a spike."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["relative_level"]

_STRETCH: Final = 10.0
"""Where the scale turns from linear to logarithmic: at a tenth of the home's usual energy per step, near its standby.

Source: of 5, 10, 20 and 40 on the training homes of LCL in September 2013, 10 and above did alike.
"""


def relative_level(kwh: NDArray[np.float32], scale_kwh: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the level of each reading: logarithmic, through 0, odd about it; NaN where missing, of the same shape.

    Args:
        kwh: Readings ``(N, T)``.
        scale_kwh: Each home's usual energy per step, above 0, ``(N,)``.
    """
    ratio = kwh / scale_kwh[:, None] * np.float32(_STRETCH)
    return np.asarray(np.copysign(np.log(1 + np.abs(ratio)), ratio))
