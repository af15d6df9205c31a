"""What records of detectors come to: figures with intervals over homes, and how much better one is than another.

E homes, D draws; all detectors of a table share their draws, so that a difference is a paired one.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.evaluation.bootstrap import draw_weights
from loadproof.evaluation.detection import intervals, mean_over_homes, sums_over_homes
from loadproof.evaluation.detection_events import EVENT_FIGURES, EVENT_SUMS, event_figures
from loadproof.evaluation.vus import RANKINGS

__all__ = ["ALL", "DETECTION_ROW", "detection_rows", "rate_rows"]

ALL: Final = "all"

DETECTION_ROW: Final = ("kind", "strength", "detector", "metric", "value", "low", "high", "n")
"""A row: of all kinds or one, all strengths (null) or one; ``n`` is homes."""

Floats = NDArray[np.float64]
Row = dict[str, Any]


class _Cells(NamedTuple):
    """One detector's figures in one table."""

    ranked: Floats  # (E, 4), the mean over what each home was given
    sums: Floats  # (E, K)


def _cells(frame: pl.DataFrame, homes: Sequence[str]) -> _Cells:
    """Return the figures of each home, NaN and 0 of one that was not judged.

    A home's figure is the mean over kinds of the means over strengths, so that a kind of more strengths counts no more.
    """
    by_kind = frame.group_by("entity_id", "kind").agg(pl.col(RANKINGS).mean())
    ranked = by_kind.group_by("entity_id").agg(pl.col(RANKINGS).mean())
    summed = frame.group_by("entity_id").agg(pl.col(EVENT_SUMS).sum())
    wide = pl.DataFrame({"entity_id": homes}).join(ranked, on="entity_id", how="left", maintain_order="left")
    wide = wide.join(summed, on="entity_id", how="left", maintain_order="left")
    found = wide.select(pl.col(RANKINGS).cast(pl.Float64).fill_null(np.nan)).to_numpy()
    return _Cells(found, wide.select(pl.col(EVENT_SUMS).cast(pl.Float64).fill_null(0)).to_numpy())


def _drawn(cells: _Cells, homes: Floats) -> Floats:
    """Return rankings and event figures of each draw, ``(D, M)``."""
    return np.concatenate(
        [mean_over_homes(cells.ranked, homes), event_figures(sums_over_homes(cells.sums, homes))], axis=-1
    )


def _difference(first: _Cells, second: _Cells, homes: Floats) -> Floats:
    """Return the rankings of the first less the second over homes that both have, in each draw, ``(D, 4)``."""
    both = ~np.isnan(first.ranked[:, 0]) & ~np.isnan(second.ranked[:, 0])
    return mean_over_homes(first.ranked[both] - second.ranked[both], homes[:, both])


def detection_rows(
    frame: pl.DataFrame,
    *,
    kind: str,
    strength: float | None,
    subjects: Sequence[str],
    draws: int,
    rng: np.random.Generator,
) -> list[Row]:
    """Return the rows of one table.

    Args:
        frame: Columns ``detector``, ``entity_id``, ``kind``, ``strength``, ``RANKINGS`` and ``EVENT_SUMS``.
        kind: What the rows are said to be of.
        strength: Likewise.
        subjects: The detectors that are compared with each other one.
        draws: Resamples of homes.
        rng: Their chance.
    """
    homes = frame["entity_id"].unique().sort().to_list()
    weights = draw_weights(len(homes), 1, draws=draws, rng=rng).homes
    once = np.ones((1, len(homes)))
    cells = {name: _cells(part, homes) for (name,), part in frame.group_by("detector", maintain_order=True)}
    rows = []
    names = (*RANKINGS, *EVENT_FIGURES)
    for detector, mine in cells.items():
        judged = int((~np.isnan(mine.ranked[:, 0])).sum())
        found = intervals(_drawn(mine, once)[0], _drawn(mine, weights), n_homes=judged)
        about = {"kind": kind, "strength": strength, "detector": detector}
        rows += [
            {**about, "metric": name, **one._asdict(), "n": judged} for name, one in zip(names, found, strict=True)
        ]
        for subject in (one for one in subjects if one != detector and one in cells):
            better = [_difference(cells[subject], mine, taken) for taken in (once, weights)]
            found = intervals(better[0][0], better[1], n_homes=judged)
            for name, one in zip(RANKINGS, found, strict=True):
                rows.append({**about, "metric": f"{name}_lead_of:{subject}", **one._asdict(), "n": judged})
    return rows


def rate_rows(frame: pl.DataFrame, *, draws: int, rng: np.random.Generator) -> list[Row]:
    """Return achieved over chosen alerts per home and week, as rows of kind ``clean``, the chosen one as strength.

    Args:
        frame: Columns ``detector``, ``alerts_per_week``, ``entity_id``, ``alerts`` and ``weeks``.
        draws: Resamples of homes.
        rng: Their chance.
    """
    homes = frame["entity_id"].unique().sort().to_list()
    weights = draw_weights(len(homes), 1, draws=draws, rng=rng).homes
    rows = []
    for (detector, rate), part in frame.group_by("detector", "alerts_per_week", maintain_order=True):
        wide = pl.DataFrame({"entity_id": homes}).join(part, on="entity_id", how="left", maintain_order="left")
        sums = wide.select(pl.col("alerts", "weeks").cast(pl.Float64).fill_null(0)).to_numpy()  # (E, 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            once, drawn = (
                (found[:, :1] / found[:, 1:]) / float(rate)
                for found in (sums_over_homes(sums, np.ones((1, len(homes)))), sums_over_homes(sums, weights))
            )
        (one,) = intervals(once[0], drawn, n_homes=len(part))
        about = {"kind": "clean", "strength": rate, "detector": detector, "metric": "achieved_over_chosen"}
        rows.append({**about, **one._asdict(), "n": len(part)})
    return rows
