"""Figures for print, as SVG and PNG, from the metrics alone: black on white, at a fixed size, without a browser."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import altair as alt
import polars as pl

from loadproof.evaluation.aggregates_scores import by_slice, overall, rank_models

__all__ = ["PrintFigure", "print_figures"]

_SHOWN = 4
"""Models by half hour: more lines than that cannot be told apart on paper."""


Drawn = alt.LayerChart | alt.FacetChart


class PrintFigure(NamedTuple):
    """A figure in both forms."""

    name: str
    svg: str
    png: bytes


def _render(name: str, chart: Drawn) -> PrintFigure:
    import vl_convert

    said: dict[str, Any] = chart.configure_view(stroke=None).configure(background="white").to_dict()
    return PrintFigure(name, str(vl_convert.vegalite_to_svg(said)), bytes(vl_convert.vegalite_to_png(said, scale=3)))


def _by_model(rows: pl.DataFrame, order: list[str]) -> Drawn:
    base = alt.Chart(rows.select("subject", "value", "low", "high")).encode(
        y=alt.Y("subject:N", sort=order, title=None)
    )
    title = "CRPS, kWh per half hour (95 % interval)"
    dots = base.mark_point(filled=True, size=60, color="black").encode(
        x=alt.X("value:Q", title=title, scale=alt.Scale(zero=False))
    )
    return alt.layer(base.mark_rule(color="black").encode(x="low:Q", x2="high:Q"), dots).properties(width=380)


def _held(rows: pl.DataFrame, order: list[str]) -> Drawn:
    aim = alt.Chart(pl.DataFrame({"aim": [0.8]})).mark_rule(strokeDash=[4, 4], color="gray").encode(y="aim:Q")
    axis = alt.Axis(values=list(range(0, 25, 3)), labelExpr="(datum.value < 10 ? '0' : '') + datum.value + ':00'")
    lines = alt.Chart(rows).mark_line().encode(
        x=alt.X("hour:Q", title="Time of day (UK local)", axis=axis, scale=alt.Scale(domain=[0, 24], nice=False)),
        y=alt.Y("value:Q", title="Share within the 80 % band", axis=alt.Axis(format="%"), scale=alt.Scale(zero=False)),
        color=alt.Color("subject:N", scale=alt.Scale(domain=order), title=None),
        strokeDash=alt.StrokeDash("subject:N", scale=alt.Scale(domain=order), title=None),
    )  # fmt: skip
    return alt.layer(aim, lines).properties(width=380, height=220)


def print_figures(metrics: pl.DataFrame) -> Iterator[PrintFigure]:
    """Yield the figures that the metrics of one dataset support; the same metrics give the same bytes."""
    order = rank_models(metrics)
    crps = overall(metrics, "crps")
    if crps.height:
        yield _render("crps_by_model", _by_model(crps, order))
    held = by_slice(metrics, "coverage_80", "half_hour").filter(pl.col("subject").is_in(order[:_SHOWN]))
    if held.height:
        clock = pl.col("at").str.split(":").list
        hour = clock.get(0).cast(pl.Float64) + clock.get(1).cast(pl.Float64) / 60
        rows = held.select("subject", "value", hour=hour).sort("subject", "hour")
        yield _render("coverage_80_by_half_hour", _held(rows, order[:_SHOWN]))
