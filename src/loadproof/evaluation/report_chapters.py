"""The first chapter: what was found, in a headline and a few figures, and where it all came from."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from loadproof.evaluation.aggregates_scores import comparisons, count_judged, overall
from loadproof.evaluation.figures import year_carpet
from loadproof.evaluation.report_chapters_ingest import Summary
from loadproof.evaluation.report_html import (
    Chapter,
    Html,
    Panel,
    breakable,
    facts,
    figure,
    fragment,
    tag,
)
from loadproof.evaluation.report_words import (
    count_words,
    dataset_words,
    day_words,
    figure_words,
    interval_words,
    listed,
    plural,
    share_words,
)
from loadproof.schema import DATASETS

__all__ = ["summary_chapter"]


def _tile(label: str, value: str, hint: str = "", kind: str | None = None) -> Html:
    return tag("div", tag("dt", label), tag("dd", value, class_="value"), tag("dd", hint, class_="hint"), class_=kind)


def _total(summaries: Sequence[Summary], key: str) -> int:
    return sum(int(summary.get(key) or 0) for summary in summaries)


def _days_of(summaries: Sequence[Summary]) -> list[dt.date]:
    texts = [summary.get(key) for summary in summaries for key in ("first_ts_utc", "last_ts_utc")]
    return [dt.datetime.fromisoformat(str(text)).date() for text in texts if text]


def _span(counts: pl.DataFrame, summaries: Sequence[Summary]) -> tuple[dt.date, dt.date] | None:
    ends = counts.select(pl.col("first_ts_utc", "last_ts_utc").dt.date()).to_dict(as_series=False)
    days = [day for column in ends.values() for day in column] or _days_of(summaries)
    return (min(days), max(days)) if days else None


def _best_first(metrics: pl.DataFrame) -> list[dict[str, Any]]:
    """The pooled CRPS rows of the first dataset that has any, best first."""
    crps = overall(metrics, "crps").sort("dataset", "value", "subject")
    return crps.filter(pl.col("dataset") == pl.col("dataset").first()).to_dicts()


def _summaries_of(counts: pl.DataFrame, summaries: Sequence[Summary]) -> list[Summary]:
    """Return the summaries of the datasets whose readings the page shows; without readings, those of all datasets."""
    shown = set(counts["dataset"].to_list()) or DATASETS.keys()
    # Weather and other side data have a summary too, but do not count as readings.
    return [s for s in summaries if s.get("dataset") in shown] or ([] if counts.height else list(summaries))


def _size(counts: pl.DataFrame, summaries: Sequence[Summary]) -> tuple[int, int, str, str]:
    """Entities, rows, what the entities are called, and where they come from."""
    datasets = counts["dataset"].to_list() or sorted({str(summary.get("dataset")) for summary in summaries})
    words = [dataset_words(str(dataset)) for dataset in datasets]
    noun = words[0][1] if len(words) == 1 else "entities"
    entities = int(counts["entities"].sum()) or _total(summaries, "entities")
    rows = int(counts["rows"].sum()) or _total(summaries, "rows_written")
    return entities, rows, noun, listed([name for name, _ in words])


def _whom(metrics: pl.DataFrame, dataset: str, counts: pl.DataFrame) -> str:
    """How many entities of one dataset were judged, and of how many that were read where that differs."""
    noun, judged = dataset_words(dataset)[1], count_judged(metrics, dataset)
    read = int(counts.filter(pl.col("dataset") == dataset)["entities"].sum())
    if not judged:
        return noun
    return f"{judged:,} of {read:,} {noun}" if read > judged else plural(judged, noun.removesuffix("s"), noun)


def _lead(metrics: pl.DataFrame, best: Mapping[str, Any], second: Mapping[str, Any]) -> str:
    """How far the best model is ahead of the next: by their paired comparison, or plainly without one."""
    paired = comparisons(metrics.filter(dataset=pl.lit(best["dataset"]), subject=pl.lit(best["subject"])))
    found = paired.filter(measure=pl.lit("crps"), kind=pl.lit("ratio"), other=pl.lit(second["subject"])).to_dicts()
    noun = dataset_words(str(best["dataset"]))[1]
    if not found:
        return (
            f"Next comes {second['subject']} with {figure_words(second['value'])}; the two were not compared on the "
            f"same {noun} and weeks, so how sure that lead is cannot be said here. "
        )
    row = found[0]
    interval = interval_words(row["low"], row["high"], digits=2)
    said = f"Its CRPS is {figure_words(row['value'], digits=2)} times that of the next, {second['subject']}"
    if not interval:
        return f"{said}, of too few {noun} or weeks for an interval. "
    unsure = row["low"] <= 1 <= row["high"]
    doubt = ": it holds 1, so that either may be the better one. " if unsure else ". "
    return f"{said} (95\u00a0% interval {interval}, on the same {noun} and weeks){doubt}"


def _standing(metrics: pl.DataFrame, ranked: Sequence[Mapping[str, Any]]) -> str:
    """What to think of the best model and its lead, in one or two sentences."""
    best, *others = ranked
    interval = interval_words(best["low"], best["high"])
    said = f"It is {best['subject']}, " + (
        f"with a 95\u00a0% interval of {interval}. " if interval else "scored without an interval. "
    )
    return said + (_lead(metrics, best, others[0]) if others else "")


def _also_read(summaries: Sequence[Summary], here: Sequence[Summary]) -> str:
    """Name the sources that were read beside those that this page is about."""
    others = [summary for summary in summaries if summary not in here and summary.get("dataset") in DATASETS]
    words = [(*dataset_words(str(summary["dataset"])), int(summary.get("entities") or 0)) for summary in others]
    named = [f"{name} ({plural(number, noun.removesuffix('s'), noun)})" for name, noun, number in words]
    return f" Read as well, and told of below: {listed(named)}." if named else ""


def summary_chapter(
    summaries: Sequence[Summary],
    counts: pl.DataFrame,
    year: pl.DataFrame | None,
    metrics: pl.DataFrame,
    provenance: Mapping[str, str],
    answers: Html = Html(),  # noqa: B008  text that nobody can change
) -> Chapter:
    """Return the summary: a headline, key figures, ``answers``, a year at a glance, and where it all came from."""
    here = _summaries_of(counts, summaries)
    entities, rows, noun, source = _size(counts, here)
    span, ranked = _span(counts, here), _best_first(metrics)
    read = f"{count_words(rows)} readings of {entities:,} {noun} from {source}"
    if ranked:
        score = tag("em", f"{figure_words(ranked[0]['value'])} kWh")
        who = _whom(metrics, ranked[0]["dataset"], counts)
        field = f"The best of {len(ranked)} models" if len(ranked) > 1 else "One model"
        headline = fragment(f"{field} forecasts {who} with a CRPS of ", score)
        stand = _standing(metrics, ranked) + (f"The page rests on {read}." if rows else "")
    elif rows:
        headline = fragment(tag("em", count_words(rows)), f" readings of {entities:,} {noun} are in")
        stand = f"They come from {source}. No forecast has been scored yet."
    else:
        headline = fragment("Nothing has been read yet")
        stand = "Ingest a dataset first, then build this page again."
    stand += _also_read(summaries, here)
    trial = [s for s in summaries if s.get("mode") == "samples"]
    body = fragment(
        tag("h1", headline),
        tag("p", stand, class_="standfirst"),
        _samples_note() if trial else Html(),
        _tiles(entities, rows, noun, source, span, here, ranked),
        answers,
        facts([(key, value) for key, value in provenance.items()])
        if provenance
        else tag("p", "No version, seed or data hash was recorded for this page.", class_="kicker"),
        *_carpets(year),
    )
    return Chapter("summary", "Summary", "Summary", body)


def _samples_note() -> Html:
    return tag(
        "p",
        tag("b", "Simulated data. "),
        "This page was made from the bundled samples, which a simulator wrote. It shows that the pipeline runs; "
        "its figures say nothing about real loads.",
        class_="note",
    )


def _tiles(
    entities: int,
    rows: int,
    noun: str,
    source: str,
    span: tuple[dt.date, dt.date] | None,
    summaries: Sequence[Summary],
    ranked: Sequence[Mapping[str, Any]],
) -> Html:
    seen, aside = _total(summaries, "rows_read"), _total(summaries, "rows_rejected")
    tiles = [
        _tile(noun.capitalize(), f"{entities:,}" if entities else "–", source),
        _tile("Readings", f"{rows:,}" if rows else "–", "one per interval that was measured" if rows else ""),
        _tile("Rows set aside", f"{aside:,}", f"{share_words(aside / seen, 2)} of {seen:,} rows read")
        if seen
        else _tile("Rows set aside", "–", "no ingest summary was given"),
    ]
    if span:
        days = (span[1] - span[0]).days + 1
        tiles.append(_tile("Span", plural(days, "day"), f"{day_words(span[0])} to {day_words(span[1])}"))
    if ranked:
        interval = interval_words(ranked[0]["low"], ranked[0]["high"])
        hint = f"CRPS {figure_words(ranked[0]['value'])} kWh" + (f", 95\u00a0% interval {interval}" if interval else "")
        tiles.append(_tile("Best model by CRPS", breakable(ranked[0]["subject"]), hint, "wide best name"))
    else:
        tiles.append(_tile("Best model by CRPS", "–", "no metrics were given", "wide"))
    return tag("dl", *tiles, class_="tiles")


def _carpets(year: pl.DataFrame | None) -> list[Html]:
    if year is None:
        return []
    several = year["dataset"].n_unique() > 1
    figures = []
    for (dataset,), part in year.group_by("dataset", maintain_order=True):
        name, noun = dataset_words(str(dataset))
        title = f"Every week, every half hour: {name}" if several else "Every week, every half hour"
        aid = (
            f"Each column is a week, each row a half hour of the day, and the colour is the mean load of all {noun}: "
            f"look for the evening ridge, and for how far winter widens it. "
            f"Weeks with less than half of the {noun} are left blank."
        )
        figures.append(figure(title, aid, [Panel(year_carpet(part))]))
    return figures
