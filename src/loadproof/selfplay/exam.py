"""What every arm is judged on: all real windows of unseen homes, hard ones among them, and scenarios of every kind.

Rows are sums by home and week, so that homes, weeks and seeds can be drawn again together.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.evaluation.losses import BANDS, pinball
from loadproof.features.weather import Weather
from loadproof.features.windows import Windows
from loadproof.forecaster import Forecast, Forecaster
from loadproof.scenario.acts import apply
from loadproof.scenario.ground import Ground
from loadproof.scenario.kinds import Kind, draw
from loadproof.selfplay.hard_days import hard_windows
from loadproof.selfplay.verifier import verify

__all__ = ["COLUMNS", "Exam", "facts_of_exam", "set_exam", "sit"]

COLUMNS: Final = ("slice", "entity_id", "week", "windows", "loss", "half_hours", "in_90", "tail_loss", "score")
"""A row holds sums over a home's windows of a week: loss and tail loss in the home's scale, half hours in the 90 %
band, and the verifier's scores; ``week`` counts Mondays since 1970."""

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
        hard: Which of them are hard, by way, ``(N,)`` each.
        played: Windows of each kind of scenario, by kind; the same for every arm and seed.
        scales_kwh: Each home's typical change from half hour to half hour, outside the block.
        tails_kwh: Each home's level above which the tail begins, outside the block.
    """

    real: Windows
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
    real: Windows, before: Windows, ground: Ground, *, weather: Weather | None, scales_kwh: dict[str, float],
    rng: np.random.Generator,
) -> Exam:  # fmt: skip
    """Return the exam of a block.

    Args:
        real: The block's windows of the homes that are judged.
        before: The same homes' windows outside the block, for what is typical of them.
        ground: What scenarios borrow: training homes and dates alone.
        weather: What weather came, for cold days.
        scales_kwh: Each home's typical change, from ``before``.
        rng: Of the scenarios.
    """
    known = np.isin(real.inputs.entity, sorted(scales_kwh))
    real = real.take(known & ~np.isnan(real.truth_kwh).all(axis=1))
    played = {kind: _nights(real, kind, ground, rng) for kind in ground.lends()}
    return Exam(real, hard_windows(real.inputs, weather), played, scales_kwh, _tails(before))


def _rows(name: str, forecast: Forecast, windows: Windows, exam: Exam) -> pl.DataFrame:
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
        "score": verify(forecast, windows).score.astype(np.float64),
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
    return pl.concat(frames)


def sit(forecaster: Forecaster, exam: Exam) -> tuple[pl.DataFrame, dict[str, float]]:
    """Return the sums of a forecaster's exam by slice, home and week, and what is of all windows at once.

    The last are the mean of the worst tenth of all real windows' losses, whoever they are (CVaR), and of the tail loss.
    """
    rows = _by_window(forecaster, exam).filter(pl.col("windows") > 0)
    sums = rows.group_by("slice", "entity_id", "week").agg(pl.col(COLUMNS[3:]).sum()).sort("slice", "entity_id", "week")
    losses = np.sort(rows.filter(pl.col("slice") == "all")["loss"].to_numpy())
    worst = losses[len(losses) - max(len(losses) // 10, 1) :]
    rounded = sums.with_columns(pl.col("loss", "tail_loss", "score").cast(pl.Float32).round(4))
    return rounded.select(COLUMNS), {"cvar_10": float(worst.mean()), "mean_loss": float(losses.mean())}


def facts_of_exam(exam: Exam) -> dict[str, int]:
    """Return how much an exam holds: windows and homes, and windows by way of being hard."""
    said = {"windows": len(exam.real), "homes": len(np.unique(exam.real.inputs.entity))}
    return said | {f"hard_{way}": int(mask.sum()) for way, mask in exam.hard.items()}
