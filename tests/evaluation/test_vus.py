"""Volumes under the surface: held against the textbook's loops and the figures of the published package."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from loadproof.evaluation.vus import RANKINGS, all_thresholds, count_alarms, rankings, telling_thresholds


def _runs(mask):
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]])))
    return list(zip(edges[::2], edges[1::2] - 1, strict=True))


def _slow_volumes(score, label, thresholds, buffer_steps):
    """Loop over buffers, thresholds, events and steps, as the paper tells it."""
    n, events = len(score), _runs(label)
    areas = []
    for width in range(buffer_steps + 1):
        half, soft = width // 2, label.astype(float)
        for first, last in events:
            for away in range(1, half + 1):
                for at in (first - away, last + away):
                    if 0 <= at < n:
                        soft[at] += np.sqrt(1 - away / width)
        soft = np.minimum(soft, 1)
        merged = []
        for first, last in events:
            if merged and merged[-1][1] >= first - half:
                merged[-1][1] = last + half
            else:
                merged.append([first - half, last + half])
        curve = [(0.0, 0.0, 1.0)]
        for threshold in thresholds:
            alarm = score >= threshold
            true = (soft * alarm).sum()
            wanted = (label.sum() + (soft * np.where(label, 1, alarm)).sum()) / 2
            found = sum(alarm[max(a, 0) : b + 1].any() for a, b in merged) / len(merged)
            recall = min(true / wanted, 1) * found
            curve.append((recall, (alarm.sum() - true) / (n - wanted), true / alarm.sum()))
        recall, false_share, precision = np.array(curve).T
        area_pr = (np.diff(recall) * precision[1:]).sum()
        recall, false_share = np.append(recall, 1), np.append(false_share, 1)
        areas.append((area_pr, (np.diff(false_share) * (recall[1:] + recall[:-1]) / 2).sum()))
    return np.mean(areas, axis=0)


def _case(seed, n=120, events=3, levels=None):
    rng = np.random.default_rng(seed)
    label = np.zeros(n, dtype=bool)
    for first in rng.integers(0, n, events):
        label[first : first + int(rng.integers(1, 15))] = True
    score = rng.random(n) + label * rng.random()
    return (score if levels is None else np.floor(score * levels)), label


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from([None, 3]), st.integers(0, 10))
def test_the_volumes_are_those_of_the_slow_loops(seed, levels, buffer_steps):
    score, label = _case(seed, levels=levels)
    thresholds = all_thresholds(score)
    found = rankings(count_alarms(score, label, thresholds, buffer_steps=buffer_steps))
    assert found[:2] == pytest.approx(_slow_volumes(score, label, thresholds, buffer_steps), abs=1e-12)


@given(st.integers(0, 10_000), st.sampled_from([None, 3]), st.integers(0, 10), st.sampled_from([0, 0.3]))
def test_the_thresholds_that_tell_give_the_figures_of_all(seed, levels, buffer_steps, missing):
    score, label = _case(seed, n=300, levels=levels)
    score[np.random.default_rng(seed).random(300) < missing] = np.nan
    few = telling_thresholds(score, label, buffer_steps=buffer_steps)
    found, wanted = (
        rankings(count_alarms(score, label, thresholds, buffer_steps=buffer_steps))
        for thresholds in (few, all_thresholds(score))
    )
    assert found == pytest.approx(wanted, abs=1e-12, nan_ok=True)


def test_the_volumes_are_those_of_the_published_package():
    # vus 0.0.6 (PyPI, Apache-2.0), RangeAUC_volume_opt with a window of 24 and 250 thresholds, computed once on this
    # series; its PR 0.545678 and ROC 0.841034.
    rng = np.random.default_rng(1)
    n = 3000
    score, label = rng.random(n), np.zeros(n, dtype=bool)
    for first in rng.integers(60, n - 160, 5):
        label[first : first + rng.integers(1, 60)] = True
    score = score + label * rng.random()
    thresholds = -np.sort(-score)[np.linspace(0, n - 1, 250).astype(int)]
    assert rankings(count_alarms(score, label, thresholds))[:2] == pytest.approx([0.545678, 0.841034], abs=1e-6)


@given(st.integers(0, 10_000), st.sampled_from([None, 3]))
def test_average_precision_and_roc_are_those_of_scikit_learn_and_missing_readings_are_left_out(seed, levels):
    score, label = _case(seed, levels=levels)
    gaps = np.random.default_rng(seed).random(len(score)) < 0.2
    known = ~gaps
    found = rankings(count_alarms(np.where(gaps, np.nan, score), label, all_thresholds(score)))
    if 0 < label[known].sum() < known.sum():
        wanted = average_precision_score(label[known], score[known]), roc_auc_score(label[known], score[known])
        assert found[2:] == pytest.approx(wanted, abs=1e-12)
    else:
        assert np.isnan(found).all()


def test_a_constant_score_earns_the_prevalence_and_a_random_one_about_as_much():
    label = np.zeros(4000, dtype=bool)
    label[1000:1100] = label[3000:3100] = True
    names = dict.fromkeys(RANKINGS)
    constant = dict(zip(names, rankings(count_alarms(np.full(4000, 0.5), label, np.array([0.5]))), strict=True))
    assert constant["average_precision"] == 0.05
    assert constant["roc_auc"] == 0.5
    assert 0.05 <= constant["vus_pr"] < 0.06
    score = np.random.default_rng(0).random(4000)
    chance = dict(zip(names, rankings(count_alarms(score, label, all_thresholds(score))), strict=True))
    assert chance["average_precision"] == pytest.approx(0.05, abs=0.01)
    assert chance["vus_pr"] < 0.08
    assert chance["roc_auc"] == pytest.approx(0.5, abs=0.05)


def test_perfect_scores_earn_one_and_an_alarm_an_hour_early_earns_some_volume_but_no_precision():
    label = np.zeros(500, dtype=bool)
    label[200:210] = True
    assert rankings(count_alarms(label * 1.0, label, np.array([1.0, 0.0]))) == pytest.approx([1, 1, 1, 1], abs=0.03)
    early = np.zeros(500)
    early[198] = 1
    found = rankings(count_alarms(early, label, np.array([1.0, 0.0])))
    none = rankings(count_alarms(np.roll(early, 200), label, np.array([1.0, 0.0])))
    assert found[0] > none[0] + 0.05
    assert found[2] == none[2]


def test_a_missing_reading_inside_an_event_does_not_part_it_and_one_wholly_missing_is_no_event():
    score, label = np.linspace(0, 1, 100), np.zeros(100, dtype=bool)
    label[40:50] = label[80:90] = True
    score[44] = np.nan
    score[80:90] = np.nan
    counts = count_alarms(score, label, all_thresholds(score), buffer_steps=4)
    assert counts.events.tolist() == [1] * 5
    assert (float(counts.labelled), float(counts.readings)) == (9, 89)
