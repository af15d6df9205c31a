"""The page that holds pseudo-feeders against real ones: pairs of curves, the parts, and what nothing can be said of."""

from collections.abc import Mapping
from typing import Any, Final

import altair as alt
import polars as pl

from loadproof.evaluation.figures import CLOCK, Figure, layered
from loadproof.evaluation.report_html import Chapter, Html, Panel, absent, facts, figure, fragment, page, table, tag
from loadproof.feeders.compare import Comparison, Side
from loadproof.feeders.diversity import fit_diversity
from loadproof.limits import ADMD_GAS_HEATED_KVA, DEFAULT_POWER_FACTOR

__all__ = ["comparison_facts", "comparison_page"]

_SIDES: Final = ("pseudo", "real")
_KWH: Final = "kWh per device and half hour"

MEANINGS: Final = {
    "load_duration": "mean gap of the load-duration curves, over the real mean",
    "distribution": "mean Wasserstein distance by season and half hour, over the real mean",
    "peak_size": "difference of the median daily peak, over the real one",
    "peak_time": "Wasserstein distance of the hours of the daily peaks, over 24 h",
    "ramps": "Wasserstein distance of steps between half hours, over the real mean step",
    "load_factor": "difference of mean over peak within weeks, over the real one",
    "autocorrelation_1": "difference of the correlation with the half hour before",
    "autocorrelation_48": "difference of the correlation with the day before",
    "autocorrelation_336": "difference of the correlation with the week before",
}
"""What each part's distance is."""


def _figure(value: float | None, digits: int = 3) -> str:
    return "" if value is None or value != value else f"{value:.{digits}f}"


def _pairs(rows: pl.DataFrame) -> pl.DataFrame:
    """Return a curve's two sides as rows of one line each."""
    long = rows.unpivot(on=list(_SIDES), index="x", variable_name="side", value_name="value")
    return long.filter(pl.col("value").is_not_nan()).with_columns(pl.col("value", "x").round_sig_figs(4))


def _colour(symbol: str = "stroke") -> alt.Color:
    key = alt.Legend(title=None, symbolType=symbol)
    return alt.Color("side:N", scale=alt.Scale(domain=list(_SIDES)), legend=key)


def _hours() -> alt.X:
    axis = alt.Axis(values=list(range(0, 25, 6)), labelExpr=CLOCK, labelFlush=True)
    return alt.X("x:Q", title="Time of day (UK local)", axis=axis, scale=alt.Scale(domain=[0, 24], nice=False))


def _lines(rows: pl.DataFrame, x: alt.X, title: str, *, interpolate: str = "linear") -> Figure:
    y = alt.Y("value:Q", title=title, scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=5))
    tips = [alt.Tooltip("side:N"), alt.Tooltip("x:Q"), alt.Tooltip("value:Q", format=".3f")]
    chart = alt.Chart(_pairs(rows)).mark_line(style="series", interpolate=interpolate)  # type: ignore[arg-type]
    return layered(chart.encode(x=x, y=y, color=_colour(), tooltip=tips), height=230)


def _duration(curves: pl.DataFrame) -> Html:
    rows = curves.filter(kind="load_duration").with_columns(pl.col("x") * 100)
    share = alt.X("x:Q", title="Share of time exceeded (%)", scale=alt.Scale(domain=[0, 100]))
    return figure(
        "Load-duration curves",
        "How much a device uses of its feeder's load, from the highest half hour to the lowest; the mean over feeders.",
        [Panel(_lines(rows, share, _KWH))],
    )


def _days(curves: pl.DataFrame) -> Html:
    days = curves.filter(kind="day")
    panels = [
        Panel(_lines(days.filter(season=season), _hours(), _KWH), Html(season.capitalize()))
        for season in days["season"].unique(maintain_order=True)
    ]
    return figure(
        "Mean day by season", "Means over feeders and days, per device that reports.", panels,
        layout="pair" if len(panels) > 1 else "",
    )  # fmt: skip


def _peaks(curves: pl.DataFrame) -> Html:
    rows = curves.filter(kind="peak_time").with_columns(pl.col(_SIDES) * 100)
    chart = _lines(rows, _hours(), "Share of days (%)", interpolate="step-after")
    return figure(
        "When daily peaks come", "The half hour of each day's highest load, over feeders and days.", [Panel(chart)]
    )


def _apart(cells: pl.DataFrame) -> Html:
    rows = cells.select(
        "season", x=pl.col("half_hour") / 2, value=(100 * pl.col("wasserstein_ratio")).round_sig_figs(4)
    )
    seasons = rows["season"].unique(maintain_order=True).to_list()
    key = alt.Legend(title=None, symbolType="stroke")
    colour = alt.Color("season:N", scale=alt.Scale(domain=seasons), legend=key)
    y = alt.Y("value:Q", title="Distance (% of the real mean)", scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=5))
    lines = alt.Chart(rows).mark_line(style="series").encode(x=_hours(), y=y, color=colour)
    found = cells.select(pl.len(), (pl.col("p_value") < 0.05).sum()).row(0)
    sizes = cells.select(pl.col("n_pseudo", "n_real").median()).row(0)
    said = (
        f"Wasserstein distance over days and feeders. A Kolmogorov-Smirnov test at 5 % finds {found[1]} of {found[0]} "
        f"cells apart, with effective sizes of {sizes[0]:.0f} and {sizes[1]:.0f} (median): values of one week count as "
        "far as they differ."
    )
    return figure("How far apart by half hour and season", said, [Panel(layered(lines, height=230))])


_DEVICES: Final = alt.X("devices:Q", title="Devices (logarithmic)", scale=alt.Scale(type="log", domainMin=1))
_PEAK: Final = alt.Y("peak_kw:Q", title="Peak per device (kW)", scale=alt.Scale(zero=True))
_DESIGN_KW: Final = tuple(kva * DEFAULT_POWER_FACTOR for kva in ADMD_GAS_HEATED_KVA)


def _curve(admd: pl.DataFrame) -> list[Figure]:
    """Return what was measured by size, its band of groups, and rules at what distributors have designed with."""
    low, high = (pl.col(edge).fill_null(pl.col("admd_kw")).round_sig_figs(4) for edge in ("low_kw", "high_kw"))
    rows = admd.select(devices="homes", peak_kw=pl.col("admd_kw").round_sig_figs(4), low=low, high=high)
    base = alt.Chart(rows).encode(x=_DEVICES)
    return [
        base.mark_area(style="band").encode(y="low:Q", y2="high:Q"),
        base.mark_line(style="mean").encode(y=_PEAK),
        alt.Chart(pl.DataFrame({"peak_kw": _DESIGN_KW})).mark_rule(style="ideal").encode(y="peak_kw:Q"),
    ]


def _diversity(found: Comparison) -> Html:
    """Return the peak per device by size: of random groups of homes, of each feeder, and what was designed with."""
    layers: list[Figure] = []
    points = found.points.with_columns(pl.col("peak_kw").round_sig_figs(4)).filter(pl.col("devices") >= 1)
    said = "Points: each feeder's highest half hour per device that reports. " * bool(points.height)
    if found.diversity.height:
        layers += _curve(found.diversity)
        said += (
            f"Line and band: random groups of the homes, mean and 95 % of groups. {_fitted(found.diversity)}Dashed: "
            f"{_DESIGN_KW[0]:.2f} and {_DESIGN_KW[1]:.2f} kW, which networks were designed with per gas-heated home "
            f"({ADMD_GAS_HEATED_KVA[0]} to {ADMD_GAS_HEATED_KVA[1]} kVA at a power factor of {DEFAULT_POWER_FACTOR}; "
            "secondary text, see limits.py)."
        )
    if points.height:
        layers.append(alt.Chart(points).mark_point(style="point").encode(x=_DEVICES, y=_PEAK, color=_colour("circle")))
    if not layers:
        return Html()
    return figure("Diversity: peak per device by size", said, [Panel(layered(*layers, height=280))])


def _fitted(admd: pl.DataFrame) -> str:
    if admd.height < 2:
        return ""
    a, k = fit_diversity(admd)
    return f"Fitted: {a:.2f} kW x (1 + {k:.1f} / N). "


def _side_facts(name: str, side: Side) -> list[tuple[str, str]]:
    return [
        (f"{name} feeders", f"{side.feeders:,}"),
        (f"{name} weeks", f"{side.weeks:.1f}"),
        (f"{name} half hours", f"{side.half_hours:,}"),
        (f"{name} devices (median)", f"{side.devices:.0f}"),
    ]


def _summary(found: Comparison, about: Mapping[str, str]) -> Html:
    head = fragment(
        tag("h1", "Pseudo-feeders against real ones"),
        facts(list(about.items())),
        facts([*_side_facts("pseudo", found.pseudo), *_side_facts("real", found.real)]),
    )
    if found.lacking:
        lines = "; ".join(found.lacking)
        return fragment(head, absent(f"Nothing is concluded: {lines}. No part and no composite is computed."))
    rows = [
        [part.name, _figure(part.pseudo), _figure(part.real), part.unit, _figure(part.distance), _figure(part.floor),
         MEANINGS[part.name]]
        for part in found.parts
    ]  # fmt: skip
    rows.append(["composite", "", "", "", _figure(found.composite), "", "the sum of the distances above, nothing else"])
    floors = (
        "The floor is the same distance between random halves of the real feeders: a part at its floor cannot be told "
        "from real."
        if found.parts[0].floor is not None
        else "There are too few real feeders to halve, so no floor says how far real ones lie from each other."
    )
    columns = ("part", "pseudo", "real", "unit", "distance", "floor", "what the distance is")
    numeric = (False, True, True, False, True, True, False)
    return fragment(head, tag("p", floors), table("Parts", columns, rows, numeric))


def comparison_page(found: Comparison, about: Mapping[str, str]) -> str:
    """Return the comparison as one self-contained HTML page.

    Args:
        found: What was compared.
        about: Names and values to show as they are: the two sides, versions, seed.
    """
    chapters = [Chapter("summary", "Summary", "Summary", _summary(found, about))]
    if not found.lacking:
        shapes = fragment(_duration(found.curves), _days(found.curves), _peaks(found.curves))
        chapters.append(Chapter("shapes", "Shapes", "Shapes", shapes))
        chapters.append(Chapter("distributions", "Distributions", "Distributions", _apart(found.cells)))
    if drawn := _diversity(found):
        chapters.append(Chapter("diversity", "Diversity", "Diversity", drawn))
    footer = tag("p", "Made by loadproof. This page is one file: it loads nothing and sends nothing.")
    return page("Pseudo-feeders against real ones", chapters, footer)


def comparison_facts(found: Comparison, about: Mapping[str, str]) -> dict[str, Any]:
    """Return the comparison as JSON values: the parts, their sum, and the cells they rest on."""
    cells = found.cells.select(
        cells=pl.len(), apart_at_5_percent=(pl.col("p_value") < 0.05).sum(),
        wasserstein_kwh=pl.col("wasserstein_kwh").mean(), n_pseudo=pl.col("n_pseudo").median(),
        n_real=pl.col("n_real").median(),
    ).row(0, named=True)  # fmt: skip
    return {
        "about": dict(about),
        "pseudo": found.pseudo._asdict(),
        "real": found.real._asdict(),
        "concluded": not found.lacking,
        "lacking": list(found.lacking),
        "parts": [part._asdict() for part in found.parts],
        "composite": found.composite,
        "distribution": cells if found.cells.height else None,
        "diversity": found.diversity.rows(named=True),
    }
