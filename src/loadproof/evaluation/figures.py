"""Charts of readings and forecasts: small frames in, Altair charts out.

No chart names a colour: marks name a style (``band90``, ``truth``), and the page gives each style its colour for
light and dark. Every chart fills the width of its box.
"""

import datetime as dt
from typing import Final
from zoneinfo import ZoneInfo

import altair as alt
import polars as pl

from loadproof.evaluation.aggregates_forecasts import Fan
from loadproof.features.calendar import UK_ZONE, WEEKDAYS

__all__ = [
    "CLOCK",
    "COVERAGE_CLASSES",
    "HALF_HOUR",
    "KWH",
    "STAMP",
    "Figure",
    "active_entities",
    "coverage_calendar",
    "fan_chart",
    "layered",
    "typical_day",
    "typical_week",
    "year_carpet",
]

Figure = alt.Chart | alt.LayerChart

KWH: Final = "kWh per half hour"
CLOCK: Final = "(datum.value < 10 ? '0' : '') + datum.value + ':00'"
HALF_HOUR: Final = "format(floor(datum.hour), '02d') + (datum.hour % 1 ? ':30' : ':00')"

COVERAGE_CLASSES: Final = (
    (0.0, "none"),
    (0.8, "below 80 %"),
    (0.95, "80–95 %"),
    (0.99, "95–99 %"),
    (2.0, "99 % or more"),
)
"""Upper bounds of the share that each class holds, and what it is called; ``none`` holds exactly 0."""

NARROW_CONTEXT: Final = dt.timedelta(days=1)
"""How much of what came before a forecast a narrow screen shows."""

_ENOUGH: Final = 0.5
STAMP: Final = "%Y-%m-%dT%H:%M:%SZ"


def _hours(title: str = "Time of day (UK local)", *, step: int = 6) -> alt.X:
    axis = alt.Axis(values=list(range(0, 25, step)), labelExpr=CLOCK, labelFlush=True)
    return alt.X("hour:Q", title=title, axis=axis, scale=alt.Scale(domain=[0, 24], nice=False))


def _kwh(field: str, top: float | None = None, title: str = KWH) -> alt.Y:
    scale = alt.Scale(domain=[0, top], nice=True) if top is not None else alt.Scale(zero=True)
    return alt.Y(f"{field}:Q", title=title, scale=scale, axis=alt.Axis(tickCount=5))


def _rounded(frame: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """Round to 4 significant digits: a page needs no more, and equal data give equal bytes."""
    return frame.with_columns(pl.col(columns).cast(pl.Float64).round_sig_figs(4))


def _stamps(column: str, shift: dt.timedelta) -> pl.Expr:
    """Write a UTC column as text, shifted, ending in Z: the browser's own zone must not move it."""
    return (pl.col(column) + shift).dt.strftime(STAMP)


def _week_axis(weeks: pl.Series) -> alt.Axis:
    """Name Mondays where the span is short, else every month, second month or half year."""
    if len(weeks) <= 16:
        mondays = [alt.DateTime(year=day.year, month=day.month, date=day.day, utc=True) for day in weeks]
        return alt.Axis(format="%d %b %Y", values=mondays, grid=False)
    step = 1 if len(weeks) <= 40 else 2 if len(weeks) <= 110 else 6
    months = alt.TimeIntervalStep(interval="month", step=step)
    return alt.Axis(format="%b %Y", tickCount=months, grid=False, labelFlush=True)


def layered(*charts: Figure, height: int) -> alt.LayerChart:
    """Lay charts over each other, as wide as their box and ``height`` pixels high."""
    return alt.LayerChart(layer=list(charts), width="container", height=height)


def year_carpet(year: pl.DataFrame) -> Figure:
    """Draw a year of half hours: one column per week, one row per half hour, colour for the mean load.

    Args:
        year: ``week, half_hour, mean_kwh, entities``. Weeks with less than half of the largest number of entities
            stay blank: their mean speaks for too few.
    """
    enough = pl.col("entities") >= _ENOUGH * pl.col("entities").max()
    cells = _rounded(year.filter(enough), "mean_kwh").select(
        pl.col("week").dt.strftime("%Y-%m-%d"), hour=pl.col("half_hour") / 2, kwh="mean_kwh"
    )
    chart: Figure = (
        alt.Chart(cells, width="container", height=264)
        .transform_calculate(until="toDate(datum.week) + 6048e5", upper="datum.hour + 0.5", clock=HALF_HOUR)
        .mark_rect()
        .encode(
            x=alt.X(
                "week:T",
                title="Week",
                scale=alt.Scale(type="utc", nice=False),
                axis=_week_axis(year.filter(enough)["week"].unique().sort()),
            ),
            x2="until:T",
            y=alt.Y(
                "hour:Q",
                title="Time of day (UK local)",
                scale=alt.Scale(domain=[0, 24], nice=False),
                axis=alt.Axis(values=[0, 6, 12, 18, 24], labelExpr=CLOCK, grid=False),
            ),
            y2="upper:Q",
            color=alt.Color(
                "kwh:Q", title=KWH, scale=alt.Scale(zero=True), legend=alt.Legend(tickCount=4, gradientThickness=10)
            ),
            tooltip=[
                alt.Tooltip("week:T", title="week of", format="%d %b %Y"),
                alt.Tooltip("clock:N", title="time"),
                alt.Tooltip("kwh:Q", title="kWh", format=".3f"),
            ],
        )
    )
    return chart


def _coverage_cells(days: pl.DataFrame) -> pl.DataFrame:
    """Return ``dom`` (day of the month), ``month``, ``order``, ``share``, ``entities`` and the name of the class."""
    label = pl.lit(COVERAGE_CLASSES[-1][1])
    for bound, name in reversed(COVERAGE_CLASSES[:-1]):
        below = pl.col("share") <= bound if bound == 0 else pl.col("share") < bound
        label = pl.when(below).then(pl.lit(name)).otherwise(label)
    day = pl.col("day")
    return _rounded(days, "share").select(
        dom=day.dt.day(),
        month=day.dt.strftime("%b %Y"),
        order=day.dt.year().cast(pl.Int32) * 12 + day.dt.month(),
        share="share",
        entities="entities",
        level=label,
    )


def coverage_calendar(days: pl.DataFrame, noun: str = "homes") -> Figure:
    """Draw the share of expected half hours present as a calendar of months by days.

    Args:
        days: ``day, entities, share`` of one dataset.
        noun: What its entities are called.
    """
    cells = _coverage_cells(days)
    months = cells.sort("order")["month"].unique(maintain_order=True).to_list()
    apart, every_day = (alt.Scale(paddingInner=0.12), alt.Scale(domain=list(range(1, 32)), paddingInner=0.12))
    dates = alt.Axis(values=[1, 5, 10, 15, 20, 25, 31], labelAngle=0)
    classes = alt.Scale(domain=[name for _, name in COVERAGE_CLASSES], range="diverging")
    chart: Figure = (
        alt.Chart(cells, width="container", height=17 * len(months))
        .mark_rect(style="day")
        .encode(
            x=alt.X("dom:O", title="Day of the month", scale=every_day, axis=dates),
            y=alt.Y("month:O", title=None, sort=months, scale=apart, axis=alt.Axis(labelOverlap=False)),
            color=alt.Color("level:O", title="Share of expected half hours", scale=classes),
            tooltip=[
                alt.Tooltip("dom:O", title="day"),
                alt.Tooltip("month:O", title="month"),
                alt.Tooltip("share:Q", title="share present", format=".1%"),
                alt.Tooltip("entities:Q", title=f"{noun} expected", format=",d"),
            ],
        )
    )
    return chart


def active_entities(days: pl.DataFrame, noun: str = "homes") -> Figure:
    """Draw how many entities were expected to report, day by day."""
    rows = days.select(pl.col("day").dt.strftime("%Y-%m-%d"), "entities")
    mondays = days["day"].dt.truncate("1w").unique().sort()
    chart: Figure = (
        alt.Chart(rows, width="container", height=96)
        .mark_area(style="count", interpolate="step-after", line={"strokeWidth": 1.6})
        .encode(
            x=alt.X("day:T", title="Day (UTC)", scale=alt.Scale(type="utc"), axis=_week_axis(mondays)),
            y=alt.Y("entities:Q", title=f"{noun} expected", axis=alt.Axis(tickCount=3)),
            tooltip=[
                alt.Tooltip("day:T", format="%d %b %Y"),
                alt.Tooltip("entities:Q", title=f"{noun} expected", format=",d"),
            ],
        )
    )
    return chart


def _highest(profile: pl.DataFrame) -> float:
    """The top of the band over all seasons, so that their panels share one scale."""
    return float(profile.select(pl.col("high_kwh").max().round_sig_figs(4)).item())


def _band_and_mean(own: pl.DataFrame, x: alt.X, top: float) -> alt.LayerChart:
    base = alt.Chart(own).encode(x=x)
    return alt.LayerChart(
        layer=[
            base.mark_area(style="band").encode(y=_kwh("low_kwh", top), y2="high_kwh:Q"),
            base.mark_line(style="mean").encode(y=_kwh("mean_kwh", top)),
        ]
    )


def typical_day(day: pl.DataFrame, season: str) -> Figure:
    """Draw one season's typical day with its 10-90 % band, the other seasons' means in grey behind it.

    Args:
        day: ``season, half_hour, mean_kwh, low_kwh, high_kwh`` of one dataset, all seasons.
        season: Which of ``SEASONS`` to draw.
    """
    top = _highest(day)
    rows = _rounded(day, "mean_kwh", "low_kwh", "high_kwh").select(
        "season", "mean_kwh", "low_kwh", "high_kwh", hour=pl.col("half_hour") / 2
    )
    others = (
        alt.Chart(rows.filter(pl.col("season") != season).select("season", "hour", "mean_kwh"))
        .mark_line(style="muted")
        .encode(x=_hours(), y=_kwh("mean_kwh", top), detail="season:N")
    )
    own = _band_and_mean(rows.filter(pl.col("season") == season), _hours(), top)
    return layered(others, own, height=190).properties(title=season)


def typical_week(week: pl.DataFrame, season: str) -> Figure:
    """Draw one season's typical week, Monday to Sunday, with its 10-90 % band.

    Args:
        week: ``season, weekday, half_hour, mean_kwh, low_kwh, high_kwh`` of one dataset, all seasons.
        season: Which of ``SEASONS`` to draw.
    """
    top = _highest(week)
    rows = _rounded(week.filter(pl.col("season") == season), "mean_kwh", "low_kwh", "high_kwh").select(
        "mean_kwh", "low_kwh", "high_kwh", hour=pl.col("weekday").cast(pl.Float64) * 24 + pl.col("half_hour") / 2
    )
    names = str(list(WEEKDAYS))
    axis = alt.Axis(
        values=list(range(12, 168, 24)), labelExpr=f"{names}[floor(datum.value / 24)]", ticks=False, grid=False
    )
    x = alt.X("hour:Q", title="Weekday (UK local)", axis=axis, scale=alt.Scale(domain=[0, 168], nice=False))
    midnights = alt.Chart(pl.DataFrame({"hour": list(range(24, 168, 24))})).mark_rule(style="divider").encode(x=x)
    return layered(midnights, _band_and_mean(rows, x, top), height=180).properties(title=season)


def fan_chart(fan: Fan, t0_utc: dt.datetime, *, top: float | None = None) -> Figure:
    """Draw one forecast as nested 50, 80 and 90 % bands with its median, the truth, and what is missing.

    Time is the UK clock as it stood at t0, so that no hour is drawn twice when the clocks change. The page leaves out
    what lies before ``narrow_from`` where the screen is narrow. Charts that share ``top``, kWh, share their scale.
    """
    shift = t0_utc.astimezone(ZoneInfo(UK_ZONE)).utcoffset() or dt.timedelta()
    levels = [column for column in fan.bands.columns if column.startswith("q_")]
    bands = _rounded(fan.bands, *levels).select(
        _stamps("ts_utc", shift).alias("t"), *[pl.col(c).alias(c.replace("q_0.", "q")) for c in levels]
    )
    truth = _rounded(fan.truth, "energy_kwh").select(_stamps("ts_utc", shift).alias("t"), "run", kwh="energy_kwh")
    gaps = fan.missing.select(_stamps("start_utc", shift).alias("t"), _stamps("end_utc", shift).alias("until"))
    origin = pl.DataFrame({"ts_utc": [t0_utc]}).select(_stamps("ts_utc", shift).alias("t"))
    x = alt.X(
        "t:T",
        title="UK local time",
        scale=alt.Scale(type="utc", nice=False),
        axis=alt.Axis(format="%a %d %b", tickCount={"interval": "day", "step": 1}, labelFlush=False),
    )
    base = alt.Chart(bands).encode(x=x)
    layers = [
        # An empty layer has no extent, of which Vega complains.
        *([alt.Chart(gaps).mark_rect(style="gap").encode(x=x, x2="until:T")] if gaps.height else []),
        *[
            base.mark_area(style=f"band{share}", interpolate="monotone").encode(y=_kwh(low, top), y2=f"{high}:Q")
            for share, low, high in ((90, "q05", "q95"), (80, "q1", "q9"), (50, "q25", "q75"))
        ],
        base.mark_line(style="median", interpolate="monotone").encode(y=_kwh("q5", top)),
        alt.Chart(origin).mark_rule(style="origin").encode(x=x),
        alt.Chart(truth).mark_line(style="truth").encode(x=x, y=_kwh("kwh", top), detail="run:N"),
    ]
    narrow_from = (t0_utc + shift - NARROW_CONTEXT).strftime(STAMP)
    return layered(*layers, height=250).properties(usermeta={"narrow_from": narrow_from})
