"""Forecasts by a model that was saved: what it must be given, and what it says with what was published by then."""

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from loadproof.config import ExperimentConfig, build_section
from loadproof.errors import ConfigError, SchemaError
from loadproof.evaluation.calibration import Calibration
from loadproof.features.calendar import to_instant
from loadproof.features.panel import Panel
from loadproof.features.selection import as_datetime, midnights_and
from loadproof.features.windows import Inputs, cut_windows
from loadproof.forecaster import Forecast, Forecaster
from loadproof.model_folder import ModelFacts, read_model, require_match
from loadproof.runner.blocks import Surroundings, data_facts, read_surroundings
from loadproof.runner.train import restored
from loadproof.schema import FIRST_TS_UTC, Dataset
from loadproof.store import Store

__all__ = [
    "MIN_OBSERVED_MINS",
    "Ready",
    "cut_now",
    "followed_from",
    "forecast_now",
    "looks_back",
    "read_saved",
    "require_features",
    "shorten",
]

MIN_OBSERVED_MINS: Final = 24 * 60
"""A home needs a day's worth of readings, in whatever pieces, where its model looks back; less says too little."""

FOLLOWED_LIVES: Final = 4
"""An adaptive calibration follows so many half-lives; what is older would count less than a sixteenth."""


class Ready(NamedTuple):
    """A forecaster that can be asked, and the sizes of what it must be given."""

    forecaster: Forecaster
    config: ExperimentConfig
    surroundings: Surroundings
    interval_mins: int
    folder: Path = Path()
    facts: ModelFacts | None = None
    calibration: Calibration | None = None


def read_saved(store: Store, dataset: Dataset, folder: Path, device: str, horizon_steps: int) -> Ready:
    """Return a trained model, if it is one for these data.

    Raises:
        ConfigError: If it does not forecast so far ahead.
        SchemaError: If there is none, it is damaged, or it was made for other data, or there are no data.
    """
    stored = read_model(folder)
    facts = stored.facts
    store.scan_readings(dataset)  # where there are none, that is what is wrong, and not the model
    require_match(facts, folder, model=folder.name, dataset=dataset, mode=data_facts(store, dataset)["mode"])
    if facts.horizon_steps < horizon_steps:
        raise ConfigError(
            f"{folder}: forecasts {facts.horizon_steps} intervals ahead and not {horizon_steps}; ask for fewer with "
            f"--horizon, or train it with forecast.horizon_steps: {horizon_steps}"
        )
    try:
        config = build_section(ExperimentConfig, **{**facts.settings, "seed": facts.seed})
    except ConfigError as error:
        raise SchemaError(f"{folder}: {error}, by training the model again") from error
    for name in ("context_steps", "horizon_steps", "data_lag_steps"):
        if (fact := getattr(facts, name)) != (setting := getattr(config.forecast, name)):
            raise SchemaError(f"{folder}: says {name} {fact} and, in its settings, {setting}; train the model again")
    forecaster, calibration = restored(stored, folder, config, device)
    surroundings = read_surroundings(store, config.features, seed=config.seed)
    return Ready(forecaster, config, surroundings, facts.interval_mins, folder, facts, calibration)


def require_features(ready: Ready, asked: ExperimentConfig) -> None:
    """Refuse a model of other features, or of a shorter lag, than a config asks for; what it does not name it leaves.

    Raises:
        SchemaError: With the first knob that differs.
    """
    own, named = ready.config, asked.features if "features" in asked.model_fields_set else ready.config.features
    wanted = {f"features.{name}": (getattr(own.features, name), value) for name, value in named}
    lags = own.forecast.data_lag_steps, max(own.forecast.data_lag_steps, asked.forecast.data_lag_steps)
    for name, (mine, value) in {**wanted, "forecast.data_lag_steps": lags}.items():
        if mine != value:
            raise SchemaError(
                f"{ready.folder}: was trained with {name} {mine}, and {value} is asked for; train it so with "
                "'loadproof train', or leave that out to forecast as it was trained"
            )


def shorten(forecast: Forecast, inputs: Inputs, steps: int) -> tuple[Forecast, Inputs]:
    """Return the first steps of a forecast alone."""
    shorter = replace(
        forecast,
        quantiles_kwh=forecast.quantiles_kwh[:, :steps],
        mean_kwh=forecast.mean_kwh[:, :steps],
        how=forecast.how[:, :steps],
    )
    return shorter, replace(inputs, horizon_steps=steps)


def looks_back(ready: Ready) -> dt.timedelta:
    """Return how far before an origin the model looks."""
    return dt.timedelta(minutes=ready.config.forecast.context_steps * ready.interval_mins)


def cut_now(ready: Ready, panel: Panel, t0: dt.datetime) -> Inputs:
    """Return the window at ``t0`` of each entity of a panel that has a day's worth of published readings.

    Raises:
        SchemaError: If the model is of another interval or other features.
    """
    knobs = ready.config.forecast
    if ready.facts is not None:
        require_match(ready.facts, ready.folder, interval_mins=panel.interval_mins)
    inputs = cut_windows(
        panel, context_steps=knobs.context_steps, horizon_steps=knobs.horizon_steps,
        origins=to_instant(t0).reshape(1), data_lag_steps=knobs.data_lag_steps,
        min_observed=MIN_OBSERVED_MINS // panel.interval_mins, require_truth=False,
        weather=ready.surroundings.weather, place=ready.surroundings.place,
    ).inputs  # fmt: skip
    if ready.facts is not None:
        require_match(ready.facts, ready.folder, known_names=inputs.known_names)
    return inputs


def followed_from(ready: Ready, t0: dt.datetime) -> dt.datetime | None:
    """Return from when on an adaptive calibration follows the model's work up to ``t0``, None where it does not."""
    calibration = ready.calibration
    if calibration is None or calibration.kind != "adaptive" or _until(calibration) > t0:
        return None
    return max(t0 - dt.timedelta(days=FOLLOWED_LIVES * calibration.half_life_days), _until(calibration))


def _until(calibration: Calibration) -> dt.datetime:
    return FIRST_TS_UTC if calibration.until is None else as_datetime(calibration.until)


def forecast_now(ready: Ready, inputs: Inputs, panel: Panel | None, t0: dt.datetime) -> Forecast:
    """Return the forecast of windows at ``t0``; a trained model's as its calibration has it with what was published.

    An adaptive calibration follows the model's work on the very homes asked for, midnight by midnight, over the last
    ``FOLLOWED_LIVES`` half-lives since training ended; asked about a time before that, it knows no home.

    Args:
        ready: The model.
        inputs: The windows, by entity.
        panel: The readings of these entities before ``t0``, from ``followed_from`` less ``looks_back`` on.
        t0: From when.
    """
    calibration, knobs = ready.calibration, ready.config.forecast
    if calibration is None:
        return ready.forecaster.predict(inputs)
    if _until(calibration) > t0:
        return calibration.as_prior().apply(ready.forecaster.predict(inputs), inputs)
    begin = followed_from(ready, t0)
    if begin is None or panel is None:
        return calibration.apply(ready.forecaster.predict(inputs), inputs)
    walk = cut_windows(
        panel.only(inputs.entity.tolist()), context_steps=knobs.context_steps, horizon_steps=knobs.horizon_steps,
        origins=midnights_and(begin, t0), data_lag_steps=knobs.data_lag_steps,
        min_observed=MIN_OBSERVED_MINS // panel.interval_mins, require_truth=False,
        weather=ready.surroundings.weather, place=ready.surroundings.place,
    )  # fmt: skip
    told = ready.forecaster.predict(walk.inputs)
    return calibration.apply(told, walk.inputs, walk.truth_kwh, told_from=to_instant(t0))  # by entity, as inputs are
