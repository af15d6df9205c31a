"""One forecast from one instant: a model from its folder (or a naive one, fitted at once), and what was known then."""

import datetime as dt
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from loadproof.config import ExperimentConfig
from loadproof.errors import ConfigError
from loadproof.evaluation.outlook import Outlook, outlooks
from loadproof.features.calendar import Moment, local_midnights, to_instant
from loadproof.features.selection import as_datetime, read_panel, read_span
from loadproof.features.windows import Inputs, cut_windows, split_by_time
from loadproof.forecaster import Forecast, forecast_table
from loadproof.runner.blocks import read_surroundings
from loadproof.runner.forecasters import AT_ONCE, builder_of
from loadproof.runner.saved_forecast import (
    MIN_OBSERVED_MINS,
    Ready,
    cut_now,
    followed_from,
    forecast_now,
    looks_back,
    read_saved,
    require_features,
    shorten,
)
from loadproof.schema import Dataset
from loadproof.seeds import rng_for
from loadproof.store import Store

__all__ = ["Prediction", "predict"]

logger = logging.getLogger(__name__)

NAIVE_DAYS: Final = 28
"""A naive model is fitted on the windows of so many days before ``t0``."""


@dataclass(frozen=True)
class Prediction:
    """A forecast from one instant.

    Attributes:
        model: Who forecast.
        t0_utc: From when.
        path: Its table, of ``FORECASTS``.
        outlooks: A few figures for each entity.
        left_out: Entities with too little to say anything.
        weather: What a trained model was told of the weather.
    """

    model: str
    t0_utc: dt.datetime
    path: Path
    outlooks: Sequence[Outlook]
    left_out: Sequence[str]
    weather: str = "none"


def predict(
    store: Store, dataset: Dataset, model: str, at: Moment, output_dir: Path, *, config: ExperimentConfig,
    horizon_steps: int, models_root: Path, entities: Sequence[str] = (), device: str = "cpu",
) -> Prediction:  # fmt: skip
    """Forecast from one instant with what was published by then, and write the table.

    Args:
        store: Where the readings are.
        dataset: Whose readings.
        model: One of ``FORECASTERS``; one that learns must have been trained.
        at: The instant; a date is its UK midnight.
        output_dir: The table goes to ``at/<t0>/<model>.parquet`` below it.
        config: The knobs of a naive model; a trained one brings its own, and those named here must not contradict it.
        horizon_steps: How far ahead, in intervals.
        models_root: Where the model folders lie.
        entities: Whom to forecast; none for all that have enough readings.
        device: ``cpu`` or ``cuda``.

    Raises:
        ConfigError: If there is no such model, or too little to say anything: what is missing is said.
        SchemaError: If the model was not trained, is damaged, or was made for other data or other features.
    """
    t0 = as_datetime(to_instant(at))
    builder_of(model)
    if model in AT_ONCE:
        ready = _fit_naive(store, dataset, model, t0, config, horizon_steps)
    else:
        ready = read_saved(store, dataset, models_root / model, device, horizon_steps)
        require_features(ready, config)
    inputs, left_out = _inputs(store, dataset, ready, t0, entities)
    if ready.facts is not None and dt.date.fromisoformat(ready.facts.trained_until) > t0.date():
        logger.warning(
            "%s was trained until %s and so has seen what came after %s: this is no measure of how well it forecasts",
            model, ready.facts.trained_until, _said(t0),
        )  # fmt: skip
    forecast, inputs = shorten(_forecast(store, dataset, ready, inputs, t0), inputs, horizon_steps)
    path = output_dir / "at" / f"{t0:%Y-%m-%dT%H%MZ}" / f"{model}.parquet"
    store.write_forecasts(path, forecast_table(model, forecast, inputs))
    label = "none" if ready.facts is None else ready.config.features.weather_label
    return Prediction(model, t0, path, outlooks(forecast, inputs), left_out, label)


def _said(t0: dt.datetime) -> str:
    return f"{t0:%Y-%m-%d %H:%M} UTC"


def _fit_naive(
    store: Store, dataset: Dataset, model: str, t0: dt.datetime, config: ExperimentConfig, horizon_steps: int
) -> Ready:
    """Return a naive model, fitted on what was published by then."""
    knobs = config.forecast.model_copy(update={"horizon_steps": horizon_steps})
    config = config.model_copy(update={"forecast": knobs})
    surroundings = read_surroundings(store, config.features, seed=config.seed)
    first = t0 - dt.timedelta(days=NAIVE_DAYS)
    longest = dt.timedelta(hours=knobs.context_steps)  # at whatever interval up to an hour
    panel = read_panel(store.scan_readings(dataset), since=first - longest, until=t0)
    if panel is None:
        raise ConfigError(_nothing(store, dataset, t0, longest, ()))
    windows = cut_windows(
        panel, context_steps=knobs.context_steps, horizon_steps=horizon_steps, origins=local_midnights(first, t0),
        data_lag_steps=knobs.data_lag_steps, place=surroundings.place,
    )  # fmt: skip
    learned = split_by_time(windows, valid_from=t0, test_from=t0)
    forecaster = builder_of(model)(config)
    try:
        forecaster.fit(learned.train, learned.valid, rng=rng_for(config.seed, f"forecast/{model}"))
    except ConfigError as error:
        if len(learned.train):
            raise
        raise ConfigError(
            f"{model} learns from days whose next {horizon_steps} intervals were published by {_said(t0)}, and no home "
            f"has one with a reading before it; {_where(store, dataset, store.entities(dataset)[0])}"
        ) from error
    return Ready(forecaster, config, surroundings, panel.interval_mins)


def _inputs(
    store: Store, dataset: Dataset, ready: Ready, t0: dt.datetime, entities: Sequence[str]
) -> tuple[Inputs, Sequence[str]]:
    """Return the window of each entity that has enough readings, and who has not; one that was named must have."""
    back, knobs = looks_back(ready), ready.config.forecast
    panel = read_panel(store.scan_readings(dataset), entities=entities or None, since=t0 - back, until=t0)
    if panel is None:
        raise ConfigError(_nothing(store, dataset, t0, back, entities))
    inputs = cut_now(ready, panel, t0)
    able = set(inputs.entity.tolist())
    left_out = [name for name in entities or store.entities(dataset) if name not in able]
    if not able or (entities and left_out):
        origins, least = to_instant(t0).reshape(1), MIN_OBSERVED_MINS // panel.interval_mins
        length = knobs.context_steps - knobs.data_lag_steps
        published = panel.count(panel.steps_to(origins) - knobs.context_steps, length)[:, 0].tolist()  # (E,)
        known = dict(zip(panel.entities.tolist(), published, strict=True)).get(left_out[0], 0)
        raise ConfigError(
            f"{left_out[0]}: has {known} published readings in the {back.days} days before {_said(t0)}, and a forecast "
            f"needs {least} (a day's worth, in whatever pieces); {_where(store, dataset, left_out[0])}"
        )
    return inputs, left_out


def _forecast(store: Store, dataset: Dataset, ready: Ready, inputs: Inputs, t0: dt.datetime) -> Forecast:
    begin = followed_from(ready, t0)
    if begin is None:
        return forecast_now(ready, inputs, None, t0)
    since, names = begin - looks_back(ready), inputs.entity.tolist()
    panel = read_panel(store.scan_readings(dataset), entities=names, since=since, until=t0)
    return forecast_now(ready, inputs, panel, t0)


def _nothing(store: Store, dataset: Dataset, t0: dt.datetime, back: dt.timedelta, entities: Sequence[str]) -> str:
    """Say that there is not one reading where a model looks, and where there are some."""
    whose = f" of {', '.join(entities[:3])}" if entities else ""
    where = _where(store, dataset, (entities or store.entities(dataset))[0])
    return f"there is no reading{whose} in the {back.days} days before {_said(t0)}; {where}"


def _where(store: Store, dataset: Dataset, name: str) -> str:
    span = read_span(store.scan_readings(dataset), name)
    if span is None:
        names = store.entities(dataset)
        return f"the store has none of {name}, but of {len(names)} others such as {names[0]}: name those with --entity"
    return f"{name} has readings from {span[0]:%Y-%m-%d %H:%M} to {span[1]:%Y-%m-%d %H:%M}: choose --at within"
