"""The chapter on what was ingested and what was set aside, source by source."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from loadproof.evaluation.report_html import Chapter, Html, absent, breakable, facts, fragment, table, tag
from loadproof.evaluation.report_words import about_reason, dataset_words, listed, plural, share_words

__all__ = ["Summary", "ingest_chapter"]

Summary = Mapping[str, Any]
"""What an ingest wrote about itself, read from JSON."""

MOST_SOURCES_OPEN: Final = 10
MOST_SOURCES: Final = 500


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
    return [tag("h3", name), facts(pairs), _unread(summary), _reasons(summary, name), _sources(summary, name)]


def _unread(summary: Summary) -> Html:
    """Name the sources that could not be read; nothing where there are none."""
    broken = list(summary.get("broken") or [])
    if not broken:
        return Html()
    errors = listed([str(part.get("error") or part.get("name")) for part in broken[:MOST_SOURCES_OPEN]])
    return tag("p", tag("b", f"{plural(len(broken), 'source')} could not be read. "), errors, class_="note")


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
