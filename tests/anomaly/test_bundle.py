import numpy as np
import pytest

from loadproof.anomaly.bundle import bundle, unbundle
from loadproof.errors import SchemaError
from loadproof.forecaster import ModelState


def test_states_come_out_as_they_went_in_whatever_their_names_hold():
    states = {
        "model": ModelState({"a": 1}, {"x.y": np.arange(3)}, {"tree.0": "text"}),
        "model_two": ModelState({}, {"x.y": np.arange(2)}, {}),
    }
    found = unbundle(bundle(states, ModelState({"own": 2}, {"z": np.zeros(1)}, {})))
    assert list(found) == ["model", "model_two"]
    assert found["model"].knobs == {"a": 1}
    assert found["model"].texts == {"tree.0": "text"}
    np.testing.assert_array_equal(found["model"].arrays["x.y"], np.arange(3))
    np.testing.assert_array_equal(found["model_two"].arrays["x.y"], np.arange(2))


def test_a_state_without_parts_is_refused():
    with pytest.raises(SchemaError, match="holds no parts"):
        unbundle(ModelState({}, {}, {}))
