"""A feature table tells of windows what would be made of them, bit for bit."""

import numpy as np
import polars as pl
import pytest
from tests.features.panel_fixtures import WEEK, readings_of
from tests.features.test_table import at_hand, cut, spec_of

from loadproof.features import stored
from loadproof.features.calendar import local_midnights
from loadproof.features.stored import StoredFeatures
from loadproof.features.table import FeatureSpec, build_features, feature_matrix
from loadproof.features.weather import weather_from_table


@pytest.fixture(scope="module")
def made():
    """Windows over both changes of the clocks, with holes, and their feature table."""
    panel, weather = at_hand(3)
    origins = local_midnights(panel.start, panel.end)
    windows = cut(panel, origins, weather=weather, context=4 * WEEK, lag=3)
    seen = weather_from_table(weather, arm="forecast", error_degc=1, seed=7)
    spec = spec_of("forecast")
    table = pl.concat(build_features(readings_of(panel), seen, spec, context_steps=4 * WEEK, data_lag_steps=3))
    return windows, table, spec


def test_a_table_tells_what_would_be_made_and_only_what_it_lacks_is_made(made, monkeypatch):
    windows, table, spec = made
    some = np.random.default_rng(0).permutation(len(windows))[:300]
    inputs = windows.inputs.take(some)
    wanted, asked = feature_matrix(inputs, spec), []
    monkeypatch.setattr(stored, "feature_matrix", lambda *what: (asked.append(what[0]), feature_matrix(*what))[1])
    found = StoredFeatures(table.lazy()).matrix(inputs, spec)
    assert found.names == wanted.names
    assert found.values.dtype == wanted.values.dtype and found.values.strides == wanted.values.strides
    assert found.values.tobytes() == wanted.values.tobytes()
    (made_anew,) = asked
    assert 0 < len(made_anew) < 30  # days without any reading, and that of 23 hours


def test_columns_come_as_they_are_asked_for_and_none_of_no_window(made):
    windows, table, spec = made
    few = FeatureSpec(spec.names[3:1:-1])
    inputs = windows.inputs.take(slice(40, 45))
    assert np.array_equal(
        StoredFeatures(table.lazy()).matrix(inputs, few).values, feature_matrix(inputs, few).values, equal_nan=True
    )
    nothing = StoredFeatures(table.lazy()).matrix(inputs.take(slice(0)), few)
    assert nothing.values.shape == (0, 48, 2)


def test_a_changed_row_of_the_table_is_what_is_learned_from(made):
    windows, table, spec = made
    inputs = windows.inputs.take(slice(40, 42))
    changed = table.with_columns(step=pl.col("step") + 1000)
    told = StoredFeatures(changed.lazy()).matrix(inputs, spec).values[..., spec.names.index("step")]
    assert np.array_equal(told, np.arange(48) + 1000 + np.zeros((2, 1)))
