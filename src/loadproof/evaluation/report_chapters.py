"""The first chapters: the summary, and what was ingested and what was set aside."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl

from loadproof.evaluation.aggregates_scores import overall
from loadproof.evaluation.figures import year_carpet
from loadproof.evaluation.report_html import (
    Chapter,
    Html,
    Panel,
    absent,
    breakable,
    facts,
    figure,
    fragment,
    table,
    tag,
)
from loadproof.evaluation.report_words import (
    DATASETS,
    about_reason,
    count_words,
    dataset_words,
    day_words,
    figure_words,
    interval_words,
    plural,
    share_words,
)

__all__ = ["Summary", "ingest_chapter", "summary_chapter"]

Summary = Mapping[str, Any]
"""What an ingest wrote about itself, read from JSON."""

MOST_SOURCES_OPEN: Final = 10
MOST_SOURCES: Final = 500


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


def _size(counts: pl.DataFrame, summaries: Sequence[Summary]) -> tuple[int, int, str, str]:
    """Entities, rows, what the entities are called, and where they come from."""
    datasets = counts["dataset"].to_list() or sorted({str(summary.get("dataset")) for summary in summaries})
    words = [dataset_words(str(dataset)) for dataset in datasets]
    noun = words[0][1] if len(words) == 1 else "entities"
    entities = int(counts["entities"].sum()) or _total(summaries, "entities")
    rows = int(counts["rows"].sum()) or _total(summaries, "rows_written")
    return entities, rows, noun, " and ".join(name for name, _ in words)


def _whom(dataset: str, counts: pl.DataFrame, summaries: Sequence[Summary]) -> str:
    """The entities of one dataset, with their number where it is known."""
    mine = [summary for summary in summaries if summary.get("dataset") == dataset]
    number = int(counts.filter(pl.col("dataset") == dataset)["entities"].sum()) or _total(mine, "entities")
    noun = dataset_words(dataset)[1]
    return f"{number:,} {noun}" if number else noun


def _standing(ranked: Sequence[Mapping[str, Any]]) -> str:
    """What to think of the best model's lead, in one or two sentences."""
    best, *others = ranked
    interval = interval_words(best["low"], best["high"])
    said = f"It is {best['subject']}, " + (
        f"with a 95\u00a0% interval of {interval}. " if interval else "scored without an interval. "
    )
    if not others:
        return said
    second = others[0]
    overlap = interval and interval_words(second["low"], second["high"]) and second["low"] <= best["high"]
    end = "; the two intervals overlap. " if overlap else ". "
    return f"{said}Next comes {second['subject']} with {figure_words(second['value'])}{end}"


def summary_chapter(
    summaries: Sequence[Summary],
    counts: pl.DataFrame,
    year: pl.DataFrame | None,
    metrics: pl.DataFrame,
    provenance: Mapping[str, str],
) -> Chapter:
    """Return the summary: a headline, key figures, a year at a glance, and where it all came from."""
    # Weather and other side data have a summary too, but do not count as readings.
    summaries = [s for s in summaries if s.get("dataset") in DATASETS] or summaries
    entities, rows, noun, source = _size(counts, summaries)
    span, ranked = _span(counts, summaries), _best_first(metrics)
    read = f"{count_words(rows)} readings of {entities:,} {noun} from {source}"
    if ranked:
        score = tag("em", f"{figure_words(ranked[0]['value'])} kWh")
        who = _whom(ranked[0]["dataset"], counts, summaries)
        field = f"The best of {len(ranked)} models" if len(ranked) > 1 else "One model"
        headline = fragment(f"{field} forecasts {who} with a CRPS of ", score)
        stand = _standing(ranked) + (f"The page rests on {read}." if rows else "")
    elif rows:
        headline = fragment(tag("em", count_words(rows)), f" readings of {entities:,} {noun} are in")
        stand = f"They come from {source}. No forecast has been scored yet."
    else:
        headline = fragment("Nothing has been read yet")
        stand = "Ingest a dataset first, then build this page again."
    trial = [s for s in summaries if s.get("mode") == "samples"]
    body = fragment(
        tag("h1", headline),
        tag("p", stand, class_="standfirst"),
        _samples_note() if trial else Html(),
        _tiles(entities, rows, noun, source, span, summaries, ranked),
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
        "its figures say nothing about real homes.",
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
        tiles.append(_tile("Best model by CRPS", breakable(ranked[0]["subject"]), hint, "wide best"))
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


def ingest_chapter(summaries: Sequence[Summary]) -> Chapter:
    """Return what was read, from which files, and what was set aside and why."""
    lead = tag(
        "p",
        "Nothing is repaired and nothing is invented. A row that breaks a rule is set aside with its reason and "
        "its line number; a half hour without a reading stays missing.",
    )
    parts = [part for summary in summaries for part in _ingested(summary)]
    lacking = absent("No ingest summary was given to this page, so it cannot say what was read or set aside.")
    return Chapter("ingest", "What was read and what was set aside", "Ingest", fragment(lead, *(parts or [lacking])))


def _ingested(summary: Summary) -> list[Html]:
    name, noun = dataset_words(str(summary.get("dataset", "unknown")))
    settings = summary.get("settings") or {}
    pairs = [
        ("rows read", f"{int(summary.get('rows_read') or 0):,}"),
        ("rows kept", f"{int(summary.get('rows_written') or 0):,}"),
        (noun, f"{int(summary.get('entities') or 0):,}"),
        ("mode", str(summary.get("mode", "unknown"))),
        *[(str(key).replace("_", " "), str(value)) for key, value in settings.items()],
    ]
    return [tag("h3", name), facts(pairs), _reasons(summary, name), _sources(summary, name)]


def _reasons(summary: Summary, name: str) -> Html:
    counts = {str(k): int(v) for k, v in (summary.get("rejected_by_reason") or {}).items() if v}
    if not counts:
        return tag("p", "No row was set aside.")
    most, seen = max(counts.values()), int(summary.get("rows_read") or 0)
    items = []
    for code, rows in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        title, explanation = about_reason(code)
        share = f" ({share_words(rows / seen, 3)})" if seen else ""
        bar = tag("div", class_="bar", style=f"width:{100 * rows / most:.2f}%")
        count = tag("div", tag("div", bar), tag("span", f"{rows:,}{share}"), class_="count")
        items.append(tag("li", tag("div", tag("b", title), tag("code", code)), count, tag("p", explanation)))
    return tag(
        "figure",
        tag("h3", f"Rows set aside, by reason: {name}"),
        tag("ul", *items, class_="reasons"),
        tag(
            "figcaption",
            tag("p", "Bars are numbers of rows on one scale from zero; in brackets, the share of all rows read."),
        ),
    )


def _sources(summary: Summary, name: str) -> Html:
    sources = list(summary.get("sources") or [])
    if not sources:
        return tag("p", "The summary names no source files.")
    rows = [
        (
            breakable(str(source.get("name", ""))),
            f"{int(source.get('bytes') or 0):,}",
            tag("code", str(source.get("sha256") or "–")[:12]),
            f"{int(source.get('rows_read') or 0):,}",
            f"{int(source.get('rows_rejected') or 0):,}",
        )
        for source in sources[:MOST_SOURCES]
    ]
    head = ("File", "Bytes", "SHA-256, first 12", "Rows read", "Rows set aside")
    listed = table(f"Source files: {name}", head, rows, (False, True, False, True, True))
    if len(sources) > MOST_SOURCES:
        more = f"{len(sources) - MOST_SOURCES:,} more files are named in the ingest summary alone."
        listed = fragment(listed, tag("p", more, class_="kicker"))
    if len(sources) > MOST_SOURCES_OPEN:
        return tag("details", tag("summary", f"All {len(sources):,} source files"), listed)
    return listed
