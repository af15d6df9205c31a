"""The robust seasonal z-score."""

import numpy as np
import pytest
from tests.anomaly.detector_fixtures import fitted, homes, kinds_at, windows_of, with_day

from loadproof.anomaly.seasonal import ODD_Z
from loadproof.anomaly.usual import SPREAD_FLOOR


def test_a_reading_3_5_spreads_above_the_median_scores_a_half_and_twice_as_far_two_thirds():
    energy = np.tile(np.float32([0.8, 1.2]), 29 * 24)  # each half hour is the same every day: the spread is the floor
    windows = windows_of(energy)
    step = ODD_Z * SPREAD_FLOOR  # the home's usual energy per step is 1 kWh
    truth = windows.truth_kwh.copy()
    truth[0, [10, 20]] += step, 2 * step
    truth[0, 30] -= 2 * step
    scores = fitted("seasonal_zscore", windows).score(with_day(windows, truth))
    assert scores.score[0, [10, 20, 30]] == pytest.approx([0.5, 2 / 3, 2 / 3], rel=1e-5)
    assert np.delete(scores.score[0], [10, 20, 30]).max() < 1e-6
    at = np.arange(48)[None]
    assert (kinds_at(scores, at == 20), kinds_at(scores, at == 30), kinds_at(scores, at == 5)) == (
        {"spike"}, {"dropout"}, {None},
    )  # fmt: skip


def test_a_day_of_half_a_kilowatt_more_all_day_is_a_level_shift():
    windows = windows_of(homes(1, 29))
    scores = fitted("seasonal_zscore", windows).score(with_day(windows, windows.truth_kwh + 2))
    assert kinds_at(scores, scores.score > 0.5) == {"level_shift"}
    assert (scores.score > 0.5).mean() > 0.9


def test_a_saturday_is_held_against_the_weekends_which_are_ten_times_as_loud():
    energy = homes(1, 40, seed=2)
    energy *= 1 + 9 * (np.arange(40) % 7 >= 5).repeat(48)
    windows = windows_of(energy, first=28, last=35)
    score = fitted("seasonal_zscore", windows).score(windows).score  # Monday to Sunday
    assert np.median(score[5:]) < 0.25
    monday = with_day(windows.take(slice(0, 1)), windows.truth_kwh[5])
    assert np.median(fitted("seasonal_zscore", windows).score(monday).score) > 0.45
