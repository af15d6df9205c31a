"""The LCL sample: its layout, its defects in exact numbers, and the life inside it."""

import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from loadproof.samples import write_lcl_sample

COMMITTED = Path(__file__).parents[2] / "data" / "samples" / "lcl_sample.csv"
HALF_HOUR = dt.timedelta(minutes=30)


def utc(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def sample(samples_root):
    return (samples_root / "lcl_sample.csv").read_bytes()


@pytest.fixture(scope="module")
def rows(sample):
    return pl.read_csv(sample, infer_schema=False).select(
        home="LCLid",
        group="stdorToU",
        stamp=pl.col("DateTime").str.slice(0, 19).str.to_datetime(time_zone="UTC"),
        text="KWH/hh (per half hour) ",
        kwh=pl.col("KWH/hh (per half hour) ").str.strip_chars().cast(pl.Float64, strict=False),
    )


@pytest.fixture(scope="module")
def homes(rows):
    """Readings without defects: start of the half hour, one row each."""
    readings = rows.filter(pl.col("kwh").is_not_null()).unique(["home", "stamp"], maintain_order=True)
    return readings.with_columns(start=pl.col("stamp") - HALF_HOUR)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_gives_others(sample, tmp_path):
    again = tmp_path / "lcl_sample.csv"
    write_lcl_sample(again, seed=2013)
    assert again.read_bytes() == sample
    write_lcl_sample(again, seed=2014)
    assert again.read_bytes() != sample
    assert [path.name for path in tmp_path.iterdir()] == ["lcl_sample.csv"]  # no temporary file is left


def test_the_committed_sample_is_what_seed_2013_writes(sample):
    assert COMMITTED.read_bytes() == sample


def test_the_file_is_smaller_than_3_7_megabytes(sample):
    assert len(sample) < 3_700_000


def test_header_line_ends_and_padding_are_those_of_the_publisher(sample):
    lines = sample.split(b"\r\n")
    assert lines[0] == b"LCLid,stdorToU,DateTime,KWH/hh (per half hour) "
    assert lines[1] == b"MAC009001,Std,2013-07-01 00:30:00.0000000, 0 "
    assert lines[-1] == b""
    assert sample.count(b"\n") == sample.count(b"\r") == len(lines) - 1 == 71_771
    assert sample.isascii()


def test_values_are_padded_without_trailing_zeros_and_carry_the_trace_of_32_bit_floats(rows):
    values = rows.filter(pl.col("text") != "Null")["text"]
    assert values.str.contains(r"^ (0|[0-9]+(\.[0-9]{0,6}[1-9])?) $").all()
    long = values.filter(values.str.len_chars() > 7)
    assert long.len() > 300
    assert long.str.strip_chars().cast(pl.Float64).min() > 1  # below one the third decimal is exact


def test_eight_homes_in_order_with_the_flat_tariff_first(rows):
    homes = rows.group_by("home", maintain_order=True).agg(pl.col("group").unique().implode())
    assert homes["home"].to_list() == [f"MAC00900{i}" for i in range(1, 9)]
    assert rows.group_by("home", "group").len().sort("home")["group"].to_list() == ["Std"] * 6 + ["ToU"] * 2
    assert rows["home"].is_sorted()
    assert rows.group_by("home").agg(pl.col("stamp").is_sorted())["stamp"].all()


def test_stamps_run_from_the_end_of_the_first_half_hour_to_midnight_of_5_january(rows):
    assert rows["stamp"].min() == utc(2013, 7, 1, 0, 30)
    assert rows["stamp"].max() == utc(2014, 1, 5)


def test_each_home_has_one_null_and_it_alone_is_off_the_grid(rows):
    off_grid = rows.filter(pl.col("stamp").dt.epoch("s") % 1800 != 0)
    nulls = rows.filter(pl.col("text") == "Null")
    assert off_grid.equals(nulls)
    assert nulls["home"].n_unique() == nulls.height == 8
    assert nulls["stamp"].dt.date().is_in([dt.date(2013, 12, 18), dt.date(2013, 12, 19)]).all()


def test_midnights_31_days_apart_come_twice_with_the_same_value(rows):
    repeats = rows.filter(pl.struct("home", "stamp").is_duplicated())
    counts = repeats.group_by("home", maintain_order=True).len()["len"]
    assert counts.to_list() == [14] + [12] * 7
    assert (repeats["stamp"].dt.time() == dt.time()).all()
    assert repeats.group_by("home", "stamp").agg(pl.col("text").n_unique())["text"].to_list() == [1] * 49
    days = repeats.unique(["home", "stamp"], maintain_order=True).select(
        pl.col("stamp").diff().over("home").drop_nulls()
    )
    assert days["stamp"].unique().to_list() == [dt.timedelta(days=31)]


def test_the_first_meter_reads_zero_for_163_half_hours_and_then_nothing_for_55_hours(homes):
    first = homes.filter(pl.col("home") == "MAC009001")
    assert first["text"][:163].unique().to_list() == [" 0 "]
    assert first["stamp"][162] == utc(2013, 7, 4, 9, 30)
    assert first["stamp"][163] == utc(2013, 7, 6, 17, 0)
    assert first["kwh"][163] > 0


def test_479_half_hours_are_missing_and_none_is_filled(homes):
    missing = 188 * 48 - homes.group_by("home", maintain_order=True).len()["len"]
    assert missing.to_list() == [110, 10, 0, 67, 2, 0, 288, 2]


def test_one_home_stands_empty_for_35_days(homes):
    empty_days = utc(2013, 9, 15, 23), utc(2013, 10, 20, 22, 30)  # local midnight to midnight
    empty = homes.filter(pl.col("home") == "MAC009006", pl.col("start").is_between(*empty_days))
    assert empty.height == 35 * 48
    assert empty["kwh"].max() == 0


def test_energy_is_physical_and_of_the_size_of_british_homes(homes):
    kwh = homes["kwh"]
    assert kwh.min() == 0
    assert kwh.max() < 11.5
    assert kwh.mean() == pytest.approx(0.21, abs=0.04)
    assert kwh.median() == pytest.approx(0.11, abs=0.04)
    assert 1.5 < kwh.quantile(0.999) < 4


def test_winter_takes_more_than_summer(homes):
    lived_in = homes.filter(~pl.col("home").is_in(["MAC009001", "MAC009006"]))
    by_month = dict(lived_in.group_by(pl.col("start").dt.month()).agg(pl.col("kwh").mean()).iter_rows())
    assert by_month[12] > 1.25 * by_month[7]


def test_the_evening_is_the_peak_of_the_homes_that_do_not_heat_by_night(homes):
    day = mean_day(homes, utc(2013, 11, 1), utc(2013, 12, 1))
    assert 17 <= int(day.argmax()) / 2 <= 21.5
    assert day[8:12].mean() < 0.6 * day[34:42].mean()


def test_the_night_heating_home_draws_most_before_dawn(homes):
    november = homes.filter(pl.col("home") == "MAC009003", pl.col("start").dt.month() == 11)
    by_hour = november.group_by(pl.col("start").dt.hour()).agg(pl.col("kwh").mean()).sort("start")["kwh"]
    assert by_hour.arg_max() in {0, 1, 2, 23}


def test_the_day_moves_by_an_hour_in_utc_when_clocks_go_back(homes):
    change = utc(2013, 10, 27)
    three_weeks = dt.timedelta(weeks=3)
    before, after = mean_day(homes, change - three_weeks, change), mean_day(homes, change, change + three_weeks)
    likeness = {shift: np.corrcoef(np.roll(before, shift), after)[0, 1] for shift in range(-4, 7)}
    assert max(likeness, key=likeness.__getitem__) == 2  # half hours later


def mean_day(homes: pl.DataFrame, first: dt.datetime, end: dt.datetime) -> np.ndarray:
    """Return the mean of each half hour of the UTC day, kWh (48,), without the night heater and the empty home.

    Values are capped, so that the habits of many half hours count and not the few peaks.
    """
    chosen = homes.filter(
        ~pl.col("home").is_in(["MAC009003", "MAC009006"]), pl.col("start").is_between(first, end, closed="left")
    )
    step = pl.col("start").dt.hour() * 2 + pl.col("start").dt.minute() // 30
    return chosen.group_by(step=step).agg(pl.col("kwh").clip(0, 0.6).mean()).sort("step")["kwh"].to_numpy()
