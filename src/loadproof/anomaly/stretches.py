"""Stretches of series (sub-sequences), and how far each lies from principal components.

T steps in a series, W in a stretch, J stretches in a series, K = W components.
"""

from typing import Final, NamedTuple, TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from loadproof.errors import ConfigError
from loadproof.features.gaps import known_quantiles

__all__ = ["Series", "Span", "Stretches", "errors_of", "fit_span", "spread_out", "usual_errors"]

Scalar = TypeVar("Scalar", bound=np.generic)

_CHUNK: Final = 1024  # series whose stretches are laid out together
_FIT_EVERY: Final = 3  # neighbouring stretches tell nearly the same
_LEAST_SHARE: Final = 1e-4  # of the variance, so that a component of none does not outweigh all others
_MOSTLY: Final = 0.5  # a stretch with fewer readings tells nothing of its home


class Series(NamedTuple):
    """Series of mean 0 and variance 1, 0 where missing, and where they were read, ``(N, T)``."""

    z: NDArray[np.float32]
    known: NDArray[np.bool_]

    def cut(self, first: int, last: int) -> "Series":
        """Return the steps from ``first`` to before ``last``."""
        return Series(self.z[:, first:last], self.known[:, first:last])


class Span(NamedTuple):
    """What is learned of stretches of one length."""

    components: NDArray[np.float32]  # columns of length 1, the greatest first (W, K)
    weight: NDArray[np.float32]  # 1 / share of the variance (K,)
    usual_error: float = 1.0  # a stretch's error in the median window

    @property
    def steps(self) -> int:
        """Return W."""
        return len(self.components)


class Stretches(NamedTuple):
    """What is known of each stretch, ``(N, J)``."""

    error: NDArray[np.float32]
    share: NDArray[np.float32]  # of its steps that were read


def _laid_out(values: NDArray[Scalar], steps: int, every: int) -> NDArray[Scalar]:
    """Return the stretches of ``(N, T)`` that begin every so many steps, without a copy, ``(N, J, W)``."""
    return sliding_window_view(values, steps, axis=1)[:, ::every]


def errors_of(series: Series, span: Span, *, every: int = 1) -> Stretches:
    """Return the errors of the stretches that begin every so many steps.

    An error is the sum over all components of the stretch's distance to the component over the component's share of
    the variance, as in TSB-AD. What is missing is taken for average, and the rest is stretched to count for it.
    """
    # Overlapping rows are no matrix to BLAS, so they are copied.
    z = np.ascontiguousarray(_laid_out(series.z, span.steps, every))  # (N, J, W)
    share = _laid_out(series.known, span.steps, every).mean(axis=-1, dtype=np.float32)  # (N, J)
    stretch = np.float32(1) / np.maximum(share, np.float32(1 / span.steps))
    distance = z @ span.components  # (N, J, K)
    distance *= -2 * np.sqrt(stretch)[..., None]
    distance += (np.einsum("njw,njw->nj", z, z) * stretch + 1)[..., None]
    np.sqrt(np.maximum(distance, 0, out=distance), out=distance)
    return Stretches(np.asarray(distance @ span.weight, dtype=np.float32), share)


def usual_errors(series: Series, span: Span, *, every: int) -> NDArray[np.float32]:
    """Return the median error of each series' stretches, NaN where all are mostly gaps, ``(N,)``."""
    error, share = errors_of(series, span, every=every)
    return known_quantiles(np.where(share >= _MOSTLY, error, np.float32(np.nan)), (0.5,))[0]


def spread_out(stretches: Stretches, steps: int) -> NDArray[np.float32]:
    """Return at each step the mean error of the stretches that hold it, ``(N, H)``, H being J.

    The j-th stretch ends at step j, so that the last step lies in one stretch and the first in up to ``steps``. Each
    counts by the share of it that was read.
    """
    h = stretches.error.shape[1]
    begin = np.arange(h)
    stop = np.minimum(begin + steps, h)
    totals = []
    for values in (stretches.error * stretches.share, stretches.share):
        so_far = np.pad(np.cumsum(values, axis=1, dtype=np.float64), ((0, 0), (1, 0)))  # (N, H + 1)
        totals.append(so_far[:, stop] - so_far[:, begin])
    return np.asarray(totals[0] / np.maximum(totals[1], 1e-6), dtype=np.float32)


def fit_span(series: Series, steps: int) -> Span:
    """Return the components of all stretches of so many steps without a gap.

    Raises:
        ConfigError: When there are fewer such stretches than steps in one.
    """
    square, count = np.zeros((steps, steps)), 0
    for first in range(0, len(series.z), _CHUNK):
        rows = slice(first, first + _CHUNK)
        known = _laid_out(series.known[rows], steps, _FIT_EVERY).all(axis=-1)  # (n, J)
        whole = _laid_out(series.z[rows], steps, _FIT_EVERY)[known].astype(np.float64)  # (M, W)
        square += whole.T @ whole
        count += len(whole)
    if count < steps:
        raise ConfigError(
            f"training has {count} stretches of {steps} steps without a gap, too few to learn from; "
            "train longer or on more homes"
        )
    variance, components = np.linalg.eigh(square / count)  # ascending
    variance, components = variance[::-1], components[:, ::-1]
    # The sign of an eigenvector is arbitrary, and the distance to it is not: its largest entry is positive.
    components = components * np.sign(components[np.abs(components).argmax(axis=0), np.arange(steps)])
    share = np.maximum(variance / variance.sum(), _LEAST_SHARE)
    return Span(components.astype(np.float32), (1 / share).astype(np.float32))
