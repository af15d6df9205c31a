"""The rate of alerts is the one that was asked for."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from loadproof.anomaly.alert_rule import AlertRule, alarm_mask, alert_rate, choose_rule
from loadproof.errors import ConfigError


def _clean(seed, homes=50, weeks=8):
    return np.random.default_rng(seed).random((homes, weeks * 336)).astype(np.float32)


@pytest.mark.parametrize("wanted", [0.1, 1, 5])
def test_on_clean_readings_the_achieved_rate_is_within_20_percent_of_the_chosen_one(wanted):
    rule = choose_rule(_clean(0), alerts_per_week=wanted)
    assert alert_rate(_clean(0), rule).per_week <= wanted
    assert alert_rate(_clean(1, homes=200), rule).per_week == pytest.approx(wanted, rel=0.2)


@given(arrays(np.float32, (2, 30), elements=st.sampled_from([0.01, 0.5, np.nan])), st.integers(0, 4))
def test_an_alert_goes_from_its_first_odd_reading_to_its_last_and_joins_over_short_gaps(p, join_steps):
    rule = AlertRule(0.1, join_steps, 1)
    wanted = p == np.float32(0.01)
    for row in wanted:
        odd = np.flatnonzero(row)
        for before, after in itertools.pairwise(odd):
            if after - before - 1 <= join_steps:
                row[before:after] = True
    assert np.array_equal(alarm_mask(p, rule), wanted)


def test_alerts_two_hours_apart_are_one_and_are_counted_per_home_and_week():
    p = np.ones((2, 336), dtype=np.float32)
    p[0, [10, 15, 100]] = 1e-4  # four readings lie between the first two
    p[1, 10] = np.nan
    rate = alert_rate(p, AlertRule(0.001, 4, 1))
    assert rate.alerts.tolist() == [2, 0]
    assert rate.weeks == pytest.approx([1, 335 / 336])
    assert alert_rate(p, AlertRule(0.001, 3, 1)).alerts.tolist() == [3, 0]


def test_a_rate_that_history_cannot_tell_and_scores_all_alike_are_refused():
    with pytest.raises(ConfigError, match="more clean history"):
        choose_rule(np.full((3, 336), 1, dtype=np.float32), alerts_per_week=0.1)
    tied = np.where(_clean(0, homes=2) < 0.01, np.float32(0.001), np.float32(1))
    with pytest.raises(ConfigError, match="raise alerts_per_week"):
        choose_rule(tied, alerts_per_week=0.1)


def test_hourly_readings_make_the_rate_per_week_of_168_hours():
    p = np.random.default_rng(0).random((40, 20 * 168)).astype(np.float32)
    rule = choose_rule(p, alerts_per_week=0.5, interval_mins=60)
    assert rule.join_steps == 2
    assert alert_rate(p, rule, interval_mins=60).per_week == pytest.approx(0.5, rel=0.05)
