"""Day by day over a tree: paths from what was published, made to add up in each way, and the quantiles of each."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.config import CalibrationConfig
from loadproof.evaluation.calibration import calibrate
from loadproof.features.windows import Inputs
from loadproof.feeders.paths import MIN_PATHS, draw_paths, past_places, quantiles_of_paths
from loadproof.feeders.reconcile import Reconciler, Way, fit_reconciler, reconcile
from loadproof.feeders.spread import learn_stretch, stretch
from loadproof.feeders.tree_ground import TreeGround
from loadproof.forecaster import make_forecast
from loadproof.schema import LEVELS

__all__ = ["COHERENT", "Walked", "walk_tree"]

_MEDIAN: Final = LEVELS.index(0.5)
_BAND: Final = (LEVELS.index(0.1), LEVELS.index(0.9))
_REFIT_DAYS: Final = 7
_MIN_STRETCH_DAYS: Final = 14

_WAYS: Final[tuple[Way, ...]] = ("bottom_up", "by_node", "mint_shrink")

COHERENT: Final = (
    "bottom_up",
    "by_node",
    "by_node_stretched",
    "mint_shrink",
    "mint_shrink_stretched",
    "naive_bottom_up",
)
"""The variants whose paths add up; ``direct`` and ``mint_shrink_conformal`` do not."""


class Walked(NamedTuple):
    """Quantiles of every variant on the judged days, and how well its paths added up.

    Attributes:
        quantiles_kwh: By variant, ``(T, M, H, Q)`` of the T judged days.
        largest_gap_kwh: By coherent variant, the largest difference of any parent from its children in any path.
        paths: Number of paths of the first and of the last judged day.
    """

    quantiles_kwh: dict[str, NDArray[np.float32]]
    largest_gap_kwh: dict[str, float]
    paths: tuple[int, int]


class _Day(NamedTuple):
    paths: dict[str, NDArray[np.float64]]
    n_paths: int


def _gap(paths: NDArray[np.float64], ground: TreeGround) -> float:
    """Return the largest difference of a parent from the sum of its children, kWh."""
    s, m, h = paths.shape
    flat = paths.transpose(1, 0, 2).reshape(m, s * h)
    parents = np.unique(ground.tree.parent[ground.tree.parent >= 0])
    return float(np.abs(ground.tree.edges[parents] @ flat - flat[parents]).max())


def _published(ground: TreeGround, day: int, most: int) -> NDArray[np.int64]:
    """Return the days before whose whole truth was published at the day's origin, the latest ``most``."""
    span = np.timedelta64(ground.truth_kwh.shape[2] * 30, "m")
    return np.flatnonzero(ground.t0 + span <= ground.t0[day])[-most:]


class _Record:
    """What the coherent paths of past days were, for the stretch."""

    def __init__(self, ground: TreeGround) -> None:
        self.mean, self.low, self.high = (np.full(ground.truth_kwh.shape, np.nan) for _ in range(3))

    def keep(self, day: int, paths: NDArray[np.float64], quantiles: NDArray[np.float32]) -> None:
        """Keep the mean and the band of a day."""
        self.mean[day] = paths.mean(axis=0)
        self.low[day], self.high[day] = (quantiles[..., at] for at in _BAND)

    def factors(self, ground: TreeGround, past: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the stretch that past days ask for; none while they are few."""
        known = past[~np.isnan(self.mean[past, 0, 0])]
        if len(known) < _MIN_STRETCH_DAYS:
            return np.ones(len(ground.tree.levels))
        mean, low, high = (array[known] for array in (self.mean, self.low, self.high))
        return learn_stretch(ground.truth_kwh[known], mean, low, high, ground.tree)


def _learn(ground: TreeGround, past: NDArray[np.int64]) -> dict[Way, Reconciler]:
    error = ground.truth_kwh[past] - ground.quantiles_kwh[past][..., _MEDIAN]  # (D, M, H)
    flat = error.transpose(1, 0, 2).reshape(error.shape[1], -1).astype(np.float64)
    return {way: fit_reconciler(ground.tree, flat, way) for way in _WAYS}


def _days(ground: TreeGround, most: int, rng: np.random.Generator) -> Iterator[tuple[int, _Day]]:
    """Yield each day from the first with enough past, and its paths in every way."""
    tree = ground.tree
    own = past_places(ground.truth_kwh, ground.quantiles_kwh)
    naive = past_places(ground.truth_kwh[:, tree.leaves], ground.naive_kwh)
    records = {way: _Record(ground) for way in ("by_node", "mint_shrink")}
    fitted: dict[Way, Reconciler] = {}
    for number, day in enumerate(range(MIN_PATHS + 1, len(ground.t0))):
        past = _published(ground, day, most)
        if number % _REFIT_DAYS == 0:
            fitted = _learn(ground, past)
        drawn = draw_paths(ground.quantiles_kwh[day], own[past], rng=rng)
        paths = {str(way): reconcile(drawn, fitted[way], tree) for way in _WAYS}
        for way, record in records.items():
            factors = record.factors(ground, past)
            record.keep(day, paths[way], quantiles_of_paths(paths[way], LEVELS))
            paths[f"{way}_stretched"] = stretch(paths[way], factors, tree, fitted[way].share)  # type: ignore[index]
        leaves = draw_paths(ground.naive_kwh[day], naive[past], rng=rng)
        whole = np.zeros((len(leaves), len(tree), leaves.shape[2]))
        whole[:, tree.leaves] = leaves
        paths["naive_bottom_up"] = reconcile(whole, fitted["bottom_up"], tree)
        yield day, _Day(paths, len(past))


class _Rows(NamedTuple):
    """Windows of some nodes and days, flat: what calibration takes."""

    inputs: Inputs
    quantiles: NDArray[np.float32]  # (N, H, Q)
    truth: NDArray[np.float32]  # (N, H)


def _rows(
    ground: TreeGround, quantiles: NDArray[np.float32], days: NDArray[np.int64], nodes: NDArray[np.int64]
) -> _Rows:
    """Return the windows of these days and nodes; ``quantiles`` are of the days, ``(D', M, H, Q)``."""
    h = quantiles.shape[2]
    t0, entity = np.repeat(ground.t0[days], len(nodes)), np.tile(ground.tree.names[nodes], len(days))
    blank = np.zeros((len(t0), 1), dtype=np.float32)
    truth = ground.truth_kwh[np.ix_(days, nodes)].reshape(-1, h)
    return _Rows(Inputs(blank, t0, entity, h, 30), quantiles[:, nodes].reshape(len(t0), h, -1), truth)


def _conformal(
    ground: TreeGround, quantiles: NDArray[np.float32], first: int, knobs: CalibrationConfig
) -> NDArray[np.float32]:
    """Return ``(D - first, M, H, Q)`` calibrated afterwards, on the judged days; they add up no more."""
    tested = np.flatnonzero(ground.tested)
    span = np.timedelta64(quantiles.shape[2] * 30, "m")
    taught = np.flatnonzero(ground.t0 + span <= ground.t0[tested[0]])
    taught = taught[taught >= first]
    found = quantiles[tested - first].copy()
    for level in ground.tree.levels:
        nodes = ground.tree.at(level)
        before, after = (_rows(ground, quantiles[days - first], days, nodes) for days in (taught, tested))
        said, later = (make_forecast(x.quantiles, LEVELS, x.quantiles[..., _MEDIAN]) for x in (before, after))
        learned = calibrate(said, before.inputs, before.truth, knobs=knobs)
        applied = learned.apply(later, after.inputs, after.truth)
        found[:, nodes] = applied.quantiles_kwh.reshape(len(tested), len(nodes), *quantiles.shape[2:])
    return found


def walk_tree(
    ground: TreeGround, *, most_paths: int, calibration: CalibrationConfig, rng: np.random.Generator
) -> Walked:
    """Return the quantiles of every variant on the judged days.

    ``direct`` is each level's own forecast. The ways of ``reconcile`` take paths drawn from these; ``_stretched`` ones
    are widened level by level by past days, and add up still. ``mint_shrink_conformal`` is calibrated node by node
    after reconciliation, and does not. ``naive_bottom_up`` sums the homes' seasonal naive.
    """
    kept: dict[str, list[NDArray[np.float32]]] = {}
    gaps = dict.fromkeys(COHERENT, 0.0)
    counts, first = [], MIN_PATHS + 1
    for day, made in _days(ground, most_paths, rng):
        for name, paths in made.paths.items():
            if ground.tested[day] or name == "mint_shrink":
                kept.setdefault(name, []).append(quantiles_of_paths(paths, LEVELS))
            if ground.tested[day]:
                gaps[name] = max(gaps[name], _gap(paths, ground))
        if ground.tested[day]:
            counts.append(made.n_paths)
    every = np.stack(kept.pop("mint_shrink"))
    found = {name: np.stack(days) for name, days in kept.items()}
    found["mint_shrink"] = every[ground.tested[first:]]
    found["mint_shrink_conformal"] = _conformal(ground, every, first, calibration)
    found["direct"] = ground.quantiles_kwh[ground.tested]
    return Walked(found, gaps, (counts[0], counts[-1]))
