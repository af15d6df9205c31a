from itertools import pairwise

import numpy as np
import pytest
from tests.features.panel_fixtures import START, WEEK, random_panel, steps

from loadproof.features.levels import level_columns
from loadproof.features.panel import Panel
from loadproof.features.windows import cut_windows

NAN = np.nan


def of(statistic, values):
    known = np.asarray(values)[~np.isnan(values)]
    return statistic(known) if known.size else NAN


def slow_levels(kwh):
    """The levels of one home's published readings, one by one."""
    days = [kwh[len(kwh) - 48 * (n + 1) : len(kwh) - 48 * n] for n in range(len(kwh) // 48)]
    daily = np.array([of(np.mean, day) for day in days])
    week = kwh[-WEEK:]
    at = max(n for n, x in enumerate(kwh) if not np.isnan(x))
    context, of_week, of_day = of(np.mean, kwh), of(np.mean, week), of(np.mean, kwh[-48:])
    changes = [a - b for a, b in pairwise(days[:7])]
    return {
        "last_kwh": kwh[at], "last_age_hours": (len(kwh) - 1 - at) / 2,
        "last_3h_mean_kwh": of(np.mean, kwh[-6:]), "last_6h_mean_kwh": of(np.mean, kwh[-12:]),
        "last_24h_mean_kwh": of_day,
        **{f"level_day_{n + 1}_kwh": daily[n] for n in range(1, 7)},
        "level_week_kwh": of_week, "level_context_kwh": context, "week_std_kwh": of(np.std, week),
        "daily_std_kwh": of(np.std, daily[:7]), "week_base_kwh": of(lambda x: np.quantile(x, 0.1), week),
        "week_median_kwh": of(np.median, week), "week_peak_kwh": of(lambda x: np.quantile(x, 0.95), week),
        "scale_kwh": max(of(lambda x: np.quantile(x, 0.75), daily), 1e-3),
        "known_share": np.mean(~np.isnan(kwh)), "week_known_share": np.mean(~np.isnan(week)),
        "day_to_week_ratio": of_day / of_week, "week_to_context_ratio": of_week / context,
        "last_6h_to_usual_ratio": of(np.mean, kwh[-12:]) / of(np.mean, np.ravel([day[-12:] for day in days[1:8]])),
        "day_to_day_change_ratio": of(np.mean, np.abs(np.ravel(changes))) / of_week,
    }  # fmt: skip


@pytest.mark.parametrize("lag", [0, WEEK])
def test_all_levels_equal_a_slow_twin_s(lag):
    panel = random_panel(np.random.default_rng(1), n_days=35, missing=0.4)
    cut = {"context_steps": 1344, "horizon_steps": 48, "origins": steps(1350, 1500), "data_lag_steps": lag}
    inputs = cut_windows(panel, **cut).inputs
    columns = level_columns(inputs)
    for row in range(len(inputs)):
        expected = slow_levels(inputs.context_kwh[row, : 1344 - lag].astype(np.float64))
        assert set(columns) == set(expected)
        for name, value in expected.items():
            assert columns[name][row] == pytest.approx(value, rel=1e-4, abs=1e-6, nan_ok=True), name


def test_a_home_that_stands_still_has_a_scale_of_0_001_kwh_and_no_ratios():
    panel = Panel(np.array(["a"]), START, 30, np.zeros((1, 1000), dtype=np.float32))
    columns = level_columns(cut_windows(panel, context_steps=672, horizon_steps=48, origins=steps(700)).inputs)
    assert columns["scale_kwh"][0] == np.float32(1e-3)
    assert all(np.isnan(columns[name]) for name in columns if name.endswith("_ratio"))


@pytest.mark.parametrize("context", [1, 7, 47, 48, 200])
def test_1_reading_in_a_context_of_1_to_200_steps_gives_its_value_as_every_mean_that_reaches_it(context):
    energy = np.full((1, 1000), NAN, dtype=np.float32)
    energy[0, 699] = 0.5
    panel = Panel(np.array(["a"]), START, 30, energy)
    cut = {"context_steps": context, "horizon_steps": 48, "origins": steps(700), "require_truth": False}
    columns = level_columns(cut_windows(panel, **cut).inputs)
    for name in (
        "last_kwh",
        "last_3h_mean_kwh",
        "last_24h_mean_kwh",
        "level_week_kwh",
        "level_context_kwh",
        "scale_kwh",
    ):
        assert columns[name][0] == 0.5, name
    assert columns["last_age_hours"][0] == 0
    assert np.isnan(columns["level_day_7_kwh"][0])


def test_0_windows_have_0_values_of_every_level():
    panel = random_panel(np.random.default_rng(2))
    none = cut_windows(panel, context_steps=672, horizon_steps=48, origins=steps(700)).inputs.take(slice(0, 0))
    assert {values.shape for values in level_columns(none).values()} == {(0,)}
