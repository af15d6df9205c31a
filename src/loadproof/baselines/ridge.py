"""Closed-form ridge from the context to every step at once: the honest opponent of any network.

What is explained is the truth less the mean of the same half hour in the window's own context, in multiples of the
home's scale; what explains it are the last days less that same mean, the mean itself, and the calendar (``design``).
A missing reading counts as that mean, inside the sums alone, and ``how`` says ``gaps_filled``. Windows weigh as their
scale, for the error that counts is in kWh. F inputs of the regression.
"""

import itertools
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.baselines.design import design_of, width_of
from loadproof.baselines.history import HISTORY_HOWS, history_ways, require_observed
from loadproof.baselines.profile import Profile, steps_in_day, steps_per_day
from loadproof.baselines.seasonal import MIN_SCALE_KWH, home_scale
from loadproof.baselines.spread import HALF_HOURS, Spread, fit_spread, half_hours, spread_at
from loadproof.baselines.task import (
    Task,
    require_array,
    require_knob,
    require_task,
    task_from_state,
    task_knobs,
    task_of,
)
from loadproof.config import RidgeConfig
from loadproof.errors import ConfigError, NotFittedError, SchemaError
from loadproof.features.windows import Inputs, Windows
from loadproof.forecaster import FitReport, Forecast, Forecaster, ModelState, make_forecast
from loadproof.schema import LEVELS

__all__ = ["RidgeForecaster"]

_CHUNK: Final = 1024
"""Windows whose design is in memory at once."""
_MAX_WEIGHT: Final = 10.0
"""A home of more than ten times the usual scale weighs as one of ten times; of less than a tenth, as a tenth."""
_MOST_LEVERAGE: Final = 0.95
_HOWS: Final = (*HISTORY_HOWS, "gaps_filled")


class _Sums(NamedTuple):
    """Normal equations."""

    square: NDArray[np.float64]  # (F, F)
    cross: NDArray[np.float64]  # (F, H)


class _Line(NamedTuple):
    """One ridge among those to choose from."""

    lookback_steps: int
    penalty: float
    coefficients: NDArray[np.float64]  # (F, H)


class _Answer(NamedTuple):
    """What a line says of some windows, in multiples of their scale."""

    value: NDArray[np.float32]  # (N, H)
    profile: Profile
    gaps: NDArray[np.bool_]  # (N,)


class _Fitted(NamedTuple):
    task: Task
    line: _Line
    spread: Spread


def _chunks(n: int) -> Iterator[slice]:
    """Return the slices of ``n`` windows; one, empty, of none."""
    return (slice(first, first + _CHUNK) for first in range(0, max(n, 1), _CHUNK))


def _lookbacks(config: RidgeConfig, inputs: Inputs) -> list[int]:
    """Return the lookbacks to choose from in whole days, none longer than what is published of the context.

    Raises:
        ConfigError: When less than a day is.
    """
    per_day = steps_per_day(inputs)
    published = inputs.context_kwh.shape[1] - inputs.data_lag_steps
    found = sorted({min(steps, published) // per_day * per_day for steps in config.lookbacks_steps} - {0})
    if not found:
        raise ConfigError(
            f"{published} published steps of context hold no day; raise context_steps to "
            f"{inputs.data_lag_steps + per_day} or more, and lookbacks_steps to {per_day}"
        )
    return found


def _weights(scale_kwh: NDArray[np.float32], usual_kwh: float) -> NDArray[np.float64]:
    """Return how much each window weighs, ``(N,)``; a home that stands still, nothing."""
    weights = np.clip(scale_kwh / usual_kwh, 1 / _MAX_WEIGHT, _MAX_WEIGHT)
    return np.where(scale_kwh > MIN_SCALE_KWH, weights, 0.0)


def _sum_up(train: Windows, lookback_steps: int, weights: NDArray[np.float64]) -> _Sums:
    """Return the normal equations of windows ``(N,)`` weighted; where a truth lacks a step, the window is left out."""
    square: Any = 0.0
    cross: Any = 0.0
    for chunk in _chunks(len(train)):
        some = train.take(chunk)
        design = design_of(some.inputs, lookback_steps)
        explained = some.truth_kwh / design.profile.scale_kwh[:, None] - design.base  # (N, H)
        whole = ~np.isnan(explained).any(axis=1)  # (N,)
        weighted = (design.inputs * weights[chunk, None])[whole]  # (N, F)
        square = square + weighted.T @ design.inputs[whole]  # (F, F)
        cross = cross + weighted.T @ explained[whole]  # (F, H)
    return _Sums(square, cross)


def _penalised(sums: _Sums, penalty: float) -> NDArray[np.float64]:
    """Return the penalised ``square``; a penalty counts in mean squares of an input, and spares the constant."""
    ridge = np.full(len(sums.square), penalty * np.trace(sums.square) / len(sums.square))  # (F,)
    ridge[0] = 0
    return np.asarray(sums.square + np.diag(ridge))


def _answer(line: _Line, inputs: Inputs) -> _Answer:
    """Return what a line says; its horizon may be longer than theirs."""
    coefficients = line.coefficients[:, : inputs.horizon_steps]  # (F, H)
    values, profiles, gaps = [], [], []
    for chunk in _chunks(len(inputs)):
        design = design_of(inputs.take(chunk), line.lookback_steps)
        values.append((design.base + design.inputs @ coefficients).astype(np.float32))  # (N, H)
        profiles.append(design.profile)
        gaps.append(design.gaps)
    profile = Profile(*(np.concatenate(part) for part in zip(*profiles, strict=True)))
    return _Answer(np.concatenate(values), profile, np.concatenate(gaps))


def _deviation(answer: _Answer) -> NDArray[np.float32]:
    """Return how much each half hour has varied in the window, in multiples of its scale, ``(N, H)``."""
    steps = answer.value.shape[1]
    return answer.profile.deviation[:, np.arange(steps) % answer.profile.deviation.shape[1]]


def _loss(line: _Line, valid: Windows, usual_kwh: float) -> float:
    """Return the mean squared error of what the fit minimises, on ``valid``."""
    answer = _answer(line, valid.inputs)
    error = valid.truth_kwh / answer.profile.scale_kwh[:, None] - answer.value  # (N, H)
    weights = _weights(answer.profile.scale_kwh, usual_kwh)[:, None]  # (N, 1)
    return float(np.nanmean(weights * error**2))


def _leverages(line: _Line, sums: _Sums, train: Windows, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how much of each training window's own answer is its own truth, 0 to 1, ``(N,)``."""
    inverse = np.linalg.inv(_penalised(sums, line.penalty))  # (F, F)
    found = [np.zeros(0)]
    for chunk in _chunks(len(train)):
        inputs = design_of(train.inputs.take(chunk), line.lookback_steps).inputs  # (N, F)
        found.append(((inputs @ inverse) * inputs).sum(axis=1) * weights[chunk])
    return np.minimum(np.concatenate(found), _MOST_LEVERAGE)


def _spread(line: _Line, sums: _Sums, train: Windows, weights: NDArray[np.float64], groups: int) -> Spread:
    """Return how training windows lie about their line, each as if the line had not been fitted on it."""
    answer = _answer(line, train.inputs)
    residuals = train.truth_kwh / answer.profile.scale_kwh[:, None] - answer.value  # (N, H)
    learned = ~np.isnan(residuals).any(axis=1) & (weights > 0)  # (N,)
    own = np.where(learned, _leverages(line, sums, train, weights), 0)[:, None]  # (N, 1)
    left_out = np.where(weights[:, None] > 0, residuals / (1 - own), np.nan).astype(np.float32)  # (N, H)
    return fit_spread(left_out, half_hours(train.inputs), _deviation(answer), groups=groups)


class RidgeForecaster(Forecaster):
    """Direct ridge on the context; lookback and penalty are those with the least error on validation.

    Its quantiles add the home's scale times the residuals of training, each as if its window were left out of the fit,
    per local half hour and, within it, per group of windows in which that half hour has varied alike. The mean is the
    value itself.
    """

    name = "ridge"

    def __init__(self, config: RidgeConfig | None = None) -> None:
        self.config = config or RidgeConfig()
        self._fitted: _Fitted | None = None

    def fit(self, train: Windows, valid: Windows, *, rng: np.random.Generator) -> FitReport:
        """Solve every lookback and penalty, keep the best on ``valid``; without it, the longest and the greatest.

        Raises:
            ConfigError: When no window has a whole truth and a home that uses something, or the context is too short.
        """
        del rng
        scale = home_scale(train.inputs)  # (N,)
        usable = ~np.isnan(train.truth_kwh).any(axis=1) & (scale > MIN_SCALE_KWH)  # (N,)
        if not usable.any():
            raise ConfigError(
                f"none of {len(train)} training windows has a whole truth and a home that uses something; "
                "train longer, or on more homes"
            )
        usual_kwh = float(np.median(scale[usable]))
        weights = _weights(scale, usual_kwh)  # (N,)
        sums = {steps: _sum_up(train, steps, weights) for steps in _lookbacks(self.config, train.inputs)}
        tried = []
        for lookback, penalty in itertools.product(sums, sorted(self.config.penalties)):
            square, cross = _penalised(sums[lookback], penalty), sums[lookback].cross
            line = _Line(lookback, penalty, np.asarray(np.linalg.solve(square, cross)))
            tried.append((_loss(line, valid, usual_kwh) if len(valid) else 0.0, line))
        best = min(reversed(tried), key=lambda pair: pair[0])[1]
        spread = _spread(best, sums[best.lookback_steps], train, weights, self.config.spread_groups)
        self._fitted = _Fitted(task_of(train.inputs), best, spread)
        names = ("lookback_steps", "penalty", "valid_loss")
        records = [dict(zip(names, (float(x.lookback_steps), x.penalty, loss), strict=True)) for loss, x in tried]
        return FitReport(len(train), len(valid), tuple(records))

    def predict(self, inputs: Inputs) -> Forecast:
        """Forecast every window; ``how`` names gaps in the lookback, and a history that is stale or short."""
        fitted = self._known()
        require_task(self.name, fitted.task, inputs)
        require_observed(inputs)
        if (c := inputs.context_kwh.shape[1] - inputs.data_lag_steps) < fitted.line.lookback_steps:
            raise ConfigError(
                f"{self.name} looks back {fitted.line.lookback_steps} steps, {c} are published; "
                f"raise context_steps by {fitted.line.lookback_steps - c}"
            )
        answer = _answer(fitted.line, inputs)
        spread = spread_at(fitted.spread, half_hours(inputs), _deviation(answer))  # (N, H, Q)
        scale = answer.profile.scale_kwh[:, None]  # (N, 1)
        history = history_ways(inputs)
        how = np.where((history == 0) & answer.gaps, _HOWS.index("gaps_filled"), history)[:, None]  # (N, 1)
        quantiles = (answer.value[..., None] + spread) * scale[..., None]  # (N, H, Q)
        return make_forecast(quantiles, LEVELS, answer.value * scale, how=how, hows=_HOWS)

    def state(self) -> ModelState:
        """Return the line, its spread, and the task that both are for."""
        task, line, spread = self._known()
        knobs = {"task": task_knobs(task), "lookback_steps": line.lookback_steps, "penalty": line.penalty}
        arrays: dict[str, NDArray[Any]] = {"coefficients": line.coefficients, **spread._asdict()}
        return ModelState(knobs, arrays, {})

    def restore(self, state: ModelState) -> None:
        """Become what ``state`` says, as if fitted.

        Raises:
            SchemaError: When the state is another forecaster's, or damaged.
        """
        task = task_from_state(self.name, state)
        lookback = int(require_knob(self.name, state, "lookback_steps"))
        if lookback < 1 or lookback % steps_in_day(task.interval_mins):
            raise SchemaError(f"the state of {self.name} looks back {lookback} steps, no whole days; train it again")
        width = width_of(lookback, interval_mins=task.interval_mins, n_known=len(task.known_names))  # F
        coefficients = require_array(self.name, state, "coefficients", (width, task.horizon_steps))
        line = _Line(lookback, float(require_knob(self.name, state, "penalty")), coefficients)
        offsets = require_array(self.name, state, "offsets", (HALF_HOURS, None, len(LEVELS)))
        edges = require_array(self.name, state, "edges", (HALF_HOURS, offsets.shape[1] - 1))
        self._fitted = _Fitted(task, line, Spread(edges, offsets))

    def _known(self) -> _Fitted:
        if self._fitted is None:
            raise NotFittedError(f"{self.name} was not fitted; call fit first")
        return self._fitted
