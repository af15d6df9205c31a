import datetime as dt
from collections import defaultdict
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from tests.features.panel_fixtures import HALF_HOUR, START, WEEK, random_panel, steps

from loadproof.features.bank_holidays import is_working_day
from loadproof.features.lags import MAX_DAYS, lag_columns
from loadproof.features.panel import Panel
from loadproof.features.windows import cut_windows

LONDON = ZoneInfo("Europe/London")
NAN = np.nan


def wall(ts):
    local = ts.item().replace(tzinfo=dt.UTC).astimezone(LONDON)
    return local.date(), local.hour * 2 + local.minute // 30


def works(date):
    return bool(is_working_day(np.array([date], dtype="datetime64[D]"), "england")[0])


class SlowWindow:
    """One window, day by day in plain Python."""

    def __init__(self, inputs, row):
        self.inputs, self.t0 = inputs, inputs.t0[row]
        length = inputs.context_kwh.shape[1]
        published = range(length - inputs.data_lag_steps)
        self.known = {at: inputs.context_kwh[row, at] for at in published}
        self.at_wall = defaultdict(list)
        for at in published:
            self.at_wall[wall(self.t0 + (at - length) * HALF_HOUR)].append(at)

    def positions(self, step):
        """How many days back the latest published day is, and where the half hour is on it and on those before."""
        date, half_hour = wall(self.t0 + step * HALF_HOUR)
        back = next(n for n in range(1, 400) if self.at_wall.get((date - dt.timedelta(n), half_hour)))
        days = [date - dt.timedelta(back + n) for n in range(MAX_DAYS)]
        return back, days, [self.at_wall.get((day, half_hour), []) for day in days]

    def features(self, step):
        back, days, places = self.positions(step)
        kwh = np.array([self.known[at[0]] if at else NAN for at in places])
        mine = works(wall(self.t0 + step * HALF_HOUR)[0])
        alike = [x for x, day in zip(kwh, days, strict=True) if works(day) == mine]
        weeks = [x for n, x in enumerate(kwh) if (back + n) % 7 == 0][:4] + [NAN] * 4
        near = [[self.known.get(at[0] + n, NAN) if at else NAN for n in range(-2, 3)] for at in places[:7]]
        week, nearest = kwh[:7], [x[1:4] for x in near]
        return {
            "days_back": back,
            **{f"day_{n + 1}_kwh": kwh[n] for n in range(7)},
            **{f"week_{n + 1}_kwh": weeks[n] for n in range(4)},
            "weeks_mean_kwh": of(np.mean, weeks[:4]),
            "days_7_mean_kwh": of(np.mean, week), "days_7_std_kwh": of(np.std, week), "days_7_min_kwh": of(min, week),
            "days_7_median_kwh": of(np.median, week), "days_7_max_kwh": of(max, week),
            "days_28_mean_kwh": of(np.mean, kwh), "days_28_std_kwh": of(np.std, kwh),
            **{f"days_28_q{n}_kwh": of(lambda x, n=n: np.quantile(x, n / 100), kwh) for n in (10, 25, 75, 90)},
            "days_28_median_kwh": of(np.median, kwh), "days_28_max_kwh": of(max, kwh),
            "days_faded_mean_kwh": faded(kwh),
            "same_kind_mean_kwh": of(np.mean, alike), "same_kind_median_kwh": of(np.median, alike),
            **{f"around_7_q{n}_kwh": of(lambda x, n=n: np.quantile(x, n / 100), nearest) for n in (10, 90)},
            "around_7_median_kwh": of(np.median, nearest),
            "around_7_mean_kwh": of(np.mean, near), "around_7_std_kwh": of(np.std, near),
            "day_1_before_kwh": near[0][1], "day_1_after_kwh": near[0][3],
            "day_1_around_mean_kwh": of(np.mean, near[0]),
        }  # fmt: skip


def of(statistic, values):
    known = [x for x in np.ravel(values) if not np.isnan(x)]
    return statistic(known) if known else NAN


def faded(kwh):
    pairs = [(x, 0.85**n) for n, x in enumerate(kwh) if not np.isnan(x)]
    return sum(x * w for x, w in pairs) / sum(w for _, w in pairs) if pairs else NAN


def inputs_of(panel, origins, **cut):
    return cut_windows(panel, **{"horizon_steps": 48, "require_truth": False, **cut}, origins=steps(*origins)).inputs


@pytest.mark.parametrize("lag", [0, 5, WEEK])
@pytest.mark.parametrize(("context", "origin"), [(1344, 1393), (672, 961), (700, 505), (1344, 1375)])
def test_all_lag_columns_equal_a_slow_twin_s_over_easter_and_a_clock_change_for_lags_of_0_5_and_336(
    context, origin, lag
):
    panel = random_panel(np.random.default_rng(origin), n_entities=2, n_days=35, missing=0.3)
    inputs = inputs_of(panel, [origin], context_steps=context, data_lag_steps=lag)
    columns = lag_columns(inputs)
    assert len(inputs) == 2
    for row in range(2):
        slow = SlowWindow(inputs, row)
        for step in range(0, 48, 3):
            expected = slow.features(step)
            expected["days_28_known_share"] = columns["days_28_known_share"][row, step]  # tested by itself
            found = {name: values[row, step] for name, values in columns.items()}
            assert set(found) == set(expected)
            for name, value in expected.items():
                assert found[name] == pytest.approx(value, rel=1e-4, abs=1e-5, nan_ok=True), (name, row, step)


def test_day_1_to_7_are_those_of_the_local_clock_over_the_autumn_change_and_of_a_half_hour_told_twice_one_of_both():
    start = np.datetime64("2013-10-20T23:00", "us")
    panel = Panel(np.array(["a"]), start, 30, np.arange(48 * 20, dtype=np.float32)[None])
    origins = start + np.arange(8 * 48, 14 * 48, 7) * HALF_HOUR
    inputs = cut_windows(panel, context_steps=672, horizon_steps=48, origins=origins).inputs
    columns = lag_columns(inputs)
    for row in range(len(inputs)):
        slow = SlowWindow(inputs, row)
        for step in range(48):
            back, _, places = slow.positions(step)
            if len(places[0]) == 2 or back != columns["days_back"][row, step]:
                continue  # the first of two half hours may be published and the second not
            for day in range(7):
                at = [slow.known[place] for place in places[day]] or [NAN]
                np.testing.assert_array_equal(any_of(columns[f"day_{day + 1}_kwh"][row, step], at), True)


def any_of(value, choices):
    return any(value == choice or (np.isnan(value) and np.isnan(choice)) for choice in choices)


def test_on_the_day_after_the_autumn_change_0900_looks_back_49_and_then_96_and_2_half_hours():
    start = np.datetime64("2013-10-20T23:00", "us")
    panel = Panel(np.array(["a"]), start, 30, np.arange(48 * 20, dtype=np.float32)[None])
    monday = np.datetime64("2013-10-28T00:00", "us")
    inputs = cut_windows(panel, context_steps=336, horizon_steps=48, origins=[monday]).inputs
    columns = lag_columns(inputs)
    nine = int((monday - start) / HALF_HOUR) + 18
    assert columns["day_1_kwh"][0, 18] == nine - 48
    assert columns["day_2_kwh"][0, 18] == nine - 96 - 2
    sunday = np.datetime64("2013-10-26T23:00", "us")
    inputs = cut_windows(panel, context_steps=200, horizon_steps=50, origins=[sunday]).inputs
    columns = lag_columns(inputs)
    assert columns["day_1_kwh"][0, [0, 2, 4, 49]].tolist() == [
        240,
        242,
        242,
        287,
    ]  # 01:00 is told twice, from one 01:00


def test_with_a_lag_of_7_days_day_1_is_7_days_back_and_a_horizon_of_7_days_has_day_1_at_1_to_7_days_back():
    panel = random_panel(np.random.default_rng(2), n_entities=1, n_days=35, missing=0)
    late = lag_columns(inputs_of(panel, [1391], context_steps=1344, data_lag_steps=WEEK))
    assert np.unique(late["days_back"]).tolist() == [8]
    far = lag_columns(inputs_of(panel, [1343], context_steps=1344, horizon_steps=WEEK))
    np.testing.assert_array_equal(far["days_back"][0, 1::48], np.arange(1, 8))
    np.testing.assert_array_equal(far["week_1_kwh"][0], panel.energy_kwh[0, 1343 - WEEK : 1343])


def test_at_midnight_without_a_lag_day_7_is_week_1():
    panel = random_panel(np.random.default_rng(3), n_days=35)
    columns = lag_columns(inputs_of(panel, [48 * 30 - 2], context_steps=1344))  # midnight, summer time
    assert (columns["days_back"] == 1).all()
    np.testing.assert_array_equal(columns["day_7_kwh"], columns["week_1_kwh"])


@pytest.mark.parametrize("context", [1, 30, 48, 100])
def test_a_context_of_1_to_100_steps_gives_what_it_reaches_and_is_silent_on_the_rest(context):
    panel = random_panel(np.random.default_rng(4), n_entities=1, n_days=35, missing=0)
    columns = lag_columns(inputs_of(panel, [1440], context_steps=context))
    reached = (~np.isnan(columns["day_1_kwh"])).sum()
    assert reached == min(context, 48)
    assert np.isnan(columns["week_2_kwh"]).all()
    assert np.nanmax(columns["days_28_known_share"]) <= 1


def test_hourly_readings_have_the_lags_of_each_second_half_hour():
    hourly = Panel(np.array(["a"]), START, 60, np.arange(24 * 35, dtype=np.float32)[None])
    inputs = cut_windows(hourly, context_steps=672, horizon_steps=24, origins=[START + 30 * 48 * HALF_HOUR]).inputs
    columns = lag_columns(inputs)
    np.testing.assert_array_equal(columns["day_1_kwh"][0], np.arange(29 * 24, 30 * 24))
    np.testing.assert_array_equal(columns["day_1_before_kwh"][0], np.arange(29 * 24, 30 * 24) - 1)


def test_0_windows_have_0_rows_of_every_column():
    inputs = inputs_of(random_panel(np.random.default_rng(5)), [700], context_steps=672).take(slice(0, 0))
    assert {values.shape for values in lag_columns(inputs).values()} == {(0, 48)}
