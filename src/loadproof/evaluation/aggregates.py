"""Small tables from many readings: what a page can show of a year of half hours.

Every function takes a lazy table of ``READINGS`` with a ``dataset`` column and returns a frame of at most a few
thousand rows per dataset. Local time is UK local time; energy is kWh per half hour, whatever the interval was.
"""

from typing import Final, NamedTuple

import polars as pl

from loadproof.features.calendar import UK_ZONE

__all__ = [
    "COUNTS",
    "SEASONS",
    "Profiles",
    "count_readings",
    "coverage_by_day",
    "profile_seasons",
    "profile_year",
]

SEASONS: Final = ("Winter", "Spring", "Summer", "Autumn")
"""Meteorological: winter is December to February, and so on by three months."""

COUNTS: Final = pl.Schema(
    {
        "dataset": pl.String(),
        "entities": pl.UInt32(),
        "rows": pl.UInt32(),
        "first_ts_utc": pl.Datetime("us", "UTC"),
        "last_ts_utc": pl.Datetime("us", "UTC"),
    }
)
"""What ``count_readings`` returns."""

_LOW, _HIGH = 0.1, 0.9


class Profiles(NamedTuple):
    """Typical use by season: ``day`` by half hour, ``week`` by weekday (0 = Monday) and half hour."""

    day: pl.DataFrame
    week: pl.DataFrame


def _with_local_clock(readings: pl.LazyFrame) -> pl.LazyFrame:
    """Add ``local`` (naive UK time), ``half_hour`` (0 to 47) and ``kwh`` (energy per half hour)."""
    local = pl.col("ts_utc").dt.convert_time_zone(UK_ZONE).dt.replace_time_zone(None)
    return readings.select(
        "dataset",
        "entity_id",
        local=local,
        kwh=pl.col("energy_kwh").cast(pl.Float64) * 30 / pl.col("interval_mins"),
    ).with_columns(
        half_hour=(pl.col("local").dt.hour().cast(pl.Int16) * 2 + pl.col("local").dt.minute() // 30).cast(pl.Int16),
    )


def _band_over_entities(sums: pl.DataFrame, slot: list[str]) -> pl.DataFrame:
    """Mean and 10-90 % band over entities of each entity's own mean, by dataset, season and ``slot``."""
    by = ["dataset", "season", *slot]
    own = pl.col("kwh").sum() / pl.col("n").sum()
    return (
        sums.group_by(*by, "entity_id")
        .agg(own=own)
        .group_by(by)
        .agg(
            mean_kwh=pl.col("own").mean(),
            low_kwh=pl.col("own").quantile(_LOW, "linear"),
            high_kwh=pl.col("own").quantile(_HIGH, "linear"),
            entities=pl.len(),
        )
        .sort(by)
    )


def count_readings(readings: pl.LazyFrame) -> pl.DataFrame:
    """Return one row per dataset: ``entities``, ``rows``, ``first_ts_utc``, ``last_ts_utc``."""
    return (
        readings.group_by("dataset")
        .agg(
            entities=pl.col("entity_id").n_unique(),
            rows=pl.len(),
            first_ts_utc=pl.col("ts_utc").min(),
            last_ts_utc=pl.col("ts_utc").max(),
        )
        .sort("dataset")
        .collect(engine="streaming")
    )


def coverage_by_day(readings: pl.LazyFrame) -> pl.DataFrame:
    """Return the share of expected time that readings cover, per dataset and UTC day.

    An entity is expected from its first reading to the end of its last one, so a home that joined late counts for
    nothing before it joined, and a day on which all are silent has a share of 0.

    Returns:
        ``dataset, day, entities`` (expected that day) and ``share`` (0 to 1), without a row where none is expected.
    """
    by_entity = (
        readings.group_by("dataset", "entity_id")
        .agg(
            start=pl.col("ts_utc").min(),
            end=(pl.col("ts_utc") + pl.duration(minutes=pl.col("interval_mins"))).max(),
        )
        .collect(engine="streaming")
    )
    # The last instant inside the span decides its last day: a span may end at midnight.
    last_day = (pl.col("end") - pl.duration(microseconds=1)).dt.date()
    day_start = pl.col("day").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    day_end = day_start + pl.duration(days=1)
    expected = (
        by_entity.lazy()
        .with_columns(day=pl.date_ranges(pl.col("start").dt.date(), last_day))
        .explode("day", empty_as_null=False)
        .group_by("dataset", "day")
        .agg(
            entities=pl.len(),
            expected_mins=(pl.min_horizontal("end", day_end) - pl.max_horizontal("start", day_start))
            .dt.total_minutes()
            .sum(),
        )
    )
    present = readings.group_by("dataset", pl.col("ts_utc").dt.date().alias("day")).agg(
        present_mins=pl.col("interval_mins").cast(pl.Int64).sum()
    )
    return (
        expected.join(present, on=["dataset", "day"], how="left")
        .select(
            "dataset",
            "day",
            "entities",
            share=pl.col("present_mins").fill_null(0) / pl.col("expected_mins"),
        )
        .sort("dataset", "day")
        .collect(engine="streaming")
    )


def profile_seasons(readings: pl.LazyFrame) -> Profiles:
    """Return the typical day and the typical week of each season, in kWh per half hour.

    ``mean_kwh`` is the mean over entities of each entity's own average in that slot; ``low_kwh`` and ``high_kwh``
    are the 10 % and 90 % quantiles over entities of the same averages.
    """
    month = pl.col("local").dt.month()
    sums = (
        _with_local_clock(readings)
        .group_by(
            "dataset",
            "entity_id",
            "half_hour",
            season=(month % 12 // 3).cast(pl.Int8),
            weekday=(pl.col("local").dt.weekday() - 1).cast(pl.Int8),
        )
        .agg(pl.col("kwh").sum(), n=pl.len())
        .collect(engine="streaming")
    )
    names = pl.col("season").replace_strict(dict(enumerate(SEASONS)), return_dtype=pl.String)
    return Profiles(
        day=_band_over_entities(sums, ["half_hour"]).with_columns(season=names),
        week=_band_over_entities(sums, ["weekday", "half_hour"]).with_columns(season=names),
    )


def profile_year(readings: pl.LazyFrame) -> pl.DataFrame:
    """Return the mean of all entities by calendar week and half hour: a load's year in one picture.

    Returns:
        ``dataset, week`` (the Monday, a date), ``half_hour`` (0 to 47, UK local), ``mean_kwh`` and ``entities``.
    """
    return (
        _with_local_clock(readings)
        .group_by("dataset", "half_hour", week=pl.col("local").dt.truncate("1w").dt.date())
        .agg(mean_kwh=pl.col("kwh").mean(), entities=pl.col("entity_id").n_unique())
        .sort("dataset", "week", "half_hour")
        .collect(engine="streaming")
    )
