import numpy as np
import pytest

from loadproof.features.bank_holidays import is_bank_holiday, is_working_day

# Source: https://www.gov.uk/bank-holidays, as published for 2013
ENGLAND_2013 = ["01-01", "03-29", "04-01", "05-06", "05-27", "08-26", "12-25", "12-26"]


def days(year):
    return np.arange(f"{year}-01-01", f"{year + 1}-01-01", dtype="datetime64[D]")


def on(date, nation):
    return bool(is_bank_holiday(np.array([date], dtype="datetime64[D]"), nation)[0])


@pytest.mark.parametrize("nation", ["england", "wales"])
def test_the_8_bank_holidays_of_2013_are_those_of_the_government_s_list(nation):
    found = days(2013)[is_bank_holiday(days(2013), nation)]
    assert found.astype(str).tolist() == [f"2013-{day}" for day in ENGLAND_2013]


@pytest.mark.parametrize(
    ("date", "nations"),
    [
        ("2013-04-01", {"england", "wales", "northern_ireland"}),  # Easter Monday
        ("2013-01-02", {"scotland"}),
        ("2013-08-05", {"scotland"}),
        ("2013-08-26", {"england", "wales", "northern_ireland"}),
        ("2013-12-02", {"scotland"}),  # in lieu of St Andrew's Day, a Saturday
        ("2013-03-18", {"northern_ireland"}),  # in lieu of St Patrick's Day, a Sunday
        ("2013-07-12", {"northern_ireland"}),
        ("2012-06-05", {"england", "wales", "scotland", "northern_ireland"}),  # the jubilee
    ],
)
def test_each_of_4_nations_keeps_its_own(date, nations):
    found = {nation for nation in ("england", "wales", "scotland", "northern_ireland") if on(date, nation)}
    assert found == nations


def test_2013_had_253_working_days_in_england_and_its_christmas_week_3():
    assert is_working_day(days(2013), "england").sum() == 261 - 8
    week = np.arange("2013-12-23", "2013-12-30", dtype="datetime64[D]")
    assert is_working_day(week, "england").tolist() == [True, True, False, False, True, False, False]


def test_a_holiday_on_a_sunday_counts_besides_its_substitute_so_new_year_2012_has_2():
    assert [on(f"2012-01-0{day}", "england") for day in (1, 2, 3)] == [True, True, False]


def test_0_dates_give_0_answers_and_any_shape_is_kept():
    assert is_bank_holiday(np.array([], dtype="datetime64[D]"), "england").shape == (0,)
    assert is_working_day(days(2013)[:360].reshape(3, 4, 30), "wales").shape == (3, 4, 30)
