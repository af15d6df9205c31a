import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadproof.errors import ConfigError
from loadproof.features.calendar import (
    WEEKDAYS,
    days_before,
    is_clock_change,
    last_whole_day,
    local_date,
    local_half_hour,
    local_midnights,
    local_weekday,
    to_instant,
    to_local,
)

LONDON = ZoneInfo("Europe/London")


def utc(text):
    return np.datetime64(text, "us")


@given(st.lists(st.integers(0, 100 * 365 * 86_400 - 1), min_size=1, max_size=20))
def test_local_time_equals_zoneinfo_row_by_row_over_100_years(seconds):
    ts = utc("2000-01-01") + np.array(seconds, dtype="timedelta64[s]")
    slow = [stamp.replace(tzinfo=dt.UTC).astimezone(LONDON) for stamp in ts.tolist()]
    assert to_local(ts).tolist() == [stamp.replace(tzinfo=None) for stamp in slow]
    assert local_half_hour(ts).tolist() == [2 * stamp.hour + stamp.minute // 30 for stamp in slow]
    assert local_weekday(ts).tolist() == [stamp.weekday() for stamp in slow]


@pytest.mark.parametrize("year", [2000, 2012, 2013, 2026, 2099])
def test_a_year_has_one_midnight_per_date_each_at_half_hour_0(year):
    midnights = local_midnights(utc(f"{year}-01-01"), utc(f"{year + 1}-01-01"))
    assert len(midnights) == (dt.date(year + 1, 1, 1) - dt.date(year, 1, 1)).days
    assert (local_half_hour(midnights) == 0).all()
    assert np.unique(to_local(midnights).astype("datetime64[D]")).size == len(midnights)


def test_the_days_of_the_clock_changes_2013_have_46_and_50_half_hours():
    midnights = local_midnights(utc("2013-01-01"), utc("2014-01-02"))
    lengths = np.diff(midnights) // np.timedelta64(30, "m")
    dates = to_local(midnights[:-1]).astype("datetime64[D]")
    assert str(dates[lengths == 46][0]) == "2013-03-31"
    assert str(dates[lengths == 50][0]) == "2013-10-27"
    assert (lengths == 48).sum() == 363


def test_summer_midnight_is_2300_utc_and_its_range_is_half_open():
    midnights = local_midnights(utc("2013-07-01T23:00"), utc("2013-07-02T23:00"))
    assert midnights.astype(str).tolist() == ["2013-07-01T23:00:00.000000"]


def test_a_date_is_its_uk_midnight_and_a_datetime_keeps_its_zone_so_1_july_begins_at_2300_utc():
    assert to_instant(dt.date(2013, 7, 1)) == utc("2013-06-30T23:00")
    assert to_instant(dt.datetime(2013, 7, 1, tzinfo=dt.UTC)) == utc("2013-07-01")
    assert to_instant(np.datetime64("2013-07-01")) == utc("2013-07-01")
    assert len(local_midnights(dt.date(2013, 10, 1), dt.date(2014, 1, 1))) == 92


def test_a_datetime_without_zone_is_refused_with_its_mend_in_1_line():
    with pytest.raises(ConfigError, match="write 2013-07-01T00:00:00Z if it is UTC"):
        to_instant(dt.datetime(2013, 7, 1))  # noqa: DTZ001  a naive moment is what is tested


def test_the_hour_of_the_autumn_change_is_told_twice_as_half_hours_2_and_3():
    ts = utc("2013-10-27T00:00") + np.arange(4) * np.timedelta64(30, "m")
    assert local_half_hour(ts).tolist() == [2, 3, 2, 3]


def test_the_last_day_of_2013_was_weekday_1_a_tuesday_in_any_shape():
    assert local_weekday(np.full((2, 3), utc("2013-12-31"))).tolist() == [[1, 1, 1], [1, 1, 1]]
    assert WEEKDAYS[1] == "Tue"


def test_0_instants_give_0_answers():
    empty = np.array([], dtype="datetime64[us]")
    assert local_half_hour(empty).shape == (0,)
    assert local_weekday(empty).shape == (0,)


def test_2_dates_of_2013_change_the_clocks_and_their_local_dates_begin_at_local_midnight():
    dates = np.arange("2013-01-01", "2014-01-01", dtype="datetime64[D]")
    assert dates[is_clock_change(dates)].astype(str).tolist() == ["2013-03-31", "2013-10-27"]
    assert local_date(np.array([utc("2013-06-30T22:59"), utc("2013-06-30T23:00")])).astype(str).tolist() == [
        "2013-06-30", "2013-07-01",
    ]  # fmt: skip


@given(st.integers(0, 20 * 365 * 48), st.integers(0, 400))
def test_some_days_before_local_clocks_showed_the_same_time_or_never_did(half_hour, days):
    ts = utc("2005-01-01") + np.array([half_hour]) * np.timedelta64(30, "m")
    (then,) = days_before(ts, np.array([days])).tolist()
    wall = to_local(ts).tolist()[0] - dt.timedelta(days=days)
    if then is None:
        back = wall.replace(tzinfo=LONDON).astimezone(dt.UTC).astimezone(LONDON).replace(tzinfo=None)
        assert back != wall  # a time in the gap does not survive the way through UTC
    else:
        assert then.replace(tzinfo=dt.UTC).astimezone(LONDON).replace(tzinfo=None) == wall


def test_1_day_before_0130_on_the_day_after_the_spring_change_there_was_no_0130():
    ts = np.array([utc("2013-04-01T00:30"), utc("2013-04-01T01:30")])  # 01:30 and 02:30, summer time
    assert days_before(ts, np.array([1])).astype(str).tolist() == ["NaT", "2013-03-31T01:30:00.000000"]
    assert days_before(ts, np.array([2])).astype(str).tolist() == [
        "2013-03-30T01:30:00.000000", "2013-03-30T02:30:00.000000",
    ]  # fmt: skip


def test_at_a_uk_midnight_the_day_before_has_ended_and_a_minute_earlier_the_one_before_that():
    midnight = dt.date(2013, 4, 2)  # 23:00 UTC of the first
    assert last_whole_day(midnight) == dt.date(2013, 4, 1)
    assert last_whole_day(dt.datetime(2013, 4, 1, 22, 59, tzinfo=dt.UTC)) == dt.date(2013, 3, 31)
    assert last_whole_day(dt.datetime(2013, 4, 1, 23, 30, tzinfo=dt.UTC)) == dt.date(2013, 4, 1)
