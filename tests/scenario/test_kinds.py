"""Scenarios are drawn and edited inside their bounds, and families keep look-alikes together."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadproof.errors import ConfigError
from loadproof.scenario.acts import ACTS
from loadproof.scenario.kinds import (
    GROUNDED,
    JUDGED,
    KINDS,
    PROPOSED,
    Kind,
    Scenario,
    draw,
    edit,
    kinds_outside,
)


def test_every_kind_has_facts_and_an_act():
    assert set(KINDS) == set(ACTS) == set(get_args(Kind))


def test_what_is_judged_is_never_proposed():
    assert set(JUDGED) == {"HEAT_PUMP", "SOLAR", "VACANCY"}
    assert not set(JUDGED) & set(PROPOSED)
    assert set(GROUNDED) == {"REAL_GAPS", "ADDED_LOAD", "CHANGED_OCCUPANCY"}


def test_judging_heat_pumps_bars_cars_and_added_loads_and_judging_vacancies_bars_new_occupants():
    assert not {"EV_SPIKE", "ADDED_LOAD"} & set(kinds_outside((KINDS["HEAT_PUMP"].family,)))
    assert "CHANGED_OCCUPANCY" not in kinds_outside((KINDS["VACANCY"].family,))
    assert len(kinds_outside(())) == len(PROPOSED)


@given(kind=st.sampled_from(list(KINDS)), seed=st.integers(0, 2**31))
def test_draws_and_edits_stay_inside_their_bounds(kind, seed):
    rng = np.random.default_rng(seed)
    first, last = KINDS[kind].onset_steps
    scenario = draw(kind, rng=rng)  # a Scenario refuses what is outside
    for _ in range(5):
        scenario = edit(scenario, rng=rng)
        assert first <= scenario.onset_steps <= last < 0


def test_a_scenario_outside_its_bounds_is_refused_with_the_bounds():
    with pytest.raises(ConfigError, match=r"OUTAGE: hours=50 is outside .*choose a value inside"):
        Scenario("OUTAGE", {"hours": 50, "rebound_share": 0.5, "rebound_hours": 1}, -2, 0)
    with pytest.raises(ConfigError, match="HEAT_PUMP takes mean_kw"):
        Scenario("HEAT_PUMP", {"power_kw": 1}, -200, 0)


def test_a_scenario_cannot_be_edited_in_place():
    scenario = draw("HEAT_PUMP", rng=np.random.default_rng(0))
    with pytest.raises(TypeError):
        scenario.parameters["mean_kw"] = 1.0
