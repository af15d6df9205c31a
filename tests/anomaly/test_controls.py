"""Two detectors that know nothing."""

import numpy as np
from tests.anomaly.detector_fixtures import fitted, homes, windows_of


def test_a_constant_scores_every_reading_a_half():
    assert set(fitted("constant").score(windows_of(homes(2, 30))).score.ravel().tolist()) == {0.5}


def test_chance_differs_from_home_to_home_and_day_to_day_and_is_spread_evenly():
    score = fitted("random").score(windows_of(homes(20, 40))).score  # (240, 48)
    assert len(np.unique(score)) > 0.99 * score.size
    uniform = score / (1 - score.astype(np.float64))
    assert abs(uniform.mean() - 0.5) < 0.02
    assert abs((uniform < 0.1).mean() - 0.1) < 0.02


def test_another_seed_gives_another_chance_and_the_same_seed_the_same():
    windows = windows_of(homes(2, 30))
    one, two = fitted("random"), fitted("random")
    np.testing.assert_array_equal(one.score(windows).score, two.score(windows).score)
    two.fit(windows, windows, rng=np.random.default_rng(8))
    assert (one.score(windows).score != two.score(windows).score).mean() > 0.99
