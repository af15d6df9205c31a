"""Each constraint by a number that can be checked by hand; NaN is a violation; a penalty has a gradient."""

import numpy as np
import pytest
import torch
from tests.selfplay.game_fixtures import split

from loadproof.features.windows import Windows
from loadproof.limits import fuse_limit
from loadproof.scenario.acts import apply
from loadproof.scenario.kinds import Scenario
from loadproof.selfplay.verifier import CONSTRAINTS, Limits, day_excess, gate, penalty, verify

NAMES = list(CONSTRAINTS)


def some(n=3):
    return split().valid.take(slice(0, n))


def said(quantiles, windows, limits=None):
    """Return each constraint's excess of the first window, by name."""
    return dict(zip(NAMES, verify(quantiles.astype(np.float32), windows, limits).excess[0].tolist(), strict=True))


def as_yesterday(windows):
    return np.repeat(np.nan_to_num(windows.inputs.context_kwh[:, -48:])[..., None], 7, axis=2)


def test_yesterday_again_obeys_every_line_of_the_table():
    windows = some()
    verdict = verify(as_yesterday(windows), windows)
    assert verdict.score.tolist() == [1, 1, 1]
    assert not verdict.violated.any()


def test_a_flat_49_9_kwh_a_half_hour_is_3_3_fuses_too_much():
    flat = np.full((1, 48, 7), 49.9)
    assert said(flat, some(1))["service_fuse"] == pytest.approx(49.9 / 11.5 - 1, rel=1e-4)
    assert verify(flat.astype(np.float32), some(1)).score[0] < 0.8


def test_the_fuse_is_met_at_11_5_kwh_and_not_above():
    for kwh, over in ((11.4, False), (11.6, True)):
        assert (said(np.full((1, 48, 7), kwh), some(1))["service_fuse"] > 0) == over


def test_nan_violates_everything_and_scores_nothing():
    windows = some(1)
    verdict = verify(np.full((1, 48, 7), np.nan, dtype=np.float32), windows)
    assert verdict.violated.all()
    assert verdict.score.tolist() == [0]
    one = as_yesterday(windows).astype(np.float32)
    one[0, 5, 2] = np.nan
    assert verify(one, windows).score.tolist() == [0]


def test_negatives_and_crossings_are_told_in_kw():
    windows = some(1)
    quantiles = as_yesterday(windows)
    quantiles[0, :, 0] = -0.5  # 1 kW below nought in one of seven quantiles
    assert said(quantiles, windows)["non_negative"] == pytest.approx(1 / 7)
    quantiles = as_yesterday(windows)
    quantiles[0, :, 3] += 0.5
    assert said(quantiles, windows)["quantile_order"] == pytest.approx(1 / 6, rel=1e-4)


def test_a_step_larger_than_the_homes_own_and_a_charger_is_a_ramp():
    windows = some(1)
    own = np.nanmax(np.abs(np.diff(windows.inputs.context_kwh[0])))
    quantiles = np.zeros((1, 48, 7))
    quantiles[0, 20:] = 2 * (own + 3.68)
    assert said(quantiles, windows)["ramp"] == pytest.approx(1 / 47, rel=1e-3)


def test_a_day_and_a_week_are_held_to_the_homes_own_history():
    windows = some(1)
    days = np.nansum(windows.inputs.context_kwh[0].reshape(-1, 48), axis=1)
    most = days.max() + 40
    quantiles = np.full((1, 48, 7), 1.5 * most / 48)
    assert said(quantiles, windows)["daily_energy"] == pytest.approx(0.5, abs=0.01)
    assert said(np.full((1, 48, 7), 8.0), windows)["weekly_energy"] > 0


def test_a_day_in_one_half_hour_is_no_pattern_of_this_home():
    windows = some(1)
    quantiles = np.zeros((1, 48, 7))
    quantiles[0, 8] = 5.0
    assert said(quantiles, windows)["temporal_pattern"] > 0.1


def test_sums_are_held_to_the_transformer_and_to_admd():
    windows = some(1)
    limits = Limits(homes=100, feeder_kva=200)
    peak_kwh = 200 * 1.2 * 0.95 / 2
    assert said(np.full((1, 48, 7), peak_kwh * 0.99), windows, limits)["feeder_rating"] == 0
    assert said(np.full((1, 48, 7), peak_kwh * 1.1), windows, limits)["feeder_rating"] == pytest.approx(0.1, rel=1e-3)
    a_home_kwh = (2.0 * 0.95 + 1.7) / 2
    assert said(np.full((1, 48, 7), 100 * a_home_kwh * 1.1), windows, limits)["admd"] == pytest.approx(0.1, rel=1e-3)
    assert said(np.full((1, 48, 7), 9.0), windows)["admd"] == 0  # one home has no diversity


def test_every_constraint_names_its_unit_and_source_and_counts():
    for of in CONSTRAINTS.values():
        assert of.unit
        assert of.source
        assert of.weight > 0


def test_the_penalty_has_a_gradient_that_leads_back_inside():
    context = torch.from_numpy(some(2).inputs.context_kwh)
    quantiles = torch.full((2, 48, 7), 15.0, requires_grad=True)
    beyond, parts = penalty(quantiles, context, Limits())
    (pull,) = torch.autograd.grad(beyond, quantiles)
    assert beyond.item() > 0
    said = dict(zip(CONSTRAINTS, parts.tolist(), strict=True))
    assert sum(said.values()) == pytest.approx(beyond.item())
    assert said["service_fuse"] > 0
    assert said["quantile_order"] == 0
    assert pull.norm().item() > 0
    assert penalty(quantiles.detach() - 5 * pull / pull.norm(), context, Limits())[0].item() < beyond.item()


def test_the_gate_lets_a_car_through_and_stops_what_no_fuse_carries():
    windows = some(4)
    car = {"power_kw": 7.36, "from_hour": 18, "energy_kwh": 11, "days_a_week": 7}
    rng = np.random.default_rng(0)
    played = apply(Scenario("EV_SPIKE", car, -240, 0), windows, rng=rng)
    assert gate(played, windows).all()
    from dataclasses import replace

    context = windows.inputs.context_kwh.copy()
    context[0, 100] = fuse_limit().hard_kwh + 0.1
    context[1, 100] = -0.01
    truth = windows.truth_kwh.copy()
    truth[2, 10] = np.nan
    broken = replace(windows, inputs=replace(windows.inputs, context_kwh=context), truth_kwh=truth)
    assert gate(broken, windows).tolist() == [False, False, False, True]


def test_a_days_own_excess_is_that_of_its_readings_and_what_was_not_measured_is_not_judged():
    windows = some(2)
    truth = np.full_like(windows.truth_kwh, np.nan)
    truth[:, :4] = 0.1
    quiet = Windows(windows.inputs, truth)
    assert day_excess(quiet).tolist() == [0, 0]
    truth[1, 0] = -1.0  # 2 kW below nought in one of four half hours
    excess = day_excess(quiet)
    assert excess[0] == 0
    assert excess[1] == pytest.approx(0.5, abs=1e-6)
