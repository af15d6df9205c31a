"""What one setting of the board is learned from and judged on: series, windows and folds."""

import datetime as dt
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.config import ExperimentConfig
from loadproof.errors import ConfigError
from loadproof.evaluation import buildingsbench
from loadproof.evaluation.board_plan import ALL, HOURLY, Setting, group_size
from loadproof.evaluation.folds import Fold, blocked_folds, chronological_fold, data_begins, local_origins
from loadproof.evaluation.groups import (
    disjoint_groups,
    random_groups,
    reporting_homes,
    split_halves,
    sum_groups,
    take_homes,
)
from loadproof.features.calendar import Instants, to_instant
from loadproof.features.panel import Panel
from loadproof.features.place import Place
from loadproof.features.weather import Weather
from loadproof.features.windows import Windows, cut_windows
from loadproof.seeds import rng_for

__all__ = ["Ground", "lay_ground", "weather_of"]

Names = NDArray[np.str_]


class Ground(NamedTuple):
    """All that the jobs of one setting share.

    Attributes:
        panel: The series that are judged.
        learned: Windows of the series that may be learned from, all of time.
        judged: Windows of those that are judged, all of time.
        seen: Entities judged whose own past was learned from: in their half, or part of the sums.
        members: The homes of each group that is judged.
        folds: Each fold by name.
    """

    panel: Panel
    learned: Windows
    judged: Windows
    seen: Names
    members: dict[str, list[str]]
    folds: dict[str, Fold]


class _Series(NamedTuple):
    learned: Panel
    judged: Panel
    seen: Names
    members: dict[str, list[str]]


class _Shape(NamedTuple):
    panel: Panel
    origins: Instants
    context_steps: int
    horizon_steps: int
    min_observed: int


def weather_of(arm: str, observed: Weather | None, *, seed: int) -> Weather | None:
    """Return what an arm knows of the weather: nothing at all in ``none``, which is the headline.

    Raises:
        ConfigError: When an arm wants weather and there is none.
    """
    if arm == "none":
        return None
    if observed is None:
        raise ConfigError(f"the arm {arm} wants weather and there is none; run 'loadproof ingest weather' first")
    if arm == "perfect":
        return observed.as_arm("perfect")
    return observed.as_arm("forecast", error_degc=float(arm.removeprefix("forecast_")), seed=seed)


def _shape(panel: Panel, setting: Setting, config: ExperimentConfig) -> _Shape:
    """Return what windows are cut from and how; a lag makes the context longer, not poorer."""
    knobs, plain = config.backtest, config.forecast
    if setting.level == HOURLY:
        hourly, context = (
            buildingsbench.building_years(panel, (knobs.blocks_until - dt.timedelta(days=1)).year),
            buildingsbench.CONTEXT_HOURS,
        )
        origins = buildingsbench.hourly_origins(hourly)
        return _Shape(hourly, origins, context, buildingsbench.HORIZON_HOURS, min_observed=context)
    last = max(knobs.blocks_until, plain.test_until)
    origins = local_origins(data_begins(panel), last, hours=knobs.origin_hours)
    return _Shape(panel, origins, plain.context_steps + setting.data_lag_steps, plain.horizon_steps, min_observed=1)


def _sums(panel: Panel, setting: Setting, size: int, halves: dict[str, Names], config: ExperimentConfig) -> _Series:
    """Return random groups to learn from, and those to judge: disjoint ones of the other half, or one of all homes.

    Only homes that report nearly all of the blocks' time are grouped: of a group whose homes leave, nothing is left.
    """
    knobs, level = config.backtest, setting.level
    span = to_instant(min([*knobs.blocks_from, config.forecast.valid_from])), to_instant(knobs.blocks_until)
    steady = reporting_homes(panel, *span, share=knobs.min_reporting)
    other = {"A": "B", "B": "A", ALL: ALL}[setting.half]
    pools = [steady if half == ALL else np.intersect1d(steady, halves[half]) for half in (setting.half, other)]
    learned = random_groups(
        pools[0], size, knobs.training_groups, prefix="learned:", rng=rng_for(config.seed, f"board/{level}/learned")
    )
    judged = disjoint_groups(
        pools[1], size, prefix=f"{level}:{other}", rng=rng_for(config.seed, f"board/{level}/judged")
    )
    if not judged:
        raise ConfigError(f"{len(pools[1])} homes fill no group of {size}; take {level} out of backtest.levels")
    if setting.half == ALL:
        judged = dict([next(iter(judged.items()))])
    sums = partial(sum_groups, panel, min_reporting=knobs.min_reporting)
    series = sums(judged)
    seen = series.entities if setting.half == ALL else series.entities[:0]
    return _Series(sums(learned), series, seen, {name: homes.tolist() for name, homes in judged.items()})


def _series(panel: Panel, setting: Setting, halves: dict[str, Names], config: ExperimentConfig) -> _Series:
    if size := group_size(setting.level):
        return _sums(panel, setting, size, halves, config)
    mine = np.intersect1d(panel.entities, panel.entities if setting.half == ALL else halves[setting.half])
    return _Series(take_homes(panel, mine), panel, mine, {})


def lay_ground(
    panel: Panel, setting: Setting, config: ExperimentConfig, *, weather: Weather | None, place: Place
) -> Ground:
    """Return the ground of one setting.

    Args:
        panel: All homes, half-hourly.
        setting: Which.
        config: All knobs.
        weather: What was observed, if anything; the setting's arm says how much of it is known.
        place: Where the homes stand.

    Raises:
        ConfigError: When the homes fill no group, or the arm wants weather and there is none.
    """
    knobs, plain = config.backtest, config.forecast
    first, second = split_halves(panel.entities, rng=rng_for(config.seed, "board/halves"))
    shape = _shape(panel, setting, config)
    begins = data_begins(shape.panel)
    held = blocked_folds(
        knobs.blocks_from, knobs.blocks_until, valid_days=knobs.valid_days, context_steps=shape.context_steps,
        interval_mins=shape.panel.interval_mins, first=begins,
    )  # fmt: skip
    if setting.level == HOURLY:
        held = buildingsbench.hourly_folds(held, shape.origins, valid_days=knobs.valid_days)
    plain_fold = chronological_fold(plain.valid_from, plain.test_from, plain.test_until)
    series = _series(shape.panel, setting, {"A": first, "B": second}, config)
    cut = partial(
        cut_windows,
        context_steps=shape.context_steps,
        horizon_steps=shape.horizon_steps,
        origins=shape.origins,
        data_lag_steps=setting.data_lag_steps,
        min_observed=shape.min_observed,
        weather=weather_of(setting.arm, weather, seed=config.seed),
        place=place,
    )
    judged = cut(series.judged)
    if group_size(setting.level):
        learned = cut(series.learned)
    else:
        learned = judged.take(np.isin(judged.inputs.entity, series.learned.entities))
    return Ground(series.judged, learned, judged, series.seen, series.members, {f.name: f for f in (*held, plain_fold)})
