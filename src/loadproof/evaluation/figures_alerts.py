"""Charts of alerts: when each home had some, how many began each day, and one alert against what was expected."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

import altair as alt
import polars as pl

from loadproof.evaluation.figures import KWH, STAMP, Figure, layered
from loadproof.features.calendar import UK_ZONE

__all__ = ["KIND_WORDS", "alert_calendar", "alert_chart", "alerts_by_day"]

KIND_WORDS: Final = {
    "spike": "spike",
    "dropout": "dropout",
    "level_shift": "level shift",
    "frozen": "frozen",
    "drift": "drift",
    "limit": "limit",
    "missing": "missing",
}
"""What the kinds of alert are called, in the order of their colours; the seventh colour is grey."""

_LEAST_SHARE: Final = 1 / 160
"""The narrowest that an alert is drawn, as a share of the whole span."""

_NARROW_CONTEXT: Final = dt.timedelta(hours=12)


def _kwh(field: str) -> alt.Y:
    return alt.Y(f"{field}:Q", title=KWH, scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=5))


def _kinds(alerts: pl.DataFrame) -> alt.Color:
    here = set(alerts["kind"])
    shown = [word for kind, word in KIND_WORDS.items() if kind in here]
    scale = alt.Scale(domain=list(KIND_WORDS.values()))
    return alt.Color("kind:N", title=None, scale=scale, legend=alt.Legend(values=shown))


def _local(alerts: pl.DataFrame) -> pl.DataFrame:
    """Return the alerts with their times by the UK clock, without a zone."""
    times = pl.col("start_utc", "end_utc").dt.convert_time_zone(UK_ZONE).dt.replace_time_zone(None)
    return alerts.with_columns(times, pl.col("kind").replace(KIND_WORDS))


def _days_axis(title: str, span: tuple[dt.date, dt.date]) -> alt.X:
    axis = alt.Axis(format="%d %b", grid=False, labelFlush=True)
    domain = [f"{day.isoformat()}T00:00:00Z" for day in span]
    return alt.X("t:T", title=title, scale=alt.Scale(type="utc", nice=False, domain=domain), axis=axis)


def alert_calendar(alerts: pl.DataFrame, entities: list[str], span: tuple[dt.date, dt.date]) -> Figure:
    """Draw when each of some entities had alerts, one row each, coloured by kind.

    Args:
        alerts: Rows of ``ALERTS``.
        entities: Which to draw, from the top.
        span: The first day that was watched, and the day after the last.
    """
    mine = _local(alerts.filter(pl.col("entity_id").is_in(entities)))
    least = (span[1] - span[0]) * _LEAST_SHARE
    rows = mine.select(
        "kind", "sentence", home=pl.col("entity_id").str.split(":").list.last(),
        t=pl.col("start_utc").dt.strftime(STAMP),
        until=pl.max_horizontal("end_utc", pl.col("start_utc") + least).dt.strftime(STAMP),
        day=pl.col("start_utc").dt.strftime("%a %d %b %Y"),
    )  # fmt: skip
    x = _days_axis("UK day", span)
    homes = [name.rsplit(":", 1)[-1] for name in entities]
    chart: Figure = (
        alt.Chart(rows, width="container", height=20 * len(homes))
        .mark_rect(style="day")
        .encode(
            x=x,
            x2="until:T",
            y=alt.Y("home:N", title=None, sort=homes, scale=alt.Scale(domain=homes, paddingInner=0.25)),
            color=_kinds(alerts),
            tooltip=[
                alt.Tooltip("home:N"),
                alt.Tooltip("day:N"),
                alt.Tooltip("kind:N"),
                alt.Tooltip("sentence:N", title="what"),
            ],
        )
    )
    return chart


def alerts_by_day(alerts: pl.DataFrame, span: tuple[dt.date, dt.date]) -> Figure:
    """Draw how many alerts began on each UK day, by kind.

    Args:
        alerts: Rows of ``ALERTS``.
        span: The first day that was watched, and the day after the last.
    """
    counted = _local(alerts).group_by(pl.col("start_utc").dt.date().alias("day"), "kind").len().sort("day", "kind")
    above = pl.col("len").cum_sum().over("day")
    rows = counted.select(
        "kind", count="len", top=above, foot=above - pl.col("len"), t=pl.col("day").dt.strftime("%Y-%m-%dT00:00:00Z"),
        until=(pl.col("day") + dt.timedelta(days=1)).dt.strftime("%Y-%m-%dT00:00:00Z"),
        day=pl.col("day").dt.strftime("%a %d %b %Y"),
    )  # fmt: skip
    x = _days_axis("UK day on which they began", span)
    chart: Figure = (
        alt.Chart(rows, width="container", height=120)
        .mark_rect(style="day")
        .encode(
            x=x,
            x2="until:T",
            y=alt.Y("foot:Q", title="alerts", axis=alt.Axis(tickCount=3, tickMinStep=1)),
            y2="top:Q",
            color=_kinds(alerts),
            tooltip=[alt.Tooltip("day:N"), alt.Tooltip("kind:N"), alt.Tooltip("count:Q", title="alerts")],
        )
    )
    return chart


def _gaps(steps: pl.DataFrame) -> pl.DataFrame:
    length = pl.col("t").diff().min()
    steps = steps.with_columns(until=pl.col("t") + length)
    gone = steps.with_columns(run=pl.col("energy_kwh").is_null().rle_id()).filter(pl.col("energy_kwh").is_null())
    return gone.group_by("run", maintain_order=True).agg(t=pl.col("t").min(), until=pl.col("until").max())


def alert_chart(alert: Mapping[str, Any], steps: pl.DataFrame) -> Figure:
    """Draw one alert: what was read, what was expected, the span of the alert, and what is missing.

    Time is the UK clock as it stood when the alert began. A narrow screen leaves out what lies long before.

    Args:
        alert: A row of ``ALERTS``.
        steps: ``ts_utc, energy_kwh, low_kwh, middle_kwh, high_kwh`` of the days around it, null where unknown.
    """
    shift = alert["start_utc"].astimezone(ZoneInfo(UK_ZONE)).utcoffset() or dt.timedelta()
    rows = steps.sort("ts_utc").with_columns(t=(pl.col("ts_utc") + shift).dt.replace_time_zone(None))
    gaps = _gaps(rows).with_columns(pl.col("t", "until").dt.strftime(STAMP)).select("t", "until")
    begin, end = ((alert[name] + shift).strftime(STAMP) for name in ("start_utc", "end_utc"))
    rows = rows.with_columns(
        pl.col("low_kwh", "middle_kwh", "high_kwh", "energy_kwh").cast(pl.Float64).round_sig_figs(4)
    )
    drawn = rows.with_columns(pl.col("t").dt.strftime(STAMP), run=pl.col("energy_kwh").is_null().rle_id())
    band = drawn.filter(pl.col("low_kwh").is_not_null()).select(
        "t", low="low_kwh", middle="middle_kwh", high="high_kwh"
    )
    truth = drawn.filter(pl.col("energy_kwh").is_not_null()).select("t", "run", kwh="energy_kwh")
    x = alt.X(
        "t:T", title="UK local time", scale=alt.Scale(type="utc", nice=False),
        axis=alt.Axis(format="%a %d %b", tickCount={"interval": "day", "step": 1}, labelFlush=False),
    )  # fmt: skip
    layers: list[Figure] = []
    if alert["kind"] != "missing":
        shown = min(end, rows.select((pl.col("t").max() + pl.col("t").diff().min()).dt.strftime(STAMP)).item())
        around = pl.DataFrame({"t": [begin], "until": [shown]})
        layers.append(alt.Chart(around).mark_rect(style="alert").encode(x=x, x2="until:T"))
    if gaps.height:  # an empty layer has no extent, of which Vega complains
        layers.append(alt.Chart(gaps).mark_rect(style="gap").encode(x=x, x2="until:T"))
    if band.height:
        base = alt.Chart(band).encode(x=x)
        layers += [
            base.mark_area(style="band", interpolate="step-after").encode(y=_kwh("low"), y2="high:Q"),
            base.mark_line(style="muted", interpolate="step-after").encode(y=_kwh("middle")),
        ]
    if truth.height:
        read = alt.Chart(truth).mark_line(style="truth", interpolate="step-after")
        layers.append(read.encode(x=x, y=_kwh("kwh"), detail="run:N"))
    narrow_from = (alert["start_utc"] + shift - _NARROW_CONTEXT).strftime(STAMP)
    return layered(*layers, height=200).properties(usermeta={"narrow_from": narrow_from})
