"""The page in one table: a question a chapter, its answer in a sentence, and where to read on; and the last chapter."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from loadproof.evaluation.aggregates_scores import comparisons, overall, rank_models
from loadproof.evaluation.report_html import Chapter, Html, absent, tag
from loadproof.evaluation.report_html import table as html_table
from loadproof.evaluation.report_words import figure_words, interval_words, share_words

__all__ = ["provenance_chapter", "verdicts"]


def _first(rows: pl.DataFrame) -> dict[str, Any] | None:
    found = rows.to_dicts()
    return found[0] if found else None


def _within(row: Mapping[str, Any], *, share: bool = False) -> str:
    if row["low"] is None or row["high"] is None:
        return " (too few for an interval)"
    if share:
        return f" (95\u00a0% interval {share_words(row['low'])} to {share_words(row['high'])})"
    return f" (95\u00a0% interval {interval_words(row['low'], row['high'], digits=3)})"


def _unsure(row: Mapping[str, Any]) -> bool:
    return row["low"] is None or row["high"] is None or row["low"] <= 1 <= row["high"]


def _skill(metrics: pl.DataFrame, best: str, second: str | None) -> str | None:
    bar = "persistence_ensemble"
    paired = comparisons(metrics).filter(measure=pl.lit("crps"), kind=pl.lit("ratio"), subject=pl.lit(best))
    row = _first(paired.filter(other=pl.lit(second if best == bar else bar)))
    if best == bar:
        if row is None:
            return f"{bar}, which learns nothing, has the lowest CRPS here."
        if not _unsure(row):
            return f"{bar}, which learns nothing, is the best here."
        ratio = f"{figure_words(row['value'], digits=3)} times that of {second}{_within(row)}"
        return f"{bar}, which learns nothing, has the lowest CRPS here, {ratio}: either may be the better one."
    if row is None:
        return None
    doubt = " No gain is proved." if _unsure(row) else ""
    return f"The CRPS of {best} is {figure_words(row['value'], digits=3)} times that of {bar}{_within(row)}.{doubt}"


def _bands(metrics: pl.DataFrame, best: str) -> str | None:
    row = _first(overall(metrics, "coverage_80").filter(subject=pl.lit(best)))
    if row is None:
        return None
    held = f"{share_words(row['value'])} of half hours{_within(row, share=True)}"
    return f"The 80\u00a0% band of {best} held {held}."


def _alarms(facts: Mapping[str, Any] | None) -> str | None:
    if facts is None or (rate := facts["rate"])["per_week"] is None:
        return None
    raised, wanted = figure_words(rate["per_week"], digits=3), figure_words(facts["alerts_per_week"])
    return f"{facts['detector']} raised {raised} alerts per home and week{_within(rate)}; {wanted} were asked for."


def _feeders(ranked: pl.DataFrame | None) -> str | None:
    if ranked is None or (row := _first(ranked)) is None:
        return None
    return (
        f"Of {ranked['entity_id'].n_unique()}, {row['entity_id']} is the nearest to its {row['limit']} limit: a chance "
        f"of {share_words(row['probability'])} in its likeliest half hour."
    )


def _play(metrics: pl.DataFrame) -> str | None:
    paired = comparisons(metrics).filter(measure=pl.lit("crps"), kind=pl.lit("ratio"))
    row = _first(paired.filter(subject=pl.lit("selfplay"), other=pl.lit("patchtst")))
    if row is None:
        return None
    better = row["high"] is not None and row["high"] < 1
    worse = row["low"] is not None and row["low"] > 1
    verdict = "better" if better else "worse" if worse else "neither better nor worse for sure"
    return (
        f"On ordinary days, selfplay's CRPS is {figure_words(row['value'], digits=3)} times that of patchtst"
        f"{_within(row)}: {verdict}. The two learned from other homes and by other updates; what scenarios are worth, "
        "only the experiment tells (docs/selfplay.md)."
    )


def verdicts(metrics: pl.DataFrame, alarms: Mapping[str, Any] | None, ranked: pl.DataFrame | None) -> Html:
    """Return the table of answers; a question that nothing here answers is left out, and no table of none.

    Args:
        metrics: Rows of ``METRICS``.
        alarms: The facts that stand with the alerts that are shown.
        ranked: Rows of ``RISK``, worst first.
    """
    ranking = rank_models(metrics)
    best, second = [*ranking, None, None][:2]
    told = [
        ("Is a trained model worth it?", "models", _skill(metrics, best, second) if best else None),
        ("Do the bands hold?", "calibration", _bands(metrics, best) if best else None),
        ("How often would it alarm?", "alerts", _alarms(alarms)),
        ("Which feeder is at risk?", "feeders", _feeders(ranked)),
        ("Did self-play help?", "selfplay", _play(metrics)),
    ]
    rows = [[tag("a", question, href=f"#{chapter}"), answer] for question, chapter, answer in told if answer]
    if not rows:
        return Html()
    return html_table("In one page", ["Question", "Answer"], rows, [False, False])


def provenance_chapter(provenance: Mapping[str, str]) -> Chapter:
    """Return what the page was made by and from, and how to make it again."""
    heading, short = "Where all this comes from", "Provenance"
    if not provenance:
        lacking = absent("No version, seed or data hash was recorded for this page.")
        return Chapter("provenance", heading, short, lacking)
    rows = [[name, tag("code", value)] for name, value in provenance.items()]
    body = html_table("What it was made by", ["What", "Value"], rows, [False, False])
    return Chapter("provenance", heading, short, body)
