import datetime as dt
from dataclasses import fields

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.features.panel_fixtures import HALF_HOUR, START, WEEK, random_panel, readings_of, steps

from loadproof.errors import ConfigError, SchemaError
from loadproof.features.calendar import local_half_hour, local_midnights, local_weekday
from loadproof.features.panel import Panel, panel_from_readings
from loadproof.features.place import LONDON, Place
from loadproof.features.sun import solar_elevation_deg
from loadproof.features.windows import KNOWN_NAMES, Skipped, cut_truth, cut_windows


def assert_same_inputs(one, two):
    """Equal in all that is kept and in all that is made of it when asked."""
    for name in (*(field.name for field in fields(one)), "observed", "past", "known"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name), err_msg=name)
    np.testing.assert_array_equal(one.ts(), two.ts())


def test_window_at_step_4_sees_steps_1_to_3_and_is_judged_on_4_and_5():
    panel = Panel(np.array(["a"]), START, 30, np.arange(8, dtype=np.float32)[None])
    windows = cut_windows(panel, context_steps=3, horizon_steps=2, origins=steps(4))
    assert windows.inputs.context_kwh.tolist() == [[1, 2, 3]]
    assert windows.truth_kwh.tolist() == [[4, 5]]
    assert windows.inputs.known[0, :, :2].tolist() == [[4, 0], [5, 0]]  # 02:00 and 02:30 of a Monday
    assert windows.inputs.past[0, :, 0].tolist() == [1, 2, 3]
    assert (windows.inputs.ts()[0] == steps(4, 5)).all()


def test_with_a_lag_of_2_steps_the_last_2_of_the_context_are_unknown():
    panel = Panel(np.array(["a"]), START, 30, np.arange(8, dtype=np.float32)[None])
    windows = cut_windows(panel, context_steps=3, horizon_steps=2, origins=steps(4), data_lag_steps=2)
    np.testing.assert_array_equal(windows.inputs.context_kwh, [[1, np.nan, np.nan]])
    assert windows.inputs.observed.tolist() == [[True, False, False]]


def test_each_skipped_pair_is_counted_once_by_its_reason():
    panel = Panel(np.array(["a", "b"]), START, 30, np.float32([[1, 2, 3, np.nan], [np.nan, np.nan, 3, 4]]))
    cut = {"context_steps": 2, "horizon_steps": 1, "origins": steps(-50, 2, 3, 99)}
    windows = cut_windows(panel, **cut)  # -50 and 99 see nothing of either home, 2 nothing of b, 3 of a has no truth
    assert windows.skipped == Skipped(no_context=5, no_truth=1)
    assert windows.inputs.entity.tolist() == ["a", "b"]
    assert cut_windows(panel, **cut, require_truth=False).skipped == Skipped(no_context=5, no_truth=0)
    assert cut_windows(panel, **cut, min_observed=2).skipped == Skipped(no_context=6, no_truth=1)


def test_20_random_cuts_equal_the_slow_twin():
    rng = np.random.default_rng(4)
    panel = random_panel(rng, n_days=3, missing=0.7)
    for _ in range(20):
        c, h, lag = int(rng.integers(3, 60)), int(rng.integers(1, 60)), int(rng.integers(0, 3))
        origins = np.unique(rng.integers(-20, 170, 7))
        windows = cut_windows(panel, context_steps=c, horizon_steps=h, origins=steps(*origins), data_lag_steps=lag)
        series = np.pad(panel.energy_kwh, ((0, 0), (200, 300)), constant_values=np.nan)
        slow = []
        for row in series:
            for at in origins + 200:
                context, truth = row[at - c : at].copy(), row[at : at + h]
                context[c - lag :] = np.nan
                if not np.isnan(context).all() and not np.isnan(truth).all():
                    slow.append(np.concatenate([context, truth]))
        fast = np.concatenate([windows.inputs.context_kwh, windows.truth_kwh], axis=1)
        np.testing.assert_array_equal(fast, np.reshape(slow, (-1, c + h)))
        assert sum(windows.skipped) + len(windows) == len(origins) * 3
        entity, t0 = windows.inputs.entity, windows.inputs.t0
        np.testing.assert_array_equal(cut_truth(panel, entity, t0, horizon_steps=h), windows.truth_kwh)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), origin=st.integers(1, 1400), lag=st.sampled_from([0, WEEK]))
def test_inputs_as_of_t0_equal_inputs_rebuilt_from_what_was_published_by_t0_for_lags_of_0_and_7_days(seed, origin, lag):
    panel = random_panel(np.random.default_rng(seed), n_days=28, missing=0.5)
    t0 = steps(origin)
    cut = {"context_steps": 672, "horizon_steps": 48, "origins": t0, "data_lag_steps": lag, "require_truth": False}
    ended = pl.col("ts_utc").dt.replace_time_zone(None) + pl.duration(minutes=30)
    published = readings_of(panel).filter(ended <= pl.lit((t0 - lag * HALF_HOUR)[0]))
    inputs = cut_windows(panel, **cut).inputs
    if published.is_empty():
        assert len(inputs) == 0
    else:
        assert_same_inputs(inputs, cut_windows(panel_from_readings(published), **cut).inputs)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), origin=st.integers(1, 1000), lag=st.sampled_from([0, WEEK]))
def test_poison_from_t0_less_lag_on_changes_0_inputs(seed, origin, lag):
    panel = random_panel(np.random.default_rng(seed))
    poisoned = panel.energy_kwh.copy()
    poisoned[:, max(0, origin - lag) :] = 1e6
    cut = {"context_steps": 672, "horizon_steps": 48, "data_lag_steps": lag, "require_truth": False}
    clean = cut_windows(panel, origins=steps(origin), **cut).inputs
    dirty = cut_windows(Panel(panel.entities, START, 30, poisoned), origins=steps(origin), **cut).inputs
    assert_same_inputs(clean, dirty)


def test_an_origin_7_minutes_off_the_grid_and_a_lag_as_long_as_the_context_are_refused():
    panel = random_panel(np.random.default_rng(5))
    with pytest.raises(ConfigError, match=r":37:00Z: is off the 30 minute grid; write 20..-..-..T..:[03]0Z or"):
        cut_windows(panel, context_steps=4, horizon_steps=2, origins=steps(9) + np.timedelta64(7, "m"))
    with pytest.raises(ConfigError, match="raise context_steps above"):
        cut_windows(panel, context_steps=4, horizon_steps=2, origins=steps(9), data_lag_steps=4)


def test_truth_of_1_unknown_home_is_refused():
    panel = random_panel(np.random.default_rng(6))
    with pytest.raises(SchemaError, match=r"lcl:MAC999999.*read the dataset"):
        cut_truth(panel, np.array(["lcl:MAC999999"]), steps(3), horizon_steps=1)


def test_past_and_known_equal_the_calendar_of_each_step_row_by_row_over_a_clock_change():
    panel = random_panel(np.random.default_rng(10), n_days=10)  # the clocks go forward on the seventh day
    origins = local_midnights(START, START + 10 * 48 * HALF_HOUR)
    inputs = cut_windows(panel, context_steps=60, horizon_steps=48, origins=origins).inputs
    inputs = inputs.take(np.random.default_rng(11).permutation(len(inputs)))
    assert (inputs.past.shape, inputs.known.shape) == ((30, 60, 9), (30, 48, 9))
    assert KNOWN_NAMES[:2] == ("local_half_hour", "local_weekday")
    for row, t0 in enumerate(inputs.t0):
        for features, first in ((inputs.past, -60), (inputs.known, 0)):
            ts = t0 + np.arange(first, first + features.shape[1]) * HALF_HOUR
            np.testing.assert_array_equal(features[row, :, 0], local_half_hour(ts))
            np.testing.assert_array_equal(features[row, :, 1], local_weekday(ts))


def test_by_origin_tells_once_what_past_and_known_tell_of_30_windows():
    panel = random_panel(np.random.default_rng(13), n_days=10)
    origins = local_midnights(START, START + 10 * 48 * HALF_HOUR)
    inputs = cut_windows(panel, context_steps=60, horizon_steps=48, origins=origins).inputs
    inputs = inputs.take(np.random.default_rng(14).permutation(len(inputs)))
    at, past, known = inputs.by_origin()
    assert (len(inputs), past.shape, known.shape) == (30, (10, 60, 9), (10, 48, 9))
    np.testing.assert_array_equal(past[at], inputs.past)
    np.testing.assert_array_equal(known[at], inputs.known)
    np.testing.assert_array_equal(np.unique(inputs.t0)[at], inputs.t0)


def test_the_calendar_of_easter_2013_knows_2_holidays_in_england_1_in_scotland_and_1_clock_change():
    panel = Panel(np.array(["a"]), START, 30, np.ones((1, 48 * 10), dtype=np.float32))
    thursday, tuesday = dt.date(2013, 3, 28), dt.date(2013, 4, 3)  # to the Tuesday after Easter
    cut = {"context_steps": 48, "horizon_steps": 1, "origins": local_midnights(thursday, tuesday)}
    flags = slice(KNOWN_NAMES.index("bank_holiday"), KNOWN_NAMES.index("clock_change") + 1)
    english = cut_windows(panel, **cut).inputs.known[:, 0, flags]
    assert english[:, 0].tolist() == [0, 1, 0, 0, 1, 0]
    assert english[:, 1].tolist() == [1, 0, 0, 0, 0, 1]  # at work
    assert english[:, 2].tolist() == [0, 0, 0, 0, 1, 1]  # at work on the next day
    assert english[:, 3].tolist() == [0, 0, 0, 1, 0, 0]
    scottish = cut_windows(panel, **cut, place=Place("scotland", 55.95, -3.19)).inputs.known[:, 0, flags]
    assert scottish[:, 0].tolist() == [0, 1, 0, 0, 0, 0]


def test_the_sun_of_a_step_is_that_of_its_middle_and_the_year_is_a_circle_of_radius_1():
    panel = Panel(np.array(["a"]), START, 30, np.ones((1, 48 * 10), dtype=np.float32))
    inputs = cut_windows(panel, context_steps=48, horizon_steps=48, origins=steps(96)).inputs
    sun, *year = (inputs.known[0, :, KNOWN_NAMES.index(name)] for name in KNOWN_NAMES[-3:])
    middle = inputs.ts()[0] + np.timedelta64(15, "m")
    slow = solar_elevation_deg(middle, latitude_deg=LONDON.latitude_deg, longitude_deg=LONDON.longitude_deg)
    np.testing.assert_allclose(sun, slow, rtol=1e-5)
    np.testing.assert_allclose(np.square(year).sum(axis=0), 1, rtol=1e-6)


def test_a_window_of_672_context_steps_and_48_ahead_weighs_under_3_000_bytes():
    panel = random_panel(np.random.default_rng(12), n_days=21)
    windows = cut_windows(panel, context_steps=672, horizon_steps=48, origins=steps(*range(672, 960, 48)))
    kept = [getattr(windows.inputs, field.name) for field in fields(windows.inputs)]
    weight = sum(x.nbytes for x in (*kept, windows.truth_kwh) if isinstance(x, np.ndarray))
    assert weight / len(windows) < 3000


@pytest.mark.parametrize(
    ("date", "unforecast", "twice"),
    [
        ("2013-10-27", ["2013-10-27T23:00", "2013-10-27T23:30"], []),
        ("2013-03-31", [], ["2013-03-31T23:00", "2013-03-31T23:30"]),
    ],
)
def test_48_steps_from_midnight_leave_2_half_hours_of_the_long_day_and_cover_2_of_the_short_one_twice(
    date, unforecast, twice
):
    day = np.timedelta64(1, "D")
    start = np.datetime64(date, "us") - 5 * day
    panel = Panel(np.array(["a"]), start, 30, np.ones((1, 48 * 10), dtype=np.float32))
    origins = local_midnights(start + day, start + 9 * day)
    ts = cut_windows(panel, context_steps=48, horizon_steps=48, origins=origins).inputs.ts().ravel()
    covered, times = np.unique(ts, return_counts=True)
    whole = np.arange(covered[0], covered[-1] + HALF_HOUR, HALF_HOUR)
    assert [str(x)[:16] for x in np.setdiff1d(whole, covered)] == unforecast
    assert [str(x)[:16] for x in covered[times > 1]] == twice
    assert times.max() == 1 + bool(twice)


def test_take_picks_by_mask_position_and_slice_the_same_1_window():
    windows = cut_windows(
        random_panel(np.random.default_rng(9), missing=0), context_steps=9, horizon_steps=5, origins=steps(9, 10)
    )
    by_mask = windows.take(np.arange(6) == 4)
    for other in (windows.take(np.array([4])), windows.take(slice(4, 5))):
        assert_same_inputs(by_mask.inputs, other.inputs)
    np.testing.assert_array_equal(by_mask.truth_kwh, windows.truth_kwh[4:5])
