"""Charts of self-play: what was learned and what paid, episode by episode, and scenarios as they looked."""

from collections.abc import Mapping, Sequence
from typing import Final

import altair as alt
import polars as pl

from loadproof.evaluation.figures import KWH, Figure, layered

__all__ = ["PAST_STEPS", "loss_lines", "reward_lines", "scenario_chart"]

PAST_STEPS: Final = 96
"""Two days before t0 are drawn; the table holds four."""

_LOSSES: Final = {"clean_loss": "ordinary days", "hard_loss": "hard days"}
_HOURS: Final = "datum.value / 2 + ' h'"


def _lines(rows: pl.DataFrame, order: Sequence[str], title: str) -> Figure:
    """Return a line for each name over the episodes, its points marked: some have few."""
    colour = alt.Color("name:N", scale=alt.Scale(domain=list(order)), legend=alt.Legend(title=None))
    base = alt.Chart(rows).encode(
        x=alt.X("episode:Q", title="Episode", axis=alt.Axis(tickMinStep=1, format="d", tickCount=8)),
        y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5)),
        color=colour,
        tooltip=["name:N", "episode:Q", alt.Tooltip("value:Q", format=".3f")],
    )
    return layered(base.mark_line(style="series"), base.mark_point(filled=True, size=26), height=220)


def _rows(curve: Sequence[Mapping[str, float]], names: Mapping[str, str]) -> pl.DataFrame:
    """Return ``episode, name, value`` of what is known of these columns of the curve."""
    found = [
        {"episode": int(record["episode"]), "name": said, "value": record[name]}
        for record in curve
        for name, said in names.items()
        if name in record and record[name] == record[name]
    ]
    schema = {"episode": pl.Int64, "name": pl.String, "value": pl.Float64}
    return pl.DataFrame(found, schema=schema).with_columns(pl.col("value").round_sig_figs(4))


def loss_lines(curve: Sequence[Mapping[str, float]]) -> Figure | None:
    """Draw the validation loss on ordinary and on hard days, in homes' own scales; None where none was taken."""
    rows = _rows(curve, _LOSSES)
    order = [name for name in _LOSSES.values() if name in set(rows["name"])]
    return _lines(rows, order, "Pinball loss / the home's typical change") if rows.height else None


def reward_lines(curve: Sequence[Mapping[str, float]]) -> Figure | None:
    """Draw what the proposer was paid for each kind; None where nothing was proposed."""
    kinds = sorted({name for record in curve for name in record if name.startswith("reward/")})
    rows = _rows(curve, {name: name.removeprefix("reward/") for name in kinds})
    return _lines(rows, [name.removeprefix("reward/") for name in kinds], "Reward") if rows.height else None


def scenario_chart(rows: pl.DataFrame, onset_steps: int) -> Figure:
    """Draw one scenario: the real load, the load as played, and the forecasts before and after.

    Args:
        rows: ``step, real_kwh, played_kwh``, and ``low, middle, high`` of ``before_`` and ``after_`` in kWh.
        onset_steps: Where it sets in, in steps from t0.
    """
    shown = rows.filter(pl.col("step") >= -PAST_STEPS).with_columns(pl.selectors.float().round_sig_figs(4))
    ticks = list(range(-PAST_STEPS, int(shown["step"].to_numpy().max()) + 2, 24))
    axis = alt.Axis(values=ticks, labelExpr=_HOURS, grid=False)
    base = alt.Chart(shown).encode(x=alt.X("step:Q", title="Hours from t0", axis=axis, scale=alt.Scale(nice=False)))
    y = alt.Y("after_low_kwh:Q", title=KWH, axis=alt.Axis(tickCount=4))
    origin = alt.Chart(pl.DataFrame({"step": [0]})).mark_rule(style="origin").encode(x="step:Q")
    layers = [
        base.mark_area(style="band80").encode(y=y, y2="after_high_kwh:Q"),
        base.mark_line(style="muted").encode(y="real_kwh:Q"),
        base.mark_line(style="truth").encode(y="played_kwh:Q"),
        base.mark_line(style="ideal").encode(y="before_middle_kwh:Q"),
        base.mark_line(style="median").encode(y="after_middle_kwh:Q"),
        origin,
    ]
    if onset_steps > -PAST_STEPS:
        at = alt.Chart(pl.DataFrame({"step": [onset_steps]})).mark_rule(style="limit").encode(x="step:Q")
        layers.append(at)
    return layered(*layers, height=170)
