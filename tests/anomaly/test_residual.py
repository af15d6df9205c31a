import dataclasses

import numpy as np
import pytest
from tests.anomaly.detector_fixtures import homes, ridge_residual, windows_of, with_context, with_day

from loadproof.anomaly.residual import ResidualDetector
from loadproof.baselines.persistence import PersistenceEnsemble
from loadproof.baselines.seasonal import SeasonalNaive
from loadproof.errors import SchemaError
from loadproof.features.windows import Inputs, Windows
from loadproof.forecaster import FitReport, Forecaster, make_forecast
from loadproof.schema import LEVELS


class Fixed(Forecaster):
    """Forecasts the same quantiles for everybody, and looks at nothing but inputs."""

    name = "fixed"

    def __init__(self):
        self.asked = []

    def fit(self, train, valid, *, rng):
        return FitReport(len(train), len(valid))

    def predict(self, inputs):
        assert type(inputs) is Inputs
        self.asked.append(inputs)
        quantiles = np.broadcast_to(np.array([0.1, 0.15, 0.2, 0.3, 0.5, 0.8, 1.2]), (len(inputs), 48, 7))
        return make_forecast(quantiles, LEVELS, quantiles[..., 3])


@pytest.fixture(scope="module")
def detector():
    windows = windows_of(homes(8, 44, seed=1))
    found = ridge_residual()
    found.fit(windows, windows_of(homes(8, 44, seed=2)), rng=np.random.default_rng(0))
    return found


def test_1_clean_reading_in_100_scores_above_a_half(detector):
    clean = windows_of(homes(20, 40, seed=3))
    assert np.mean(detector.score(clean).score > 0.5) == pytest.approx(0.01, abs=0.007)


def test_a_spike_is_above_and_a_dropout_below(detector):
    window = windows_of(homes(1, 29, seed=4))
    truth = window.truth_kwh.copy()
    truth[0, 20], truth[0, 30] = 8.0, 0.0
    scores = detector.score(with_day(window, truth))
    assert [scores.kinds[scores.kind[0, at]] for at in (20, 30)] == ["spike", "dropout"]
    assert scores.score[0, 20] > 0.5
    assert scores.score[0, 30] > 0.5


def test_what_is_asked_of_the_forecaster_holds_nothing_of_the_day():
    window, other = windows_of(homes(1, 29, seed=4)), windows_of(homes(1, 29, seed=4))
    forecaster = Fixed()
    found = ResidualDetector(forecaster)
    found.fit(window, window, rng=np.random.default_rng(0))
    forecaster.asked.clear()
    found.score(window)
    found.score(with_day(other, other.truth_kwh * 100))
    first, second = forecaster.asked
    np.testing.assert_array_equal(first.context_kwh, second.context_kwh)


def test_a_slip_of_units_in_the_context_scores_the_day_after_as_if_it_had_not_been_read(detector):
    window = windows_of(homes(1, 29, seed=6))
    slipped, missing = window.inputs.context_kwh.copy(), window.inputs.context_kwh.copy()
    slipped[0, -30] *= 1000
    slipped[0, -40] = -1
    missing[0, [-30, -40]] = np.nan
    of_slipped, of_missing = (detector.score(with_context(window, x)).score for x in (slipped, missing))
    np.testing.assert_allclose(of_slipped, of_missing, atol=0.02)


def test_the_state_of_another_forecaster_is_refused():
    windows = windows_of(homes(3, 40, seed=1))
    found = ResidualDetector(PersistenceEnsemble())
    found.fit(windows, windows, rng=np.random.default_rng(0))
    with pytest.raises(SchemaError, match="but of persistence_ensemble"):
        ResidualDetector(SeasonalNaive()).restore(found.state())
    again = ResidualDetector(PersistenceEnsemble())
    again.restore(found.state())
    np.testing.assert_array_equal(again.score(windows).score, found.score(windows).score)


def test_a_window_that_knows_nothing_of_its_home_has_no_evidence(detector):
    window = windows_of(homes(1, 29, seed=7))
    blind = dataclasses.replace(window.inputs, context_kwh=np.full_like(window.inputs.context_kwh, np.nan))
    assert (detector.score(Windows(blind, window.truth_kwh)).score == 0).all()
