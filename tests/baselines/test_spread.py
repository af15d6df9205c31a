import numpy as np

from loadproof.baselines.spread import fit_spread, spread_at
from loadproof.schema import LEVELS


def test_2_groups_of_1_half_hour_have_the_quantiles_of_their_own_residuals():
    rng = np.random.default_rng(1)
    measure = rng.permutation(np.arange(200.0)).astype(np.float32)[:, None]
    residuals = np.where(measure < 100, measure / 100, -measure).astype(np.float32)
    spread = fit_spread(residuals, np.full((200, 1), 7), measure, groups=2)
    calm, wild = residuals[measure < 100], residuals[measure >= 100]
    np.testing.assert_allclose(spread.offsets[7], np.quantile([calm, wild], LEVELS, axis=1).T, rtol=1e-5)
    found = spread_at(spread, np.array([[7, 7]]), np.array([[3.0, 150.0]], dtype=np.float32))
    np.testing.assert_array_equal(found[0], spread.offsets[7])


def test_a_half_hour_never_seen_has_the_spread_of_all():
    residuals = np.arange(10, dtype=np.float32)[:, None]
    spread = fit_spread(residuals, np.zeros((10, 1), dtype=np.int64), np.ones((10, 1), dtype=np.float32), groups=1)
    np.testing.assert_allclose(spread.offsets[33, 0], np.quantile(np.arange(10), LEVELS), rtol=1e-6)


def test_equal_measures_leave_groups_empty_and_those_have_the_whole_half_hour_s():
    residuals = np.arange(10, dtype=np.float32)[:, None]
    spread = fit_spread(residuals, np.zeros((10, 1), dtype=np.int64), np.ones((10, 1), dtype=np.float32), groups=5)
    np.testing.assert_array_equal(spread.offsets[0], np.broadcast_to(spread.offsets[0, 0], (5, len(LEVELS))))
    assert np.isfinite(spread.offsets).all()
