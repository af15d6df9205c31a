"""A tree of homes, feeders and one substation, each level forecast and calibrated for itself, to be reconciled."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.config import CalibrationConfig, ForecastConfig, TreeConfig
from loadproof.errors import ConfigError
from loadproof.evaluation.calibration import calibrate
from loadproof.evaluation.folds import chronological_fold, data_begins, local_origins, split_fold
from loadproof.evaluation.groups import disjoint_groups, random_groups, reporting_homes, sum_groups, take_homes
from loadproof.features.calendar import Instants, to_instant
from loadproof.features.panel import Panel
from loadproof.features.windows import Windows, cut_windows
from loadproof.feeders.hierarchy import Hierarchy, hierarchy_of_groups
from loadproof.forecaster import Forecast, Forecaster
from loadproof.schema import LEVELS
from loadproof.seeds import rng_for

__all__ = ["TreeGround", "lay_tree"]

_HALF_HOUR_MINS = 30


class TreeGround(NamedTuple):
    """What every node was forecast and what came, by origin. D origins, M nodes.

    Attributes:
        tree: The nodes.
        t0: Origins, UK midnights, ascending ``(D,)``.
        tested: Which origins are judged; the others only teach, ``(D,)``.
        truth_kwh: NaN where missing, ``(D, M, H)``.
        quantiles_kwh: Each level's own forecast at ``LEVELS``, calibrated by what was published, ``(D, M, H, Q)``.
        naive_kwh: The leaves' seasonal naive, calibrated alike, ``(D, L, H, Q)``.
        filled: Forecasts of a leaf that had no context, taken from its day before.
        homes_left_out: Homes that report too little, or are the rest that fills no feeder.
    """

    tree: Hierarchy
    t0: Instants
    tested: NDArray[np.bool_]
    truth_kwh: NDArray[np.float32]
    quantiles_kwh: NDArray[np.float32]
    naive_kwh: NDArray[np.float32]
    filled: int
    homes_left_out: int


class _Said(NamedTuple):
    windows: Windows
    forecast: Forecast


def _take(said: _Said, mask: NDArray[np.bool_]) -> _Said:
    whole = said.forecast
    cut = Forecast(whole.quantiles_kwh[mask], whole.levels, whole.mean_kwh[mask], whole.how[mask], whole.hows)
    return _Said(said.windows.take(mask), cut)


def _calibrated(said: _Said, knobs: TreeConfig, calibration: CalibrationConfig) -> _Said:
    """Return the windows after the first days, which calibrate; adaptively, each truth counts once it is published."""
    t0 = said.windows.inputs.t0
    until = t0.min() + np.timedelta64(knobs.calibrate_days * 24, "h")
    step = np.timedelta64(said.windows.inputs.horizon_steps * said.windows.inputs.interval_mins, "m")
    first, rest = t0 + step <= until, t0 >= until

    teach, later = _take(said, first), _take(said, rest)
    learned = calibrate(teach.forecast, teach.windows.inputs, teach.windows.truth_kwh, knobs=calibration)
    return later._replace(forecast=learned.apply(later.forecast, later.windows.inputs, later.windows.truth_kwh))


def _on_grid(said: _Said, t0: Instants, names: NDArray[np.str_]) -> tuple[NDArray[np.float32], int]:
    """Return quantiles by origin and node ``(D, M, H, Q)``; a lacking forecast is that of the day before, counted.

    Raises:
        ConfigError: When a node has no forecast at the first origin.
    """
    inputs = said.windows.inputs
    grid = np.full((len(t0), len(names), inputs.horizon_steps, len(LEVELS)), np.nan, dtype=np.float32)
    row, column = np.searchsorted(t0, inputs.t0), np.searchsorted(names, inputs.entity)
    grid[row, column] = said.forecast.quantiles_kwh
    lacking = np.isnan(grid[..., 0, 0])  # (D, M)
    if lacking[0].any():
        raise ConfigError(
            f"{names[lacking[0]][0]} has no readings to forecast from at {t0[0]}; raise tree.homes_reporting"
        )
    for day in np.flatnonzero(lacking.any(axis=1)):
        grid[day, lacking[day]] = grid[day - 1, lacking[day]]
    return grid, int(lacking.sum())


def _truth(panel: Panel, t0: Instants, horizon_steps: int) -> NDArray[np.float32]:
    rows, starts = np.arange(len(panel.entities)), panel.steps_to(t0)
    return np.stack([panel.cut(rows, np.full(len(rows), start), horizon_steps) for start in starts])  # (D, M, H)


def _plant(
    panel: Panel, start: np.datetime64, end: np.datetime64, knobs: TreeConfig, seed: int
) -> tuple[Hierarchy, list[tuple[Panel, Panel]]]:
    """Return a tree of homes, and of each level the nodes that are judged and the sums that teach it.

    Raises:
        ConfigError: When the homes fill no feeder.
    """
    steady = reporting_homes(panel, start, end, share=knobs.homes_reporting)
    feeders = disjoint_groups(steady, knobs.feeder_homes, prefix="feeder:", rng=rng_for(seed, "tree/feeders"))
    if not feeders:
        raise ConfigError(
            f"{len(steady)} homes that report enough fill no feeder of {knobs.feeder_homes}; make it less"
        )
    tree = hierarchy_of_groups(feeders)
    homes = tree.names[tree.leaves]
    sums = partial(sum_groups, panel, min_reporting=knobs.min_reporting)
    groups = partial(random_groups, prefix="learned:", count=knobs.training_groups)
    return tree, [
        (sums({"substation": homes}), sums(groups(homes, max(len(homes) // 2, 1), rng=rng_for(seed, "tree/halves")))),
        (sums(feeders), sums(groups(steady, knobs.feeder_homes, rng=rng_for(seed, "tree/groups")))),
        (take_homes(panel, homes), panel),
    ]


def lay_tree(
    panel: Panel, build: Callable[[], Forecaster], naive: Callable[[], Forecaster], *, knobs: TreeConfig,
    forecast: ForecastConfig, calibration: CalibrationConfig, seed: int,
) -> TreeGround:  # fmt: skip
    """Return the ground of a tree of real homes.

    The upper levels learn from random groups: of a feeder's size, and of half the homes for the substation. Nothing is
    learned from ``learn_until`` on but lookback, penalty and calibration, of days before the test block.

    Args:
        panel: Homes, half-hourly.
        build: The forecaster of every level, unfitted.
        naive: What its bottom-up is held against, unfitted.
        knobs: The tree.
        forecast: Context, horizon, and the test block.
        calibration: How each level is calibrated, adaptively or not.
        seed: Where chance comes from.

    Raises:
        ConfigError: When the homes fill no feeder, or one has nothing to be forecast from.
    """
    fold = chronological_fold(knobs.learn_until, forecast.test_from, forecast.test_until)
    begins = data_begins(panel)
    tree, levels = _plant(panel, begins, to_instant(forecast.test_until), knobs, seed)
    origins = local_origins(begins, forecast.test_until, hours=(0,))
    cut = partial(
        cut_windows, context_steps=forecast.context_steps, horizon_steps=forecast.horizon_steps, origins=origins
    )

    def say(make: Callable[[], Forecaster], judged: Panel, learned: Panel, name: str) -> _Said:
        forecaster, split, mine = make(), split_fold(cut(learned), fold), cut(judged, require_truth=False)
        forecaster.fit(split.train, split.valid, rng=rng_for(seed, f"tree/{forecaster.name}/{name}"))
        later = mine.take(mine.inputs.t0 >= fold.valid.start)
        return _calibrated(_Said(later, forecaster.predict(later.inputs)), knobs, calibration)

    said = [say(build, *level, name) for level, name in zip(levels, tree.levels, strict=True)]
    plain = say(naive, levels[-1][0], levels[-1][0], "naive")
    t0 = np.unique(said[0].windows.inputs.t0)
    t0 = t0[t0 + np.timedelta64(forecast.horizon_steps * _HALF_HOUR_MINS, "m") <= fold.test.end]
    grids, fills = zip(*[
        _on_grid(_take(one, np.isin(one.windows.inputs.t0, t0)), t0, tree.names[tree.at(level)])
        for one, level in zip([*said, plain], [*tree.levels, tree.levels[-1]], strict=True)
    ], strict=True)  # fmt: skip
    truth = np.concatenate([_truth(judged, t0, forecast.horizon_steps) for judged, _ in levels], axis=1)
    return TreeGround(
        tree, t0, t0 >= fold.test.start, truth, np.concatenate(grids[:-1], axis=1), grids[-1], sum(fills),
        len(panel.entities) - len(tree.leaves),
    )  # fmt: skip
