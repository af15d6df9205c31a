"""Found, how soon, how much, and how often for nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from loadproof.errors import SchemaError
from loadproof.evaluation.detection_events import (
    EVENT_FIGURES,
    EVENT_SUMS,
    event_delays,
    event_figures,
    sum_events,
)


def _mask(text):
    return np.array([[letter != "." for letter in text]])


def _figures(alarm, label, known=None):
    known = np.ones(alarm.shape, dtype=bool) if known is None else known
    return dict(zip(EVENT_FIGURES, event_figures(sum_events(alarm, label, known).sum(axis=0)), strict=True))


def _runs(mask):
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]])))
    return [set(range(a, b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _slow_range(events, others, alpha):
    """Tatbul et al. 2018, with sets of steps."""
    total = 0.0
    for event in events:
        touching = [other for other in others if event & other]
        overlap = sum(len(event & other) for other in touching) / len(event) / max(len(touching), 1)
        total += alpha * bool(touching) + (1 - alpha) * overlap
    return total / len(events) if events else np.nan


@given(arrays(np.bool_, (1, 30)), arrays(np.bool_, (1, 30)))
def test_range_recall_and_precision_are_those_of_sets_of_steps(alarm, label):
    found = _figures(alarm, label)
    events, alerts = _runs(label[0]), _runs(alarm[0])
    assert found["range_recall"] == pytest.approx(_slow_range(events, alerts, 0.2), nan_ok=True)
    assert found["range_precision"] == pytest.approx(_slow_range(alerts, events, 0.0), nan_ok=True)


def test_two_events_one_found_after_two_steps_and_one_alert_for_nothing():
    label = _mask("..xxxxxx....xx......")
    alarm = _mask("....xx..........xx..")
    found = _figures(alarm, label)
    assert found["event_recall"] == 0.5
    assert found["event_precision"] == 0.5
    assert found["event_f1"] == 0.5
    assert found["alerts_right"] == 0.5
    assert found["detection_delay"] == 2
    assert found["range_recall"] == pytest.approx((0.2 + 0.8 * 2 / 6) / 2)
    assert found["false_alarms"] == pytest.approx(1 / (20 / 336))
    assert event_delays(alarm, label, np.ones((1, 20), dtype=bool)) == pytest.approx([2, np.nan], nan_ok=True)


def test_one_alert_over_everything_finds_all_and_earns_only_the_prevalence_in_precision():
    label = np.zeros((1, 1000), dtype=bool)
    label[0, 500:510] = True
    found = _figures(np.ones((1, 1000), dtype=bool), label)
    assert (found["event_recall"], found["event_precision"]) == (1, 0.01)
    assert found["event_f1"] < 0.02


def test_missing_readings_part_nothing_and_count_for_nothing():
    label, known = _mask("..xx.xx..."), ~_mask("....x.....")
    alarm = _mask("..xx.xx...")
    found = sum_events(alarm, label, known)[0]
    sums = dict(zip(EVENT_SUMS, found, strict=True))
    assert (sums["events"], sums["alerts"], sums["alarmed"]) == (1, 1, 4)
    assert sums["weeks"] == pytest.approx(9 / 336)


def test_no_alarm_has_f1_0_and_no_precision_and_a_clean_home_has_no_recall():
    nothing, label = np.zeros((1, 48), dtype=bool), np.ones((1, 48), dtype=bool)
    found = _figures(nothing, label)
    assert found["event_f1"] == 0 and np.isnan(found["event_precision"]) and np.isnan(found["detection_delay"])
    clean = _figures(label, nothing)
    assert np.isnan(clean["event_recall"]) and clean["false_alarms"] == pytest.approx(7)
    with pytest.raises(SchemaError, match="one grid"):
        sum_events(nothing, label, nothing[:, :5])


@given(st.integers(0, 1000))
def test_sums_of_homes_are_the_sums_of_each_alone(seed):
    alarm, label, known = np.random.default_rng(seed).random((3, 4, 50)) < np.array([0.2, 0.1, 0.9])[:, None, None]
    whole = sum_events(alarm, label, known)
    for home in range(4):
        one = slice(home, home + 1)
        assert sum_events(alarm[one], label[one], known[one])[0] == pytest.approx(whole[home])
