"""How far two sets of feeders lie apart, by season and half hour and in all; what is tested counts what is independent.

Half hours of one week are alike, and so are feeders of one week. A cell's *effective size* is its number of values over
``1 + (m - 1) r``, with m values a week and r the correlation within weeks (one-way analysis of variance).
"""

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import stats

from loadproof.feeders.shapes import SEASONS, Shapes

__all__ = ["CELLS", "compare_cells", "effective_size", "kolmogorov_smirnov", "wasserstein"]

CELLS: Final = pl.Schema(
    {
        "season": pl.String(),
        "half_hour": pl.Int16(),
        "mean_pseudo_kwh": pl.Float64(),
        "mean_real_kwh": pl.Float64(),
        "wasserstein_kwh": pl.Float64(),
        "wasserstein_ratio": pl.Float64(),
        "ks": pl.Float64(),
        "p_value": pl.Float64(),
        "n_pseudo": pl.Float64(),
        "n_real": pl.Float64(),
    }
)
"""A row a season and half hour that both have: energy is per device, ``wasserstein_ratio`` is over the real mean, and
``n_`` are effective sizes."""

Numbers = NDArray[np.float64]


def _known(values: Numbers) -> Numbers:
    return values[~np.isnan(values)]


def wasserstein(one: Numbers, two: Numbers) -> float:
    """Return how far the values of one must be moved on average to become the other's; NaN where one has none."""
    one, two = _known(one), _known(two)
    return float(stats.wasserstein_distance(one, two)) if len(one) and len(two) else float("nan")


def effective_size(values: Numbers, week: NDArray[np.int64]) -> float:
    """Return as how many independent ones values ``(F, S)`` of these weeks ``(S,)`` count; never fewer than weeks."""
    known = ~np.isnan(values)
    sample = values[known]
    _, at = np.unique(np.broadcast_to(week, values.shape)[known], return_inverse=True)
    counts = np.bincount(at)
    n, k = len(sample), len(counts)
    if k < 2 or n <= k:
        return float(k)
    means = np.bincount(at, weights=sample) / counts
    between = float((counts * (means - sample.mean()) ** 2).sum() / (k - 1))
    within = float(((sample - means[at]) ** 2).sum() / (n - k))
    usual = (n - float((counts**2).sum()) / n) / (k - 1)  # of unequal weeks
    share = (between - within) / (between + (usual - 1) * within) if between + within > 0 else 1.0
    return float(n / (1 + (n / k - 1) * min(max(share, 0.0), 1.0)))


def kolmogorov_smirnov(one: Numbers, two: Numbers, n_one: float, n_two: float) -> tuple[float, float]:
    """Return the largest gap of the two distributions, and how likely as large a one is by chance at these sizes."""
    gap = float(stats.ks_2samp(_known(one), _known(two), method="asymp").statistic)
    return gap, float(stats.kstwobign.sf(gap * np.sqrt(n_one * n_two / (n_one + n_two))))


def compare_cells(pseudo: Shapes, real: Shapes) -> pl.DataFrame:
    """Return ``CELLS``: each season's and half hour's distributions over days and feeders, held against one another."""
    rows = []
    for season in range(len(SEASONS)):
        for half_hour in range(48):
            sides = []
            for shapes in (pseudo, real):
                here = (shapes.season == season) & (shapes.half_hour == half_hour)  # (T,)
                values = shapes.kwh[:, here]
                sides.append((values, effective_size(values, shapes.week[here])))
            (one, n_one), (two, n_two) = sides
            if n_one and n_two:
                apart = wasserstein(one, two)
                mean = float(np.nanmean(two))
                ks = kolmogorov_smirnov(one, two, n_one, n_two)
                ratio = apart / mean if mean > 0 else float("nan")
                rows.append((SEASONS[season], half_hour, float(np.nanmean(one)), mean, apart, ratio, *ks, n_one, n_two))
    return pl.DataFrame(rows, schema=CELLS, orient="row")
