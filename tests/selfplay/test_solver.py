"""The solver sees inputs alone, is kept, and feels the verifier."""

import ast
import inspect
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.selfplay.game_fixtures import NETWORK, split

from loadproof.features.notices import Notices
from loadproof.features.windows import Inputs
from loadproof.models.patchtst_forecaster import PatchTSTForecaster
from loadproof.models.training import seeded
from loadproof.scenario.acts import apply
from loadproof.scenario.kinds import Scenario
from loadproof.selfplay import solver as module
from loadproof.selfplay.solver import Learned, Pace, Solver, draw_real, joined


def fresh(penalty_weight=0.1):
    blocks = split()
    forecaster = PatchTSTForecaster(NETWORK)
    forecaster.begin(blocks.train, rng=np.random.default_rng(0))
    return Solver(forecaster, Pace(20, 1e-3), penalty_weight=penalty_weight), blocks


def test_no_scenario_and_no_truth_can_reach_the_network():
    """What enters the network are the context and the features, whatever the truth is."""
    solver, blocks = fresh()
    played = apply(Scenario("HEAT_PUMP", {"mean_kw": 1.0}, -96, 0), blocks.train.take(slice(0, 8)),
                   rng=np.random.default_rng(0))  # fmt: skip
    entered = []
    hook = solver.forecaster.network.register_forward_pre_hook(lambda _, arguments: entered.append(arguments))
    for truth in (played.truth_kwh, np.full_like(played.truth_kwh, 77.0)):
        solver.pinball_kwh(solver.batch_of(replace(played, truth_kwh=truth)))
    hook.remove()
    first, second = entered
    assert [x.shape[:2] for x in first] == [(8, 672), (8, 672), (8, 48)]  # context, past, known
    for before, after in zip(first, second, strict=True):
        torch.testing.assert_close(before, after, rtol=0, atol=0, equal_nan=True)


def test_a_forecast_takes_inputs_and_inputs_hold_neither_truth_nor_scenario():
    assert list(inspect.signature(Solver.predict).parameters) == ["self", "inputs"]
    names = set(Inputs.__dataclass_fields__)
    assert not {name for name in names if "truth" in name or "scenario" in name}


def test_the_module_of_the_solver_knows_no_scenario():
    tree = ast.parse(Path(module.__file__).read_text())
    imported = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not [name for name in imported if name and "scenario" in name]


def test_learning_goes_on_from_the_same_network_and_lowers_the_loss():
    solver, blocks = fresh()
    network = solver.forecaster.network
    days = solver.real_days(blocks.train)
    rng = np.random.default_rng(1)
    torch.manual_seed(0)
    losses = [solver.learn(draw_real(days, 32, rng=rng)).loss for _ in range(20)]
    assert solver.forecaster.network is network
    assert np.mean(losses[-4:]) < np.mean(losses[:4])


def test_the_penalty_pulls_and_its_pull_is_told():
    pulled, blocks = fresh(penalty_weight=10.0)
    with torch.no_grad():
        pulled.forecaster.network.daily.out.bias[1:] -= 3.0  # forecasts far below nought
    batch = draw_real(pulled.real_days(blocks.train), 16, rng=np.random.default_rng(1))
    torch.manual_seed(0)
    told = [pulled.learn(batch) for _ in range(20)]
    assert told[0].penalty > 0
    assert told[0].penalty_gradient > 0
    assert told[-1].penalty < told[0].penalty


def test_a_mean_of_updates_is_one_of_each_part_and_by_constraint_of_those_that_say_so():
    one, other, older = Learned(1.0, 2.0, 3.0, (0.5, 1.5)), Learned(2.0, 4.0, 8.0, (4.0, 0.0)), Learned(6.0, 0.0, 1.0)
    assert Learned.mean([one, other]) == Learned(1.5, 3.0, 5.5, (2.25, 0.75))
    assert Learned.mean([one, other, older]) == Learned(3.0, 2.0, 4.0, (2.25, 0.75))
    assert Learned.mean([older, older]) == older


def test_a_forecast_is_of_the_average_and_leaves_the_network_as_it_was():
    solver, blocks = fresh()
    days = solver.real_days(blocks.train)
    for _ in range(5):
        solver.learn(draw_real(days, 16, rng=np.random.default_rng(2)))
    now = {name: value.clone() for name, value in solver.forecaster.network.state_dict().items()}
    forecast = solver.predict(blocks.valid.inputs)
    for name, value in solver.forecaster.network.state_dict().items():
        assert torch.equal(value, now[name])
    solver.settle()
    np.testing.assert_array_equal(solver.forecaster.predict(blocks.valid.inputs).quantiles_kwh, forecast.quantiles_kwh)


def test_the_pace_rises_in_a_tenth_and_falls_to_nearly_nothing():
    pace = Pace(101, 1.0)
    assert pace.rate(10) == pytest.approx(1.0)
    assert pace.rate(55) == pytest.approx(0.5, abs=0.01)
    assert pace.rate(100) == pytest.approx(0.01)


def test_a_network_shown_announced_outages_learns_to_expect_less_while_they_last():
    cut = split().train
    told = replace(cut, inputs=replace(cut.inputs, notices=Notices()))
    nights = [told.take(told.inputs.t0 == t0) for t0 in np.unique(told.inputs.t0)]
    forecaster = PatchTSTForecaster(NETWORK)
    forecaster.begin(told, rng=np.random.default_rng(0))
    solver = Solver(forecaster, Pace(150, 2e-2, averaging=0.9))
    outage = {"hours": 3, "rebound_share": 0.5, "rebound_hours": 1}
    rng = np.random.default_rng(1)
    with seeded(rng):
        for at in range(150):
            night = nights[at % (len(nights) - 1)]
            struck = apply(Scenario("OUTAGE", outage, int(rng.integers(0, 42)), 0), night, rng=rng)
            solver.learn(joined([solver.batch_of(struck), solver.batch_of(night)]))
    solver.settle()
    asked = nights[-1]
    struck = apply(Scenario("OUTAGE", outage, 35, 0), asked, rng=rng)  # while homes use most
    said = [forecaster.predict(some.inputs).quantiles_kwh[:, 35:41, 3].mean() for some in (struck, asked)]
    assert said[0] < 0.85 * said[1]
