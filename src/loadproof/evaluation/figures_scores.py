"""Charts of the metrics table: small frames in, Altair charts out.

``order`` is always the list of models, best first: it fixes rows and colours alike on the whole page.
"""

from typing import Final

import altair as alt
import polars as pl

from loadproof.evaluation.figures import CLOCK, HALF_HOUR, Figure, layered
from loadproof.evaluation.losses import BANDS
from loadproof.features.calendar import WEEKDAYS

__all__ = [
    "band_coverage",
    "error_by_half_hour",
    "error_by_weekday",
    "metric_points",
    "per_entity_strip",
    "reliability",
]

MOST_TICKS: Final = 250
"""Per model: a strip of more entities is thinned to evenly spaced quantiles, to keep the page small."""

STRIP_MARKS: Final = (0, 0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128)
"""Where the stretched axis of a strip is labelled."""

NOT_FROM_ZERO: Final = alt.Scale(zero=False, padding=12)
WHOLE: Final = alt.Scale(domain=[0, 100], nice=False)

_PERCENT: Final = ".0f"


def _color(order: list[str], symbol: str | None = None) -> alt.Color:
    """A colour per model, with a legend of that symbol or without one."""
    shown = alt.Legend(title=None, symbolType=symbol) if symbol else None
    return alt.Color("model:N", scale=alt.Scale(domain=order), legend=shown)


def _in_percent(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(pl.col("value", "low", "high") * 100)


def _rows(order: list[str]) -> alt.Y:
    return alt.Y("model:N", title=None, sort=order, axis=alt.Axis(ticks=False, domain=False, grid=False))


def _named(rows: pl.DataFrame, *more: str) -> pl.DataFrame:
    figures = pl.col("value", "low", "high").round_sig_figs(5)
    return rows.with_columns(figures).select(*more, "value", "low", "high", model="subject")


def _x(field: str, title: str, scale: alt.Scale = NOT_FROM_ZERO) -> alt.X:
    return alt.X(f"{field}:Q", title=title, scale=scale, axis=alt.Axis(tickCount=4))


def _percent(field: str, title: str, scale: alt.Scale = NOT_FROM_ZERO) -> alt.X:
    return alt.X(f"{field}:Q", title=title, scale=scale, axis=alt.Axis(format=_PERCENT, tickCount=5))


def _tips(unit_format: str) -> list[alt.Tooltip]:
    return [
        alt.Tooltip("model:N"),
        alt.Tooltip("value:Q", format=unit_format),
        alt.Tooltip("low:Q", title="95 % from", format=unit_format),
        alt.Tooltip("high:Q", title="to", format=unit_format),
    ]


def metric_points(rows: pl.DataFrame, order: list[str], title: str, *, ideal: float | None = None) -> Figure:
    """Draw one pooled metric as a point per model with its 95 % interval as a whisker.

    Args:
        rows: ``subject, value, low, high``, one per model.
        order: Models from top to bottom.
        title: The axis title, with its unit.
        ideal: Where to draw a dashed rule, if anywhere.
    """
    base = alt.Chart(_named(rows)).encode(y=_rows(order), color=_color(order))
    whiskers = base.transform_filter("isValid(datum.low)").mark_rule(style="whisker")
    mark = alt.Chart(pl.DataFrame({"value": [ideal]})).mark_rule(style="ideal").encode(x=_x("value", title))
    return layered(
        *([mark] if ideal is not None else []),
        *([whiskers.encode(x=_x("low", title), x2="high:Q")] if rows["low"].is_not_null().any() else []),
        base.mark_point(style="point").encode(x=_x("value", title), tooltip=_tips(".4f")),
        height=30 * rows["subject"].n_unique(),
    )


def _thinned(rows: pl.DataFrame) -> pl.DataFrame:
    """Keep at most ``MOST_TICKS`` values per model: all, or evenly spaced quantiles."""
    parts = []
    for (model,), part in rows.sort("subject", "value").group_by("subject", maintain_order=True):
        values = part["value"]
        if part.height > MOST_TICKS:
            shares = [i / (MOST_TICKS - 1) for i in range(MOST_TICKS)]
            values = pl.Series("value", [values.quantile(share, "nearest") for share in shares])
        parts.append(pl.DataFrame({"model": [str(model)] * len(values), "value": values}))
    return pl.concat(parts).with_columns(pl.col("value").round_sig_figs(4))


def per_entity_strip(rows: pl.DataFrame, order: list[str], title: str) -> Figure:
    """Draw one tick per entity and model, the median as a point, and a rule at 1.

    The axis is linear near zero and logarithmic above, so that one odd home does not squeeze all others.

    Args:
        rows: ``subject, value``, one per model and entity.
        order: Models from top to bottom.
        title: The axis title, with its unit.
    """
    median = rows.group_by(model="subject").agg(pl.col("value").median().round_sig_figs(4)).sort("model")
    most = float(rows.select(pl.col("value").max()).item())
    x = alt.X(
        "value:Q",
        title=title,
        scale=alt.Scale(type="symlog", constant=1, domain=[0, max(most, 1.0) * 1.03], nice=False),
        axis=alt.Axis(values=[mark for mark in STRIP_MARKS if mark <= max(most, 1.0)], labelExpr="'' + datum.value"),
    )
    y, color = _rows(order), _color(order)
    one = alt.Chart(pl.DataFrame({"value": [1.0]})).mark_rule(style="ideal").encode(x=x)
    ticks = alt.Chart(_thinned(rows)).mark_tick(style="home")
    middle = alt.Chart(median).mark_point(style="middle")
    return layered(
        one,
        ticks.encode(x=x, y=y, color=color, tooltip=["model:N", alt.Tooltip("value:Q", format=".2f")]),
        middle.encode(x=x, y=y, tooltip=["model:N", alt.Tooltip("value:Q", title="median", format=".2f")]),
        height=38 * len(order),
    )


def reliability(rows: pl.DataFrame, order: list[str]) -> Figure:
    """Draw nominal level against the share of truths at or below it; a perfect forecast lies on the diagonal.

    Args:
        rows: ``subject, nominal, value, low, high``.
        order: Models in the order of their colours.
    """
    x = _percent("nominal", "Quantile level (%)", WHOLE)
    y = alt.Y(
        "value:Q",
        title="Truths at or below the quantile (%)",
        scale=WHOLE,
        axis=alt.Axis(format=_PERCENT, tickCount=5),
    )
    ideal = alt.Chart(pl.DataFrame({"nominal": [0, 100], "value": [0, 100]})).mark_line(style="ideal")
    base = alt.Chart(_named(_in_percent(rows).with_columns(pl.col("nominal") * 100), "nominal")).encode(
        x=x, y=y, color=_color(order, "circle")
    )
    tips = [alt.Tooltip("nominal:Q", title="level", format=_PERCENT), *_tips(".1f")]
    return layered(
        ideal.encode(x=x, y=y),
        base.mark_line(style="series"),
        base.mark_point(style="point").encode(tooltip=tips),
        height=330,
    )


def band_coverage(rows: pl.DataFrame, order: list[str]) -> Figure:
    """Draw how much truth the 50, 80 and 90 % bands hold, a dashed rule at each nominal value.

    Args:
        rows: ``subject, metric, value, low, high`` with the metrics ``coverage_50``, ``_80`` and ``_90``.
        order: Models from top to bottom.
    """
    title = "Truths inside the band (%)"
    names = [f"{band} % band" for band in BANDS]
    band = pl.col("metric").str.strip_prefix("coverage_") + pl.lit(" % band")
    nominal = pl.DataFrame({"value": list(BANDS)})
    x = _percent("value", title)
    base = alt.Chart(_named(_in_percent(rows).with_columns(band=band), "band")).encode(
        y=_rows(order), color=_color(order)
    )
    shape = alt.Shape("band:N", scale=alt.Scale(domain=names), legend=alt.Legend(title=None))
    return layered(
        alt.Chart(nominal).mark_rule(style="ideal").encode(x=x),
        base.transform_filter("isValid(datum.low)")
        .mark_rule(style="whisker")
        .encode(x=_percent("low", title), x2="high:Q"),
        base.mark_point(style="point").encode(x=x, shape=shape, tooltip=["band:N", *_tips(".1f")]),
        height=max(330, 36 * len(order)),
    )


def error_by_half_hour(rows: pl.DataFrame, order: list[str], title: str) -> Figure:
    """Draw one pooled error over the day, a line per model.

    Args:
        rows: ``subject, at, value, low, high`` with ``at`` as ``HH:MM``, UK local.
        order: Models in the order of their colours.
        title: The axis title of the error, with its unit.
    """
    clock = pl.col("at").str.split(":").list.eval(pl.element().cast(pl.Float64))
    data = _named(rows.with_columns(hour=clock.list.get(0) + clock.list.get(1) / 60), "hour").sort("model", "hour")
    axis = alt.Axis(values=list(range(0, 25, 3)), labelExpr=CLOCK)
    x = alt.X("hour:Q", title="Time of day (UK local)", axis=axis, scale=alt.Scale(domain=[0, 24], nice=False))
    y = alt.Y("value:Q", title=title, axis=alt.Axis(tickCount=5))
    chart: Figure = (
        alt.Chart(data, width="container", height=260)
        .transform_calculate(clock=HALF_HOUR)
        .mark_line(style="series")
        .encode(x=x, y=y, color=_color(order, "stroke"), tooltip=[alt.Tooltip("clock:N", title="time"), *_tips(".4f")])
    )
    return chart


def error_by_weekday(rows: pl.DataFrame, order: list[str], title: str) -> Figure:
    """Draw one pooled error by weekday, a point with its 95 % interval per model.

    Args:
        rows: ``subject, at, value, low, high`` with ``at`` as ``Mon`` to ``Sun``.
        order: Models in the order of their colours.
        title: The axis title of the error, with its unit.
    """
    axis = alt.Axis(labelAngle=0, ticks=False)
    base = alt.Chart(_named(rows, "at")).encode(
        x=alt.X("at:N", title="Weekday (UK local)", sort=list(WEEKDAYS), axis=axis, scale=alt.Scale(padding=0.3)),
        xOffset=alt.XOffset("model:N", sort=order),
        color=_color(order, "circle"),
    )
    zero = alt.Scale(zero=False)
    return layered(
        base.transform_filter("isValid(datum.low)")
        .mark_rule(style="whisker")
        .encode(y=alt.Y("low:Q", title=title, scale=zero, axis=alt.Axis(tickCount=5)), y2="high:Q"),
        base.mark_point(style="point").encode(y=alt.Y("value:Q", title=title, scale=zero), tooltip=_tips(".4f")),
        height=240,
    )
