"""From the metrics table to models side by side: ratios to a bar, skill over the day, coverage by slice."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import polars as pl

from loadproof.evaluation.aggregates_scores import by_slice, comparisons, overall
from loadproof.evaluation.coverage import shortfalls
from loadproof.evaluation.losses import BANDS

__all__ = ["BAR", "COVERAGE_SLICES", "Held", "coverage_slices", "held_bands", "ratios_to_bar", "skill_by_half_hour"]

BAR: Final = "persistence_ensemble"
"""What every model is held against; see ``baselines/persistence.py``."""

COVERAGE_SLICES: Final = {
    "season": ("Season", {name: name for name in ("winter", "spring", "summer", "autumn")}),
    "size": (
        "Size",
        {"q1": "smallest quarter", "q2": "second", "q3": "third", "q4": "largest quarter"},
    ),
    "after_gap": ("The day before", {"no": "all of it known", "yes": "readings missing"}),
}
"""Kinds of slices, besides the half hour, by which coverage is shown: their names, and those of the slices."""


class Held(NamedTuple):
    """How one model's bands keep to their aims; see ``coverage.shortfalls``.

    Attributes:
        model: Whose bands.
        shares: Coverage of each band in all, by its nominal per cent.
        half_hours: The half hours of the day, ``HH:MM``, in which each band is beyond its tolerance, in order.
        homes: Share of homes within 5 points, by band.
        worst: What is farthest beyond its tolerance: where, and by how much; None where nothing is.
    """

    model: str
    shares: dict[int, float]
    half_hours: dict[int, tuple[str, ...]]
    homes: dict[int, float]
    worst: tuple[str, str, float] | None


def ratios_to_bar(metrics: pl.DataFrame, bar: str = BAR) -> pl.DataFrame:
    """Return each model's ratio to the bar with its interval, by pinball loss if that was compared, else by CRPS.

    The column ``measure`` says which. Where the bar is the best model, its ratios to the others are turned round.
    """
    ratios = comparisons(metrics).filter(kind=pl.lit("ratio"))
    of_bar = ratios.filter(subject=pl.lit(bar)).with_columns(
        subject="other", other="subject", value=1 / pl.col("value"), low=1 / pl.col("high"), high=1 / pl.col("low")
    )
    ratios = pl.concat([ratios.filter(other=pl.lit(bar)), of_bar.filter(pl.col("value").is_finite())])
    for measure in ("pinball", "crps"):
        if (found := ratios.filter(measure=pl.lit(measure))).height:
            return found
    return ratios.clear()


def skill_by_half_hour(metrics: pl.DataFrame, bar: str = BAR) -> pl.DataFrame:
    """Return by how much of the bar's pinball loss each model is below it, ``subject, at, value``; -1 to 1."""
    pinball = by_slice(metrics, "pinball", "half_hour").select("dataset", "subject", "at", "value")
    of_bar = pinball.filter(pl.col("subject") == bar).select("dataset", "at", bar="value")
    others = pinball.filter(pl.col("subject") != bar).join(of_bar, on=["dataset", "at"])
    skill = others.filter(pl.col("bar") > 0).with_columns(value=1 - pl.col("value") / pl.col("bar"))
    return skill.select("subject", "at", "value").sort("subject", "at")


def coverage_slices(metrics: pl.DataFrame, metric: str) -> pl.DataFrame:
    """Return the coverage of one band by slice, with ``kind`` and ``at`` in words, in the order of the kinds.

    The words end in how many half hours were judged: of few, the share says little.
    """
    parts = []
    for kind, (_, names) in COVERAGE_SLICES.items():
        rows = by_slice(metrics, metric, kind).filter(pl.col("at").is_in(list(names)))
        order = rows["at"].cast(pl.Enum(list(names)))
        rows = rows.with_columns(order.alias("place"), kind=pl.lit(kind)).sort("place", maintain_order=True)
        words = pl.format("{}: {}", pl.col("at").replace_strict(names, return_dtype=pl.String), _thousands(rows))
        parts.append(rows.drop("place").with_columns(at=words))
    return pl.concat(parts)


def _thousands(rows: pl.DataFrame) -> pl.Series:
    """Return the most half hours that a model was judged on in each row's slice, in words."""
    most = rows.select(pl.col("n").max().over("at")).to_series()
    return pl.Series([f"{n:,}" for n in most], dtype=pl.String)


def held_bands(metrics: pl.DataFrame, order: Sequence[str]) -> list[Held]:
    """Return how each model's bands keep to their aims; models whose coverage was not judged are left out."""
    missed = shortfalls(metrics)
    found = []
    for model in order:
        mine, off = (rows.filter(pl.col("subject") == model) for rows in (metrics, missed))
        shares = {band: rows["value"].item() for band in BANDS if (rows := overall(mine, f"coverage_{band}")).height}
        homes = {
            band: rows["value"].item()
            for band in BANDS
            if (rows := overall(mine, f"homes_within_5_points_{band}")).height
        }
        if not shares:
            continue
        half_hours = {
            band: tuple(by_slice(off, f"coverage_{band}", "half_hour")["at"].sort().to_list()) for band in BANDS
        }
        worst = off.filter(pl.col("metric").str.starts_with("coverage_")).head(1).rows(named=True)
        told = (worst[0]["metric"], worst[0]["slice"], worst[0]["off"]) if worst else None
        found.append(Held(model, shares, half_hours, homes, told))
    return found
