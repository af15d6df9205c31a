"""For which task a model was fitted, so that it is not asked for another."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.errors import ConfigError, SchemaError
from loadproof.features.windows import Inputs
from loadproof.forecaster import ModelState

__all__ = ["Task", "require_array", "require_knob", "require_task", "task_from_state", "task_knobs", "task_of"]


class Task(NamedTuple):
    """What a fitted model expects of its inputs."""

    horizon_steps: int
    interval_mins: int
    data_lag_steps: int
    known_names: tuple[str, ...]


def task_of(inputs: Inputs) -> Task:
    """Return the task that these inputs set."""
    return Task(inputs.horizon_steps, inputs.interval_mins, inputs.data_lag_steps, inputs.known_names)


def require_task(name: str, fitted: Task, inputs: Inputs) -> None:
    """Refuse inputs that set another task than the one fitted for; a shorter horizon is no other task.

    Raises:
        ConfigError: When they do.
    """
    asked = task_of(inputs)
    if asked.horizon_steps > fitted.horizon_steps:
        raise ConfigError(
            f"{name} was fitted for {fitted.horizon_steps} steps ahead, not {asked.horizon_steps}; "
            "train it with that horizon_steps"
        )
    for what, was, now in zip(Task._fields[1:], fitted[1:], asked[1:], strict=True):
        if was != now:
            raise ConfigError(f"{name} was fitted with {what} {was}, the inputs have {now}; train it on such inputs")


def require_knob(name: str, state: ModelState, knob: str) -> Any:  # noqa: ANN401 - JSON values are of any kind
    """Return one knob of a state.

    Raises:
        SchemaError: When it lacks.
    """
    if knob not in state.knobs:
        raise SchemaError(f"the state of {name} lacks {knob}; it is another model's, or damaged: train it again")
    return state.knobs[knob]


def require_array(name: str, state: ModelState, array: str, shape: tuple[int | None, ...]) -> NDArray[Any]:
    """Return one array of a state, whose shape is given but for None.

    Raises:
        SchemaError: When it lacks, or has another shape or a value that is not finite.
    """
    found = state.arrays.get(array)
    fits = found is not None and len(shape) == found.ndim
    if found is None or not fits or any(want not in (None, is_) for want, is_ in zip(shape, found.shape, strict=True)):
        raise SchemaError(f"the state of {name} has no array {array} of shape {shape}; train it again")
    if not np.isfinite(found).all():
        raise SchemaError(f"the state of {name} has an array {array} that is not finite; train it again")
    return found


def task_knobs(task: Task) -> dict[str, Any]:
    """Return the task as knobs of a state."""
    return task._asdict() | {"known_names": list(task.known_names)}


def task_from_state(name: str, state: ModelState) -> Task:
    """Return the task among the knobs of a state.

    Raises:
        SchemaError: When it lacks or is none.
    """
    try:
        task = require_knob(name, state, "task")
        horizon, interval, lag = (int(task[field]) for field in Task._fields[:-1])
        if horizon < 1 or interval < 1 or lag < 0:
            raise ValueError("a size is none")
        return Task(horizon, interval, lag, tuple(str(known) for known in task["known_names"]))
    except (KeyError, TypeError, ValueError) as error:
        raise SchemaError(f"the state of {name} says of no task what it is; train it again") from error
