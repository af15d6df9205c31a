"""One forecast from one instant: a model from its folder (or a naive one, fitted at once), and what was known then."""

import datetime as dt
import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from loadproof.config import ExperimentConfig
from loadproof.errors import ConfigError
from loadproof.evaluation.outlook import Outlook
from loadproof.features.calendar import Moment, local_midnights, to_instant
from loadproof.features.selection import as_datetime, read_panel, read_span
from loadproof.features.splits import split_by_time
from loadproof.features.windows import cut_windows
from loadproof.parts import Map
from loadproof.runner.blocks import read_surroundings
from loadproof.runner.forecasters import AT_ONCE, builder_of
from loadproof.runner.predict_group import (
    HOMES_A_TASK,
    Asked,
    Naive,
    forecast_group,
    groups_of,
    model_stamp,
    read_ready,
)
from loadproof.runner.saved_forecast import MIN_OBSERVED_MINS, Ready, require_features
from loadproof.runner.track import Track, no_track
from loadproof.schema import Dataset
from loadproof.seeds import rng_for
from loadproof.store import Store

__all__ = ["Prediction", "predict"]

logger = logging.getLogger(__name__)

NAIVE_DAYS: Final = 28
"""A naive model is fitted on the windows of so many days before ``t0``."""

NAIVE_HOMES: Final = 4096
"""Of more homes than that it is fitted on so many at most, evenly among their names: it pools what they teach."""


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
    homes_a_task: int = HOMES_A_TASK, map_: Map = map, track: Track = no_track,
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
        homes_a_task: How many a group has; the groups are forecast one by one, whatever carries them.
        map_: Carries the groups.
        track: Shows progress.

    Raises:
        ConfigError: If there is no such model, or too little to say anything: what is missing is said.
        SchemaError: If the model was not trained, is damaged, or was made for other data or other features.
    """
    t0 = as_datetime(to_instant(at))
    builder_of(model)
    path = output_dir / "at" / f"{t0:%Y-%m-%dT%H%MZ}" / f"{model}.parquet"
    asked = Asked(
        store, dataset, model, t0, config, horizon_steps, models_root.absolute(), device,
        folder=path.with_name(f".{model}.parts").absolute(), stamp=model_stamp(store, dataset, models_root / model),
    )  # fmt: skip
    ready = None
    if model in AT_ONCE:
        asked = _with_naive(asked)
    else:
        ready = read_ready(asked)
        require_features(ready, config)
        _warn_of_what_it_saw(ready, model, t0)
    groups = list(groups_of(entities or store.entities(dataset), homes_a_task))
    try:
        said = list(track(map_(partial(forecast_group, asked), groups), f"forecasting {model}", len(groups)))
        left_out = [name for group in said for name in group.left_out]
        if not any(group.outlooks for group in said) or (entities and left_out):
            raise ConfigError(_too_little(asked, ready, left_out[0], named=entities))
        store.join_forecasts(path, [group.path for group in said if group.path is not None])
    finally:
        shutil.rmtree(asked.folder, ignore_errors=True)
    label = "none" if ready is None else ready.config.features.weather_label
    return Prediction(model, t0, path, [one for group in said for one in group.outlooks], left_out, label)


def _warn_of_what_it_saw(ready: Ready, model: str, t0: dt.datetime) -> None:
    if ready.facts is not None and dt.date.fromisoformat(ready.facts.trained_until) > t0.date():
        logger.warning(
            "%s was trained until %s and so has seen what came after %s: this is no measure of how well it forecasts",
            model, ready.facts.trained_until, _said(t0),
        )  # fmt: skip


def _said(t0: dt.datetime) -> str:
    return f"{t0:%Y-%m-%d %H:%M} UTC"


def _with_naive(asked: Asked) -> Asked:
    """Return what is asked with a naive model in it, fitted on what was published by then."""
    store, dataset, model, t0, steps = asked.store, asked.dataset, asked.model, asked.t0, asked.horizon_steps
    knobs = asked.config.forecast.model_copy(update={"horizon_steps": steps})
    config = asked.config.model_copy(update={"forecast": knobs})
    surroundings = read_surroundings(store, config.features, seed=config.seed)
    first = t0 - dt.timedelta(days=NAIVE_DAYS)
    longest = dt.timedelta(hours=knobs.context_steps)  # at whatever interval up to an hour
    names = store.entities(dataset)
    some = names[:: -(-len(names) // NAIVE_HOMES)] if len(names) > NAIVE_HOMES else None
    panel = read_panel(store.scan_readings(dataset), entities=some, since=first - longest, until=t0)
    if panel is None:
        raise ConfigError(_nothing(asked, longest, ()))
    windows = cut_windows(
        panel, context_steps=knobs.context_steps, horizon_steps=steps, origins=local_midnights(first, t0),
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
            f"{model} learns from days whose next {steps} intervals were published by {_said(t0)}, and no home "
            f"has one with a reading before it; {_where(store, dataset, names[0])}"
        ) from error
    return replace(asked, config=config, naive=Naive(forecaster.state(), panel.interval_mins))


def _too_little(asked: Asked, ready: Ready | None, name: str, *, named: Sequence[str]) -> str:
    """Say what one entity lacks for a forecast, or that there is not one reading where the model looks."""
    store, dataset, t0 = asked.store, asked.dataset, asked.t0
    knobs = (ready or asked).config.forecast
    interval_mins = ready.interval_mins if ready else asked.naive.interval_mins if asked.naive else 30
    back = dt.timedelta(minutes=knobs.context_steps * interval_mins)
    panel = read_panel(store.scan_readings(dataset), entities=named or None, since=t0 - back, until=t0)
    if panel is None:
        return _nothing(asked, back, named)
    least = MIN_OBSERVED_MINS // panel.interval_mins
    first = panel.steps_to(to_instant(t0).reshape(1)) - knobs.context_steps
    published = panel.count(first, knobs.context_steps - knobs.data_lag_steps)[:, 0].tolist()  # (E,)
    known = dict(zip(panel.entities.tolist(), published, strict=True)).get(name, 0)
    return (
        f"{name}: has {known} published readings in the {back.days} days before {_said(t0)}, and a forecast needs "
        f"{least} (a day's worth, in whatever pieces); {_where(store, dataset, name)}"
    )


def _nothing(asked: Asked, back: dt.timedelta, entities: Sequence[str]) -> str:
    """Say that there is not one reading where a model looks, and where there are some."""
    whose = f" of {', '.join(entities[:3])}" if entities else ""
    where = _where(asked.store, asked.dataset, (entities or asked.store.entities(asked.dataset))[0])
    return f"there is no reading{whose} in the {back.days} days before {_said(asked.t0)}; {where}"


def _where(store: Store, dataset: Dataset, name: str) -> str:
    span = read_span(store.scan_readings(dataset), name)
    if span is None:
        names = store.entities(dataset)
        return f"the store has none of {name}, but of {len(names)} others such as {names[0]}: name those with --entity"
    return f"{name} has readings from {span[0]:%Y-%m-%d %H:%M} to {span[1]:%Y-%m-%d %H:%M}: choose --at within"
