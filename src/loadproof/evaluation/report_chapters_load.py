"""The chapters about the load itself: how complete the data are, and what a typical day and week look like."""

from collections.abc import Sequence

import polars as pl

from loadproof.evaluation.aggregates import SEASONS, Profiles
from loadproof.evaluation.figures import active_entities, coverage_calendar, typical_day, typical_week
from loadproof.evaluation.report_html import Chapter, Html, Panel, absent, figure, fragment, legend, tag
from loadproof.evaluation.report_words import dataset_words, day_words, plural, share_words

__all__ = ["coverage_chapter", "typical_chapter"]

NO_READINGS = "No readings were given to this page, so "


def _by_dataset(frame: pl.DataFrame) -> list[tuple[str, str, str, pl.DataFrame]]:
    """Name, noun, title suffix and rows of each dataset; the suffix is empty where there is only one."""
    parts = []
    for (dataset,), part in frame.group_by("dataset", maintain_order=True):
        name, noun = dataset_words(str(dataset))
        parts.append((name, noun, f": {name}" if frame["dataset"].n_unique() > 1 else "", part))
    return parts


def _gaps(days: pl.DataFrame, noun: str) -> str:
    """One or two sentences that name the worst of the coverage."""
    whole = days.filter(pl.col("share") >= 0.99).height
    said = f"On {whole:,} of {days.height:,} days at least 99\u00a0% of the expected half hours are present. "
    silent = days.filter(pl.col("share") == 0)
    if silent.height:
        first = day_words(silent["day"][0])
        return said + f"On {plural(silent.height, 'day')} nothing at all was reported, first on {first}."
    worst = days.sort("share", "day").row(0, named=True)
    return said + (
        f"The thinnest day is {day_words(worst['day'])} with {share_words(worst['share'])} of what "
        f"{worst['entities']:,} {noun} should have reported."
    )


def coverage_chapter(days: pl.DataFrame | None) -> Chapter:
    """Return the coverage chapter from ``dataset, day, entities, share``."""
    heading, short = "How complete the data are", "Coverage"
    if days is None or days.is_empty():
        return Chapter("coverage", heading, short, absent(NO_READINGS + "it cannot say how complete they are."))
    body: list[Html] = []
    for _, noun, suffix, part in _by_dataset(days):
        aid = (
            "Each cell is a day, each row a month; the quiet colour means complete, warm colours mean gaps, and where "
            "there is no cell nothing was expected."
        )
        joined = f"Read it beside the calendar: a complete day of few {noun} is still a day of few {noun}."
        body += [
            tag("p", _gaps(part, noun)),
            figure(
                f"Share of expected half hours present, by day{suffix}", aid, [Panel(coverage_calendar(part, noun))]
            ),
            figure(f"How many {noun} were expected to report{suffix}", joined, [Panel(active_entities(part, noun))]),
        ]
    rule = tag(
        "p",
        "An entity is expected from its first reading to its last. Before it joins and after it leaves it counts "
        "for nothing; a silence in between counts as a gap. Days are UTC.",
    )
    return Chapter("coverage", heading, short, fragment(rule, *body))


def _present(frame: pl.DataFrame) -> Sequence[str]:
    seasons = set(frame["season"].to_list())
    return [season for season in SEASONS if season in seasons]


def typical_chapter(profiles: Profiles | None) -> Chapter:
    """Return the chapter on typical days and weeks."""
    heading, short = "A typical day, a typical week", "Typical load"
    if profiles is None or profiles.day.is_empty():
        return Chapter("typical", heading, short, absent(NO_READINGS + "it cannot draw a typical day or week."))
    days, weeks = _by_dataset(profiles.day), _by_dataset(profiles.week)
    body: list[Html] = []
    for (_, noun, suffix, day), (_, _, _, week) in zip(days, weeks, strict=True):
        band = ("band", f"middle 80 % of {noun}")
        body += [
            figure(
                f"Typical day by season{suffix}",
                f"The line is the mean over {noun}; the band runs from the 10 % to the 90 % quantile of their own "
                "averages, and grey lines repeat the other seasons.",
                [Panel(typical_day(day, season)) for season in _present(day)],
                layout="pair",
                key=legend([("mean", f"mean of all {noun}"), band, ("muted", "the other seasons")]),
            ),
            figure(
                f"Typical week by season{suffix}",
                "From Monday to Sunday; compare the midday load at the weekend with that of working days.",
                [Panel(typical_week(week, season)) for season in _present(week)],
                layout="pair",
                key=legend([("mean", f"mean of all {noun}"), band]),
            ),
        ]
    lead = tag(
        "p",
        "Seasons are meteorological, winter being December to February, and time is UK local time, so that an "
        "evening is an evening in summer too.",
    )
    return Chapter("typical", heading, short, fragment(lead, *body))
