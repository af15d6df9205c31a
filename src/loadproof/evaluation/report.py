"""The report: tables in, one self-contained HTML page out.

The page loads nothing: style, libraries and data stand in the file. Any part may be missing; its chapter says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from loadproof.evaluation.aggregates import COUNTS, count_readings, coverage_by_day, profile_seasons, profile_year
from loadproof.evaluation.aggregates_forecasts import cut_fan, list_models, score_windows, select_windows
from loadproof.evaluation.aggregates_scores import overall, pick_level, rank_models
from loadproof.evaluation.report_chapters import summary_chapter
from loadproof.evaluation.report_chapters_alerts import Alerts, alerts_chapter
from loadproof.evaluation.report_chapters_feeders import RiskContent, feeders_chapter
from loadproof.evaluation.report_chapters_ingest import ingest_chapter
from loadproof.evaluation.report_chapters_load import coverage_chapter, typical_chapter
from loadproof.evaluation.report_chapters_models import Beside, models_chapter
from loadproof.evaluation.report_chapters_play import PlayContent, play_chapter
from loadproof.evaluation.report_chapters_scores import (
    Example,
    calibration_chapter,
    errors_chapter,
    forecasts_chapter,
    metrics_chapter,
)
from loadproof.evaluation.report_html import page, tag
from loadproof.evaluation.report_verdicts import provenance_chapter, verdicts
from loadproof.schema import METRICS

__all__ = ["ReportContent", "build_report"]


@dataclass(frozen=True)
class ReportContent:
    """What a report is made of; all of it may be empty or None.

    Attributes:
        summaries: Ingest summaries, as read from their JSON.
        readings: Columns of ``READINGS`` and ``dataset``; energy in kWh per interval.
        forecasts: Columns of ``FORECASTS``.
        metrics: Columns of ``METRICS``.
        alerts: What a detector told.
        risk: What a run of ``feeders risk`` left behind.
        play: What a training by self-play left behind.
        provenance: Names and values to show as they are: version, seed, data hashes.
    """

    summaries: list[dict[str, Any]] = field(default_factory=list)
    readings: pl.LazyFrame | None = None
    forecasts: pl.LazyFrame | None = None
    metrics: pl.DataFrame | None = None
    alerts: Alerts | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)
    risk: RiskContent | None = None
    play: PlayContent | None = None


def _best_models(metrics: pl.DataFrame) -> list[tuple[str, str]]:
    """The best model by CRPS of each dataset, as pairs of dataset and model."""
    crps = overall(metrics, "crps").sort("dataset", "value", "subject")
    best = crps.unique("dataset", keep="first", maintain_order=True)
    return [(str(dataset), str(model)) for dataset, model in best.select("dataset", "subject").iter_rows()]


def _best_by_windows(forecasts: pl.LazyFrame, readings: pl.LazyFrame, models: list[str]) -> str | None:
    """The model with the lowest mean CRPS of its windows, for want of metrics."""
    means = {}
    for model in models:
        scored = score_windows(forecasts, readings, model)
        if scored.height:
            means[model] = scored.select(pl.col("crps_kwh").mean()).item()
    return min(means, key=lambda model: (means[model], model)) if means else None


def _examples(forecasts: pl.LazyFrame, readings: pl.LazyFrame, metrics: pl.DataFrame) -> list[Example]:
    """Good, median and bad windows of each dataset's best model, among the models that have forecasts here."""
    known = list_models(forecasts)
    scored = metrics.filter(pl.col("subject").is_in(known))
    chosen = [(f"{dataset}:", model) for dataset, model in _best_models(scored)]
    if not chosen:
        best = _best_by_windows(forecasts, readings, known)
        chosen = [("", best)] if best is not None else []
    examples = []
    for prefix, model in chosen:
        mine = forecasts.filter(pl.col("entity_id").str.starts_with(prefix))
        for pick in select_windows(score_windows(mine, readings, model), model):
            examples.append(Example(pick, cut_fan(mine, readings, pick.window)))
    return examples


def _beside(
    forecasts: pl.LazyFrame, readings: pl.LazyFrame, metrics: pl.DataFrame, examples: list[Example]
) -> list[Beside]:
    """Return the median window of each dataset's best model as all models forecast it, best model first."""
    days, known = [], list_models(forecasts)
    order = [model for model in rank_models(metrics) if model in known] or known
    for window in [example.pick.window for example in examples if example.pick.kind == "median"]:
        mine = forecasts.filter(entity_id=pl.lit(window.entity_id), t0_utc=pl.lit(window.t0_utc))
        scored = {model: score_windows(mine, readings, model) for model in order}
        losses = {model: rows["crps_kwh"].item() for model, rows in scored.items() if rows.height == 1}
        windows = [window._replace(model=model, crps_kwh=loss) for model, loss in losses.items()]
        days.append(Beside(windows, [cut_fan(mine, readings, one) for one in windows]))
    return days


def _lacking(content: ReportContent) -> str:
    if content.forecasts is None:
        return "No forecasts were given to this page, so it has none to show."
    if content.readings is None:
        return "Forecasts were given, but no readings to hold them against."
    return "No window of the forecasts was measured well enough to be shown."


def build_report(content: ReportContent) -> str:
    """Return the report as one HTML page that needs no network, no server and no other file."""
    readings = content.readings
    metrics = pick_level(content.metrics if content.metrics is not None else pl.DataFrame(schema=METRICS))
    counts = count_readings(readings) if readings is not None else pl.DataFrame(schema=COUNTS)
    days = profiles = year = None
    examples: list[Example] = []
    beside: list[Beside] = []
    if readings is not None and counts.height:
        days, profiles, year = coverage_by_day(readings), profile_seasons(readings), profile_year(readings)
        if content.forecasts is not None:
            examples = _examples(content.forecasts, readings, metrics)
            beside = _beside(content.forecasts, readings, metrics, examples)
    answers = verdicts(
        metrics, content.alerts.facts if content.alerts else None, content.risk.ranked if content.risk else None
    )
    chapters = [
        summary_chapter(content.summaries, counts, year, metrics, content.provenance, answers),
        ingest_chapter(content.summaries),
        coverage_chapter(days),
        typical_chapter(profiles),
        forecasts_chapter(examples, _lacking(content)),
        metrics_chapter(metrics),
        models_chapter(metrics, beside),
        calibration_chapter(metrics),
        errors_chapter(metrics),
        alerts_chapter(content.alerts),
        feeders_chapter(content.risk),
        play_chapter(content.play),
        provenance_chapter(content.provenance),
    ]
    footer = tag("p", "Made by loadproof. This page is one file: it loads nothing and sends nothing.")
    return page("loadproof report", chapters, footer)
