"""Weights of 0 or more by which faulty readings are best told from clean ones: a logistic regression. F views."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

__all__ = ["Rows", "fit_weights"]

Floats = NDArray[np.float64]

_PENALTY: Final = 1e-3  # half of it times the sum of squared weights is added to a mean loss
_START: Final = 0.1


class Rows(NamedTuple):
    """The views of the faulty readings of one kind at one strength, ``(R, F)``."""

    kind: str
    views: Floats


def fit_weights(faulty: Sequence[Rows], clean: Floats) -> Floats:
    """Return constant and weights, ``(1 + F,)``.

    Kinds count alike, within a kind strengths, and all faulty readings together as much as all clean ones.

    Args:
        faulty: At least one.
        clean: Views of clean readings, ``(R, F)``.
    """
    kinds = [rows.kind for rows in faulty]
    share = [1 / (len(set(kinds)) * kinds.count(rows.kind) * len(rows.views)) for rows in faulty]
    views = np.concatenate([clean, *(rows.views for rows in faulty)])
    sign = np.concatenate([np.full(len(clean), 1.0), np.full(len(views) - len(clean), -1.0)])
    weight = np.repeat([1 / max(len(clean), 1), *share], [len(clean), *(len(rows.views) for rows in faulty)]) / 2

    def loss(at: Floats) -> tuple[float, Floats]:
        margin = sign * (at[0] + views @ at[1:])
        slope = weight * sign / (1 + np.exp(-np.clip(margin, -500, 500)))
        value = weight @ np.logaddexp(0, margin) + _PENALTY / 2 * at[1:] @ at[1:]
        return float(value), np.concatenate([[slope.sum()], views.T @ slope + _PENALTY * at[1:]])

    start = np.full(1 + views.shape[1], _START)
    bounds = [(None, None), *[(0, None)] * views.shape[1]]
    return np.asarray(minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x, dtype=np.float64)
