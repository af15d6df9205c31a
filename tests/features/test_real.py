"""The features of four real homes and of Kew's weather, read where LOADPROOF_REAL_DATA says."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from loadproof.config import FeatureConfig
from loadproof.features.bank_holidays import is_bank_holiday
from loadproof.features.calendar import local_midnights
from loadproof.features.nomenclature import is_known_at_t0
from loadproof.features.panel import panel_from_readings
from loadproof.features.table import feature_matrix, spec_from_config
from loadproof.features.weather import weather_from_table
from loadproof.features.windows import cut_windows
from loadproof.ingestion.weather import find_weather, merge_weather, read_weather

HALF_HOUR = pl.duration(minutes=30)


@pytest.fixture(scope="module")
def homes(real_data):
    """Readings of the four homes in Kaggle's layout, its ends of intervals made starts."""
    rows = pl.read_csv(
        real_data / "lcl" / "halfhourly_dataset" / "block_0.csv", schema_overrides={"energy(kWh/hh)": pl.String}
    )
    stamp = pl.col("tstp").str.slice(0, 19).str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", time_zone="UTC")
    frame = rows.select(
        pl.col("LCLid").alias("entity_id"), (stamp - HALF_HOUR).alias("ts_utc"),
        pl.lit(30, pl.Int16).alias("interval_mins"),
        pl.col("energy(kWh/hh)").str.strip_chars().cast(pl.Float32, strict=False).alias("energy_kwh"),
    )  # fmt: skip
    on_grid = frame.filter(pl.col("ts_utc").dt.epoch("us") % 1_800_000_000 == 0).drop_nulls()
    return on_grid.unique(["entity_id", "ts_utc"], keep="first", maintain_order=True)


@pytest.fixture(scope="module")
def kew(real_data):
    return merge_weather([read_weather(path) for path in find_weather(real_data)]).table


@pytest.mark.parametrize("lag", [0, 336])
def test_all_features_of_4_real_homes_as_of_8_midnights_equal_those_rebuilt_from_what_was_known(homes, kew, lag):
    spec = spec_from_config(FeatureConfig(weather="forecast"))
    dates = [
        dt.date(2013, 3, 31),
        dt.date(2013, 4, 1),
        dt.date(2013, 8, 20),
        dt.date(2013, 10, 27),
        dt.date(2013, 10, 28),
    ]
    dates += [dt.date(2013, 1, int(day)) for day in np.random.default_rng(lag).integers(2, 31, 3)]
    cut = {"context_steps": 1344, "horizon_steps": 48, "data_lag_steps": lag, "require_truth": False}
    ts = pl.col("ts_utc").dt.replace_time_zone(None)
    columns = [at for at, name in enumerate(spec.names) if is_known_at_t0(name)]
    assert len(columns) == 77
    for date in dates:
        (t0,) = local_midnights(date, date + dt.timedelta(days=1))
        seen = homes.filter(ts + HALF_HOUR <= pl.lit(t0 - lag * np.timedelta64(30, "m")))
        found = []
        for readings, observed in ((homes, kew), (seen, kew.filter(ts < pl.lit(t0)))):
            weather = weather_from_table(observed, arm="forecast", error_degc=1, seed=1)
            inputs = cut_windows(panel_from_readings(readings), origins=[t0], weather=weather, **cut).inputs
            found.append(feature_matrix(inputs, spec).values[..., columns])
        assert found[0].shape[0] >= 3
        np.testing.assert_array_equal(*found)


def test_kew_had_1_gap_of_more_than_4_weeks_in_2013_which_no_feature_bridges(kew):
    weather = weather_from_table(kew)
    unknown = np.isnan(weather.temperature_degc).astype(np.int8)
    starts, ends = (np.flatnonzero(np.diff(unknown, prepend=0, append=0) == edge) for edge in (1, -1))
    long = [weather.start + start * np.timedelta64(30, "m") for start in starts[ends - starts > 28 * 48]]
    assert [str(at) for at in long] == ["2013-08-02T12:00:00.000000"]
    amid = np.array(["2013-08-20"], dtype="datetime64[us]")
    assert np.isnan(weather.ahead(amid, amid[:, None])).all()


def test_the_library_s_25_holidays_on_weekdays_are_those_of_a_published_list_whose_days_and_months_are_swapped(
    real_data,
):
    listed = pl.read_csv(real_data / "lcl" / "uk_bank_holidays.csv")["Bank holidays"].str.to_date().to_list()
    days = np.arange("2012-01-01", "2015-01-01", dtype="datetime64[D]")
    ours = {day for day in days[is_bank_holiday(days, "england")].tolist() if day.weekday() < 5}
    mended = {day if day in ours else dt.date(day.year, day.day, day.month) for day in listed}
    assert mended == ours
    assert len(ours) == 25
    assert len(set(listed) - ours) == 6  # and 2 more fall upon each other's days
