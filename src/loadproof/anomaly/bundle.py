"""Several states as one, each under a name, so that a detector made of others is kept like any other."""

from collections.abc import Mapping
from typing import Any

from loadproof.errors import SchemaError
from loadproof.forecaster import ModelState

__all__ = ["bundle", "unbundle"]


def _under(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key.removeprefix(f"{name}."): value for key, value in values.items() if key.startswith(f"{name}.")}


def bundle(states: Mapping[str, ModelState], own: ModelState) -> ModelState:
    """Return ``own`` with the other states in it; their names hold no point."""
    knobs, arrays, texts = dict(own.knobs), dict(own.arrays), dict(own.texts)
    knobs["parts"] = {name: state.knobs for name, state in states.items()}
    for name, state in states.items():
        arrays |= {f"{name}.{key}": value for key, value in state.arrays.items()}
        texts |= {f"{name}.{key}": value for key, value in state.texts.items()}
    return ModelState(knobs, arrays, texts)


def unbundle(state: ModelState) -> dict[str, ModelState]:
    """Return the states that :func:`bundle` put in.

    Raises:
        SchemaError: When there are none.
    """
    parts = state.knobs.get("parts")
    if not isinstance(parts, dict):
        raise SchemaError("the state holds no parts; train the detector again")
    return {
        name: ModelState(dict(knobs), _under(state.arrays, name), _under(state.texts, name))
        for name, knobs in parts.items()
    }
