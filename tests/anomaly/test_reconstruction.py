import numpy as np
import pytest
from tests.anomaly.detector_fixtures import homes, windows_of, with_day

from loadproof.anomaly.reconstruction import AutoencoderDetector
from loadproof.config import AutoencoderConfig
from loadproof.errors import ConfigError

KNOBS = AutoencoderConfig(width=32, code=4, epochs=4, batch_days=64)


@pytest.fixture(scope="module")
def detector():
    found = AutoencoderDetector(KNOBS)
    train, valid = windows_of(homes(20, 36, seed=1)), windows_of(homes(20, 36, seed=2))
    found.fit(train, valid, rng=np.random.default_rng(0))
    return found


def test_1_clean_reading_in_100_scores_above_a_half(detector):
    clean = windows_of(homes(40, 40, seed=3))
    assert np.mean(detector.score(clean).score > 0.5) == pytest.approx(0.01, abs=0.005)


def test_a_spike_and_a_dropout_are_the_oddest_readings_of_their_day(detector):
    window = windows_of(homes(1, 29, seed=4))
    for reading in (6.0, 0.0):
        truth = window.truth_kwh.copy()
        truth[0, 30] = reading
        score = detector.score(with_day(window, truth)).score[0]
        assert score.argmax() == 30
        assert score[30] > 0.5


def test_a_home_that_never_is_regular_is_held_against_its_own_past(detector):
    rng = np.random.default_rng(5)
    calm = homes(1, 40, seed=5)
    wild = calm * rng.gamma(0.5, 2, calm.shape).astype(np.float32)
    own = np.mean(detector.score(windows_of(wild)).score > 0.5)
    sudden = np.concatenate([calm[:, : 28 * 48], wild[:, 28 * 48 :]], axis=1)
    assert np.mean(detector.score(windows_of(sudden)).score > 0.5) > 3 * own


def test_days_of_other_steps_than_those_learned_are_refused(detector):
    hourly = windows_of(homes(1, 30, per_day=24), context_steps=672, per_day=24)
    with pytest.raises(ConfigError, match="days of 48 steps and is given 24"):
        detector.score(hourly)


def test_homes_that_never_vary_teach_nothing():
    still = windows_of(np.full((2, 30 * 48), 0.2, np.float32))
    with pytest.raises(ConfigError, match="nothing that varies"):
        AutoencoderDetector(KNOBS).fit(still, still, rng=np.random.default_rng(0))
