"""Charts that set models side by side: small frames in, Altair charts out.

``order`` is always the list of models, best first: it fixes rows and colours alike on the whole page.
"""

import altair as alt
import polars as pl

from loadproof.evaluation.coverage import TOLERANCES
from loadproof.evaluation.figures import CLOCK, HALF_HOUR, Figure, layered

__all__ = ["coverage_by_half_hour", "coverage_points", "skill_lines"]


def _color(order: list[str]) -> alt.Color:
    return alt.Color("model:N", scale=alt.Scale(domain=order), legend=alt.Legend(title=None, symbolType="stroke"))


def _day(rows: pl.DataFrame) -> pl.DataFrame:
    """Return ``model, hour, value`` in per cent, ready for a line over the day."""
    clock = pl.col("at").str.split(":").list.eval(pl.element().cast(pl.Float64))
    hour = clock.list.get(0) + clock.list.get(1) / 60
    value = (100 * pl.col("value")).round_sig_figs(5)
    return rows.select(model="subject", hour=hour, value=value).sort("model", "hour")


def _lines(rows: pl.DataFrame, order: list[str], title: str) -> alt.Chart:
    axis = alt.Axis(values=list(range(0, 25, 3)), labelExpr=CLOCK)
    x = alt.X("hour:Q", title="Time of day (UK local)", axis=axis, scale=alt.Scale(domain=[0, 24], nice=False))
    y = alt.Y("value:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
    tips = [alt.Tooltip("clock:N", title="time"), alt.Tooltip("model:N"), alt.Tooltip("value:Q", format=".1f")]
    lines = alt.Chart(_day(rows)).transform_calculate(clock=HALF_HOUR).mark_line(style="series")
    drawn: alt.Chart = lines.encode(x=x, y=y, color=_color(order), tooltip=tips)
    return drawn


def _at(value: float, style: str) -> alt.Chart:
    rule: alt.Chart = alt.Chart(pl.DataFrame({"value": [value]})).mark_rule(style=style).encode(y="value:Q")
    return rule


def skill_lines(rows: pl.DataFrame, order: list[str], bar: str) -> Figure:
    """Draw by how much each model is below the bar over the day, a dashed rule where they are equal.

    Args:
        rows: ``subject, at, value`` with ``at`` as ``HH:MM``, UK local, and ``value`` a share.
        order: Models in the order of their colours.
        bar: What they are held against.
    """
    return layered(_at(0.0, "ideal"), _lines(rows, order, f"Pinball loss below {bar} (%)"), height=260)


def coverage_by_half_hour(rows: pl.DataFrame, order: list[str], band: int) -> Figure:
    """Draw the share of truths inside a band over the day, its nominal value and the tolerance as rules.

    Args:
        rows: ``subject, at, value`` with ``at`` as ``HH:MM``, UK local, and ``value`` a share.
        order: Models in the order of their colours.
        band: Its nominal coverage in per cent.
    """
    edges = [_at(band + sign * 100 * TOLERANCES["half_hour"], "edge") for sign in (-1, 1)]
    return layered(*edges, _at(band, "ideal"), _lines(rows, order, f"Truths in the {band} % band (%)"), height=260)


def coverage_points(rows: pl.DataFrame, order: list[str], band: int) -> Figure:
    """Draw the share of truths inside a band, a row a slice and a point a model, a dashed rule at the nominal value.

    Args:
        rows: ``subject, at, value, low, high``, shares; slices from top to bottom in the order of the rows.
        order: Models in the order of their colours.
        band: Its nominal coverage in per cent.
    """
    slices = rows["at"].unique(maintain_order=True).to_list()
    share = (pl.col("value", "low", "high") * 100).round_sig_figs(5)
    data = rows.with_columns(share).select("at", "value", "low", "high", model="subject")
    title = f"Truths in the {band} % band (%)"
    base = alt.Chart(data).encode(
        y=alt.Y("at:N", title=None, sort=slices, axis=alt.Axis(ticks=False, domain=False, labelLimit=260)),
        yOffset=alt.YOffset("model:N", sort=order),
        color=alt.Color("model:N", scale=alt.Scale(domain=order), legend=alt.Legend(title=None, symbolType="circle")),
    )
    axis, scale = alt.Axis(tickCount=5), alt.Scale(zero=False, padding=12)
    nominal = alt.Chart(pl.DataFrame({"value": [float(band)]})).mark_rule(style="ideal")
    tips = ["at:N", "model:N", alt.Tooltip("value:Q", format=".1f")]
    whiskers = (
        base.transform_filter("isValid(datum.low)").mark_rule(style="whisker")
        .encode(x=alt.X("low:Q", title=title, scale=scale, axis=axis), x2="high:Q")
    )  # fmt: skip
    return layered(
        nominal.encode(x=alt.X("value:Q", title=title, scale=scale, axis=axis)),
        *([whiskers] if data["low"].is_not_null().any() else []),  # of no interval the axis would have no end
        base.mark_point(style="point").encode(x=alt.X("value:Q", title=title, scale=scale), tooltip=tips),
        height=max(120, (14 * len(order) + 12) * len(slices)),
    )  # fmt: skip
