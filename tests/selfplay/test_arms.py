"""Which part of the loop each arm takes away, and what is left to propose."""

from functools import lru_cache
from unittest.mock import Mock

import numpy as np
import pytest
from tests.selfplay.game_fixtures import KNOBS, begun

from loadproof.errors import ConfigError
from loadproof.scenario.kinds import KINDS, PROPOSED
from loadproof.selfplay.arms import ARMS, THIRD, kinds_of, knobs_of
from loadproof.selfplay.plan import LEFT_OUT
from loadproof.selfplay.start import game_of
from loadproof.selfplay.trainer import episodes

EVERY = tuple(KINDS)
"""A ground that lends to every kind."""


@pytest.mark.parametrize("arm", ["uniform_no_outage", "full_standard_no_outage"])
def test_an_arm_without_outages_proposes_every_kind_but_them(arm):
    assert kinds_of(ARMS[arm], (), can_borrow=EVERY) == tuple(kind for kind in PROPOSED if kind != "OUTAGE")
    for family in LEFT_OUT:
        whole = kinds_of(ARMS["full"], (family,), can_borrow=EVERY)
        assert kinds_of(ARMS[arm], (family,), can_borrow=EVERY) == tuple(kind for kind in whole if kind != "OUTAGE")


def test_an_arm_of_outages_alone_proposes_them_and_nothing_else():
    for left_out in ((), *((family,) for family in LEFT_OUT)):
        assert kinds_of(ARMS["uniform_outages"], left_out, can_borrow=EVERY) == ("OUTAGE",)
    for left_out, ground in ((("supply",), EVERY), ((), ("EV_SPIKE",))):
        with pytest.raises(ConfigError, match="no kind of scenario is left"):
            kinds_of(ARMS["uniform_outages"], left_out, can_borrow=ground)


def test_of_the_third_round_one_arm_learns_and_has_rewards_that_are_standardised():
    assert {name: (ARMS[name].learns, ARMS[name].standard) for name in THIRD} == {
        "uniform_no_outage": (False, False), "uniform_outages": (False, False), "full_standard_no_outage": (True, True),
    }  # fmt: skip
    assert {name: knobs_of(ARMS[name], KNOBS).uniform_share == 1 for name in THIRD} == {
        "uniform_no_outage": True, "uniform_outages": True, "full_standard_no_outage": False,
    }  # fmt: skip


def test_no_arm_proposes_of_a_family_that_is_judged_nor_what_is_for_judging_alone():
    for arm in ARMS.values():
        for family in LEFT_OUT:
            kinds = kinds_of(arm, (family,), can_borrow=EVERY)
            assert set(kinds) <= set(PROPOSED)
            assert family not in {KINDS[kind].family for kind in kinds}


@lru_cache
def beginning():
    """Return what two tests play from; no figure of theirs depends on which of them came first."""
    return begun()


def test_without_replays_nothing_is_played_again_or_edited():
    hows, rng = {}, np.random.default_rng(0)
    for arm in ("full", "full_no_replay"):
        proposer = game_of(beginning(), ARMS[arm], KNOBS).proposer
        for _ in range(20):  # much is remembered, for half of the regrets pay
            proposer.update([proposer.propose(rng=rng) for _ in range(8)], [0.1, 0.9] * 4)
        assert proposer.remembered()
        hows[arm] = {proposer.propose(rng=rng).how for _ in range(200)}
    assert hows == {"full": {"uniform", "learned", "replayed", "edited"}, "full_no_replay": {"uniform", "learned"}}


def test_paid_by_the_solvers_loss_alone_a_proposer_never_has_the_reference_asked():
    asked, regrets = {}, {}
    for arm in ("highest_loss", "full"):
        playing = game_of(beginning(), ARMS[arm], KNOBS)
        playing.reference.pinball_kwh = Mock(wraps=playing.reference.pinball_kwh)
        regrets[arm] = next(episodes(playing, seed=1)).regrets
        asked[arm] = playing.reference.pinball_kwh.call_count
    assert asked == {"highest_loss": 0, "full": 1}
    assert min(regrets["highest_loss"]) > 0.1 > max(regrets["full"])  # a loss itself, and one less about as much
