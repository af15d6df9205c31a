"""Readings to sums of groups, each half hour with how many reported (``FEEDERS``), and what the silent ones may add.

A sum is of what was measured: nothing is filled, and no diversity factor is put on top, for a sum is diverse already.
"""

from typing import Final, Literal, get_args

import polars as pl

from loadproof.errors import ConfigError, SchemaError
from loadproof.feeders.groupings import GROUPS

__all__ = ["FEEDERS", "ScaleUp", "aggregate", "as_feeders", "scale_up"]

FEEDERS: Final = pl.Schema(
    {
        "entity_id": pl.String(),
        "ts_utc": pl.Datetime("us", "UTC"),
        "interval_mins": pl.Int16(),
        "energy_kwh": pl.Float64(),
        "reporting": pl.Int32(),
        "devices": pl.Int32(),
        "device_sd_kwh": pl.Float64(),
    }
)
"""Feeders: ``energy_kwh`` is what the ``reporting`` of all ``devices`` (MPANs) used; null counts are unknown.
``device_sd_kwh`` is the standard deviation between the devices of that half hour, null where it was not to be seen.
"""

ScaleUp = Literal["as_reported", "mean_of_reporting"]
"""``as_reported`` leaves a sum as it is; ``mean_of_reporting`` lets each silent device use what the others do."""

_SIX_DIGITS: Final = 6  # of a kWh: sums in any order round to the same


def as_feeders(readings: pl.LazyFrame) -> pl.LazyFrame:
    """Return readings of feeders, or of homes, as ``FEEDERS``; a home is one device of one.

    An SSEN row's counts are in its ``extras``: ``device_count`` reported of ``mpan_count``.
    """
    fact = {name: pl.col("extras").str.json_path_match(f"$.{name}") for name in ("device_count", "mpan_count")}
    counts = {name: text.cast(pl.Float64, strict=False).cast(pl.Int32, strict=False) for name, text in fact.items()}
    is_feeder = pl.col("entity_id").str.starts_with("ssen:")
    one = pl.lit(1, dtype=pl.Int32)
    return readings.select(
        "entity_id",
        "ts_utc",
        "interval_mins",
        pl.col("energy_kwh").cast(pl.Float64),
        reporting=pl.when(is_feeder).then(counts["device_count"]).otherwise(one),
        devices=pl.when(is_feeder).then(counts["mpan_count"]).otherwise(one),
        device_sd_kwh=pl.lit(None, dtype=pl.Float64),
    )


def aggregate(readings: pl.LazyFrame, groups: pl.DataFrame) -> pl.LazyFrame:
    """Return the sum of each group and half hour as ``FEEDERS``, lazily; where nobody reported there is no row.

    Args:
        readings: Columns of ``READINGS`` or of ``FEEDERS``.
        groups: Who is in which, ``GROUPS``; an entity may be in several groups, and a silent one counts as a device.

    Raises:
        SchemaError: When the groups are not ``GROUPS`` or repeat a member.
    """
    if groups.schema != GROUPS or groups.select("group_id", "entity_id").is_duplicated().any():
        raise SchemaError(f"groups are {dict(groups.schema)} and want {dict(GROUPS)}, each member of a group once")
    feeders = readings if set(FEEDERS) <= set(readings.collect_schema()) else as_feeders(readings)
    known = pl.col("devices").is_not_null().all()
    sizes = groups.group_by("group_id").agg(devices=pl.when(known).then(pl.col("devices").sum()).cast(pl.Int32))
    kwh, n = pl.col("energy_kwh"), pl.len()
    single = (pl.col("reporting") == 1).all() & (pl.col("devices") == 1).all() & (n > 1)
    counted = pl.col("reporting").is_not_null().all()
    return (
        feeders.drop("device_sd_kwh")
        .join(groups.lazy().select("group_id", "entity_id"), on="entity_id")
        .group_by("group_id", "ts_utc", "interval_mins")
        .agg(
            energy_kwh=kwh.sum().round(_SIX_DIGITS),
            reporting=pl.when(counted).then(pl.col("reporting").sum()),
            device_sd_kwh=pl.when(single).then(kwh.std()).round(_SIX_DIGITS),
        )
        .join(sizes.lazy(), on="group_id")
        .rename({"group_id": "entity_id"})
        .select(pl.col(name).cast(dtype) for name, dtype in FEEDERS.items())
        .sort("entity_id", "ts_utc")
    )


def scale_up(
    feeders: pl.LazyFrame, how: ScaleUp, *, min_reporting: float = 0.9, relative_sd: float | None = None
) -> pl.LazyFrame:
    """Return ``FEEDERS`` for all devices of each, with ``energy_se_kwh``, ``scaled_by`` and ``reported_share``.

    The standard error is that of a total from a sample without replacement: 0 where all report, null where neither
    the deviation between devices was seen nor ``relative_sd`` says it. Under ``as_reported`` it is null unless all
    report: what the silent ones use is not known.

    Args:
        feeders: As :func:`aggregate` returns them.
        how: The choice, which travels along as ``scaled_by``.
        min_reporting: Half hours in which a smaller share reports are missing; those with unknown counts too.
        relative_sd: Deviation between devices over their mean, where it was not seen (half-hourly homes: 1 to 1.5).

    Raises:
        ConfigError: When the choice is unknown, or the share is not above 0 and at most 1.
    """
    if how not in get_args(ScaleUp) or not 0 < min_reporting <= 1:
        raise ConfigError(f"{how=}, {min_reporting=}: choose {' or '.join(get_args(ScaleUp))}, and a share up to 1")
    n, total = pl.col("reporting").cast(pl.Float64), pl.col("devices").cast(pl.Float64)
    mean = pl.col("energy_kwh") / n
    assumed = mean * relative_sd if relative_sd is not None else pl.lit(None, dtype=pl.Float64)
    sd = pl.coalesce("device_sd_kwh", assumed)
    error = total * ((1 - n / total) / n).sqrt() * sd
    whole = n == total
    scaled = {"as_reported": pl.col("energy_kwh"), "mean_of_reporting": mean * total}[how]
    if how == "as_reported":
        error = pl.lit(None, dtype=pl.Float64)
    share = n / total
    return feeders.filter((n > 0) & (n <= total) & (share >= min_reporting - 1e-9)).with_columns(
        energy_kwh=scaled.round(_SIX_DIGITS),
        energy_se_kwh=pl.when(whole).then(0.0).otherwise(error).round(_SIX_DIGITS),
        scaled_by=pl.lit(how),
        reported_share=share,
    )
