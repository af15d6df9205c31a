"""Stretches and their errors, against loops."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from loadproof.anomaly.stretches import Series, Span, Stretches, errors_of, fit_span, spread_out, usual_errors
from loadproof.errors import ConfigError


def series_of(n=5, t=60, *, seed=0, missing=0.0):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, t)).cumsum(axis=1).astype(np.float32)
    z = (z - z.mean()) / z.std()
    known = rng.random(z.shape) >= missing
    return Series(np.where(known, z, np.float32(0)), known)


def slow_error(stretch, span):
    """TSB-AD's sum over the components of the distance to each over its share of the variance."""
    components = span.components.T
    return sum(np.linalg.norm(stretch - c) * w for c, w in zip(components, span.weight, strict=True))


def test_errors_are_the_sums_of_weighted_distances_to_all_8_components():
    series = series_of()
    span = fit_span(series, 8)
    error = errors_of(series, span).error
    assert error.shape == (5, 53)
    for n, j in ((0, 0), (2, 17), (4, 52)):
        assert error[n, j] == pytest.approx(slow_error(series.z[n, j : j + 8], span), rel=1e-4)
    np.testing.assert_allclose(errors_of(series, span, every=5).error, error[:, ::5], rtol=1e-6)


def test_components_and_shares_are_those_of_scikit_learn():
    series = series_of(40, 60, seed=1)
    span = fit_span(series, 8)
    rows = np.lib.stride_tricks.sliding_window_view(series.z, 8, axis=1)[:, ::3].reshape(-1, 8)
    pca = PCA().fit(np.concatenate([rows, -rows]))  # of mean 0, as ours are taken to be
    np.testing.assert_allclose(np.abs((span.components * pca.components_.T).sum(axis=0)), 1, atol=1e-3)
    np.testing.assert_allclose(1 / span.weight, np.maximum(pca.explained_variance_ratio_, 1e-4), rtol=1e-3)


def test_of_a_stretch_half_of_which_is_missing_the_rest_counts_twice():
    span = Span(np.eye(4, dtype=np.float32), np.ones(4, dtype=np.float32))
    whole = Series(np.float32([[2, 2, 2, 2]]), np.ones((1, 4), bool))
    half = Series(np.float32([[2, 2, 0, 0]]), np.array([[True, True, False, False]]))
    square = 16 + 1
    assert errors_of(whole, span).error[0, 0] == pytest.approx(4 * np.sqrt(square - 4))
    kept, lost = np.sqrt(square - 2 * 2 * np.sqrt(2)), np.sqrt(square)
    assert errors_of(half, span).error[0, 0] == pytest.approx(2 * kept + 2 * lost)
    assert errors_of(half, span).share[0, 0] == 0.5


def test_a_step_has_the_mean_of_the_stretches_that_hold_it_and_end_by_the_last():
    rng = np.random.default_rng(2)
    error, share = rng.random((3, 10)).astype(np.float32), rng.random((3, 10)).astype(np.float32)
    spread = spread_out(Stretches(error, share), 4)
    for step in range(10):
        ends = slice(step, min(step + 4, 10))
        slow = (error * share)[:, ends].sum(axis=1) / share[:, ends].sum(axis=1)
        np.testing.assert_allclose(spread[:, step], slow, rtol=1e-5)


def test_the_usual_error_is_the_median_of_the_stretches_that_are_mostly_there():
    series = series_of(2, 40, missing=0.1)
    span = fit_span(series_of(), 8)
    error, share = errors_of(series, span, every=8)
    wanted = [np.median(error[n][share[n] >= 0.5]) for n in range(2)]
    assert usual_errors(series, span, every=8) == pytest.approx(wanted, rel=1e-5)
    nothing = Series(np.zeros((1, 40), np.float32), np.zeros((1, 40), bool))
    assert np.isnan(usual_errors(nothing, span, every=8)).all()


def test_7_stretches_of_8_steps_are_too_few_to_learn_from():
    with pytest.raises(ConfigError, match="7 stretches of 8 steps"):
        fit_span(series_of(1, 7 + 3 * 7 - 1), 8)
