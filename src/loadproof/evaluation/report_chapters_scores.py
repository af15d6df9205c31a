"""The chapters about forecasts: examples, metrics with intervals, calibration, and when errors happen."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import polars as pl

from loadproof.evaluation.aggregates_forecasts import PICKS, Fan, Pick
from loadproof.evaluation.aggregates_scores import by_slice, comparisons, overall, per_entity, rank_models, share_below
from loadproof.evaluation.figures import fan_chart
from loadproof.evaluation.figures_scores import (
    band_coverage,
    error_by_half_hour,
    error_by_weekday,
    metric_points,
    per_entity_strip,
    reliability,
)
from loadproof.evaluation.losses import BANDS
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
from loadproof.evaluation.report_words import (
    METRICS_SHOWN,
    dataset_words,
    day_words,
    figure_words,
    interval_words,
    listed,
    unit_words,
)
from loadproof.features.calendar import UK_ZONE

__all__ = ["Example", "calibration_chapter", "errors_chapter", "forecasts_chapter", "metrics_chapter"]

NO_METRICS: Final = "No metrics were given to this page, so "

FAN_KEY: Final = (
    ("median", "median forecast"),
    ("band50", "50 % band"),
    ("band80", "80 % band"),
    ("band90", "90 % band"),
    ("truth", "what happened"),
    ("gap", "no reading"),
)


class Example(NamedTuple):
    """A window that the page shows, with what its chart draws."""

    pick: Pick
    fan: Fan


def _datasets(metrics: pl.DataFrame) -> list[tuple[str, str, pl.DataFrame]]:
    """Noun, title suffix and rows of each dataset with pooled metrics."""
    parts = []
    for (dataset,), part in metrics.sort("dataset", maintain_order=True).group_by("dataset", maintain_order=True):
        name, noun = dataset_words(str(dataset))
        parts.append((noun, f": {name}" if metrics["dataset"].n_unique() > 1 else "", part))
    return parts


def _unit(rows: pl.DataFrame) -> str:
    return unit_words(rows["unit"][0])


def forecasts_chapter(examples: Sequence[Example], lacking: str) -> Chapter:
    """Return fan charts of a good, a median and a bad window of each best model.

    Args:
        examples: Windows in the order of the page.
        lacking: What to say if there are none.
    """
    heading, short = "Forecasts, good and bad", "Forecasts"
    if not examples:
        return Chapter("forecasts", heading, short, absent(lacking))
    rule = tag(
        "p",
        "Nobody chose these windows by eye. All windows of the best model are put in order of their own CRPS, and "
        f"shown are those at the {listed([f'{100 * share:.0f}th' for share in PICKS.values()])} percentile, by "
        "nearest rank. As CRPS is in kWh, quiet days of small loads stand early in it and large loads late. Windows "
        "of which less than half was measured take no part.",
    )
    groups: dict[tuple[str, str], list[Example]] = {}
    for example in examples:
        window = example.pick.window
        groups.setdefault((window.entity_id.split(":")[0], window.model), []).append(example)
    figures = [
        figure(
            f"Forecasts by {model}" + (f": {dataset_words(dataset)[0]}" if len(groups) > 1 else ""),
            "Left of the dashed line are the three days before the forecast was made, on a narrow screen one; right of "
            "it the bands should hold the truth as often as their names say. Times follow the UK clock at the start of "
            "the forecast.",
            [_fan_panel(example) for example in group],
            key=legend(FAN_KEY),
        )
        for (dataset, model), group in groups.items()
    ]
    return Chapter("forecasts", heading, short, fragment(rule, *figures))


def _fan_panel(example: Example) -> Panel:
    pick, window = example.pick, example.pick.window
    day = window.t0_utc.astimezone(ZoneInfo(UK_ZONE)).date()
    about = (
        f" {window.entity_id}, {day_words(day)}: CRPS {figure_words(window.crps_kwh)} kWh, "
        f"rank {pick.rank:,} of {pick.of:,}"
    )
    heading = fragment(f"A {pick.kind} window.", tag("span", about))
    return Panel(fan_chart(example.fan, window.t0_utc), heading)


def metrics_chapter(metrics: pl.DataFrame) -> Chapter:
    """Return metrics with intervals as charts and a table, and their spread over entities."""
    heading, short = "How good the forecasts are", "Metrics"
    body: list[Html] = []
    for noun, suffix, part in _datasets(metrics):
        order = rank_models(part)
        shown = {metric: rows for metric in METRICS_SHOWN if (rows := overall(part, metric)).height}
        if not shown:
            continue
        panels = [
            Panel(
                metric_points(rows, order, _unit(rows)),
                fragment(METRICS_SHOWN[metric].short),
            )
            for metric, rows in shown.items()
        ]
        aid = (
            "Points are over all windows, lines are 95\u00a0% intervals; further left is better. The axes do "
            "not start at zero, so read distances against the intervals, not against the frame."
        )
        body += [figure(f"Metrics with 95\u00a0% intervals{suffix}", aid, panels, layout="many")]
        body += [_numbers(shown, order, suffix), _against(part, suffix)]
        spread = per_entity(part, "mase")
        if spread.height:
            aid = (
                f"Each tick is one of the {noun} and the point is their median; left of the dashed line a model beats "
                "the simple seasonal forecast. The axis is stretched towards zero."
            )
            strip = per_entity_strip(spread, order, f"MASE ({_unit(spread)})")
            body.append(figure(f"Spread of MASE over {noun}{suffix}", aid, [Panel(strip)]))
    if not body:
        return Chapter("metrics", heading, short, absent(NO_METRICS + "it cannot say how good the forecasts are."))
    lead = tag(
        "p",
        "All figures are losses: lower is better. Models stand in the order of their CRPS, and keep their colour on "
        "the whole page.",
    )
    words = [part for m in METRICS_SHOWN.values() for part in (tag("dt", m.short), tag("dd", m.meaning))]
    return Chapter("metrics", heading, short, fragment(lead, *body, tag("dl", *words, class_="glossary")))


def _numbers(shown: dict[str, pl.DataFrame], order: Sequence[str], suffix: str) -> Html:
    """The table of models by metrics; the best figure of each column is set in bold."""
    units = {metric: tag("small", _unit(rows)) for metric, rows in shown.items()}
    head = [
        "Model",
        *[fragment(METRICS_SHOWN[metric].short, unit) for metric, unit in units.items()],
        "Half hours scored",
    ]
    lowest = {metric: rows["value"].min() for metric, rows in shown.items()}
    lines = []
    for model in order:
        cells: list[str] = [breakable(model)]
        n = 0
        for metric, rows in shown.items():
            mine = rows.filter(pl.col("subject") == model).to_dicts()
            if not mine:
                cells.append("–")
                continue
            row = mine[0]
            n = max(n, row["n"] or 0)
            interval = tag("small", interval_words(row["low"], row["high"]))
            kind = "num best" if row["value"] == lowest[metric] else "num"
            cells.append(tag("td", figure_words(row["value"]), interval, class_=kind))
        lines.append([*cells, f"{n:,}" if n else "–"])
    return table(f"The same in numbers{suffix}", head, lines, [False, *[True] * (len(head) - 1)])


def _against(part: pl.DataFrame, suffix: str) -> Html:
    """The table of models against models; nothing where none were compared."""
    paired = comparisons(part)
    columns = [("crps", "ratio"), ("crps", "difference"), ("mae", "ratio"), ("mase", "ratio")]
    head = [f"{METRICS_SHOWN[measure].short}, {kind}" for measure, kind in columns]
    lines = []
    for (model, other), rows in paired.group_by("subject", "other", maintain_order=True):
        found = {(row["measure"], row["kind"]): row for row in rows.to_dicts()}
        lines.append([breakable(str(model)), breakable(str(other)), *[_versus(found.get(key)) for key in columns]])
    if not lines:
        return Html()
    said = tag(
        "p",
        "Both models are taken on the same homes and weeks in every resample. A ratio below 1, or a difference below "
        "0, is in favour of the first; where an interval holds 1, or 0, either may be the better one. Whether the "
        "intervals of two models overlap says nothing of this.".replace("homes", dataset_words(_dataset(part))[1]),
        class_="kicker",
    )
    numeric = [False, False, *[True] * len(columns)]
    return fragment(table(f"Model against model{suffix}", ["Model", "Against", *head], lines, numeric), said)


def _versus(row: Mapping[str, Any] | None) -> Html:
    if row is None:
        return tag("td", "–", class_="num")
    digits = 2 if row["kind"] == "ratio" else None
    interval = interval_words(row["low"], row["high"], digits=digits)
    return tag("td", figure_words(row["value"], digits=digits), tag("small", interval), class_="num")


def _dataset(part: pl.DataFrame) -> str:
    return str(part["dataset"][0])


def calibration_chapter(metrics: pl.DataFrame) -> Chapter:
    """Return the reliability of the quantiles and the coverage of the bands."""
    heading, short = "Whether the bands keep their word", "Calibration"
    body: list[Html] = []
    for _, suffix, part in _datasets(metrics):
        order, below = rank_models(part), share_below(part)
        bands = pl.concat([overall(part, f"coverage_{band}") for band in BANDS])
        pair = []
        if below.height:
            aid = "Above the dashed diagonal the truth falls below that quantile more often than it should."
            pair.append(figure(f"Reliability of the quantiles{suffix}", aid, [Panel(reliability(below, order))]))
        if bands.height:
            aid = (
                "Each point belongs on the dashed line of its band: left of it the band is too narrow, right too wide."
            )
            chart = band_coverage(bands, order)
            pair.append(figure(f"Coverage of the 50, 80 and 90\u00a0% bands{suffix}", aid, [Panel(chart)]))
        if pair:
            body.append(tag("div", *pair, class_="side"))
    if not body:
        lacking = NO_METRICS + "it cannot say whether the bands hold what they promise."
        return Chapter("calibration", heading, short, absent(lacking))
    lead = tag(
        "p",
        "A 90\u00a0% band should hold 90\u00a0% of what happens: no less, or a planner is caught out, and no more, or "
        "the network is built for peaks that never come.",
    )
    return Chapter("calibration", heading, short, fragment(lead, *body))


def errors_chapter(metrics: pl.DataFrame) -> Chapter:
    """Return the errors by half hour and by weekday, UK local time."""
    heading, short = "When the errors happen", "Errors by time"
    body: list[Html] = []
    for _, suffix, part in _datasets(metrics):
        order = rank_models(part)
        for slice_, title, draw, aid in (
            (
                "half_hour",
                "by half hour of the day",
                error_by_half_hour,
                "Errors follow the load: look whether a model loses more than the others at the evening peak.",
            ),
            (
                "weekday",
                "by weekday",
                error_by_weekday,
                "Points with 95\u00a0% intervals; the axis does not start at zero.",
            ),
        ):
            found = [(m, rows) for m in ("mae", "crps", "pinball") if (rows := by_slice(part, m, slice_)).height]
            if found:
                metric, rows = found[0]
                chart = draw(rows, order, f"{METRICS_SHOWN[metric].short} ({_unit(rows)})")
                body.append(figure(f"{METRICS_SHOWN[metric].name.capitalize()} {title}{suffix}", aid, [Panel(chart)]))
    if not body:
        return Chapter("errors", heading, short, absent(NO_METRICS + "it cannot say at what times the errors happen."))
    lead = tag(
        "p",
        "Network trouble has its hours: a model that is good on average and poor at six in the evening is a poor "
        "model for a feeder.",
    )
    return Chapter("errors", heading, short, fragment(lead, *body))
