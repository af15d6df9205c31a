"""One forecast of every feeder and substation from one instant, by a forecaster that is fitted on them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.config import CalibrationConfig, ForecastConfig, RiskConfig
from loadproof.errors import ConfigError
from loadproof.evaluation.calibration import Calibration, calibrate
from loadproof.features.calendar import local_midnights
from loadproof.features.panel import Panel
from loadproof.features.selection import as_datetime
from loadproof.features.splits import Split, split_by_time
from loadproof.features.windows import Inputs, cut_windows
from loadproof.feeders.loads import Loads, widen
from loadproof.feeders.together import past_ranks
from loadproof.forecaster import Forecast, Forecaster, make_forecast

__all__ = ["MIN_OBSERVED_MINS", "Ahead", "enough_to_learn", "look_ahead", "past_windows"]

MIN_OBSERVED_MINS: Final = 24 * 60
"""A feeder needs a day's worth of readings, in whatever pieces."""

_WINDOWS_AT_ONCE: Final = 8192
_LEAST_TO_LEARN: Final = 56
"""So many windows at least are needed to fit on, and so many to calibrate on."""


class Ahead(NamedTuple):
    """A forecast from one instant, who could not be forecast, and what it rests on, in sentences.

    ``ranks`` is how its half hours hang together, ``(S, H)``, None where too few past days say it.
    """

    forecast: Forecast
    inputs: Inputs
    left_out: Sequence[str]
    notes: Sequence[str]
    ranks: NDArray[np.float64] | None


def _nothing(loads: Loads, t0: np.datetime64, counts: NDArray[np.int64], least: int, steps: int) -> str:
    """Say what is missing where nobody can be forecast."""
    feeders = sum(level == "feeder" for level in loads.levels.values())
    unknown = sum(1 for name, level in loads.levels.items() if level == "feeder" and name not in loads.devices)
    lacking = f"{unknown} of them have no MPAN count, and " if unknown else ""
    return (
        f"nothing can be concluded: of {feeders} feeder(s) none has {least} published half hours in the {steps} before "
        f"{as_datetime(t0):%Y-%m-%d %H:%M} UTC, the most has {int(counts.max(initial=0))}; {lacking}no forecast stands "
        "on so little: ingest more days, such as with 'loadproof ingest ssen --source listing --since DAY'"
    )


def _some(panel: Panel, windows: int, days: int, rng: np.random.Generator) -> Panel:
    """Return random series of the panel, no more than give so many windows."""
    number = max(1, windows // max(days, 1))
    if number >= len(panel.entities):
        return panel
    rows = np.sort(rng.choice(len(panel.entities), number, replace=False))
    return replace(panel, entities=panel.entities[rows], energy_kwh=panel.energy_kwh[rows])


def past_windows(
    loads: Loads, t0: np.datetime64, *, knobs: ForecastConfig, risk: RiskConfig, rng: np.random.Generator
) -> Split:
    """Return the windows before ``t0`` that a forecaster is fitted and calibrated on; of random feeders where many."""
    panel, end = loads.panel, as_datetime(t0)
    first = as_datetime(t0 - np.timedelta64(risk.learn_days, "D"))
    windows = cut_windows(
        _some(panel, risk.learn_windows, risk.learn_days, rng), context_steps=knobs.context_steps,
        horizon_steps=knobs.horizon_steps, origins=local_midnights(first, end), data_lag_steps=knobs.data_lag_steps,
        min_observed=MIN_OBSERVED_MINS // panel.interval_mins,
    )  # fmt: skip
    middle = as_datetime(t0 - np.timedelta64(risk.valid_days, "D"))
    return split_by_time(windows, valid_from=middle, test_from=end)


def enough_to_learn(split: Split) -> bool:
    """Return whether a forecaster that learns can be fitted and calibrated on these windows."""
    return min(len(split.train), len(split.valid)) >= _LEAST_TO_LEARN


def _in_parts(inputs: Inputs) -> Iterator[Inputs]:
    for first in range(0, len(inputs), _WINDOWS_AT_ONCE):
        yield inputs.take(slice(first, first + _WINDOWS_AT_ONCE))


def _predict(forecaster: Forecaster, calibration: Calibration | None, inputs: Inputs) -> Forecast:
    parts = []
    for part in _in_parts(inputs):
        told = forecaster.predict(part)
        parts.append(calibration.apply(told, part) if calibration else told)
    first = parts[0]
    quantiles, mean, how = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("quantiles_kwh", "mean_kwh", "how")
    )
    return Forecast(quantiles, first.levels, mean, how, first.hows)


def _able(loads: Loads, t0: np.datetime64, knobs: ForecastConfig) -> Inputs:
    """Return the window of each entity with a day's worth of readings.

    Raises:
        ConfigError: When there is none, with what is missing.
    """
    panel, least = loads.panel, MIN_OBSERVED_MINS // loads.panel.interval_mins
    inputs = cut_windows(
        panel, context_steps=knobs.context_steps, horizon_steps=knobs.horizon_steps, origins=t0.reshape(1),
        data_lag_steps=knobs.data_lag_steps, min_observed=least, require_truth=False,
    ).inputs  # fmt: skip
    if not len(inputs):
        published = panel.count(panel.steps_to(t0.reshape(1)) - knobs.context_steps, knobs.context_steps)
        raise ConfigError(_nothing(loads, t0, published, least, knobs.context_steps))
    return inputs


def look_ahead(
    loads: Loads, t0: np.datetime64, forecaster: Forecaster, past: Split, *, knobs: ForecastConfig, learns: bool,
    rng: np.random.Generator,
) -> Ahead:  # fmt: skip
    """Return the forecast of all that have a day's worth of readings, from what was published by ``t0``.

    The bands of a forecaster that learns are calibrated, following what was published; others stay as they are. Where
    loads are scaled up from the devices that reported, the bands hold that error too.

    Args:
        loads: Feeders and substations.
        t0: From when.
        forecaster: Unfitted.
        past: What it is fitted and calibrated on.
        knobs: Context, horizon and lag.
        learns: Whether it learns anything.
        rng: Of the fit.

    Raises:
        ConfigError: When nobody has enough, with what is missing; or there is too little to learn.
    """
    inputs = _able(loads, t0, knobs)
    if learns and not enough_to_learn(past):
        raise ConfigError(
            f"{forecaster.name} has {len(past.train)} windows to learn from and {len(past.valid)} to be calibrated on, "
            f"and wants {_LEAST_TO_LEARN} of each; take persistence_ensemble, or ingest more days"
        )
    forecaster.fit(past.train, past.valid, rng=rng)
    calibration, ranks, block = None, None, past.valid
    if len(block):
        told = _predict(forecaster, None, block.inputs)
        ranks = past_ranks(block, told, rng=rng)
        if learns:
            calibration = calibrate(told, block.inputs, block.truth_kwh, knobs=CalibrationConfig(kind="adaptive"))
    forecast, notes = _predict(forecaster, calibration, inputs), []
    if errors := {name: value for name, value in loads.relative_se.items() if value > 0}:
        relative = np.array([errors.get(name, 0.0) for name in inputs.entity.tolist()])  # (N,)
        wide = widen(forecast.quantiles_kwh, forecast.levels, relative)
        forecast = make_forecast(wide, forecast.levels, forecast.mean_kwh, how=forecast.how, hows=forecast.hows)
        notes.append(
            f"scaling up to all devices adds a standard error of {np.median(relative):.1%} of the load, median"
        )
    if ranks is not None:
        notes.append(f"how half hours hang together is told by {len(ranks):,} past days")
    able = set(inputs.entity.tolist())
    return Ahead(forecast, inputs, [name for name in loads.panel.entities.tolist() if name not in able], notes, ranks)
