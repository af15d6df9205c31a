"""One model against another, in the same draws of households and weeks, as rows of ``METRICS``.

Two models are scored on the same half hours and so share their luck: whether one is better is told by the interval of
their ratio or difference, never by whether their own intervals overlap.
"""

import logging
from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.errors import ConfigError
from loadproof.evaluation import bootstrap
from loadproof.evaluation.bootstrap import Weights
from loadproof.evaluation.metrics import METRIC_UNITS, enough_blocks, overall_counts, overall_values
from loadproof.evaluation.sums import SLICES, SUM_NAMES, Sums
from loadproof.schema import METRICS

__all__ = ["COMPARED", "COMPARISON", "Comparison", "compare", "compare_models"]

logger = logging.getLogger(__name__)

COMPARED: Final = ("crps", "mae", "mase")
"""The metrics by which :func:`compare_models` compares; the first ranks the models."""

COMPARISON: Final = r"^(?<measure>\w+)_(?<kind>ratio|difference)_to:(?<other>(?s:.*))$"
"""How a row's metric names a comparison: ``crps_ratio_to:other`` is the subject's CRPS over that of ``other``,
``crps_difference_to:other`` the one less the other."""


class Comparison(NamedTuple):
    """One metric of two models, ``first`` less ``second`` and ``first`` over ``second``; below 0 and 1 it is less."""

    metric: str
    difference: bootstrap.Interval
    ratio: bootstrap.Interval
    n: int


def _one_metric(cells: NDArray[np.float64], weights: Weights, *, at: int) -> NDArray[np.float64]:
    return overall_values(cells, weights)[:, at]  # (D,)


def _comparable(first: Sums, second: Sums) -> bool:
    n_terms = SUM_NAMES.index("load") + 1  # counts and load agree only for the same cells
    return (
        np.array_equal(first.entities, second.entities)
        and np.array_equal(first.weeks, second.weeks)
        and np.array_equal(first.values[..., :n_terms], second.values[..., :n_terms])
    )


def compare(
    first: Sums, second: Sums, metric: str, *, slice_: str = "all", draws: int = 1000, rng: np.random.Generator
) -> Comparison:
    """Compare two models by one metric in the same draws of households and weeks.

    Raises:
        ConfigError: When they were not scored on the same half hours, or no such metric or slice exists.
    """
    if metric not in METRIC_UNITS or slice_ not in SLICES[: first.values.shape[2]]:
        raise ConfigError(f"no metric {metric!r} in slice {slice_!r}; metrics are {', '.join(METRIC_UNITS)}")
    if not _comparable(first, second):
        raise ConfigError(f"{first.model} and {second.model} were scored on different half hours; use the same windows")
    at, where = list(METRIC_UNITS).index(metric), SLICES.index(slice_)
    weights = bootstrap.draw_weights(len(first.entities), len(first.weeks), draws=draws, rng=rng)
    one, two = first.values[:, :, where], second.values[:, :, where]  # (E, W, K)
    statistic = partial(_one_metric, at=at)
    difference = bootstrap.paired_difference(one, two, statistic, weights)
    ratio = bootstrap.paired_ratio(one, two, statistic, weights)
    if not enough_blocks(one)[at]:
        difference, ratio = (found._replace(low=np.nan, high=np.nan) for found in (difference, ratio))
    return Comparison(metric, difference, ratio, int(overall_counts(one)[at]))


def _crps(sums: Sums) -> tuple[float, str]:
    """Return what ranks a model: its CRPS (one that has none comes last), then its name."""
    cells = sums.values[:, :, 0]  # (E, W, K)
    value = _one_metric(cells, bootstrap.weigh_once(*cells.shape[:2]), at=list(METRIC_UNITS).index(COMPARED[0]))[0]
    return (float(value) if np.isfinite(value) else np.inf, sums.model)


def _groups(ranked: Sequence[Sums]) -> list[list[Sums]]:
    """Return the models in groups that were scored on the same half hours, each in the order of ``ranked``."""
    groups: list[list[Sums]] = []
    for sums in ranked:
        for group in groups:
            if _comparable(group[0], sums):
                group.append(sums)
                break
        else:
            groups.append([sums])
    for group in groups[1:]:
        names = " and ".join(sums.model for sums in group)
        logger.warning("%s: scored on other half hours than %s, not compared with it", names, ranked[0].model)
    return groups


def _pairs(group: Sequence[Sums], against: Sequence[str]) -> list[tuple[Sums, Sums]]:
    """Return the best with each other model, and each other with each bar, be that the best itself."""
    best, *others = group
    bars = [sums for sums in (*others, best) if sums.model in against]
    return [(best, other) for other in others] + [(one, bar) for bar in bars for one in others if one is not bar]


def compare_models(
    judged: Sequence[Sums],
    *,
    dataset: str,
    level_of_aggregation: str = "home",
    against: Sequence[str] = (),
    draws: int = 1000,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Return rows of ``METRICS`` that set the best model by CRPS against each other, and each against the bars.

    Models that were scored on other half hours than the best are compared among themselves alone, and logged.

    Args:
        judged: The sums of each model; the slice ``all`` is enough.
        dataset: Whose readings were forecast.
        level_of_aggregation: As in ``score_sums``.
        against: Models that are a bar for all others; one that was not judged is passed over.
        draws: Number of resamples.
        rng: Where chance comes from.
    """
    rows = []
    for one, two in (pair for group in _groups(sorted(judged, key=_crps)) for pair in _pairs(group, against)):
        for metric in COMPARED:
            found = compare(one, two, metric, draws=draws, rng=rng)
            key = (one.model, dataset, level_of_aggregation, None, "all")
            rows.append((*key, f"{metric}_ratio_to:{two.model}", *found.ratio, found.n, "1"))
            rows.append((*key, f"{metric}_difference_to:{two.model}", *found.difference, found.n, METRIC_UNITS[metric]))
    table = pl.DataFrame(rows, schema=METRICS, orient="row")
    return table.with_columns(pl.col("value", "low", "high").fill_nan(None))
