"""Sub-PCA."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score
from tests.anomaly.detector_fixtures import fitted, homes, windows_of, with_day

from loadproof.anomaly.subspace import SubPCADetector
from loadproof.errors import ConfigError
from loadproof.features.windows import Windows


def test_a_day_on_which_1_kw_is_left_on_scores_above_all_12_days_before():
    windows = windows_of(homes(1, 40, seed=3))
    truth = windows.truth_kwh.copy()
    truth[11, 10:40] += 0.5 + truth.mean()
    score = fitted("sub_pca").score(with_day(windows, truth)).score
    assert score[11, 10:40].min() > np.delete(score, 11, axis=0).max()


def test_in_homes_never_fitted_on_3_lost_hours_are_found_far_above_their_share():
    windows = windows_of(homes(8, 40, seed=5))
    rng = np.random.default_rng(0)
    truth, label = windows.truth_kwh.copy(), np.zeros(windows.truth_kwh.shape, bool)
    for n in rng.choice(len(windows), 20, replace=False):
        start = int(rng.integers(0, 42))
        label[n, start : start + 6] = True
    truth[label] = 0
    score = fitted("sub_pca").score(with_day(windows, truth)).score
    assert label.mean() < 0.03
    assert average_precision_score(label.ravel(), score.ravel()) > 0.7


def test_one_reading_in_a_hundred_of_the_validation_days_scores_above_a_half():
    train, valid = windows_of(homes(4, 40, seed=1)), windows_of(homes(10, 40, seed=2, missing=0.05))
    detector = SubPCADetector()
    detector.fit(train, valid, rng=np.random.default_rng(0))
    score = detector.score(valid).score
    assert np.nanmean(score > 0.5) == pytest.approx(0.01, abs=0.002)


def test_gaps_in_a_day_are_not_odd_in_themselves():
    windows = windows_of(homes(6, 40, seed=6))
    gappy = windows.truth_kwh.copy()
    gappy[np.random.default_rng(1).random(gappy.shape) < 0.3] = np.nan
    detector = fitted("sub_pca")
    whole, holed = detector.score(windows).score, detector.score(with_day(windows, gappy)).score
    known = ~np.isnan(gappy)
    assert np.median(holed[known]) == pytest.approx(np.median(whole[known]), rel=0.1)


def test_homes_ten_times_as_large_score_the_same():
    windows = windows_of(homes(2, 30, seed=7))
    large = windows_of(10 * homes(2, 30, seed=7))
    np.testing.assert_allclose(fitted("sub_pca").score(windows).score, fitted("sub_pca").score(large).score, atol=1e-4)


def test_each_refusal_names_its_mend():
    still = windows_of(np.full(36 * 48, 0.3))
    with pytest.raises(ConfigError, match="nothing that varies; train longer"):
        fitted("sub_pca", still)
    with pytest.raises(ConfigError, match="nothing that varies"):
        fitted("sub_pca", still.take(slice(0, 0)))
    holed = windows_of(homes(1, 29))
    holed = Windows(holed.inputs, np.where(np.arange(48) % 5, holed.truth_kwh, np.nan))
    holed.inputs.context_kwh[:, ::5] = np.nan
    with pytest.raises(ConfigError, match="without a gap, too few"):
        fitted("sub_pca", holed)
    with pytest.raises(ConfigError, match="give some of 1 to 10080 minutes"):
        SubPCADetector(span_mins=())


def test_a_home_ten_times_as_calm_as_the_pool_is_held_against_the_pool():
    energy = homes(1, 40, seed=8)
    shape = energy.reshape(40, 48).mean(axis=0)
    calm = windows_of(np.tile(shape, 40) * (energy / np.tile(shape, 40)) ** 0.1)
    score = fitted("sub_pca").score(calm).score
    assert np.median(score) < 0.8 * np.median(fitted("sub_pca").score(windows_of(homes(1, 40, seed=8))).score)
