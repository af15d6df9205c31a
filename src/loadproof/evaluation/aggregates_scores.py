"""Selections from the metrics table: which rows a chart or a sentence wants.

All functions take rows of ``METRICS``; ``value`` keeps the row's own unit.
"""

from typing import Final

import polars as pl

from loadproof.evaluation.comparison import COMPARISON

__all__ = [
    "by_slice",
    "comparisons",
    "count_judged",
    "overall",
    "per_entity",
    "pick_level",
    "rank_models",
    "share_below",
]

_SHARE_BELOW: Final = "share_below_"


def pick_level(metrics: pl.DataFrame) -> pl.DataFrame:
    """Keep finite rows of one level of aggregation per dataset: ``home`` if there is one, else the most frequent."""
    finite = metrics.filter(pl.col("value").is_finite())
    level = pl.col("level_of_aggregation")
    chosen = (
        finite.group_by("dataset", "level_of_aggregation")
        .len()
        .sort("dataset", (level == "home").fill_null(value=False), "len", level, descending=[False, True, True, False])
        .unique("dataset", keep="first", maintain_order=True)
    )
    return finite.join(chosen, on=["dataset", "level_of_aggregation"], how="semi", nulls_equal=True)


def overall(metrics: pl.DataFrame, metric: str) -> pl.DataFrame:
    """Return the pooled rows of one metric: all entities, all times."""
    chosen = (pl.col("metric") == metric) & pl.col("entity_id").is_null() & (pl.col("slice") == "all")
    return metrics.filter(chosen)


def per_entity(metrics: pl.DataFrame, metric: str) -> pl.DataFrame:
    """Return one row per model and entity of one metric over all times."""
    chosen = (pl.col("metric") == metric) & pl.col("entity_id").is_not_null() & (pl.col("slice") == "all")
    return metrics.filter(chosen)


def by_slice(metrics: pl.DataFrame, metric: str, slice_: str) -> pl.DataFrame:
    """Return the pooled rows of one metric by a kind of slice, its value in the column ``at``.

    Args:
        metrics: Rows of ``METRICS``.
        metric: For instance ``mae``.
        slice_: ``half_hour`` or ``weekday``: what stands before the equals sign.
    """
    chosen = (pl.col("metric") == metric) & pl.col("entity_id").is_null()
    named = pl.col("slice").str.starts_with(f"{slice_}=")
    return metrics.filter(chosen & named).with_columns(at=pl.col("slice").str.strip_prefix(f"{slice_}="))


def share_below(metrics: pl.DataFrame) -> pl.DataFrame:
    """Return the pooled share of truths at or below each quantile, its level in the column ``nominal``."""
    chosen = pl.col("metric").str.starts_with(_SHARE_BELOW) & pl.col("entity_id").is_null() & (pl.col("slice") == "all")
    return (
        metrics.filter(chosen)
        .with_columns(nominal=pl.col("metric").str.strip_prefix(_SHARE_BELOW).cast(pl.Float64))
        .sort("subject", "nominal")
    )


def rank_models(metrics: pl.DataFrame) -> list[str]:
    """Return all models, best CRPS first; models without a CRPS follow in order of name."""
    crps = overall(metrics, "crps").sort("value", "subject")["subject"].to_list()
    rest = sorted(set(metrics["subject"].to_list()) - set(crps))
    return [str(name) for name in (*crps, *rest)]


def comparisons(metrics: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that set one model against another, with the columns ``measure``, ``kind`` and ``other``.

    ``kind`` is ``ratio`` or ``difference``: that of the subject to ``other``, by ``measure``, such as ``crps``.
    """
    chosen = metrics.filter(pl.col("entity_id").is_null() & (pl.col("slice") == "all"))
    named = pl.col("metric").str.extract_groups(COMPARISON)
    return chosen.with_columns(named.alias("named")).unnest("named").filter(pl.col("other").is_not_null())


def count_judged(metrics: pl.DataFrame, dataset: str) -> int:
    """Return how many entities of a dataset have a score of their own."""
    return metrics.filter(dataset=pl.lit(dataset))["entity_id"].drop_nulls().n_unique()
