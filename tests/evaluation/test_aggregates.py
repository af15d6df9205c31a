import datetime as dt

import numpy as np
import polars as pl
import pytest
from tests.evaluation.report_fixtures import half_hours, make_readings, readings_of

from loadproof.evaluation.aggregates import count_readings, coverage_by_day, profile_seasons, profile_year


def utc(*parts):
    return dt.datetime(*parts, tzinfo=dt.UTC)


def test_counts_are_rows_entities_and_ends_per_dataset():
    lcl = readings_of(half_hours("lcl:MAC000002", utc(2013, 1, 1), 3))
    ssen = readings_of(half_hours("ssen:000200200402", utc(2024, 1, 1), 2), "ssen")
    counts = count_readings(pl.concat([lcl, ssen])).to_dicts()
    assert [(row["dataset"], row["entities"], row["rows"]) for row in counts] == [("lcl", 1, 3), ("ssen", 1, 2)]
    assert counts[0]["last_ts_utc"] == utc(2013, 1, 1, 1)


def test_coverage_counts_a_home_only_from_its_first_reading_to_its_last():
    # Day one: one home, 36 of 48. Day two: that home in full, and another that joins at noon in full.
    first = half_hours("a", utc(2013, 1, 1), 96, skip=range(10, 22))
    second = half_hours("b", utc(2013, 1, 2, 12), 24)
    days = coverage_by_day(readings_of(first + second))
    assert days["share"].to_list() == [0.75, 1.0]
    assert days["entities"].to_list() == [1, 2]
    assert days["day"].to_list() == [dt.date(2013, 1, 1), dt.date(2013, 1, 2)]


def test_a_silent_day_between_two_days_has_a_share_of_zero():
    rows = half_hours("a", utc(2013, 1, 1), 48) + half_hours("a", utc(2013, 1, 3), 48)
    assert coverage_by_day(readings_of(rows))["share"].to_list() == [1.0, 0.0, 1.0]


def test_a_home_that_ends_at_midnight_is_not_expected_on_the_next_day():
    days = coverage_by_day(readings_of(half_hours("a", utc(2013, 1, 1), 48)))
    assert days["day"].to_list() == [dt.date(2013, 1, 1)]


def test_coverage_counts_minutes_and_not_rows():
    hourly = [("a", utc(2013, 1, 1, hour), 60, 0.2) for hour in range(24) if hour != 5]
    assert coverage_by_day(readings_of(hourly))["share"].to_list() == [pytest.approx(23 / 24)]


def test_a_season_is_the_mean_of_homes_and_not_of_rows():
    # The first home has twice the rows of the second; both weigh the same.
    rows = half_hours("a", utc(2013, 1, 7), 96, 0.2) + half_hours("b", utc(2013, 1, 7), 48, 0.6)
    day = profile_seasons(readings_of(rows)).day
    assert day["season"].unique().to_list() == ["Winter"]
    assert day["half_hour"].to_list() == list(range(48))
    row = day.row(0, named=True)
    assert row["mean_kwh"] == pytest.approx(0.4)
    assert row["low_kwh"] == pytest.approx(0.24)
    assert row["high_kwh"] == pytest.approx(0.56)


def test_midnight_utc_in_july_is_one_o_clock_in_summer():
    day = profile_seasons(readings_of(half_hours("a", utc(2013, 7, 1), 1))).day
    assert day.select("season", "half_hour").row(0) == ("Summer", 2)


def test_weekdays_are_local_and_start_on_monday():
    # 23:00 UTC on Sunday 30 June 2013 is midnight on Monday in London.
    week = profile_seasons(readings_of(half_hours("a", utc(2013, 6, 30, 23), 1))).week
    assert week.select("weekday", "half_hour").row(0) == (0, 0)


def test_energy_of_quarter_hours_is_shown_per_half_hour():
    rows = [("a", utc(2013, 1, 1, 0, minute), 15, 0.1) for minute in (0, 15)]
    assert profile_seasons(readings_of(rows)).day["mean_kwh"].to_list() == [pytest.approx(0.2)]


def test_a_year_is_told_by_weeks_that_start_on_monday():
    rows = half_hours("a", utc(2013, 1, 8), 1, 0.1) + half_hours("b", utc(2013, 1, 9), 1, 0.3)
    year = profile_year(readings_of(rows))
    row = year.select("week", "half_hour", "mean_kwh", "entities").row(0)
    assert row == (dt.date(2013, 1, 7), 0, pytest.approx(0.2), 2)


def test_profiles_stay_small_however_many_homes_there_are():
    readings = make_readings(np.random.default_rng(1))
    profiles = profile_seasons(readings)
    assert profiles.day.height == 2 * 48
    assert profiles.week.height == 2 * 48 * 7
    assert profile_year(readings).height <= 8 * 48
