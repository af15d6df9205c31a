"""A day scored as it comes has the scores that it has in bulk."""

import datetime as dt
import itertools

import numpy as np
import pytest
from tests.anomaly.detector_fixtures import DETECTORS, fitted, homes
from tests.anomaly.tiny_detector import TinyDetector

from loadproof.anomaly.days import cut_days
from loadproof.anomaly.stream import Stream
from loadproof.errors import ConfigError
from loadproof.features.calendar import local_midnights
from loadproof.features.panel import Panel


def _panel(start, days=60):
    energy = np.random.default_rng(0).gamma(2, 0.2, (3, days * 48)).astype(np.float32)
    energy[np.random.default_rng(1).random(energy.shape) < 0.02] = np.nan
    energy[2, : 40 * 48] = np.nan  # a home that comes late
    return Panel(np.array(["a", "b", "c"]), np.datetime64(start, "us"), 30, energy)


def _part(panel, first, last):
    a, b = panel.steps_to(np.array([first, last])).tolist()
    return Panel(panel.entities, first, 30, panel.energy_kwh[:, a:b])


# Over the change to summer time of 2013-03-31 and back on 2013-10-27.
@pytest.mark.parametrize("start", ["2013-02-20T00:00:00", "2013-09-19T23:00:00"])
def test_twenty_days_one_by_one_score_exactly_as_in_one_batch(start):
    panel = _panel(start)
    midnights = local_midnights(panel.start, panel.start + np.timedelta64(60, "D"))[35:56]
    batch = cut_days(panel, midnights[0], midnights[-1])
    wanted = TinyDetector().score(batch).score
    stream = Stream(TinyDetector(), _part(panel, panel.start, midnights[0]))
    seen = 0
    for first, last in itertools.pairwise(midnights):
        day = stream.update(_part(panel, first, last))
        rows = batch.inputs.t0 == first
        assert np.array_equal(day.windows.inputs.entity, batch.inputs.entity[rows])
        assert np.array_equal(day.scores.score, wanted[rows], equal_nan=True)
        seen += int(rows.sum())
    assert seen == len(batch)


@pytest.mark.parametrize("name", DETECTORS)
def test_each_detector_given_five_days_one_by_one_scores_them_as_in_one_batch(name):
    # Over the change back from summer time on 2013-10-27, with gaps, and a home that has a context on the third day.
    energy = homes(3, 36, seed=4, missing=0.03)
    energy[2, : 30 * 48] = np.nan
    panel = Panel(np.array(["a", "b", "c"]), np.datetime64("2013-09-25T23:00", "us"), 30, energy)
    midnights = local_midnights(panel.start, panel.start + np.timedelta64(36, "D"))[29:35]
    assert np.diff(midnights).max() == np.timedelta64(25, "h")
    detector = fitted(name)
    batch = cut_days(panel, midnights[0], midnights[-1])
    wanted, found = detector.score(batch), []
    stream = Stream(detector, _part(panel, panel.start, midnights[0]))
    for first, last in itertools.pairwise(midnights):
        day = stream.update(_part(panel, first, last))
        rows = batch.inputs.t0 == first
        np.testing.assert_array_equal(day.scores.score, wanted.score[rows])
        np.testing.assert_array_equal(day.scores.kind, wanted.kind[rows])
        found.append(int(rows.sum()))
    assert found == [2, 2, 3, 3, 3]


def test_only_the_context_is_kept_and_a_day_left_out_is_missing():
    panel = _panel("2013-05-31T23:00:00")
    midnights = local_midnights(panel.start, panel.start + np.timedelta64(60, "D"))
    stream = Stream(TinyDetector(), _part(panel, panel.start, midnights[50]))
    stream.update(_part(panel, midnights[50], midnights[51]))
    day = stream.update(_part(panel, midnights[53], midnights[54]))
    assert day.windows.inputs.context_kwh.shape == (3, 28 * 48)
    assert np.isnan(day.windows.inputs.context_kwh[:, -96:]).all()
    assert not np.isnan(day.windows.inputs.context_kwh[:, -144:-96]).all()
    assert stream._kept.energy_kwh.shape == (3, 28 * 48)


def test_a_day_given_twice_half_a_day_in_or_of_another_interval_is_refused():
    panel = _panel("2013-05-31T23:00:00")
    first, second, third = local_midnights(panel.start, panel.start + np.timedelta64(60, "D"))[[30, 31, 32]]
    stream = Stream(TinyDetector(), _part(panel, panel.start, first))
    stream.update(_part(panel, first, second))
    with pytest.raises(ConfigError, match="given before"):
        stream.update(_part(panel, first, second))
    with pytest.raises(ConfigError, match="no UK local day"):
        stream.update(_part(panel, second + np.timedelta64(12, "h"), third))
    with pytest.raises(ConfigError, match="60 minute"):
        stream.update(Panel(panel.entities, second, 60, panel.energy_kwh[:, :24]))


def test_a_day_is_cut_at_its_local_midnight_with_28_days_before_it():
    panel = _panel("2013-05-31T23:00:00")
    windows = cut_days(panel, dt.date(2013, 7, 1), dt.date(2013, 7, 3))
    midnights = np.array(["2013-06-30T23:00:00", "2013-07-01T23:00:00"], dtype="datetime64[us]")
    assert np.array_equal(np.unique(windows.inputs.t0), midnights)
    assert windows.inputs.context_kwh.shape[1] == 1344
