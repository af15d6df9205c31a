"""Homes in halves and in groups, and the sum of a group's load."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from loadproof.errors import ConfigError
from loadproof.features.panel import Panel

__all__ = ["disjoint_groups", "random_groups", "reporting_homes", "split_halves", "sum_groups", "take_homes"]

Names = NDArray[np.str_]


def take_homes(panel: Panel, homes: Names) -> Panel:
    """Return the series of some homes, in the panel's order."""
    chosen = np.isin(panel.entities, homes)  # (E,)
    return Panel(panel.entities[chosen], panel.start, panel.interval_mins, panel.energy_kwh[chosen])


def split_halves(homes: Names, *, rng: np.random.Generator) -> tuple[Names, Names]:
    """Return the homes in two random halves, each ascending; the first has one more of an odd number.

    Raises:
        ConfigError: When there are fewer than two.
    """
    if len(homes) < 2:
        raise ConfigError(f"{len(homes)} home(s) cannot be halved; ingest more, or judge the plain split alone")
    shuffled = rng.permutation(np.unique(homes))
    middle = (len(shuffled) + 1) // 2
    return np.sort(shuffled[:middle]), np.sort(shuffled[middle:])


def reporting_homes(panel: Panel, start: np.datetime64, end: np.datetime64, *, share: float) -> Names:
    """Return the homes that report at least a ``share`` of the half hours of a span."""
    first, last = panel.steps_to(np.array([start, end]))
    observed = panel.count(np.array([first]), int(last - first))[:, 0]  # (E,)
    return np.asarray(panel.entities[observed >= share * (last - first)])


def disjoint_groups(homes: Names, size: int, *, prefix: str, rng: np.random.Generator) -> dict[str, Names]:
    """Return as many random groups of ``size`` as there are, no home in two; the rest is in none."""
    shuffled = rng.permutation(np.unique(homes))
    return {f"{prefix}{i:02d}": np.sort(shuffled[i * size : (i + 1) * size]) for i in range(len(shuffled) // size)}


def random_groups(homes: Names, size: int, count: int, *, prefix: str, rng: np.random.Generator) -> dict[str, Names]:
    """Return ``count`` random groups of ``size`` different homes each, which overlap: to learn from, not to judge on.

    Raises:
        ConfigError: When there are fewer homes than one group needs.
    """
    if len(homes) < size:
        raise ConfigError(f"{len(homes)} homes fill no group of {size}; judge smaller groups with backtest.levels")
    return {f"{prefix}{i:03d}": np.sort(rng.choice(np.unique(homes), size, replace=False)) for i in range(count)}


def sum_groups(panel: Panel, groups: Mapping[str, Sequence[str] | Names], *, min_reporting: float = 0.9) -> Panel:
    """Return each group's load as one series.

    A group's half hour is the mean of the homes that report times the number of its homes: what the silent ones use
    is taken to be what the others do. With fewer than ``min_reporting`` of its homes reporting it is missing. So a
    group is one size all year, and a home that leaves is no fall in load.

    Raises:
        ConfigError: When a group names a home that the panel lacks, or there is no group.
    """
    if not groups:
        raise ConfigError("there is no group to sum; name at least one, or judge smaller groups with backtest.levels")
    names = np.array(sorted(groups))  # (G,)
    energy = np.empty((len(names), panel.energy_kwh.shape[1]), dtype=np.float32)  # (G, T)
    for row, name in enumerate(names.tolist()):
        members = np.isin(panel.entities, np.asarray(groups[name]))  # (E,)
        size = len(groups[name])
        if members.sum() != size:
            raise ConfigError(f"{name} has {size} homes, the panel {members.sum()} of them; group the panel's own")
        kwh = panel.energy_kwh[members]  # (S, T)
        reporting = (~np.isnan(kwh)).sum(axis=0)  # (T,)
        total = np.nansum(kwh, axis=0, dtype=np.float64)  # (T,)
        # A share of 0.9 of 10 homes is 9, whatever binary fractions make of it.
        enough = reporting >= min_reporting * size - 1e-9
        energy[row] = np.divide(total * size, reporting, where=enough, out=np.full(energy.shape[1], np.nan))
    return Panel(names, panel.start, panel.interval_mins, energy)
