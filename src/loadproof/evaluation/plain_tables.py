"""Small tables of a run that other tools read: DVC's metrics and plots, and how often detectors alarmed."""

from collections.abc import Mapping
from typing import Any, Final

import polars as pl

from loadproof.schema import METRICS

__all__ = ["SCORED", "alarms_table", "by_half_hour", "scores"]

SCORED: Final = ("crps", "mae", "mase", "coverage_80", "width_80")
"""Metrics that a table of models shows side by side."""


def _pooled(metrics: pl.DataFrame) -> pl.DataFrame:
    return metrics.filter(pl.col("entity_id").is_null())


def scores(metrics: pl.DataFrame) -> dict[str, dict[str, float]]:
    """Return the metrics of ``SCORED`` over all entities and times by model, rounded to six digits."""
    chosen = _pooled(metrics).filter(pl.col("metric").is_in(SCORED), pl.col("slice") == "all")
    found: dict[str, dict[str, float]] = {}
    for subject, metric, value in chosen.select("subject", "metric", "value").sort("subject", "metric").iter_rows():
        found.setdefault(subject, {})[metric] = float(f"{value:.6g}")
    return found


def by_half_hour(metrics: pl.DataFrame, metric: str) -> pl.DataFrame:
    """Return a metric by UK half hour of the day: a row each, ``half_hour``, and a column a model."""
    chosen = _pooled(metrics).filter(pl.col("metric") == metric, pl.col("slice").str.starts_with("half_hour="))
    named = chosen.with_columns(half_hour=pl.col("slice").str.strip_prefix("half_hour=")).sort("subject")
    return named.pivot("subject", index="half_hour", values="value").sort("half_hour")


def alarms_table(told: Mapping[str, Mapping[str, Any]]) -> pl.DataFrame:
    """Return how often each detector alarmed as rows of ``METRICS``, from the facts that stand with its alerts."""
    rows = [
        {
            "subject": name, "dataset": facts["dataset"], "level_of_aggregation": "home", "entity_id": None,
            "slice": "all", "metric": "alerts_per_home_week", "value": rate["per_week"], "low": rate["low"],
            "high": rate["high"], "n": round(rate["home_weeks"]), "unit": "alerts",
        }
        for name, facts in sorted(told.items())
        for rate in [facts["rate"]]
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=METRICS)
