"""The exam is the same for everybody, and its rows are sums that can be done by hand."""

import numpy as np
import polars as pl
import pytest
from tests.selfplay.game_fixtures import split, weather

from loadproof.forecaster import Forecaster, make_forecast
from loadproof.scenario.ground import lay_ground
from loadproof.schema import LEVELS
from loadproof.selfplay.exam import COLUMNS, facts_of_exam, set_exam, sit


class Nought(Forecaster):
    """Forecasts nothing at all: its pinball loss at level q is q times the truth."""

    name = "nought"

    def fit(self, train, valid, *, rng):
        raise NotImplementedError

    def predict(self, inputs):
        zeros = np.zeros((len(inputs), inputs.horizon_steps, len(LEVELS)), dtype=np.float32)
        return make_forecast(zeros, LEVELS, zeros[..., 0])


def exam(seed=0, sums=None):
    blocks = split()
    ground = lay_ground(blocks.train, weather())
    return set_exam(blocks, sums, ground, weather=weather(), rng=np.random.default_rng(seed))


def test_the_rows_are_sums_by_home_and_week_in_the_homes_own_scale():
    asked = exam()
    frame, whole = sit(Nought(), asked)
    assert tuple(frame.columns) == COLUMNS
    real = frame.filter(pl.col("slice") == "all")
    assert real["windows"].sum() == len(asked.real)
    mean_level = float(np.mean(LEVELS))
    by_hand = [
        np.nanmean(asked.real.truth_kwh[at]) * mean_level / asked.scales_kwh[str(asked.real.inputs.entity[at])]
        for at in range(len(asked.real))
    ]
    assert real["loss"].sum() == pytest.approx(np.sum(by_hand), rel=1e-3)
    assert whole["mean_loss"] == pytest.approx(np.mean(by_hand), rel=1e-3)
    assert whole["cvar_10"] == pytest.approx(np.sort(by_hand)[-max(len(by_hand) // 10, 1) :].mean(), rel=1e-3)
    assert real["in_90"].sum() == 0
    assert real["score"].sum() == pytest.approx(len(asked.real))


def test_clean_and_hard_windows_are_all_windows():
    frame, _ = sit(Nought(), exam())
    counts = dict(frame.group_by("slice").agg(pl.col("windows").sum()).iter_rows())
    assert counts["clean"] + counts.get("hard", 0) == counts["all"]


def test_every_kind_is_asked_the_same_for_the_same_chance():
    first, second = exam(), exam()
    assert {"HEAT_PUMP", "VACANCY", "SOLAR", "EV_SPIKE", "COLD_SNAP"} <= set(first.played)
    for kind, nights in first.played.items():
        for one, other in zip(nights, second.played[kind], strict=True):
            np.testing.assert_array_equal(one.truth_kwh, other.truth_kwh)
    assert facts_of_exam(first)["homes"] == 8


def test_sums_of_homes_are_forecast_as_they_are_and_scaled_by_their_own_change():
    blocks = split()
    asked = exam(sums=blocks)  # eight homes in the place of sums: their rows must be those of the homes
    frame, _ = sit(Nought(), asked)
    rows = {name: frame.filter(pl.col("slice") == name).drop("slice") for name in ("sums", "all")}
    told = [name for name in COLUMNS[1:] if name not in ("tail_loss", "score")]
    assert rows["sums"].select(told).equals(rows["all"].select(told))
    assert rows["sums"]["tail_loss"].null_count() == len(rows["sums"])  # kept of all real windows of homes alone
    assert "sums" not in sit(Nought(), exam())[0]["slice"].to_list()
