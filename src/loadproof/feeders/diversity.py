"""After-diversity maximum demand: the peak of the mean of N homes, by N, as measured; no factor is put on a sum."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.errors import ConfigError

__all__ = ["ADMD", "fit_diversity", "measure_diversity"]

ADMD: Final = pl.Schema(
    {
        "homes": pl.Int32(),
        "admd_kw": pl.Float64(),
        "low_kw": pl.Float64(),
        "high_kw": pl.Float64(),
        "groups": pl.Int32(),
    }
)
"""A row a size: the mean over random groups of their peak per home, and the 95 % band of groups.

The band is of groups of these homes and of this time: it says how one feeder of N differs from the next, and nothing of
another winter. Groups of nearly all homes are nearly one group, so there the band closes for want of homes.
"""

_MIN_REPORTING: Final = 0.9


def measure_diversity(
    kwh: NDArray[np.float32], *, sizes: Sequence[int] = (1, 2, 3, 5, 8, 12, 20, 30, 50, 80, 120), draws: int = 200,
    rng: np.random.Generator,
) -> pl.DataFrame:  # fmt: skip
    """Return ``ADMD`` of homes' half hours.

    A group's half hour is the mean of those that report, missing where fewer than nine of ten do; its peak is the
    highest such half hour.

    Args:
        kwh: Energy per half hour, NaN where missing, ``(E, T)``.
        sizes: Homes per group; those above the number of homes are left out.
        draws: Random groups per size, without replacement within a group.
        rng: Where chance comes from.

    Raises:
        ConfigError: When there is no home, or no group has a half hour in which enough report.
    """
    known = ~np.isnan(kwh)
    filled = np.where(known, kwh, 0).astype(np.float32)
    rows = []
    for size in sorted({size for size in sizes if 0 < size <= len(kwh)}):
        peaks = []
        for _ in range(draws if size < len(kwh) else 1):
            members = rng.choice(len(kwh), size, replace=False)
            reporting = known[members].sum(axis=0)  # (T,)
            enough = reporting >= _MIN_REPORTING * size - 1e-9
            if enough.any():
                peaks.append(float((filled[members].sum(axis=0)[enough] / reporting[enough]).max()) * 2)
        if peaks:
            low, high = np.quantile(peaks, [0.025, 0.975]) if len(peaks) > 1 else (np.nan, np.nan)
            rows.append((size, float(np.mean(peaks)), float(low), float(high), len(peaks)))
    if not rows:
        raise ConfigError(f"{len(kwh)} homes have no half hour in which nine of ten report; give homes of one time")
    return pl.DataFrame(rows, schema=ADMD, orient="row").with_columns(pl.col("low_kw", "high_kw").fill_nan(None))


def fit_diversity(admd: pl.DataFrame) -> tuple[float, float]:
    """Return a and k of ``a (1 + k / N)`` in kW, by least squares of the logarithm's errors on a line in 1 / N.

    Raises:
        ConfigError: When there are fewer than two sizes.
    """
    if admd.height < 2:
        raise ConfigError(f"{admd.height} size(s) make no curve; measure two or more")
    n, kw = admd["homes"].to_numpy().astype(np.float64), admd["admd_kw"].to_numpy()
    # Relative errors: weigh each size by its own inverse.
    design = np.stack([np.ones_like(n), 1 / n], axis=1) / kw[:, None]
    a, slope = np.linalg.lstsq(design, np.ones_like(n), rcond=None)[0]
    return float(a), float(slope / a)
