"""From a long forecast table to the few windows that a page can show.

Forecasts have the columns of ``FORECASTS``; the truth is ``READINGS``, joined on ``entity_id`` and ``ts_utc``.
"""

import datetime as dt
import math
from typing import Final, NamedTuple

import polars as pl

from loadproof.evaluation.losses import CRPS_WEIGHTS, tilt
from loadproof.schema import LEVELS

__all__ = ["PICKS", "Fan", "Pick", "Window", "cut_fan", "list_models", "score_windows", "select_windows"]

PICKS: Final = {"good": 0.10, "median": 0.50, "bad": 0.95}
"""Which windows are shown: their place in the order of windowed CRPS, from best (0) to worst (1)."""

MIN_SHARE_OBSERVED: Final = 0.5
CONTEXT: Final = dt.timedelta(days=3)


class Window(NamedTuple):
    """One forecast of one entity, made at ``t0_utc``, with its CRPS in kWh per interval."""

    model: str
    entity_id: str
    t0_utc: dt.datetime
    crps_kwh: float


class Pick(NamedTuple):
    """A window shown, and why: its kind (a key of ``PICKS``) and its rank among ``of`` windows, from 1."""

    kind: str
    window: Window
    rank: int
    of: int


class Fan(NamedTuple):
    """What a fan chart draws.

    ``bands``: ``ts_utc`` and one column ``q_<level>`` per level, kWh. ``truth``: ``ts_utc, energy_kwh, run`` from
    three days before t0; ``run`` numbers the stretches without a gap. ``missing``: ``start_utc, end_utc``.
    """

    bands: pl.DataFrame
    truth: pl.DataFrame
    missing: pl.DataFrame


def list_models(forecasts: pl.LazyFrame) -> list[str]:
    """Return the names of all models in the table, sorted."""
    names = forecasts.select(pl.col("model").unique().sort()).collect(engine="streaming")["model"]
    return [str(name) for name in names]


def score_windows(forecasts: pl.LazyFrame, readings: pl.LazyFrame, model: str) -> pl.DataFrame:
    """Score every window of one model by CRPS over its observed intervals.

    Returns:
        ``entity_id, t0_utc, crps_kwh, share_observed``, best first; ties in order of entity and t0. Windows of
        which less than half was observed are left out: their score would hang on a few half hours.
    """
    mine = forecasts.filter((pl.col("model") == model) & pl.col("level").is_not_null())
    span = mine.select(first=pl.col("ts_utc").min(), last=pl.col("ts_utc").max()).collect(engine="streaming")
    if span["first"].item() is None:
        return _no_windows()
    truth = readings.filter(pl.col("ts_utc").is_between(*span.row(0))).select(
        "entity_id", "ts_utc", truth_kwh=pl.col("energy_kwh")
    )
    pinball = tilt(pl.col("truth_kwh") - pl.col("energy_kwh"), pl.col("level"))
    weight = pl.col("level").replace_strict(dict(zip(LEVELS, CRPS_WEIGHTS, strict=True)), return_dtype=pl.Float64)
    at_median = pl.col("level") == 0.5
    return (
        mine.select("entity_id", "t0_utc", "ts_utc", "level", "energy_kwh")
        .join(truth, on=["entity_id", "ts_utc"], how="left")
        .group_by("entity_id", "t0_utc")
        .agg(
            loss=(2 * weight * pinball).sum(),
            observed=(at_median & pl.col("truth_kwh").is_not_null()).sum(),
            steps=at_median.sum(),
        )
        .with_columns(share_observed=pl.col("observed") / pl.col("steps"))
        .filter(pl.col("share_observed") >= MIN_SHARE_OBSERVED)
        .select("entity_id", "t0_utc", "share_observed", crps_kwh=(pl.col("loss") / pl.col("observed")).round(9))
        .sort("crps_kwh", "entity_id", "t0_utc")
        .collect(engine="streaming")
    )


def _no_windows() -> pl.DataFrame:
    moment = pl.Datetime("us", "UTC")
    return pl.DataFrame(
        schema={"entity_id": pl.String, "t0_utc": moment, "share_observed": pl.Float64, "crps_kwh": pl.Float64}
    )


def select_windows(scored: pl.DataFrame, model: str) -> list[Pick]:
    """Pick the windows at the 10th, 50th and 95th percentile of CRPS, by nearest rank.

    Args:
        scored: What ``score_windows`` returned, best first.
        model: Whose windows they are.
    """
    if scored.is_empty():
        return []
    picks = []
    for kind, share in PICKS.items():
        rank = max(1, math.ceil(share * scored.height))
        row = scored.row(rank - 1, named=True)
        window = Window(model, row["entity_id"], row["t0_utc"], row["crps_kwh"])
        picks.append(Pick(kind, window, rank, scored.height))
    return picks


def cut_fan(forecasts: pl.LazyFrame, readings: pl.LazyFrame, window: Window) -> Fan:
    """Cut what one window's fan chart needs: the bands, the truth with its context, the missing spans."""
    bands = (
        forecasts.filter(
            (pl.col("model") == window.model)
            & (pl.col("entity_id") == window.entity_id)
            & (pl.col("t0_utc") == window.t0_utc)
            & pl.col("level").is_not_null()
        )
        .select("ts_utc", "energy_kwh", name=pl.format("q_{}", pl.col("level")))
        .collect(engine="streaming")
        .pivot("name", index="ts_utc", values="energy_kwh")
        .sort("ts_utc")
    )
    start = window.t0_utc - CONTEXT
    last = bands.select(pl.col("ts_utc").max()).item()
    seen = (
        readings.filter((pl.col("entity_id") == window.entity_id) & pl.col("ts_utc").is_between(start, last))
        .select("ts_utc", "interval_mins", "energy_kwh")
        .sort("ts_utc")
        .collect(engine="streaming")
    )
    step = dt.timedelta(minutes=seen.select(pl.col("interval_mins").min()).item() or 30)
    grid = pl.DataFrame({"ts_utc": pl.datetime_range(start, last, step, time_zone="UTC", eager=True)})
    truth = grid.join(seen, on="ts_utc", how="left").with_columns(
        run=pl.col("energy_kwh").is_null().rle_id(), gone=pl.col("energy_kwh").is_null()
    )
    missing = (
        truth.filter("gone")
        .group_by("run")
        .agg(start_utc=pl.col("ts_utc").min(), end_utc=pl.col("ts_utc").max() + step)
        .select("start_utc", "end_utc")
        .sort("start_utc")
    )
    return Fan(bands, truth.filter(~pl.col("gone")).select("ts_utc", "energy_kwh", "run"), missing)
