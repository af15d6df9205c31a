"""Figures over homes: each by itself, all together, and in draws of homes."""

import numpy as np
import pytest

from loadproof.errors import SchemaError
from loadproof.evaluation.bootstrap import draw_weights
from loadproof.evaluation.detection import (
    count_homes,
    intervals,
    mean_over_homes,
    pooled_rankings,
    rank_homes,
    sums_over_homes,
)
from loadproof.evaluation.vus import all_thresholds, count_alarms, rankings


def _homes(seed=0, homes=6, steps=1500):
    rng = np.random.default_rng(seed)
    label = np.zeros((homes, steps), dtype=bool)
    for home in range(homes - 1):  # the last has no event
        first = int(rng.integers(100, steps - 100))
        label[home, first : first + 24] = True
    score = rng.random((homes, steps)) + 0.5 * label
    score[rng.random(score.shape) < 0.05] = np.nan
    return score.astype(np.float32), label


def test_each_home_is_ranked_as_if_alone_and_one_without_event_has_no_figure():
    score, label = _homes()
    found = rank_homes(score, label)
    alone = rankings(count_alarms(score[2], label[2], all_thresholds(score[2])))
    assert found[2] == pytest.approx(alone)
    assert np.isnan(found[5]).all() and not np.isnan(found[:5]).any()


def test_pooled_homes_are_one_long_series_within_0_005_whatever_the_order():
    score, label = _homes()
    pooled = pooled_rankings(count_homes(score, label), np.ones((1, 6)))[0]
    gap = np.full((6, 24), np.nan, dtype=np.float32)  # so that no buffer reaches the next home
    long = np.concatenate([score, gap], axis=1).ravel()
    marked = np.concatenate([label, np.zeros((6, 24), dtype=bool)], axis=1).ravel()
    assert pooled == pytest.approx(rankings(count_alarms(long, marked, all_thresholds(long))), abs=0.005)
    turned = pooled_rankings(count_homes(score[::-1], label[::-1]), np.ones((1, 6)))[0]
    assert turned == pytest.approx(pooled, abs=1e-12)


def test_a_draw_that_takes_a_home_twice_is_the_pool_with_that_home_twice():
    score, label = _homes()
    drawn = pooled_rankings(count_homes(score, label), np.array([[2.0, 1, 0, 1, 1, 1]]))[0]
    taken = [0, 0, 1, 3, 4, 5]
    # The homes that are drawn have other ranks and so other thresholds than all homes have.
    again = pooled_rankings(count_homes(score[taken], label[taken]), np.ones((1, 6)))[0]
    assert drawn == pytest.approx(again, abs=0.01)


def test_a_better_detector_is_better_in_the_same_draws_and_three_homes_give_no_interval():
    score, label = _homes(homes=12)
    better = score + label
    homes = draw_weights(12, 1, draws=200, rng=np.random.default_rng(0)).homes
    figures = rank_homes(better, label) - rank_homes(score, label)
    (vus_pr, *_) = intervals(mean_over_homes(figures, np.ones((1, 12)))[0], mean_over_homes(figures, homes), n_homes=12)
    assert 0 < vus_pr.low < vus_pr.value < vus_pr.high
    assert np.isnan(intervals(np.ones(1), np.ones((9, 1)), n_homes=3)[0].low)
    assert sums_over_homes(np.array([[1.0], [10.0]]), np.array([[2.0, 1.0]])).tolist() == [[12.0]]


def test_scores_on_another_grid_than_their_labels_and_no_scores_at_all_are_refused():
    with pytest.raises(SchemaError, match="one grid"):
        rank_homes(np.zeros((1, 2)), np.zeros((1, 3), dtype=bool))
    with pytest.raises(SchemaError, match="hold readings"):
        count_homes(np.full((1, 2), np.nan), np.zeros((1, 2), dtype=bool))
