"""How much better one arm is than another: by scaled loss, and draws of homes, weeks and seeds together."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.errors import SchemaError

__all__ = ["PRIMARY", "Comparison", "Measure", "Pair", "Slice", "Sums", "compare", "coverage", "mean_loss", "sums_of"]

Measure = Literal["log_ratio", "difference"]
"""A home's own measure of two arms: the log of the losses' ratio, or their difference a window."""


class Slice(NamedTuple):
    """A slice of the records that left a family out, and how much it counts."""

    left_out: str
    name: str
    weight: float


PRIMARY: Final = (
    Slice("new_load", "hard", 0.25),
    Slice("occupancy", "hard", 0.25),
    Slice("new_load", "HEAT_PUMP", 1 / 6),
    Slice("occupancy", "VACANCY", 1 / 6),
    Slice("new_load", "SOLAR", 1 / 12),
    Slice("occupancy", "SOLAR", 1 / 12),
)
"""The primary endpoint: half of it real hard windows, half families that nobody was ever shown."""


class Sums(NamedTuple):
    """Of one slice, what can be drawn again: seeds S, homes E, weeks W.

    Attributes:
        loss: Sums of scaled losses ``(S, E, W)``.
        windows: How many, ``(S, E, W)``.
    """

    loss: NDArray[np.float64]
    windows: NDArray[np.float64]


class Comparison(NamedTuple):
    """The mean log-ratio of an arm's loss to another's, or the mean difference: below 0 the arm is better.

    Attributes:
        value: In all data.
        low: The 2.5 % quantile over draws, NaN with a single seed.
        high: The 97.5 % quantile.
        p_value: Two-sided: twice the smaller share of draws beyond 0, itself among them; NaN with a single seed.
        trimmed: The mean without each slice's lowest and highest tenth of homes.
        by_seed: In each seed alone, ``(S,)``.
        seeds: How many seeds both have.
        homes: How many homes, in the slice with fewest.
    """

    value: float
    low: float
    high: float
    p_value: float
    trimmed: float
    by_seed: tuple[float, ...]
    seeds: int
    homes: int


_TRIM: Final = 0.1
_TOGETHER: Final = 1000
"""Draws that are weighed at once."""


def sums_of(frames: Mapping[int, pl.DataFrame], name: str, *, value: str = "loss") -> dict[int, pl.DataFrame]:
    """Return one slice's rows of each seed."""
    return {
        seed: frame.filter(pl.col("slice") == name).select(
            "entity_id", "week", pl.col(value).cast(pl.Float64).alias("loss"), "windows"
        )
        for seed, frame in frames.items()
    }


class _Axes(NamedTuple):
    """What is drawn again, the same in all slices."""

    seeds: list[int]
    homes: NDArray[np.str_]
    weeks: NDArray[np.int64]

    def draw(self, draws: int, rng: np.random.Generator) -> "_Weights":
        """Return how often each draw takes each seed, home and week."""
        sizes = (len(self.seeds), len(self.homes), len(self.weeks))
        return _Weights(*(rng.multinomial(n, np.full(n, 1 / n), size=draws).astype(np.float64) for n in sizes))

    def once(self) -> "_Weights":
        """Return one draw that takes every seed, home and week once."""
        return _Weights(*(np.ones((1, len(axis))) for axis in (self.seeds, self.homes, self.weeks)))

    def seed_by_seed(self) -> "_Weights":
        """Return a draw for each seed that takes it alone, and every home and week once."""
        n = len(self.seeds)
        return _Weights(np.eye(n), np.ones((n, len(self.homes))), np.ones((n, len(self.weeks))))


class _Weights(NamedTuple):
    """How often each of D draws takes each seed ``(D, S)``, home ``(D, E)`` and week ``(D, W)``."""

    seeds: NDArray[np.float64]
    homes: NDArray[np.float64]
    weeks: NDArray[np.float64]

    def parts(self) -> Iterator["_Weights"]:
        """Yield so many draws at a time as fit into memory, in order."""
        for first in range(0, len(self.seeds), _TOGETHER):
            yield _Weights(*(part[first : first + _TOGETHER] for part in self))


Pair: TypeAlias = tuple[float, dict[int, pl.DataFrame], dict[int, pl.DataFrame]]
"""A slice's weight, and its rows by seed under the first arm and under the second; see :func:`sums_of`."""


def _axes(slices: Sequence[Pair]) -> _Axes:
    seeds = set.intersection(*(set(arm) for _, first, second in slices for arm in (first, second)))
    if not seeds:
        raise SchemaError("two arms share no seed; run the study for the same seeds in both")
    frames = [frame for _, first, second in slices for arm in (first, second) for frame in arm.values()]
    every = pl.concat(frames)
    homes, weeks = (np.unique(every[name].to_numpy()) for name in ("entity_id", "week"))
    return _Axes(sorted(seeds), homes.astype(np.str_), weeks)


def _sums(arm: dict[int, pl.DataFrame], axes: _Axes) -> Sums:
    loss, windows = (np.zeros((len(axes.seeds), len(axes.homes), len(axes.weeks))) for _ in range(2))
    for at, seed in enumerate(axes.seeds):
        rows = np.searchsorted(axes.homes, arm[seed]["entity_id"].to_numpy().astype(np.str_))
        columns = np.searchsorted(axes.weeks, arm[seed]["week"].to_numpy())
        loss[at, rows, columns] = arm[seed]["loss"].to_numpy()
        windows[at, rows, columns] = arm[seed]["windows"].to_numpy()
    return Sums(loss, windows)


def _by_home(values: NDArray[np.float64], weights: _Weights) -> NDArray[np.float64]:
    """Return each home's sum in each draw, ``(D, E)``."""
    by_week = np.tensordot(weights.seeds, values, axes=(1, 0))  # (D, E, W)
    return np.asarray((by_week * weights.weeks[:, None]).sum(axis=2))


def _home_ratios(first: Sums, second: Sums, weights: _Weights) -> NDArray[np.float64]:
    """Return each home's log-ratio in each draw, NaN where it has no window in it, ``(D, E)``."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(_by_home(first.loss, weights) / _by_home(second.loss, weights))
    return np.where(np.isfinite(ratio), ratio, np.nan)


def _home_differences(first: Sums, second: Sums, weights: _Weights) -> NDArray[np.float64]:
    """Return by how much each home's mean loss differs in each draw, NaN where it has no window in it, ``(D, E)``."""
    windows = _by_home(first.windows, weights)
    apart = _by_home(first.loss - second.loss, weights)
    return np.where(windows > 0, apart / np.where(windows > 0, windows, 1), np.nan)


_OF_HOMES: Final[dict[Measure, Callable[[Sums, Sums, _Weights], NDArray[np.float64]]]] = {
    "log_ratio": _home_ratios,
    "difference": _home_differences,
}


def _weighted(ratios: NDArray[np.float64], homes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over homes of each draw, ``(D,)``, NaN where none of its homes has a window."""
    known = ~np.isnan(ratios)
    total = (homes * known).sum(axis=1)
    mean = (homes * np.where(known, ratios, 0)).sum(axis=1) / np.where(total > 0, total, 1)
    return np.where(total > 0, mean, np.nan)


def _trimmed(ratios: NDArray[np.float64]) -> float:
    ordered = np.sort(ratios[~np.isnan(ratios)])
    cut = int(len(ordered) * _TRIM)
    return float(ordered[cut : len(ordered) - cut].mean()) if len(ordered) else float("nan")


def _two_sided(drawn: NDArray[np.float64]) -> float:
    beyond = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    return min(2 * (beyond + 1) / (len(drawn) + 1), 1.0)


def compare(
    slices: Sequence[Pair], *, draws: int, rng: np.random.Generator, measure: Measure = "log_ratio"
) -> Comparison:
    """Return the weighted mean over slices of the mean over homes of log(first's loss / second's loss).

    In each draw the same seeds, homes and weeks are taken with replacement in all slices and both arms.

    Args:
        slices: What to compare on.
        draws: How many draws.
        rng: Of the draws.
        measure: What is taken of each home; the difference of its mean losses weighs slices by how large losses are.

    Raises:
        SchemaError: When the arms share no seed, or were judged on different windows.
    """
    axes = _axes(slices)
    tables = [(weight, _sums(first, axes), _sums(second, axes)) for weight, first, second in slices]
    if not all(np.array_equal(first.windows, second.windows) for _, first, second in tables):
        raise SchemaError("two arms were judged on different windows; make the records of one of them again")
    parts = np.array([float(weight) for weight, _, _ in tables])
    parts /= parts.sum()
    of_homes = _OF_HOMES[measure]

    def mean_of(weights: _Weights) -> NDArray[np.float64]:
        means = [_weighted(of_homes(first, second, weights), weights.homes) for _, first, second in tables]
        return np.asarray(parts @ np.array(means))  # (D,)

    drawn = np.concatenate([mean_of(part) for part in axes.draw(draws, rng).parts()])  # (D,)
    low, high = np.nanquantile(drawn, (0.025, 0.975)) if len(axes.seeds) > 1 else (np.nan, np.nan)
    p_value = _two_sided(drawn) if len(axes.seeds) > 1 else np.nan
    trimmed = parts @ [_trimmed(of_homes(first, second, axes.once())[0]) for _, first, second in tables]
    by_seed = tuple(mean_of(axes.seed_by_seed()).tolist())
    value = float(mean_of(axes.once())[0])
    judged = min(int((first.windows.sum(axis=(0, 2)) > 0).sum()) for _, first, _ in tables)
    return Comparison(value, float(low), float(high), p_value, float(trimmed), by_seed, len(axes.seeds), judged)


def mean_loss(frames: Mapping[int, pl.DataFrame], name: str) -> float:
    """Return the mean over homes of a slice's mean scaled loss over all seeds."""
    rows = pl.concat(list(sums_of(frames, name).values())).group_by("entity_id").agg(pl.col("loss", "windows").sum())
    return float((rows["loss"] / rows["windows"]).mean())  # type: ignore[arg-type]


def coverage(frames: Mapping[int, pl.DataFrame], name: str) -> float:
    """Return the share of a slice's half hours inside the 90 % band, over all seeds."""
    rows = pl.concat([frame.filter(pl.col("slice") == name) for frame in frames.values()])
    return int(rows["in_90"].sum()) / max(int(rows["half_hours"].sum()), 1)
