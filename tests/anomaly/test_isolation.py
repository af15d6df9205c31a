"""The isolation forest on traits."""

import numpy as np
import pytest
from tests.anomaly.detector_fixtures import fitted, homes, windows_of, with_day

from loadproof.errors import ConfigError
from loadproof.features.windows import Windows


def test_a_register_stuck_for_12_hours_is_told_from_12_ordinary_days():
    windows = windows_of(homes(1, 40, seed=3))
    truth = windows.truth_kwh.copy()
    truth[6, 12:36] = truth[6, 12]
    score = fitted("isolation_forest").score(with_day(windows, truth)).score
    assert np.median(score[6, 12:36]) > np.quantile(np.delete(score, 6, axis=0), 0.99)


def test_the_same_seed_grows_the_same_forest():
    windows = windows_of(homes(2, 32))
    one, two = (fitted("isolation_forest", trees=10).score(windows).score for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_days_without_a_reading_teach_nothing():
    windows = windows_of(homes(1, 30))
    with pytest.raises(ConfigError, match="0 half hours are nothing to grow a forest on"):
        fitted("isolation_forest", Windows(windows.inputs, np.full_like(windows.truth_kwh, np.nan)))
    with pytest.raises(ConfigError, match="0 half hours"):
        fitted("isolation_forest", windows.take(slice(0, 0)))
