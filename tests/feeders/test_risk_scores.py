"""Scores of probabilities, by hand."""

import numpy as np
import pytest

from loadproof.feeders.risk_scores import Alarms, Judged, alarm_rows, brier_rows, reliability_rows


def rows(found):
    return {(row["metric"], row["slice"]): row for row in found}


def rng():
    return np.random.default_rng(4)


def test_the_brier_score_of_a_half_on_two_events_of_four_is_a_quarter_and_its_skill_over_itself_nothing():
    judged = Judged(np.full((4, 1), 0.5), np.array([[1.0], [1], [0], [0]]), np.arange(4))
    others = {"half": np.full((4, 1), 0.5), "tenth": np.full((4, 1), 0.1)}
    found = rows(brier_rows(judged, others, draws=200, rng=rng()))
    assert found["brier", "all"]["value"] == 0.25
    assert found["event_rate", "all"]["value"] == 0.5
    assert found["brier_skill:half", "all"]["value"] == 0
    # (0.9^2 + 0.9^2 + 0.1^2 + 0.1^2) / 4 = 0.41
    assert found["brier_skill:tenth", "all"]["value"] == pytest.approx(1 - 0.25 / 0.41)
    assert found["brier_skill:half", "all"]["low"] == found["brier_skill:half", "all"]["high"] == 0


def test_an_unknown_truth_counts_nowhere():
    judged = Judged(np.array([[0.5, 0.9]]), np.array([[1.0, np.nan]]), np.array([0]))
    found = rows(brier_rows(judged, {}, draws=10, rng=rng()))
    assert (found["brier", "all"]["value"], found["brier", "all"]["n"]) == (0.25, 1)
    assert np.isnan(found["brier", "all"]["low"])  # one week is no interval
    bins = rows(reliability_rows(judged, draws=10, rng=rng()))
    assert ("observed", "0.9-1") not in bins
    assert bins["observed", "0.5-0.6"]["value"] == 1


def test_reliability_tells_forecast_and_observed_per_bin_and_their_mean_distance():
    probability = np.array([[0.04, 0.04, 0.04, 0.04, 0.65, 0.65]])
    event = np.array([[0.0, 0, 0, 1, 1, 1]])
    found = rows(reliability_rows(Judged(probability, event, np.array([0])), draws=10, rng=rng()))
    assert found["observed", "0.02-0.05"]["value"] == 0.25
    assert found["forecast", "0.02-0.05"]["value"] == pytest.approx(0.04)
    assert found["observed", "0.6-0.7"]["value"] == 1
    assert found["reliability_error", "all"]["value"] == pytest.approx((4 * 0.21 + 2 * 0.35) / 6)


def test_probabilities_that_are_true_come_out_reliable_within_their_intervals():
    draw = rng()
    probability = draw.random((2000, 20)) ** 2
    event = (draw.random(probability.shape) < probability).astype(float)
    judged = Judged(probability, event, np.arange(2000) % 26)
    found = rows(reliability_rows(judged, draws=400, rng=rng()))
    observed = [row for (metric, _), row in found.items() if metric == "observed"]
    inside = [row["low"] <= found["forecast", row["slice"]]["value"] <= row["high"] for row in observed]
    assert len(inside) == 13
    assert sum(inside) >= 11
    assert found["reliability_error", "all"]["value"] < 0.01


def alarms():
    # Two days of three feeders; on each the likeliest is right, the second is a false alarm, the third is quiet.
    chance = np.array([0.9, 0.6, 0.1, 0.7, 0.55, 0.2])
    event = np.array([1.0, 0, 0, 1, 0, 1])
    first = np.array([18.0, np.nan, np.nan, 17.5, np.nan, 20])
    lead = np.stack([first + 24, first], axis=1)
    return Alarms(chance, event, first, lead, np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 0, 1, 1, 1]))


def test_hits_false_alarms_misses_and_lead_times_are_counted_by_threshold_and_precision_by_rank():
    found = rows(alarm_rows(alarms(), ks=(1, 2), thresholds=(0.5, 0.65), draws=10, rng=rng()))
    assert found["day_rate", "all"]["value"] == 0.5
    assert found["precision", "k=1"]["value"] == 1
    assert found["precision", "k=2"]["value"] == 0.5
    counts = [found[metric, "p=0.5"]["value"] for metric in ("hits", "false_alarms", "misses")]
    assert counts == [2, 2, 1]
    assert found["recall", "p=0.5"]["value"] == pytest.approx(2 / 3)
    assert found["lead_hours", "p=0.5"]["value"] == pytest.approx(24 + 17.75)
    assert found["precision", "p=0.65"]["value"] == 1
    assert found["lead_hours", "p=0.65"]["value"] == pytest.approx(17.75)


def test_a_day_of_which_nobody_knows_the_outcome_is_neither_right_nor_wrong():
    unknown = alarms()._replace(event=np.array([np.nan, 0, 0, 1, 0, 1]))
    found = rows(alarm_rows(unknown, ks=(1,), thresholds=(0.5,), draws=10, rng=rng()))
    assert (found["precision", "k=1"]["value"], found["precision", "k=1"]["n"]) == (1, 1)
    assert found["hits", "p=0.5"]["value"] == 1
