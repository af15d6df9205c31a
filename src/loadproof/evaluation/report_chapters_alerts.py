"""The chapter on alerts: how often they stood, when each home had some, and the gravest in pictures."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from zoneinfo import ZoneInfo

import polars as pl

from loadproof.evaluation.figures_alerts import KIND_WORDS, alert_calendar, alert_chart, alerts_by_day
from loadproof.evaluation.report_html import (
    Chapter,
    Html,
    Panel,
    absent,
    breakable,
    facts,
    figure,
    fragment,
    legend,
    tag,
)
from loadproof.evaluation.report_words import (
    dataset_words,
    day_words,
    figure_words,
    interval_words,
    listed,
    plural,
)
from loadproof.features.calendar import UK_ZONE

__all__ = ["Alerts", "alerts_chapter"]

_MOST_ROWS: Final = 16
"""The calendar shows so many homes, each with a picture of its gravest alert; the table on disk holds all."""

_KEY: Final = (
    ("truth", "what was read"),
    ("band", "nine of ten of the last 28 days"),
    ("muted", "their median"),
    ("alert", "the alert"),
    ("gap", "no reading"),
)


@dataclass(frozen=True)
class Alerts:
    """What one detector told.

    Attributes:
        table: Rows of ``ALERTS``.
        facts: What stands beside them in their JSON.
        shown: The alerts that have a picture, gravest first.
        steps: Of each of them ``ts_utc, energy_kwh, low_kwh, middle_kwh, high_kwh``.
        others: Other detectors that watched the same days, each with how many alerts of odd readings it had.
    """

    table: pl.DataFrame
    facts: Mapping[str, Any]
    shown: Sequence[Mapping[str, Any]] = ()
    steps: Sequence[pl.DataFrame] = ()
    others: Mapping[str, int] = field(default_factory=dict)


def alerts_chapter(found: Alerts | None) -> Chapter:
    """Return the chapter; None says that nobody watched."""
    heading, short = "What was odd", "Alerts"
    if found is None:
        lacking = "No alerts were given to this page; 'loadproof anomaly' finds them."
        return Chapter("alerts", heading, short, absent(lacking))
    span = (dt.date.fromisoformat(found.facts["first"]), dt.date.fromisoformat(found.facts["until"]))
    body = [tag("p", _lead(found, span)), _facts(found)]
    if found.table.height:
        body.append(_calendar(found, span))
        body += [_by_day(found, span)] if found.facts["rate"]["alerts"] else []
        body += [_pictures(found)] if found.shown else []
    else:
        body.append(absent("Nothing was odd, and no reading was missing."))
    return Chapter("alerts", heading, short, fragment(*body))


def _noun(found: Alerts) -> str:
    return dataset_words(str(found.facts["dataset"]))[1]


def _lead(found: Alerts, span: tuple[dt.date, dt.date]) -> str:
    rate, missing = found.facts["rate"], int(found.facts["kinds"].get("missing", 0))
    interval = interval_words(rate["low"], rate["high"], digits=3)
    said = f" (95\u00a0% interval {interval}, over {_noun(found)} crossed with weeks)" if interval else ""
    achieved, last = figure_words(rate["per_week"], digits=3), span[1] - dt.timedelta(days=1)
    whom = plural(rate["homes"], _noun(found).removesuffix("s"))
    return (
        f"The detector {found.facts['detector']} read every half hour of {whom} from {day_words(span[0])} to "
        f"{day_words(last)}. It was asked for {found.facts['alerts_per_week']:g} false alarms per home and week at "
        f"most. It raised {plural(rate['alerts'], 'alert')} in {rate['home_weeks']:,.0f} weeks of readings, {achieved} "
        f"per home and week{said}. Nobody has said which of them are true, so every one counts as false here, and the "
        f"rate of false alarms is that or less. {plural(missing, 'stretch', 'stretches')} without readings are told of "
        "beside them and are no alarms."
    )


def _facts(found: Alerts) -> Html:
    kinds = [f"{count:,} {KIND_WORDS.get(kind, kind)}" for kind, count in found.facts["kinds"].items()]
    history = found.facts["clean_history"]
    first = day_words(dt.date.fromisoformat(history["first"]))
    pairs = [
        ("detector", breakable(found.facts["detector"])),
        ("alerts", listed(kinds) or "none"),
        ("ranked among", f"each home's own last {history['days']} days, from {first} on"),
        *[(f"by {name}", plural(count, "alert")) for name, count in found.others.items()],
    ]
    return facts(pairs)


def _graver(table: pl.DataFrame) -> list[str]:
    """Return the entities with alerts, those with the gravest first, most alerts first among equals."""
    ranked = (
        table.filter(pl.col("kind") != "missing")
        .group_by("entity_id")
        .agg(pl.col("severity").max(), pl.len())
        .sort("severity", "len", "entity_id", descending=[True, True, False])
    )
    without = table.filter(pl.col("kind") == "missing")["entity_id"].unique().sort().to_list()
    return list(dict.fromkeys([*ranked["entity_id"].to_list(), *without]))


def _pictured(found: Alerts, homes: Sequence[str]) -> str:
    """Say how many of these homes' alerts of odd readings have a picture."""
    odd = found.table.filter(pl.col("severity").is_not_null(), pl.col("entity_id").is_in(homes)).height
    drawn = sum(alert["severity"] is not None for alert in found.shown)
    return "each" if drawn == odd else f"{drawn} of these {odd}"


def _calendar(found: Alerts, span: tuple[dt.date, dt.date]) -> Html:
    pictured = [alert["entity_id"] for alert in found.shown if alert["severity"] is not None]
    entities = list(dict.fromkeys([*pictured, *_graver(found.table)]))
    shown = entities[:_MOST_ROWS]
    whole = len(entities) == len(shown)
    more = "" if whole else f" These {len(shown)} had the gravest alerts, of {len(entities)} that had some."
    aid = (
        "Each row is a home, each mark an alert from its start to its end, drawn wide enough to be seen. A row full of "
        f"marks is a home that changed; a column of marks is a day that was odd for many.{more} Below, "
        f"{_pictured(found, shown)} in a picture, the gravest of each home first."
    )
    return figure("Calendar of alerts", aid, [Panel(alert_calendar(found.table, shown, span))])


def _by_day(found: Alerts, span: tuple[dt.date, dt.date]) -> Html:
    aid = (
        f"How many alerts of odd readings began each day, over all {_noun(found)}: holidays and cold spells stand out. "
        "What is missing is left out."
    )
    odd = found.table.filter(pl.col("kind") != "missing")
    return figure("Alerts by day", aid, [Panel(alerts_by_day(odd, span))])


def _day(alert: Mapping[str, Any]) -> str:
    return day_words(alert["start_utc"].astimezone(ZoneInfo(UK_ZONE)).date())


def _heading(alert: Mapping[str, Any]) -> Html:
    name, kind = str(alert["entity_id"]).rsplit(":", 1)[-1], KIND_WORDS.get(alert["kind"], alert["kind"])
    grave = "" if alert["severity"] is None else f", severity {figure_words(alert['severity'], digits=1)}"
    return fragment(f"{name}, {_day(alert)}: {kind} ", tag("span", f"{alert['sentence']}{grave}"))


def _pictures(found: Alerts) -> Html:
    panels = [
        Panel(alert_chart(alert, steps), _heading(alert)) for alert, steps in zip(found.shown, found.steps, strict=True)
    ]
    aid = (
        "The homes of the calendar, and the longest stretch without readings. The band is what the home used in "
        "nine of ten of the same half hours of the 28 days before, and the grey line their median. Severity 3 is one "
        "reading in a thousand of clean history, 4 one in ten thousand."
    )
    return figure("Alerts, one by one", aid, panels, layout="pair", key=legend(_KEY))
