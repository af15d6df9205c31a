"""The chapter that sets models side by side: how far under the bar, at what time of day, and one day by each."""

import datetime as dt
from collections.abc import Sequence
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import polars as pl

from loadproof.evaluation.aggregates_forecasts import Fan, Window
from loadproof.evaluation.aggregates_models import (
    BAR,
    COVERAGE_SLICES,
    Held,
    coverage_slices,
    held_bands,
    ratios_to_bar,
    skill_by_half_hour,
)
from loadproof.evaluation.aggregates_scores import by_slice, overall, rank_models
from loadproof.evaluation.coverage import TOLERANCES
from loadproof.evaluation.figures import fan_chart
from loadproof.evaluation.figures_models import (
    coverage_by_half_hour,
    coverage_points,
    skill_lines,
)
from loadproof.evaluation.figures_scores import metric_points
from loadproof.evaluation.losses import BANDS
from loadproof.evaluation.report_chapters_scores import FAN_KEY
from loadproof.evaluation.report_html import (
    Chapter,
    Html,
    Panel,
    absent,
    breakable,
    figure,
    fragment,
    legend,
    table,
    tag,
)
from loadproof.evaluation.report_words import METRICS_SHOWN, dataset_words, day_words, figure_words, spells
from loadproof.features.calendar import UK_ZONE

__all__ = ["Beside", "models_chapter"]

BAND: Final = 80

CONTEXT: Final = dt.timedelta(days=1)
"""How much of what came before is shown with the days side by side."""


class Beside(NamedTuple):
    """One home's day by every model: each window with what its chart draws, in the order of the page."""

    windows: Sequence[Window]
    fans: Sequence[Fan]


def models_chapter(metrics: pl.DataFrame, beside: Sequence[Beside]) -> Chapter:
    """Return the comparison of models; with fewer than two there is nothing to compare.

    Args:
        metrics: Rows of ``METRICS`` of one level of aggregation per dataset.
        beside: The days that every model is shown on, at most one a dataset.
    """
    heading, short = "Models side by side", "Models"
    several = metrics["dataset"].n_unique() > 1
    body: list[Html] = []
    for (dataset,), part in metrics.sort("dataset", maintain_order=True).group_by("dataset", maintain_order=True):
        order = rank_models(part)
        if len(order) < 2:
            continue
        suffix = f": {dataset_words(str(dataset))[0]}" if several else ""
        body += [*_losses(part, order, suffix), *_over_the_day(part, order, suffix)]
        body += [*_slices(part, order, suffix), *_kept(part, order, suffix)]
    body += [_one_day(day) for day in beside if len(day.windows) > 1]
    if not body:
        return Chapter("models", heading, short, absent("Fewer than two models were scored, so none can be compared."))
    lead = tag(
        "p",
        f"Every model is held against {BAR}, the mean and spread of the same half hour over the last seven days: the "
        "simplest forecast that is hard to beat. All forecast the same windows, from what was published at their "
        "start.",
    )
    return Chapter("models", heading, short, fragment(lead, *body))


def _losses(part: pl.DataFrame, order: list[str], suffix: str) -> list[Html]:
    """The scaled loss of each model and its ratio to the bar, with their intervals."""
    scaled, ratios = overall(part, "pinball_scaled"), ratios_to_bar(part)
    noun, panels = dataset_words(str(part["dataset"][0]))[1], []
    if scaled.height:
        chart = metric_points(scaled, order, "2 x pinball over mean load (no unit)")
        panels.append(Panel(chart, fragment("Loss, scaled")))
    if ratios.height:
        measure = METRICS_SHOWN[str(ratios["measure"][0])].short
        chart = metric_points(ratios, order, f"{measure} over the bar's (no unit)", ideal=1.0)
        panels.append(Panel(chart, fragment("Against the bar")))
    if not panels:
        return []
    aid = (
        "Points are over all windows, lines are 95\u00a0% intervals; further left is better. Left of the dashed line "
        f"a model beats {BAR}: the ratio is taken on the same {noun} and weeks in every resample, so its interval is "
        "narrower than those of the losses."
    )
    return [figure(f"How far under the bar{suffix}", aid, panels, layout="pair")]


def _over_the_day(part: pl.DataFrame, order: list[str], suffix: str) -> list[Html]:
    """Skill and coverage by half hour, side by side."""
    skill, held = skill_by_half_hour(part), by_slice(part, f"coverage_{BAND}", "half_hour")
    pair = []
    if skill.height:
        aid = (
            f"How much smaller the pinball loss is than that of {BAR}, half hour by half hour; below the dashed line a "
            "model is worse than it."
        )
        pair.append(figure(f"Skill over the day{suffix}", aid, [Panel(skill_lines(skill, order, BAR))]))
    if held.height:
        aid = (
            f"The band should hold {BAND}\u00a0% of what happens at any time of day (dashed); the fine lines stand "
            f"{100 * TOLERANCES['half_hour']:.0f} points off."
        )
        chart = coverage_by_half_hour(held, order, BAND)
        pair.append(figure(f"Coverage of the {BAND}\u00a0% band over the day{suffix}", aid, [Panel(chart)]))
    return [tag("div", *pair, class_="side")] if pair else []


def _slices(part: pl.DataFrame, order: list[str], suffix: str) -> list[Html]:
    """Coverage by each kind of slice that was judged."""
    found = coverage_slices(part, f"coverage_{BAND}")
    panels = [
        Panel(coverage_points(rows, order, BAND), fragment(COVERAGE_SLICES[str(kind)][0]))
        for (kind,), rows in found.group_by("kind", maintain_order=True)
    ]
    if not panels:
        return []
    aid = (
        f"Each point belongs on the dashed line at {BAND}\u00a0%: left of it the band is too narrow for such windows, "
        "right of it too wide. Lines are 95\u00a0% intervals; beside each name stands how many half hours were judged."
    )
    return [figure(f"Where the bands hold and where not{suffix}", aid, panels, layout="pair")]


def _kept(part: pl.DataFrame, order: list[str], suffix: str) -> list[Html]:
    """The table of aims: how far each model's bands keep to them, and where they miss them most."""
    held = held_bands(part, order)
    if not held:
        return []
    noun = dataset_words(str(part["dataset"][0]))[1]
    bands = [f"{band}\u00a0%" for band in BANDS]
    head = ["Model", *(f"in the {band} band" for band in bands), "half hours off, of 48", f"{noun} within 5 points"]
    lines: list[list[str]] = []
    for one in held:
        cells = [f"{100 * one.shares[band]:.1f}" if band in one.shares else "–" for band in BANDS]
        off = " / ".join(str(len(one.half_hours[band])) for band in BANDS)
        homes = " / ".join(f"{100 * one.homes[band]:.0f}" if band in one.homes else "–" for band in BANDS)
        lines.append([breakable(one.model), *cells, off, homes, _worst(one.worst)])
    said = tag(
        "p",
        f"Shares are in per cent; half hours and {noun} are of the three bands in turn. The aims: within "
        f"{100 * TOLERANCES['all']:.1f} points in all, within {100 * TOLERANCES['half_hour']:.0f} in every half hour "
        f"of the day, and within 5 for nine {noun} in ten. What lies farthest beyond its aim is named last.",
        class_="kicker",
    )
    numeric = [False, *[True] * (len(head) - 1), False]
    whole = table(f"Whether the bands keep to their aims{suffix}", [*head, "farthest beyond"], lines, numeric)
    return [whole, said, *_when_off(held, suffix)]


def _when_off(held: Sequence[Held], suffix: str) -> list[Html]:
    """The table of the times of day at which bands miss their aim; none where all keep to it."""
    lines = [
        [breakable(one.model), *(spells(one.half_hours[band]) or "never" for band in BANDS)]
        for one in held
        if any(one.half_hours.values())
    ]
    if not lines:
        return []
    head = ["Model", *(f"{band}\u00a0% band" for band in BANDS)]
    return [table(f"At what times of day the bands miss their aim{suffix}", head, lines, [False] * len(head))]


def _worst(worst: tuple[str, str, float] | None) -> str:
    if worst is None:
        return "nothing"
    metric, where, off = worst
    at = "in all" if where == "all" else f"at {where.removeprefix('half_hour=')}"
    return f"{metric.removeprefix('coverage_')}\u00a0% band {at}, by {100 * off:.1f} points"


def _one_day(day: Beside) -> Html:
    """One home's day by every model, on one scale."""
    first = day.windows[0]
    fans = [_closer(fan, first.t0_utc - CONTEXT) for fan in day.fans]
    tops = [fan.bands["q_0.95"].max() for fan in fans] + [fan.truth["energy_kwh"].max() for fan in fans]
    top = max((float(str(x)) for x in tops if x is not None), default=None)
    panels = [
        Panel(fan_chart(fan, window.t0_utc, top=top), _panel_heading(window))
        for window, fan in zip(day.windows, fans, strict=True)
    ]
    about = f"{first.entity_id}, {day_words(_local_day(first.t0_utc))}"
    aid = (
        "The median window of the best model, as every model forecast it, all on one scale. One day proves nothing; it "
        "shows what the models do: who follows the evening, and who widens the band where readings are missing."
    )
    return figure(f"One day by every model: {about}", aid, panels, layout="pair", key=legend(FAN_KEY))


def _closer(fan: Fan, since: dt.datetime) -> Fan:
    """Return the fan with less of what came before it."""
    return fan._replace(
        truth=fan.truth.filter(pl.col("ts_utc") >= since), missing=fan.missing.filter(pl.col("start_utc") >= since)
    )


def _panel_heading(window: Window) -> Html:
    return fragment(breakable(window.model), tag("span", f" CRPS {figure_words(window.crps_kwh)} kWh"))


def _local_day(t0_utc: dt.datetime) -> dt.date:
    return t0_utc.astimezone(ZoneInfo(UK_ZONE)).date()
