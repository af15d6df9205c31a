"""The feature table as a model of many homes takes it: energy in multiples of each home's scale. F features."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.baselines.seasonal import home_scale
from loadproof.features.nomenclature import FEATURES
from loadproof.features.table import FeaturesOf, FeatureSpec, feature_matrix
from loadproof.features.windows import Inputs

__all__ = ["Columns", "is_energy", "scaled_columns"]

_KWH: Final = "kWh per step"
_SCALE: Final = "scale_kwh"


class Columns(NamedTuple):
    """Scaled features, one row a window and step."""

    values: NDArray[np.float32]  # (N H, F)
    names: tuple[str, ...]
    scale_kwh: NDArray[np.float32]  # (N,)


def is_energy(name: str) -> bool:
    """Return whether a column is an energy, and so comes in multiples of scale."""
    return FEATURES[name].unit == _KWH and name != _SCALE


def scaled_columns(inputs: Inputs, spec: FeatureSpec, features: FeaturesOf = feature_matrix) -> Columns:
    """Return the features of every window and step; the scale itself comes as its logarithm."""
    matrix = features(inputs, spec)
    scale = home_scale(inputs)  # (N,)
    values = np.empty((len(inputs), inputs.horizon_steps, len(matrix.names)), dtype=np.float32)  # (N, H, F)
    for place, name in enumerate(matrix.names):
        column = matrix.values[..., place]  # (N, H)
        if is_energy(name):
            column = column / scale[:, None]
        elif name == _SCALE:
            column = np.log(column)
        values[..., place] = column
    return Columns(values.reshape(-1, len(matrix.names)), matrix.names, scale)
