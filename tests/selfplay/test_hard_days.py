"""Hard windows are known by the calendar, the cold, gaps and the context alone."""

from dataclasses import replace

import numpy as np
from tests.selfplay.game_fixtures import split, weather

from loadproof.selfplay.hard_days import HARD, hard_windows


def test_no_truth_is_needed_and_every_way_is_told():
    inputs = split().train.inputs
    assert tuple(hard_windows(inputs, weather())) == HARD


def test_christmas_to_new_year_and_good_friday_are_hard():
    days = np.array(
        ["2013-12-23", "2013-12-24", "2013-12-31", "2014-01-01", "2014-01-02", "2013-03-29"], dtype="datetime64[us]"
    )
    inputs = replace(split().train.take(slice(0, 6)).inputs, t0=days)
    assert hard_windows(inputs)["holidays"].tolist() == [False, True, True, True, False, True]


def test_the_coldest_tenth_of_days_is_cold_for_all_homes():
    inputs = split().train.inputs
    cold = hard_windows(inputs, weather())["cold"]
    days = np.unique(inputs.t0)
    chosen = np.unique(inputs.t0[cold])
    assert 1 <= len(chosen) <= 0.1 * len(days) + 1
    assert cold.sum() == np.isin(inputs.t0, chosen).sum()
    assert not hard_windows(inputs)["cold"].any()


def test_six_missing_hours_and_a_halved_load_are_hard():
    inputs = split().train.take(slice(40, 43)).inputs
    context = np.full_like(inputs.context_kwh, 0.4)
    context[1, -100:-88] = np.nan
    context[2, -96:] = 0.19
    ways = hard_windows(replace(inputs, context_kwh=context))
    assert ways["gaps"].tolist() == [False, True, False]
    assert ways["changed"].tolist() == [False, False, True]
