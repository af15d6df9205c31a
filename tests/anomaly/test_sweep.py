"""A few homes at a time, on one thread or two, score as all at once."""

import datetime as dt

import numpy as np
import pytest
from tests.anomaly.detector_fixtures import fitted, homes, panel_of
from tests.anomaly.tiny_detector import TinyDetector

from loadproof.anomaly import sweep
from loadproof.anomaly.days import cut_days, cut_learning_days
from loadproof.anomaly.sweep import Sweep, join_scores
from loadproof.errors import SchemaError

FIRST, LAST = dt.date(2013, 2, 8), dt.date(2013, 2, 15)


@pytest.fixture(scope="module")
def panel():
    return panel_of(homes(5, 40, seed=3, missing=0.05))


@pytest.mark.parametrize("name", ("sub_pca", "physical"))
@pytest.mark.parametrize("threads", (1, 2))
def test_5_homes_in_chunks_of_2_score_bit_for_bit_as_in_one(panel, monkeypatch, name, threads):
    detector = fitted(name)
    windows = cut_days(panel, FIRST, LAST, require_truth=False)
    whole = detector.score(windows)
    monkeypatch.setattr(sweep, "_CHUNK_VALUES", 2 * 7 * 29 * 48)
    days = Sweep(panel, FIRST, LAST, threads=threads)
    parts = list(days.score(detector))
    found = join_scores(parts)
    assert len(parts) == days.chunks == 3
    np.testing.assert_array_equal(found.scores.score, whole.score)
    np.testing.assert_array_equal(found.scores.kind, whole.kind)
    np.testing.assert_array_equal(found.inputs.entity, windows.inputs.entity)
    np.testing.assert_array_equal(found.inputs.t0, windows.inputs.t0)
    assert found.inputs.context_kwh.shape == (35, 0)


def test_days_without_any_reading_are_there_and_score_nan(panel):
    energy = panel.energy_kwh.copy()
    energy[1, 33 * 48 : 35 * 48] = np.nan  # 9 and 10 February
    found = join_scores(Sweep(panel_of(energy), FIRST, LAST).score(TinyDetector()))
    assert len(found.inputs) == 35
    assert np.isnan(found.scores.score).all(axis=1).sum() == 2


def test_where_no_day_lies_there_is_nothing_to_join(panel):
    with pytest.raises(SchemaError, match="no day was scored; choose days that the readings hold"):
        join_scores(Sweep(panel, dt.date(2015, 1, 1), dt.date(2015, 1, 3)).score(TinyDetector()))


def test_70_learning_days_of_5_homes_with_50_at_most_are_every_eighth_day_and_never_every_seventh(panel):
    panel = panel_of(homes(5, 98, seed=3))
    days = cut_learning_days(panel, dt.date(2013, 2, 4), dt.date(2013, 4, 15), most=50)
    gap = np.diff(np.unique(days.inputs.t0)).astype("timedelta64[D]").astype(int)
    assert len(days) == 45 and set(gap.tolist()) <= {7, 8}  # of local days; one is an hour short
    assert len(np.unique(days.inputs.t0.astype("datetime64[D]").astype(int) % 7)) == 7
