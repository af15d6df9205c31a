"""Linear quantile regression on scaled features: a start from which trees have little left to learn.

A line carries what few homes can teach, that quantiles rise with the home's own recent quantiles, to homes that no tree
has seen. Fitted by majorising the pinball loss with parabolas, each a weighted least squares.
R rows, F features, K inputs of the line, Q levels.
Source: Hunter and Lange, "Quantile regression via an MM algorithm", JCGS 9 (2000), doi:10.1080/10618600.2000.10474866.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.baselines.columns import is_energy
from loadproof.baselines.seasonal import mean_known
from loadproof.schema import LEVELS

__all__ = ["QuantileLine", "fit_line", "line_at", "numeric", "width_at"]

_USUAL: Final = "days_28_mean_kwh"
"""What stands in for an energy that is missing, inside the line alone; trees see that it is missing."""
_HOURS: Final = 24
_WEEKDAYS: Final = 7
_MOST_SCALES: Final = 20.0
_MOST_SIGMAS: Final = 30.0
"""Beyond so many multiples of scale, or standard deviations, a line is not to be trusted."""
_LEAST_SPREAD: Final = 1e-6
_SMOOTHING: Final = tuple(max(0.1 * 0.7**step, 1e-3) for step in range(20))
"""Residuals below this, in multiples of scale, count as parabolas; one a step, for a small one is slow from afar."""
_PENALTY: Final = 1e-4
"""Per row, on inputs of unit variance."""
_ROWS_AT_ONCE: Final = 16_384


class QuantileLine(NamedTuple):
    """A fitted line for each level, and last one for the mean."""

    centre: NDArray[np.float32]  # (F',) of the numeric features
    spread: NDArray[np.float32]  # (F',)
    coefficients: NDArray[np.float64]  # (K, Q + 1)


def numeric(names: tuple[str, ...]) -> list[int]:
    """Return where the F' features are that count as numbers, not as an hour or a day."""
    return [at for at, name in enumerate(names) if name not in ("step", "local_half_hour", "local_weekday")]


def _numbers(values: NDArray[np.float32], names: tuple[str, ...]) -> NDArray[np.float32]:
    """Return the numeric features, energies filled and bounded, others NaN where unknown, ``(R, F')``."""
    usual = np.nan_to_num(values[:, names.index(_USUAL)], nan=1.0)  # (R,)
    columns = []
    for at in numeric(names):
        column = values[:, at]
        if is_energy(names[at]):
            column = np.clip(np.where(np.isnan(column), usual, column), 0, _MOST_SCALES)
        columns.append(column)
    return np.stack(columns, axis=1)


def _inputs(
    values: NDArray[np.float32], names: tuple[str, ...], centre: NDArray[np.float32], spread: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the constant, the standardised features, the hour and the weekday as inputs of the line, ``(R, K)``."""
    hours = values[:, names.index("local_half_hour")].astype(np.int64) // 2  # (R,)
    weekday = values[:, names.index("local_weekday")].astype(np.int64)  # (R,)
    standard = np.nan_to_num((_numbers(values, names) - centre) / spread)  # (R, F')
    blocks = [
        np.ones((len(values), 1), dtype=np.float32),
        np.clip(standard, -_MOST_SIGMAS, _MOST_SIGMAS),
        np.eye(_HOURS, dtype=np.float32)[hours],
        np.eye(_WEEKDAYS, dtype=np.float32)[weekday],
    ]
    return np.hstack(blocks)


def width_at(names: tuple[str, ...]) -> int:
    """Return K, the inputs that a line has of features of these names."""
    return 1 + len(numeric(names)) + _HOURS + _WEEKDAYS


def _weighted_solve(
    inputs: NDArray[np.float32], weights: NDArray[np.float32], right: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return the least squares solution ``(K,)`` of rows weighted ``(R,)`` with right-hand side ``(R,)``."""
    k = inputs.shape[1]
    square, cross = np.zeros((k, k)), np.zeros(k)
    for first in range(0, len(inputs), _ROWS_AT_ONCE):
        some = inputs[first : first + _ROWS_AT_ONCE]
        square += (some * weights[first : first + _ROWS_AT_ONCE, None]).T @ some
        cross += some.T @ right[first : first + _ROWS_AT_ONCE]
    ridge = np.full(k, _PENALTY * len(inputs))
    ridge[0] = 0
    return np.asarray(np.linalg.solve(square + np.diag(ridge), cross))


def _at(line: NDArray[np.float64], inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(inputs @ line.astype(np.float32))  # (R,)


def _fit_level(
    inputs: NDArray[np.float32], target: NDArray[np.float32], start: NDArray[np.float64], level: float
) -> NDArray[np.float64]:
    line = start.copy()
    for smoothing in _SMOOTHING:
        weights = 0.5 / (np.float32(smoothing) + np.abs(target - _at(line, inputs)))  # (R,)
        line = _weighted_solve(inputs, weights, target * weights + np.float32(level - 0.5))
    line[0] += np.quantile(target - _at(line, inputs), level)
    return line


def fit_line(values: NDArray[np.float32], names: tuple[str, ...], target: NDArray[np.float32]) -> QuantileLine:
    """Return the line of every level of ``LEVELS`` and of the mean.

    Args:
        values: Scaled features, NaN unknown, ``(R, F)``.
        names: What they are called ``(F,)``.
        target: In multiples of scale, all known, ``(R,)``.
    """
    numbers = _numbers(values, names)  # (R, F')
    centre = np.nan_to_num(mean_known(numbers, axis=0))  # (F',)
    spread = np.nan_to_num(np.sqrt(mean_known((numbers - centre) ** 2, axis=0)))  # (F',)
    spread = np.where(spread > _LEAST_SPREAD, spread, np.float32(1))
    inputs = _inputs(values, names, centre, spread)  # (R, K)
    mean = _weighted_solve(inputs, np.ones(len(inputs), dtype=np.float32), target)  # (K,)
    levels = [_fit_level(inputs, target, mean, level) for level in LEVELS]
    return QuantileLine(centre, spread, np.stack([*levels, mean], axis=1))


def line_at(line: QuantileLine, values: NDArray[np.float32], names: tuple[str, ...]) -> NDArray[np.float64]:
    """Return each level, and last the mean, of rows ``(R, F)`` in multiples of scale, ``(R, Q + 1)``."""
    chunks = (values[first : first + _ROWS_AT_ONCE] for first in range(0, len(values), _ROWS_AT_ONCE))
    return np.concatenate(
        [_inputs(chunk, names, line.centre, line.spread) @ line.coefficients for chunk in chunks]
        or [np.empty((0, line.coefficients.shape[1]))]
    )
