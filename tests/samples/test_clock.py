"""London's clocks and sky over a UTC grid."""

import datetime as dt

import numpy as np
import pytest

from loadproof.samples.clock import build_clock


@pytest.fixture(scope="module")
def year():
    return build_clock(dt.date(2013, 1, 1), 365)


def minute(day: int, hour: int) -> int:
    """Return the UTC minute of day 0, 1, ... of the year."""
    return day * 1440 + hour * 60


def test_noon_utc_is_noon_in_winter_and_one_o_clock_in_summer(year):
    assert year.minute_of_day[minute(14, 12)] == 12 * 60
    assert year.minute_of_day[minute(195, 12)] == 13 * 60


def test_the_hour_after_one_is_skipped_on_31_march_and_lived_twice_on_27_october(year):
    march, october = dt.date(2013, 3, 31).timetuple().tm_yday - 1, dt.date(2013, 10, 27).timetuple().tm_yday - 1
    assert (year.minute_of_day[minute(march, 0)], year.minute_of_day[minute(march, 1)]) == (0, 120)
    assert (year.minute_of_day[minute(october, 0)], year.minute_of_day[minute(october, 1)]) == (60, 60)
    assert ((year.day == march).sum(), (year.day == october).sum()) == (23 * 60, 25 * 60)


def test_a_summer_day_starts_an_hour_before_midnight_utc(year):
    assert year.day_start[200] == 200 * 1440 - 60
    assert year.minute_of_day[year.day_start[200]] == 0


def test_england_had_253_workdays_in_2013(year):
    assert year.is_workday[:365].sum() == 261 - 8  # weekdays less bank holidays


def test_the_noon_sun_stands_at_62_degrees_in_midsummer_and_15_in_midwinter(year):
    assert year.sun_elevation_deg[minute(171, 12)] == pytest.approx(62.0, abs=0.5)
    assert year.sun_elevation_deg[minute(354, 12)] == pytest.approx(15.1, abs=0.5)
    assert year.sun_elevation_deg[minute(171, 0)] < 0


def test_a_leap_year_counts_its_days():
    clock = build_clock(dt.date(2012, 12, 30), 4)
    np.testing.assert_array_equal(clock.day_of_year, [365, 366, 1, 2, 3])
