"""What all detectors of this wing have in common."""

import dataclasses
import functools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import load, save
from tests.anomaly.detector_fixtures import DETECTORS, fitted, homes, windows_of, with_day

from loadproof.errors import NotFittedError, SchemaError
from loadproof.features.panel import Panel
from loadproof.features.windows import Windows, cut_windows
from loadproof.forecaster import ModelState

ready = functools.cache(fitted)


@pytest.fixture(scope="module")
def gappy():
    return windows_of(homes(3, 34, seed=1, missing=0.1))


@pytest.mark.parametrize("name", DETECTORS)
def test_each_detector_names_itself_and_scores_0_to_1_but_nan_exactly_where_nothing_was_read(name, gappy):
    scores = ready(name).score(gappy)
    assert ready(name).name == name
    assert np.array_equal(np.isnan(scores.score), np.isnan(gappy.truth_kwh))
    assert scores.score.dtype == np.float32
    assert np.nanmin(scores.score) >= 0
    assert np.nanmax(scores.score) <= 1
    assert (scores.kind[np.isnan(gappy.truth_kwh)] == 0).all()
    assert int(scores.kind.max()) < len(scores.kinds)


@pytest.mark.parametrize("name", DETECTORS)
def test_the_newest_day_of_1_home_alone_scores_as_among_18_others(name, gappy):
    batch = ready(name).score(gappy)
    for n in (0, 5, len(gappy) - 1):
        alone = ready(name).score(gappy.take(slice(n, n + 1)))
        np.testing.assert_array_equal(alone.score[0], batch.score[n])
        np.testing.assert_array_equal(alone.kind[0], batch.kind[n])


@pytest.mark.parametrize("name", DETECTORS)
def test_of_0_windows_there_are_0_scores(name, gappy):
    assert ready(name).score(gappy.take(slice(0, 0))).score.shape == (0, 48)


@pytest.mark.parametrize("name", DETECTORS)
def test_a_state_that_went_through_files_scores_the_same(name, gappy):
    state = ready(name).state()
    arrays = load(save({key: np.ascontiguousarray(value) for key, value in state.arrays.items()}))
    again = DETECTORS[name]()
    again.restore(
        ModelState(json.loads(json.dumps(state.knobs, sort_keys=True, allow_nan=False)), arrays, dict(state.texts))
    )
    np.testing.assert_array_equal(again.score(gappy).score, ready(name).score(gappy).score)


@pytest.mark.parametrize("name", DETECTORS)
def test_the_state_of_somebody_else_is_refused_in_1_line(name):
    with pytest.raises(SchemaError, match="again"):
        DETECTORS[name]().restore(ModelState({"strange": 1}, {}, {}))


@pytest.mark.parametrize("name", ("sub_pca", "isolation_forest", "random", "autoencoder", "residual", "ensemble"))
def test_what_must_learn_first_says_so(name, gappy):
    for ask in (lambda d: d.score(gappy), lambda d: d.state()):
        with pytest.raises(NotFittedError, match="call fit first"):
            ask(DETECTORS[name]())


@pytest.mark.parametrize("name", DETECTORS)
def test_a_home_that_nothing_is_known_of_scores_without_a_warning(name, gappy):
    blind = gappy.take(slice(0, 2))
    blind = Windows(dataclasses.replace(blind.inputs, context_kwh=np.full_like(blind.inputs.context_kwh, np.nan)),
                    blind.truth_kwh)  # fmt: skip
    scores = ready(name).score(blind).score
    assert np.array_equal(np.isnan(scores), np.isnan(blind.truth_kwh))


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("start", ("2013-03-04T00:00", "2013-10-07T23:00"))
def test_over_both_clock_changes_and_at_an_hours_interval_each_reading_has_a_score(name, start):
    energy = homes(1, 36, per_day=24)
    panel = Panel(np.array(["h"]), np.datetime64(start, "us"), 60, energy)
    days = panel.start + np.arange(28, 35) * np.timedelta64(1, "D")
    hourly = cut_windows(panel, context_steps=672, horizon_steps=24, origins=days)
    scores = fitted(name, hourly).score(hourly).score
    assert scores.shape == (7, 24)
    assert np.isfinite(scores).all()


@settings(max_examples=15)
@given(st.data())
def test_no_reading_however_hostile_breaks_the_promise(data):
    name = data.draw(st.sampled_from([name for name in DETECTORS if name != "mstl"]))
    base = windows_of(homes(1, 29))
    values = st.one_of(st.floats(-1e6, 1e6, width=32), st.just(np.nan), st.just(0.0), st.just(2.0**100))
    truth = data.draw(hnp.arrays(np.float32, (1, 48), elements=values, fill=st.just(np.float32(0.2))))
    context = base.inputs.context_kwh.copy()
    where = data.draw(st.integers(0, 1300))
    context[0, where : where + 44] = data.draw(hnp.arrays(np.float32, 44, elements=values, fill=st.just(np.nan)))
    hostile = with_day(Windows(dataclasses.replace(base.inputs, context_kwh=context), base.truth_kwh), truth)
    score = ready(name).score(hostile).score
    assert np.array_equal(np.isnan(score), np.isnan(truth))
    assert ((score[~np.isnan(score)] >= 0) & (score[~np.isnan(score)] <= 1)).all()
