import datetime as dt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.features.panel_fixtures import HALF_HOUR

from loadproof.errors import ConfigError
from loadproof.evaluation.folds import (
    Span,
    blocked_folds,
    chronological_fold,
    data_begins,
    hide,
    local_origins,
    rotating,
    split_fold,
)
from loadproof.features.calendar import to_local
from loadproof.features.panel import Panel
from loadproof.features.windows import cut_windows

DAY = np.timedelta64(1, "D")
START = np.datetime64("2013-01-01", "us")
BLOCKS = [dt.date(2013, 1, 1), dt.date(2013, 2, 1), dt.date(2013, 3, 1), dt.date(2013, 3, 25)]
UNTIL = dt.date(2013, 5, 1)


def year_panel(n_days=120, n_homes=2):
    energy = np.ones((n_homes, 48 * n_days), dtype=np.float32)
    return Panel(np.array([f"h{i}" for i in range(n_homes)]), START, 30, energy)


def windows_of(panel, *, context=96, horizon=48, lag=0):
    origins = local_origins(dt.date(2013, 1, 1), UNTIL)
    return cut_windows(panel, context_steps=context, horizon_steps=horizon, origins=origins, data_lag_steps=lag)


def folds_of(context=96, valid_days=7):
    return blocked_folds(
        BLOCKS, UNTIL, valid_days=valid_days, context_steps=context, interval_mins=30, first=START
    )  # fmt: skip


def spans(windows, *, before=0, after=0):
    """The half hours, as numbers since START, that each window holds: its context and its truth."""
    t0 = ((windows.inputs.t0 - START) // HALF_HOUR).astype(int)
    context = windows.inputs.context_kwh.shape[1]
    return [set(range(t - context - before, t + windows.inputs.horizon_steps + after)) for t in t0]


def halves_in(span):
    first, last = ((edge - START) // HALF_HOUR for edge in span)
    return set(range(int(first), int(last)))


@settings(max_examples=15)
@given(context=st.integers(48, 700), horizon=st.sampled_from([1, 48, 200]), lag=st.sampled_from([0, 30]))
def test_of_1_half_hour_of_a_block_held_out_nothing_is_learned_on_either_side(context, horizon, lag):
    windows = windows_of(year_panel(n_homes=1), context=context, horizon=horizon, lag=lag)
    middle = folds_of(context)[1]
    late = middle._replace(valid=Span(middle.test.end + 30 * DAY, middle.test.end + 40 * DAY))
    for fold in [*folds_of(context), late]:
        split = split_fold(windows, fold)
        held = halves_in(fold.test)
        for window in [*spans(split.train), *spans(split.valid)]:
            assert not window & held
        for window in spans(split.train):
            ahead_of_valid = min(window) < min(halves_in(fold.valid))
            assert not window & halves_in(fold.valid) or not ahead_of_valid
        t0 = split.test.inputs.t0
        assert (t0 >= fold.test.start).all()
        assert (t0 + horizon * HALF_HOUR <= fold.test.end).all()


def test_every_origin_of_4_blocks_is_judged_in_exactly_1_of_them():
    windows = windows_of(year_panel())
    judged = np.concatenate([split_fold(windows, fold).test.inputs.t0 for fold in folds_of()])
    assert len(judged) == len(windows) == 2 * 119
    assert sorted(judged) == sorted(windows.inputs.t0)


def test_a_day_of_23_hours_at_the_end_of_a_block_is_in_none_for_its_window_reaches_into_the_next():
    borders = [dt.date(2013, 3, 1), dt.date(2013, 4, 1)]
    folds = blocked_folds(borders, UNTIL, valid_days=7, context_steps=96, interval_mins=30, first=START)
    march, april = (split_fold(windows_of(year_panel(n_homes=1)), fold).test.inputs.t0 for fold in folds)
    assert march.max() == np.datetime64("2013-03-30", "us")
    assert april.min() == np.datetime64("2013-03-31T23:00", "us")


def test_the_first_block_validates_on_the_7_days_after_it_from_the_first_window_without_its_half_hours():
    first, second, *_ = folds_of()
    assert second.valid == (np.datetime64("2013-01-25", "us"), np.datetime64("2013-02-01", "us"))
    assert first.valid == (np.datetime64("2013-02-03", "us"), np.datetime64("2013-02-10", "us"))
    assert first.name == "held_2013-01-01"
    split = split_fold(windows_of(year_panel()), first)
    assert split.valid.inputs.t0.min() == np.datetime64("2013-02-03", "us")
    # From 10 February a context of 2 days lies after the validation block.
    assert split.train.inputs.t0.min() == np.datetime64("2013-02-12", "us")


def test_the_plain_split_learns_from_59_days_before_and_from_none_after():
    fold = chronological_fold(dt.date(2013, 3, 1), dt.date(2013, 3, 15), dt.date(2013, 3, 25))
    split = split_fold(windows_of(year_panel(n_homes=1)), fold)
    assert split.train.inputs.t0.max() == np.datetime64("2013-02-28", "us")
    assert [len(block) for block in split[:3]] == [58, 14, 10]
    assert split.dropped == 119 - 58 - 14 - 10
    with pytest.raises(ConfigError, match="valid_from < test_from"):
        chronological_fold(dt.date(2013, 3, 15), dt.date(2013, 3, 1), dt.date(2013, 4, 1))


def test_a_lag_of_7_days_keeps_the_last_7_training_days_out():
    fold = chronological_fold(dt.date(2013, 3, 1), dt.date(2013, 3, 15), dt.date(2013, 3, 25))
    split = split_fold(windows_of(year_panel(n_homes=1), context=400, lag=336), fold)
    assert split.train.inputs.t0.max() == np.datetime64("2013-02-21", "us")
    assert split.test.inputs.t0.max() == np.datetime64("2013-03-24", "us")


def test_a_refit_10_days_on_learns_the_9_days_whose_truth_was_published():
    fold = folds_of()[1]
    windows = windows_of(year_panel(n_homes=1), context=96, lag=48)
    once, later = (
        split_fold(windows, fold, learned_until=until).train.inputs.t0 for until in (None, fold.test.start + 10 * DAY)
    )
    extra = np.setdiff1d(later, once)
    assert len(extra) == 9
    assert extra.max() == fold.test.start + 8 * DAY


def test_hiding_a_block_hides_its_1344_half_hours_and_in_plain_order_all_that_follow():
    panel = year_panel()
    held = hide(panel, folds_of()[1])
    assert np.isnan(held.energy_kwh).sum(axis=1).tolist() == [28 * 48] * 2
    plain = hide(panel, chronological_fold(dt.date(2013, 2, 1), dt.date(2013, 3, 1), dt.date(2013, 4, 1)))
    assert np.isnan(plain.energy_kwh).sum() == 2 * 61 * 48
    assert not np.isnan(panel.energy_kwh).any()


def test_origins_every_6_hours_stay_at_the_same_local_hours_over_both_clock_changes():
    for first, last in (("2013-03-29", "2013-04-02"), ("2013-10-25", "2013-10-29")):
        days = dt.date.fromisoformat(first), dt.date.fromisoformat(last)
        origins = local_origins(*days, hours=(0, 6, 12, 18))
        assert len(origins) == 16
        assert set((to_local(origins) - to_local(origins).astype("datetime64[D]")) // np.timedelta64(1, "h")) == {
            0, 6, 12, 18,
        }  # fmt: skip
        assert (np.diff(origins) > np.timedelta64(0)).all()


def test_an_hour_that_a_day_lacks_gives_no_origin_and_one_that_it_has_twice_gives_1():
    spring = local_origins(dt.date(2013, 3, 30), dt.date(2013, 4, 2), hours=(1,))
    assert spring.astype(str).tolist() == ["2013-03-30T01:00:00.000000", "2013-04-01T00:00:00.000000"]
    autumn = local_origins(dt.date(2013, 10, 27), dt.date(2013, 10, 28), hours=(1,))
    assert autumn.astype(str).tolist() == ["2013-10-27T00:00:00.000000"]


def test_rotating_judges_each_home_on_every_7th_day_and_3_homes_on_3_different_days():
    windows = windows_of(year_panel(n_homes=3))
    chosen = windows.take(rotating(windows, 7)).inputs
    first = {}
    for home in ("h0", "h1", "h2"):
        t0 = chosen.t0[chosen.entity == home]
        assert set(np.diff(t0.astype("datetime64[D]"))) == {np.timedelta64(7, "D")}
        first[home] = t0[0]
    assert len(set(first.values())) == 3


def test_data_begins_when_2_of_4_homes_report_not_with_the_1_early_one():
    energy = np.full((4, 480), np.nan, dtype=np.float32)
    energy[0], energy[1:3, 48:], energy[3, 96:] = 1, 1, 1
    assert data_begins(Panel(np.array(list("abcd")), START, 30, energy)) == START + DAY
