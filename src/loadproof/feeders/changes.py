"""What changed a feeder's load from one week to the next: its devices' use, their number, or the network's switches."""

from typing import Final, Literal

import polars as pl

__all__ = ["CHANGES", "ChangeKind", "explain_changes"]

ChangeKind = Literal["load", "devices", "switching", "unknown"]
"""Use per device; who reports; devices that came from a neighbour or went there; or no count to tell by."""

CHANGES: Final = pl.Schema(
    {
        "entity_id": pl.String(),
        "week": pl.Date(),
        "change_kwh": pl.Float64(),
        "by_load_kwh": pl.Float64(),
        "by_devices_kwh": pl.Float64(),
        "reporting_before": pl.Float64(),
        "reporting": pl.Float64(),
        "kind": pl.String(),
        "neighbour": pl.String(),
    }
)
"""A row a feeder and week after its first: mean energy per half hour against the week before, and why."""


def _weeks(feeders: pl.LazyFrame) -> pl.DataFrame:
    """Return each feeder's weeks: mean energy of a half hour, devices that report, and those of the week before."""
    before = {f"{name}_before": pl.col(name).shift().over("entity_id") for name in ("week", "kwh", "reporting")}
    return (
        feeders.group_by("entity_id", week=pl.col("ts_utc").dt.truncate("1w").dt.date())
        .agg(kwh=pl.col("energy_kwh").mean(), reporting=pl.col("reporting").mean())
        .sort("entity_id", "week")
        .collect()
        .with_columns(**before)
        .filter(pl.col("week") - pl.col("week_before") == pl.duration(days=7))
    )


def _neighbours(weeks: pl.DataFrame, parents: pl.DataFrame, smallest: float) -> pl.DataFrame:
    """Return pairs of feeders below one parent of which one lost in a week about what the other gained."""
    moved = weeks.join(parents, on="entity_id").select(
        "entity_id", "week", "parent", step=pl.col("reporting") - pl.col("reporting_before")
    ).filter(pl.col("step").abs() >= smallest)  # fmt: skip
    pairs = moved.join(moved, on=["week", "parent"], suffix="_other").filter(
        pl.col("entity_id") != pl.col("entity_id_other"),
        (pl.col("step") + pl.col("step_other")).abs() <= 0.25 * pl.col("step").abs(),
    )
    best = pairs.sort("entity_id", "week", (pl.col("step") + pl.col("step_other")).abs(), "entity_id_other")
    return best.unique(["entity_id", "week"], keep="first").select("entity_id", "week", neighbour="entity_id_other")


def explain_changes(
    feeders: pl.LazyFrame, parents: pl.DataFrame | None = None, *, smallest_move: float = 3.0
) -> pl.DataFrame:
    """Return ``CHANGES``: each week's change of mean load, split into use per device and number of devices.

    With n devices of e kWh each, the change of n e is exactly mean(n) times the change of e plus mean(e) times that of
    n. A *switching* is a step of the count that a feeder below the same parent mirrors in the same week.

    Args:
        feeders: Columns of ``FEEDERS``, not scaled up.
        parents: ``entity_id, parent``: whose switches connect them; None tells no switching.
        smallest_move: Devices that must have moved for a switching.
    """
    weeks = _weeks(feeders)
    n0, n1 = pl.col("reporting_before"), pl.col("reporting")
    e0, e1 = pl.col("kwh_before") / n0, pl.col("kwh") / n1
    split = weeks.with_columns(
        change_kwh=pl.col("kwh") - pl.col("kwh_before"),
        by_load_kwh=(n0 + n1) / 2 * (e1 - e0),
        by_devices_kwh=(e0 + e1) / 2 * (n1 - n0),
    )
    nobody = pl.DataFrame(schema={"entity_id": pl.String, "week": pl.Date, "neighbour": pl.String})
    found = _neighbours(weeks, parents, smallest_move) if parents is not None else nobody
    kind = (
        pl.when(pl.col("by_load_kwh").is_null())
        .then(pl.lit("unknown"))
        .when(pl.col("neighbour").is_not_null())
        .then(pl.lit("switching"))
        .when(pl.col("by_devices_kwh").abs() > pl.col("by_load_kwh").abs())
        .then(pl.lit("devices"))
        .otherwise(pl.lit("load"))
    )
    named = split.join(found, on=["entity_id", "week"], how="left").with_columns(kind=kind)
    return named.select(pl.col(name).cast(dtype) for name, dtype in CHANGES.items()).sort("entity_id", "week")
