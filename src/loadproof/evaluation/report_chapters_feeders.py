"""The chapter about feeders: the tree they hang in, who is likeliest to exceed a limit, and the forecast below it."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

import altair as alt
import polars as pl

from loadproof.evaluation.aggregates_forecasts import Fan
from loadproof.evaluation.figures import Figure, fan_chart, layered
from loadproof.evaluation.report_chapters_scores import FAN_KEY
from loadproof.evaluation.report_html import Chapter, Html, Panel, absent, figure, fragment, legend, table, tag
from loadproof.evaluation.report_words import figure_words, plural
from loadproof.features.calendar import UK_ZONE

__all__ = ["RiskContent", "feeders_chapter"]

RANKED: Final = 10
FANS: Final = 4
_LEAST: Final = 0.001


@dataclass(frozen=True)
class RiskContent:
    """What a run of ``feeders risk`` left behind.

    Attributes:
        ranked: ``RISK``.
        forecasts: Columns of ``FORECASTS``, at least of the first in rank.
        recent: ``entity_id, ts_utc, energy_kwh`` of the days before, at least of the first in rank.
        facts: ``risk_run.json``: how it was made, its notes, and the ``tree`` of substations.
    """

    ranked: pl.DataFrame
    forecasts: pl.DataFrame
    recent: pl.DataFrame
    facts: Mapping[str, Any]


def _chance(value: float) -> str:
    return f"{100 * value:.1f}\u00a0%" if value >= _LEAST else "under 0.1\u00a0%"


def _span(row: Mapping[str, Any]) -> str:
    low, high = _chance(row["any_low"]), _chance(row["any_high"])
    return low if low == high else f"{low} to {high}"


def _local(moment: dt.datetime) -> str:
    return f"{moment.astimezone(ZoneInfo(UK_ZONE)):%a %d %b %H:%M}"


def _ranking(ranked: pl.DataFrame) -> Html:
    head = ["Entity", "limit", "kWh a half hour", "chance that any half hour is above", "expected excess, kWh",
            "likely peak, kWh", "at", "left at 95\u00a0%, kWh"]  # fmt: skip
    rows = [
        [
            row["entity_id"],
            row["limit"],
            figure_words(row["limit_kwh"], digits=1),
            _span(row),
            figure_words(row["expected_excess_kwh"], digits=2),
            figure_words(row["peak_kwh"], digits=1),
            _local(row["peak_utc"]).replace(" ", "\u00a0"),
            figure_words(row["headroom_95_kwh"], digits=1),
        ]
        for row in ranked.head(RANKED).iter_rows(named=True)
    ]
    more = f", first {RANKED} of {ranked.height:,}" if ranked.height > RANKED else ""
    return table(f"Limits by risk{more}", head, rows, [False, False, True, True, True, True, False, True])


def _node(name: str, worst: Mapping[str, Mapping[str, Any]], children: Html | None = None) -> Html:
    row = worst.get(name)
    said = "no limit" if row is None else f"{row['limit']}, {_span(row)}"
    return tag("li", tag("b", name), tag("span", f" {said}"), children or Html())


def _tree(tree: Mapping[str, Sequence[str]], ranked: pl.DataFrame) -> Html:
    """Return substations with their feeders below them, each with its worst limit's chance."""
    worst: dict[str, Mapping[str, Any]] = {}
    for row in ranked.iter_rows(named=True):
        worst.setdefault(row["entity_id"], row)
    nodes = [
        _node(name, worst, tag("ul", *[_node(feeder, worst) for feeder in feeders])) for name, feeders in tree.items()
    ]
    return fragment(
        tag("h3", "The tree, as far as it is at risk"),
        tag("p", "A transformer is held against all feeders of its substation, a fuse or a cable against one feeder. "
            "No coordinates are known, so this is a tree and no map.", class_="kicker"),
        tag("ul", *nodes, class_="tree"),
    )  # fmt: skip


def _with_limits(chart: Figure, limits: Sequence[tuple[str, float]]) -> Figure:
    """Return a fan chart with its limits drawn in as rules, each named where it begins."""
    rows = pl.DataFrame({"name": [name for name, _ in limits], "kwh": [round(kwh, 3) for _, kwh in limits]})
    base = alt.Chart(rows).encode(y=alt.Y("kwh:Q", title="kWh per half hour"))
    rule = base.mark_rule(style="limit").encode(tooltip=["name:N", alt.Tooltip("kwh:Q", format=".1f")])
    drawn = layered(*chart.layer, rule, height=250)
    return drawn.properties(usermeta=chart.usermeta)


def _fan(risk: RiskContent, entity: str, t0: dt.datetime) -> Fan | None:
    """Return what an entity's chart draws; None where its forecast is not there."""
    mine = risk.forecasts.filter(pl.col("entity_id") == entity, pl.col("level").is_not_null())
    if mine.is_empty():
        return None
    bands = (
        mine.select("ts_utc", "energy_kwh", name=pl.format("q_{}", pl.col("level")))
        .pivot("name", index="ts_utc", values="energy_kwh")
        .sort("ts_utc")
    )
    seen = risk.recent.filter(pl.col("entity_id") == entity, pl.col("ts_utc") < t0).sort("ts_utc")
    step = pl.duration(minutes=30)
    truth = seen.with_columns(run=(pl.col("ts_utc").diff() != step).fill_null(value=False).cum_sum())
    missing = pl.DataFrame(schema={"start_utc": pl.Datetime("us", "UTC"), "end_utc": pl.Datetime("us", "UTC")})
    return Fan(bands, truth.select("ts_utc", "energy_kwh", "run"), missing)


def _fans(risk: RiskContent) -> list[Html]:
    """Return the forecast of the first in rank, each with all its limits."""
    panels = []
    for entity in risk.ranked["entity_id"].unique(maintain_order=True).to_list()[:FANS]:
        rows = risk.ranked.filter(pl.col("entity_id") == entity)
        first = rows.row(0, named=True)
        fan = _fan(risk, entity, first["t0_utc"])
        if fan is not None:
            limits = list(rows.select("limit", "limit_kwh").iter_rows())
            said = ", ".join(f"{name} {figure_words(kwh, digits=1)} kWh" for name, kwh in limits)
            chart = _with_limits(fan_chart(fan, first["t0_utc"]), limits)
            panels.append(Panel(chart, fragment(entity, tag("span", f" {said}; {_span(first)}"))))
    if not panels:
        return []
    key = [
        *(each for each in FAN_KEY if each[0] not in ("gap", "truth")),
        ("truth", "measured before"),
        ("limit", "limit"),
    ]
    aid = (
        "A limit far above the fan leaves the fan flat: that is the answer, and no fault of the drawing. Bands end at "
        "the 95\u00a0% quantile; what lies above is taken to fall off exponentially."
    )
    return [figure("The forecast below its limit", aid, panels, layout="pair", key=legend(key))]


def feeders_chapter(risk: RiskContent | None) -> Chapter:
    """Return the chapter on feeders; without a run of ``feeders risk`` it says so."""
    heading, short = "Feeders and their limits", "Feeders"
    if risk is None or risk.ranked.is_empty():
        lacking = "No run of 'loadproof feeders risk' was given to this page, so it holds no feeder against a limit."
        return Chapter("feeders", heading, short, absent(lacking))
    counts = {level: rows["entity_id"].n_unique() for (level,), rows in risk.ranked.group_by("level")}
    t0 = risk.ranked["t0_utc"][0]
    exact = (risk.ranked["any_low"] == risk.ranked["any_high"]).all()
    bounds = (
        "lies between that of the likeliest one and the sum of all, for too few past days say how they hang together"
    )
    told = "comes from how past days' half hours hung together" if exact else bounds
    lead = tag(
        "p",
        f"{plural(counts.get('feeder', 0), 'feeder')} and {plural(counts.get('substation', 0), 'substation')}, "
        f"forecast by {risk.ranked['model'][0]} from {_local(t0)} for {int(risk.facts['horizon_steps'])} half hours. "
        f"The chance that any half hour is above a limit {told}.",
    )
    notes = tag(
        "ul", *[tag("li", f"{note[0].upper()}{note[1:]}.") for note in risk.facts.get("notes", [])], class_="notes"
    )
    tree = _tree(risk.facts["tree"], risk.ranked) if risk.facts.get("tree") else Html()
    return Chapter("feeders", heading, short, fragment(lead, notes, _ranking(risk.ranked), *_fans(risk), tree))
