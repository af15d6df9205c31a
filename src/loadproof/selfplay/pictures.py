"""Ten scenarios that the proposer thought most of, as they look, and what the solver said before and after the play."""

from typing import Final

import numpy as np
import polars as pl

from loadproof.features.windows import Windows
from loadproof.forecaster import ModelState
from loadproof.models.patchtst_forecaster import PatchTSTForecaster
from loadproof.scenario.acts import apply
from loadproof.scenario.kinds import Scenario
from loadproof.seeds import rng_for
from loadproof.selfplay.trainer import Game

__all__ = ["picture_rows"]

_PICTURES: Final = 10
_PAST_STEPS: Final = 4 * 48
_BAND: Final = {"low": 1, "middle": 3, "high": 5}
"""The 80 % band and the median, by their places among the levels."""


def _chosen(game: Game) -> list[Scenario]:
    """Return the best remembered scenarios, kinds in turn, so that no kind fills the page."""
    ranked = game.proposer.remembered()
    by_kind: dict[str, list[Scenario]] = {}
    for scenario in ranked:
        by_kind.setdefault(scenario.kind, []).append(scenario)
    turns = [some[turn] for turn in range(_PICTURES) for some in by_kind.values() if turn < len(some)]
    return turns[:_PICTURES]


def _kwh(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> list[float | None]:
    return [None if np.isnan(value) else round(float(value), 4) for value in values]


def picture_rows(game: Game, before: ModelState, windows: Windows) -> pl.DataFrame:
    """Return a row for each step of each picture: the real reading, the played one, and both forecasts.

    Scenarios are set into validation windows, which nobody learned from.

    Args:
        game: A game that is over.
        before: The solver's state before it began.
        windows: Validation windows.
    """
    untrained = PatchTSTForecaster(game.solver.forecaster.knobs)
    untrained.restore(before)
    rows = []
    for number, scenario in enumerate(_chosen(game), start=1):
        rng = rng_for(scenario.seed, f"picture/{number}")
        original = windows.take(rng.integers(len(windows), size=1))
        played = apply(scenario, original, rng=rng, ground=game.ground)
        said = [who.predict(played.inputs).quantiles_kwh[0] for who in (untrained, game.solver.forecaster)]  # (H, Q)
        c = played.inputs.context_kwh.shape[1]
        real, changed = (
            np.concatenate([some.inputs.context_kwh[0], some.truth_kwh[0]])[c - _PAST_STEPS :]
            for some in (original, played)
        )
        steps = np.arange(-_PAST_STEPS, played.inputs.horizon_steps)
        columns = {"step": steps, "real_kwh": _kwh(real), "played_kwh": _kwh(changed)}
        for when, quantiles in zip(("before", "after"), said, strict=True):
            for edge, at in _BAND.items():
                columns[f"{when}_{edge}_kwh"] = [None] * _PAST_STEPS + _kwh(quantiles[:, at])
        told = ", ".join(f"{name} {value:.3g}" for name, value in scenario.parameters.items())
        rows.append(
            pl.DataFrame(columns).select(
                pl.lit(number).alias("picture"), pl.lit(scenario.kind).alias("kind"), pl.lit(told).alias("parameters"),
                pl.lit(scenario.onset_steps).alias("onset_steps"), pl.all(),
            )
        )  # fmt: skip
    return pl.concat(rows) if rows else pl.DataFrame()
