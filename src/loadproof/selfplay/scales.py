"""What is typical of a home: losses are told in multiples of it, so that no home counts for its size."""

from typing import Final

import numpy as np

from loadproof.features.windows import Windows

__all__ = ["home_scales"]

_LEAST_SCALE_KWH: Final = 0.01


def home_scales(windows: Windows) -> dict[str, float]:
    """Return each home's mean change from one half hour to the next, kWh, over all days that the windows hold."""
    change = np.abs(np.diff(windows.truth_kwh, axis=1))  # (N, H - 1)
    names, at = np.unique(windows.inputs.entity, return_inverse=True)
    known = ~np.isnan(change)
    total, count = (np.bincount(at, x.sum(axis=1), len(names)) for x in (np.where(known, change, 0), known))
    means = np.maximum(total / np.maximum(count, 1), _LEAST_SCALE_KWH)
    return dict(zip(names.tolist(), means.tolist(), strict=True))
