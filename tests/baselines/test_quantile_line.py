import numpy as np
import pytest

from loadproof.baselines.quantile_line import fit_line, line_at
from loadproof.schema import LEVELS

NAMES = ("local_half_hour", "local_weekday", "days_28_mean_kwh", "day_1_kwh", "solar_elevation_deg")
Q = len(LEVELS)


def rows_of(n, rng):
    hours, weekdays = rng.integers(0, 48, n), rng.integers(0, 7, n)
    energy = rng.uniform(0.5, 2.0, (n, 2))
    return np.column_stack([hours, weekdays, energy, rng.uniform(-60, 60, n)]).astype(np.float32)


def test_on_noise_that_grows_with_yesterday_each_level_and_the_mean_lie_on_their_true_line_within_0_03():
    rng = np.random.default_rng(1)
    values = rows_of(8_000, rng)
    target = (values[:, 3] * rng.uniform(0, 1, len(values))).astype(np.float32)  # quantile q of it is q times yesterday
    line = fit_line(values, NAMES, target)
    found = line_at(line, values, NAMES)
    assert found.shape == (8_000, Q + 1)
    for at, level in enumerate([*LEVELS, 0.5]):
        assert np.abs(found[:, at] - level * values[:, 3]).max() < 0.15
        assert np.abs(found[:, at] - level * values[:, 3]).mean() < 0.03
    for at, level in enumerate(LEVELS):
        assert np.mean(target <= found[:, at]) == pytest.approx(level, abs=0.002)


def test_no_line_drawn_by_hand_beside_it_has_a_pinball_lower_by_0_1_per_cent():
    rng = np.random.default_rng(2)
    values = rows_of(3_000, rng)
    target = (values[:, 3] + rng.gamma(1.0, 0.5, len(values))).astype(np.float32)
    line = fit_line(values, NAMES, target)

    def loss(coefficients, at, level):
        away = target - line_at(line._replace(coefficients=coefficients), values, NAMES)[:, at]
        return np.maximum(level * away, (level - 1) * away).mean()

    for at, level in enumerate(LEVELS):
        best = loss(line.coefficients, at, level)
        for row in (0, 1, 2, 5):
            for push in (-0.03, 0.03):
                bent = line.coefficients.copy()
                bent[row, at] += push
                assert loss(bent, at, level) > 0.999 * best


def test_a_missing_energy_counts_as_the_mean_of_28_days_and_a_missing_angle_as_the_usual_1():
    rng = np.random.default_rng(3)
    values = rows_of(2_000, rng)
    line = fit_line(values, NAMES, values[:, 3])
    gaps, filled = values[:5].copy(), values[:5].copy()
    gaps[:, 3], filled[:, 3] = np.nan, values[:5, 2]
    gaps[:, 4], filled[:, 4] = np.nan, line.centre[2]
    np.testing.assert_allclose(line_at(line, gaps, NAMES), line_at(line, filled, NAMES), atol=1e-5)


def test_0_rows_give_0_answers_and_a_feature_never_known_changes_none():
    rng = np.random.default_rng(4)
    values = rows_of(2_000, rng)
    values[:, 4] = np.nan
    line = fit_line(values, NAMES, values[:, 3])
    assert line_at(line, values[:0], NAMES).shape == (0, Q + 1)
    assert np.isfinite(line_at(line, values, NAMES)).all()
