"""What every arm is judged on: all real windows of unseen homes, hard ones among them, and scenarios of every kind.

Rows are sums by home and week, so that homes, weeks and seeds can be drawn again together.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.evaluation.losses import BANDS, pinball
from loadproof.evaluation.rounding import few_bits
from loadproof.features.splits import Split
from loadproof.features.weather import Weather
from loadproof.features.windows import Windows
from loadproof.forecaster import Forecast, Forecaster
from loadproof.scenario.acts import apply
from loadproof.scenario.ground import Ground
from loadproof.scenario.kinds import Kind, draw
from loadproof.selfplay.hard_days import hard_windows
from loadproof.selfplay.scales import home_scales
from loadproof.selfplay.verifier import Limits, verify

__all__ = ["COLUMNS", "SUM_HOMES", "Exam", "days_exam", "facts_of_exam", "set_exam", "sit"]

COLUMNS: Final = ("slice", "entity_id", "week", "windows", "loss", "half_hours", "in_90", "tail_loss", "score")
"""A row holds sums over a home's windows of a week: loss and tail loss in the home's scale, half hours in the 90 %
band, and the verifier's scores; ``week`` counts Mondays since 1970; the tail loss is kept of all real windows alone."""

SUM_HOMES: Final = 30
"""Homes in a sum: as many as a feeder has, and as ADMD tables begin with."""

_NIGHTS: Final = 6
_HOMES: Final = 20
_BAND_90: Final = BANDS[90]
_TAIL: Final = 0.9
"""The tail loss counts what lies above this quantile of a home's own half hours."""


@dataclass(frozen=True, eq=False)
class Exam:
    """Windows that nobody has learned from.

    Attributes:
        real: All of the block's windows of the judged homes.
        sums: The block's windows of sums of disjoint ``SUM_HOMES`` of them; None where they are fewer.
        hard: Which of them are hard, by way, ``(N,)`` each.
        played: Windows of each kind of scenario, by kind; the same for every arm and seed.
        scales_kwh: Each home's and sum's typical change from half hour to half hour, outside the block.
        tails_kwh: The level of each above which the tail begins, outside the block.
    """

    real: Windows
    sums: Windows | None
    hard: dict[str, NDArray[np.bool_]]
    played: dict[Kind, tuple[Windows, ...]]
    scales_kwh: dict[str, float]
    tails_kwh: dict[str, float]


def _tails(windows: Windows) -> dict[str, float]:
    return {
        str(who): float(np.nanquantile(windows.truth_kwh[windows.inputs.entity == who], _TAIL))
        for who in np.unique(windows.inputs.entity)
    }


def _nights(real: Windows, kind: Kind, ground: Ground, rng: np.random.Generator) -> tuple[Windows, ...]:
    """Return some nights of a kind, each a new scenario on some homes."""
    t0 = real.inputs.t0
    nights = []
    for _ in range(_NIGHTS):
        rows = np.flatnonzero(t0 == t0[rng.integers(len(t0))])
        original = real.take(rng.permutation(rows)[:_HOMES])
        nights.append(apply(draw(kind, rng=rng), original, rng=rng, ground=ground))
    return tuple(nights)


def set_exam(
    homes: Split, sums: Split | None, ground: Ground, *, weather: Weather | None, rng: np.random.Generator
) -> Exam:
    """Return the exam of a block.

    Args:
        homes: The windows of the homes that are judged: the block's, and those outside it for what is typical of them.
        sums: The same of sums of those homes; None where they are too few.
        ground: What scenarios borrow: training homes and dates alone.
        weather: What weather came, for cold days.
        rng: Of the scenarios.
    """
    real, scales_kwh, tails_kwh = homes.test, home_scales(homes.train), _tails(homes.train)
    known = np.isin(real.inputs.entity, sorted(scales_kwh))
    real = real.take(known & ~np.isnan(real.truth_kwh).all(axis=1))
    played = {kind: _nights(real, kind, ground, rng) for kind in ground.lends()}
    if sums:
        scales_kwh, tails_kwh = scales_kwh | home_scales(sums.train), tails_kwh | _tails(sums.train)
    hard = hard_windows(real.inputs, weather)
    return Exam(real, sums.test if sums else None, hard, played, scales_kwh, tails_kwh)


def days_exam(windows: Windows, weather: Weather | None) -> Exam:
    """Return an exam of real days alone, of whoever: what is typical of them comes from these days themselves."""
    return Exam(windows, None, hard_windows(windows.inputs, weather), {}, home_scales(windows), _tails(windows))


def _rows(name: str, forecast: Forecast, windows: Windows, exam: Exam, limits: Limits | None = None) -> pl.DataFrame:
    truth, inputs = windows.truth_kwh, windows.inputs
    scale = np.array([exam.scales_kwh[str(who)] for who in inputs.entity])[:, None]  # (N, 1)
    tail = np.array([exam.tails_kwh[str(who)] for who in inputs.entity])[:, None]  # (N, 1)
    known = ~np.isnan(truth)
    quantiles = forecast.quantiles_kwh
    low, high = (quantiles[..., at] for at in _BAND_90)
    losses = [
        pinball(truth, quantiles, forecast.levels).mean(axis=-1),
        pinball(np.maximum(truth, tail), np.maximum(quantiles, tail[..., None]), forecast.levels).mean(axis=-1),
    ]
    count = known.sum(axis=1)
    means = [np.where(known, loss / scale, 0).sum(axis=1) / np.maximum(count, 1) for loss in losses]  # (N,) each
    columns = {
        "entity_id": inputs.entity.tolist(),
        "week": ((inputs.t0.astype("datetime64[D]").astype(np.int64) + 3) // 7).astype(np.int32),
        "windows": (count > 0).astype(np.int32),
        "loss": means[0],
        "half_hours": count.astype(np.int32),
        "in_90": (known & (truth >= low) & (truth <= high)).sum(axis=1).astype(np.int32),
        "tail_loss": means[1],
        "score": verify(forecast, windows, limits).score.astype(np.float64),
    }
    return pl.DataFrame(columns).select(pl.lit(name).alias("slice"), pl.all())


def _by_window(forecaster: Forecaster, exam: Exam) -> pl.DataFrame:
    """Return a row for every window and slice that it is in."""
    forecast = forecaster.predict(exam.real.inputs)
    real = _rows("all", forecast, exam.real, exam)
    any_hard = np.any(list(exam.hard.values()), axis=0)
    masks = {"clean": ~any_hard, "hard": any_hard, **{f"hard:{way}": mask for way, mask in exam.hard.items()}}
    frames = [real, *(real.filter(mask).with_columns(pl.lit(name).alias("slice")) for name, mask in masks.items())]
    for kind, nights in exam.played.items():
        frames += [_rows(kind, forecaster.predict(night.inputs), night, exam) for night in nights]
    if exam.sums:
        frames.append(_rows("sums", forecaster.predict(exam.sums.inputs), exam.sums, exam, Limits(homes=SUM_HOMES)))
    return pl.concat(frames)


def sit(forecaster: Forecaster, exam: Exam) -> tuple[pl.DataFrame, dict[str, float]]:
    """Return the sums of a forecaster's exam by slice, home and week, and what is of all windows at once.

    The last are the mean of the worst tenth of all real windows' losses, whoever they are (CVaR), and of the tail loss.
    """
    rows = _by_window(forecaster, exam).filter(pl.col("windows") > 0)
    sums = rows.group_by("slice", "entity_id", "week").agg(pl.col(COLUMNS[3:]).sum()).sort("slice", "entity_id", "week")
    losses = np.sort(rows.filter(pl.col("slice") == "all")["loss"].to_numpy())
    worst = losses[len(losses) - max(len(losses) // 10, 1) :]
    tail = pl.when(pl.col("slice") == "all").then(pl.col("tail_loss"))
    few = sums.with_columns(pl.Series(name, few_bits(sums[name].to_numpy())) for name in ("loss", "tail_loss"))
    kept = few.with_columns(pl.col("score").cast(pl.Float32).round(4), tail)
    return kept.select(COLUMNS), {"cvar_10": float(worst.mean()), "mean_loss": float(losses.mean())}


def facts_of_exam(exam: Exam) -> dict[str, int]:
    """Return how much an exam holds: windows and homes, and windows by way of being hard."""
    said = {"windows": len(exam.real), "homes": len(np.unique(exam.real.inputs.entity))}
    return said | {f"hard_{way}": int(mask.sum()) for way, mask in exam.hard.items()}
