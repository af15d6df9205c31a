"""The BuildingsBench part of the board: medians over building-years, in ratio to the persistence ensemble."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import polars as pl

from loadproof.evaluation.board import BOARD, Part
from loadproof.evaluation.board_plan import BARS, HOURLY
from loadproof.evaluation.buildingsbench import median_nrmse, median_ratio, median_rps
from loadproof.seeds import rng_for

__all__ = ["hourly_rows"]

_DRAWS: Final = 50_000
"""Their number of resamples, of buildings."""

_HOUR_DRAWS: Final = 2_000
"""Of hours of buildings there are 24 times as many, and their medians move little."""


def _figures(sums: pl.DataFrame, bar: pl.DataFrame | None, seed: int) -> Iterator[tuple[Any, ...]]:
    """Yield metric, value, low, high, n and unit."""
    buildings, hours = sums["entity_id"].n_unique(), sums.select("entity_id", "hour").n_unique()
    nrmse = median_nrmse(sums, draws=_DRAWS, rng=rng_for(seed, "board/hourly"))
    yield "nrmse_median", *nrmse, buildings, "1"
    rps = median_rps(sums, draws=_HOUR_DRAWS, rng=rng_for(seed, "board/hourly"))
    yield "rps_median", *rps, hours, "kWh"
    if bar is not None:
        yield f"nrmse_median_ratio_to:{BARS[0]}", *median_ratio(sums, bar, draws=_DRAWS, seed=seed), buildings, "1"


def hourly_rows(parts: Iterable[Part], *, dataset: str, seed: int) -> pl.DataFrame:
    """Return rows of ``BOARD``; each building's year is put together from the blocks in which it was judged.

    A model that lacks a block is not set in ratio to the bar.

    Args:
        parts: The records; those of other levels are passed over.
        dataset: Whose readings.
        seed: Where chance comes from.
    """
    found: dict[tuple[str, str, str], list[pl.DataFrame]] = {}
    for part in (part for part in parts if part.facts["level"] == HOURLY):
        for split, seen in (("unseen_homes_and_time", False), ("unseen_time", True)):
            mine = part.frame.filter(pl.col("seen") == pl.lit(seen))
            if mine.height:
                found.setdefault((split, part.facts["model"], part.facts["variant"]), []).append(mine)
    rows = []
    for (split, model, variant), frames in found.items():
        bars = found.get((split, BARS[0], "raw"), [])
        bar = pl.concat(bars) if model != BARS[0] and len(bars) == len(frames) else None
        for figure in _figures(pl.concat(frames), bar, seed):
            about = (split, "none", 0, variant, 1, len(frames))
            rows.append((model, dataset, HOURLY, None, "all", *figure, *about))
    return pl.DataFrame(rows, schema=BOARD, orient="row")
