"""From a tree's quantiles to sums by level, variant and week, and from those to the board's rows."""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.evaluation import bootstrap
from loadproof.evaluation.losses import BANDS, CRPS_WEIGHTS, pinball
from loadproof.features.calendar import local_date, local_weekday
from loadproof.feeders.tree_ground import TreeGround
from loadproof.seeds import rng_for

__all__ = ["TREE_ROWS", "TREE_SUMS", "sum_tree", "tree_rows"]

TREE_SUMS: Final = pl.Schema(
    {
        "level": pl.String(),
        "variant": pl.String(),
        "week": pl.Date(),
        "n": pl.Int64(),
        "load_kwh": pl.Float64(),
        "crps_kwh": pl.Float64(),
        **{f"in_{band}": pl.Int64() for band in BANDS},
    }
)
"""Sums over the scored half hours of a level's nodes in a local week."""

TREE_ROWS: Final = pl.Schema(
    {
        "level": pl.String(),
        "variant": pl.String(),
        "metric": pl.String(),
        "value": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
        "n": pl.Int64(),
    }
)
"""``crps_scaled`` is over the mean load; ``crps_ratio_to:`` another variant, in the same weeks; ``coverage_``; the
intervals are 95 % by resampling weeks."""

AGAINST: Final = ("direct", "naive_bottom_up")


def sum_tree(ground: TreeGround, quantiles_kwh: Mapping[str, NDArray[np.float32]]) -> pl.DataFrame:
    """Return ``TREE_SUMS`` of every variant, all of the same half hours."""
    t0, truth = ground.t0[ground.tested], ground.truth_kwh[ground.tested]  # (T,), (T, M, H)
    weeks = (local_date(t0).astype(np.int64) - local_weekday(t0)).astype("datetime64[D]")
    rows = []
    for variant, quantiles in quantiles_kwh.items():
        loss = 2 * pinball(truth, quantiles) @ np.array(CRPS_WEIGHTS)  # (T, M, H)
        inside = [(truth >= quantiles[..., low]) & (truth <= quantiles[..., high]) for low, high in BANDS.values()]
        for depth, level in enumerate(ground.tree.levels):
            nodes = ground.tree.level == depth
            for week in np.unique(weeks):
                here = np.ix_(weeks == week, nodes)
                known = ~np.isnan(truth[here])
                sums = [float(array[here][known].sum()) for array in (truth.astype(np.float64), loss)]
                held = [int(band[here][known].sum()) for band in inside]
                rows.append((level, variant, week.astype(object), int(known.sum()), *sums, *held))
    return pl.DataFrame(rows, schema=TREE_SUMS, orient="row")


def _level_rows(sums: pl.DataFrame, draws: int, seed: int) -> Iterator[tuple[object, ...]]:
    """Yield variant, metric, value, low, high and n of one level."""
    names = [name for name in TREE_SUMS if name not in ("level", "variant", "week")]
    cells = {
        str(variant): table.sort("week").select(names).to_numpy().astype(np.float64)[None]  # (1, W, K)
        for (variant,), table in sums.group_by("variant", maintain_order=True)
    }
    n_weeks = next(iter(cells.values())).shape[1]
    drawn = bootstrap.draw_weights(1, n_weeks, draws=draws, rng=rng_for(seed, "tree/board"))
    totals = {
        name: [bootstrap.resample(cell, weights) for weights in (bootstrap.weigh_once(1, n_weeks), drawn)]
        for name, cell in cells.items()
    }
    few = n_weeks < bootstrap.MIN_BLOCKS

    def row(variant: str, metric: str, figures: list[NDArray[np.float64]]) -> tuple[object, ...]:
        low, high = bootstrap.bounds(figures[1][:, None])
        n = int(totals[variant][0][0, 0])
        bounds = (None, None) if few else (float(low[0]), float(high[0]))
        return variant, metric, float(figures[0][0]), *bounds, n

    for variant, total in totals.items():
        yield row(variant, "crps_scaled", [sums[:, 2] / sums[:, 1] for sums in total])
        for at, band in enumerate(BANDS):
            yield row(variant, f"coverage_{band}", [sums[:, 3 + at] / sums[:, 0] for sums in total])
        for other in AGAINST:
            if other in totals and other != variant:
                ratios = [one[:, 2] / two[:, 2] for one, two in zip(total, totals[other], strict=True)]
                yield row(variant, f"crps_ratio_to:{other}", ratios)


def tree_rows(sums: pl.DataFrame, *, draws: int, seed: int) -> pl.DataFrame:
    """Return ``TREE_ROWS`` of ``TREE_SUMS``; variants are set in ratio within the same resamples of weeks."""
    rows = [
        (level, *row)
        for (level,), table in sums.group_by("level", maintain_order=True)
        for row in _level_rows(table, draws, seed)
    ]
    return pl.DataFrame(rows, schema=TREE_ROWS, orient="row")
