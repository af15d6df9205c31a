import numpy as np
import pytest

from loadproof.anomaly.rolling import HISTORY_WEEKS, RULE_WEEKS, RollingAlarms

WEEK = 336


def scores(weeks=20, homes=30, *, seed=0):
    return np.random.default_rng(seed).random((homes, weeks * WEEK)).astype(np.float32)


def names(n):
    return np.array([f"h{i:03d}" for i in range(n)])


def test_of_scores_that_do_not_change_1_alert_a_home_and_week_is_made_within_10_percent():
    score = scores(24)
    rolling = RollingAlarms(score, names(30))
    stands = rolling.alarms(rolling.clean_p, alerts_per_week=1)[:, rolling.first_step :]
    starts = (np.diff(stands.astype(np.int8), axis=1, prepend=0) == 1).sum()
    assert starts / (30 * (24 - HISTORY_WEEKS - RULE_WEEKS)) == pytest.approx(1, rel=0.1)


def test_a_week_does_not_depend_on_what_came_later():
    score = scores()
    later = score.copy()
    later[:, 16 * WEEK :] = 0.999
    mine, other = (RollingAlarms(x, names(30)) for x in (score, later))
    first = slice(None, 16 * WEEK)
    np.testing.assert_array_equal(mine.clean_p[:, first], other.clean_p[:, first])
    np.testing.assert_array_equal(mine.thresholds(0.5)[first], other.thresholds(0.5)[first])


def test_before_14_weeks_no_alarm_stands_and_before_8_there_is_no_p_value():
    rolling = RollingAlarms(scores(), names(30))
    assert np.isnan(rolling.clean_p[:, : 8 * WEEK]).all()
    assert np.isfinite(rolling.clean_p[:, 8 * WEEK :]).all()
    assert not rolling.alarms(rolling.clean_p, alerts_per_week=1)[:, : 14 * WEEK].any()


def test_scores_that_are_all_alike_never_alarm():
    rolling = RollingAlarms(np.full((30, 20 * WEEK), 0.5, np.float32), names(30))
    assert not rolling.alarms(rolling.clean_p, alerts_per_week=0.1).any()


def test_homes_that_drift_do_not_alarm_ever_more_often():
    # Each week scores a little higher than the one before, and ranks high among all earlier ones.
    score = scores(30) + np.repeat(np.arange(30, dtype=np.float32) * 0.001, WEEK)
    rolling = RollingAlarms(score, names(30))
    stands = rolling.alarms(rolling.clean_p, alerts_per_week=1)[:, rolling.first_step :]
    starts = (np.diff(stands.astype(np.int8), axis=1, prepend=0) == 1).sum()
    assert starts / (30 * 16) == pytest.approx(1, rel=0.35)
