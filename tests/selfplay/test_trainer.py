"""The loop keeps its promises: real days in every update, gates and arms, and the same game after a kill."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.selfplay.game_fixtures import begun, game, play, split

from loadproof.config import SelfPlayConfig, build_section
from loadproof.errors import ConfigError
from loadproof.selfplay import start as start_module
from loadproof.selfplay import trainer
from loadproof.selfplay.arms import ARMS, arm_of, kinds_of
from loadproof.selfplay.augmentation import augmented
from loadproof.selfplay.scales import home_scales
from loadproof.selfplay.solver import Solver, draw_real
from loadproof.selfplay.trainer import Episode, episodes

ROOT = Path(__file__).parents[2]


def run(path, kill, out):
    command = [sys.executable, "-m", "tests.selfplay.game_fixtures", str(path), str(kill), str(out)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_a_killed_game_goes_on_to_the_same_weights_and_the_same_proposer_bit_for_bit(tmp_path):
    play(tmp_path / "whole", tmp_path / "whole.npz")
    assert run(tmp_path / "cut", 2, tmp_path / "cut.npz").returncode == -signal.SIGKILL
    assert not (tmp_path / "cut.npz").exists()
    assert run(tmp_path / "cut", 0, tmp_path / "cut.npz").returncode == 0
    whole, cut = (np.load(tmp_path / f"{name}.npz") for name in ("whole", "cut"))
    assert set(whole.files) == set(cut.files)
    for name in whole.files:
        np.testing.assert_array_equal(whole[name], cut[name])


def test_an_episode_tells_what_was_proposed_paid_and_learned():
    playing = game()
    warm = {name: value.clone() for name, value in playing.solver.forecaster.network.state_dict().items()}
    played = list(episodes(playing, seed=1))
    assert [episode.episode for episode in played] == [1, 2, 3, 4]
    assert all(len(episode.proposals) == len(episode.regrets) == len(episode.rewards) == 4 for episode in played)
    assert all(episode.real_share == 0.75 for episode in played)
    assert [episode.judged is not None for episode in played] == [False, True, False, True]
    assert 0 < played[-1].judged.score <= 1
    now = playing.solver.forecaster.network.state_dict()
    assert any(not torch.equal(now[name], warm[name]) for name in now)


@pytest.mark.parametrize("arm", [arm for arm, of in ARMS.items() if of.filler != "scenarios"])
def test_arms_without_scenarios_propose_nothing_and_learn_as_often(arm):
    played = list(episodes(game(arm), seed=1))
    assert all(episode.proposals == () for episode in played)
    assert played[0].real_share == (0.75 if arm == "augmented" else 1.0)


def test_a_frozen_proposer_stays_as_it_began_and_shuffled_rewards_are_others_regrets():
    frozen = game("full_frozen")
    list(episodes(frozen, seed=1))
    assert frozen.proposer.remembered() == []
    shuffled, told = game("full_shuffled"), []
    update = shuffled.proposer.update
    shuffled.proposer.update = lambda proposals, regrets: told.append(regrets) or update(proposals, regrets)
    played = list(episodes(shuffled, seed=1))
    for episode, regrets in zip(played, told, strict=True):
        assert sorted(episode.regrets) == sorted(regrets)
    assert [list(episode.regrets) for episode in played] != told  # and in another order


def test_what_the_gate_stops_is_not_learned_from(monkeypatch):
    monkeypatch.setattr(trainer, "gate", lambda played, original: np.zeros(len(played), dtype=bool))
    episode = next(episodes(game(), seed=1))
    assert np.isnan(episode.regrets).all()
    assert episode.rewards == (0.0,) * 4
    assert episode.real_share == 1.0
    ungated = next(episodes(game("full_no_gate"), seed=1))
    assert np.isfinite(ungated.regrets).all()


def test_the_family_that_is_judged_is_never_proposed():
    start = begun(left_out=("new_load",))
    kinds = kinds_of(ARMS["full"], ("new_load",), can_borrow=start.ground.lends())
    assert not {"EV_SPIKE", "ADDED_LOAD", "HEAT_PUMP"} & set(kinds)
    assert kinds_of(ARMS["grounded"], ("new_load",), can_borrow=start.ground.lends()) == (
        "REAL_GAPS", "CHANGED_OCCUPANCY",
    )  # fmt: skip


def test_the_reference_learns_from_homes_that_the_solver_never_meets_and_no_family_that_is_judged(monkeypatch):
    lessons, games = [], []
    real_days, game_of = start_module._real_days, start_module.game_of

    def spied(train, *more):
        lessons.append(set(train.inputs.entity.tolist()))
        return real_days(train, *more)

    def spied_game(beginning, *more, **options):
        games.append(game_of(beginning, *more, **options))
        return games[-1]

    monkeypatch.setattr(start_module, "_real_days", spied)
    monkeypatch.setattr(start_module, "game_of", spied_game)
    start = begun(left_out=("new_load",))
    solvers = set(start.train.inputs.entity.tolist())
    assert len(solvers) == 6  # of eight, 30 % go to the reference
    others = set(split().train.inputs.entity.tolist()) - solvers
    assert lessons == [solvers, others]
    (taught,) = games
    assert set(taught.windows.inputs.entity.tolist()) == set(taught.ground.entity.tolist()) == others
    assert not {"EV_SPIKE", "ADDED_LOAD", "HEAT_PUMP"} & set(taught.proposer.kinds)
    assert "CHANGED_OCCUPANCY" in taught.proposer.kinds
    assert taught.solver.forecaster is start.reference
    assert set(start.ground.entity) == solvers


def test_warm_networks_are_kept_and_an_arm_starts_from_the_same_weights(tmp_path):
    first, again = begun(folder=tmp_path), begun(folder=tmp_path)
    for name, value in first.warm.network.state_dict().items():
        assert torch.equal(value, again.warm.network.state_dict()[name])
    assert {path.name for path in tmp_path.iterdir()} == {"warm.safetensors", "reference.safetensors"}
    assert begun(with_reference=False).reference is None


def test_a_reference_of_four_times_the_lessons_is_another_that_is_kept_beside_the_first(tmp_path, monkeypatch):
    took = []
    learn = Solver.learn
    monkeypatch.setattr(Solver, "learn", lambda solver, batch: took.append(len(batch.context)) or learn(solver, batch))
    first = begun(folder=tmp_path)
    once = len(took)
    fourth = begun(folder=tmp_path, lessons=4)
    assert (once, len(took) - once) == (6 + 4 + 4, 4 * (4 + 4))  # warm updates, real days, scenarios
    assert {path.name for path in tmp_path.iterdir()} == {
        "warm.safetensors", "reference.safetensors", "reference-x4.safetensors",
    }  # fmt: skip
    ours, theirs = (start.reference.network.state_dict() for start in (first, fourth))
    assert any(not torch.equal(ours[name], theirs[name]) for name in ours)


def test_the_arms_of_the_further_round_have_a_proposer_whose_rewards_are_standardised():
    playing = game("full_standard")
    assert {of["own"] for of in playing.proposer.state()["arms"].values()} == {True}
    assert {of["own"] for of in game("full").proposer.state()["arms"].values()} == {False}


def test_the_real_share_has_a_floor():
    with pytest.raises(ConfigError, match="below least_real_share"):
        build_section(SelfPlayConfig, real_windows=10, scenario_windows=30)


def test_a_homes_scale_is_its_mean_change():
    cut = split().train.take(slice(0, 1))
    change = np.abs(np.diff(cut.truth_kwh[0]))
    assert home_scales(cut) == {str(cut.inputs.entity[0]): pytest.approx(float(np.nanmean(change)))}


def test_augmented_windows_are_other_windows_of_the_same_features_and_never_negative():
    playing = game("augmented")
    batch = draw_real(playing.real, 64, rng=np.random.default_rng(0))
    changed = augmented(batch, rng=np.random.default_rng(1))
    assert torch.equal(changed.known, batch.known)
    assert (changed.context.nan_to_num(0) >= 0).all()
    away = (changed.truth - batch.truth).abs().nansum(dim=1)
    assert (away > 0).float().mean() > 0.9


def test_an_unknown_arm_is_answered_with_those_there_are():
    with pytest.raises(ConfigError, match="there are: real, real_more"):
        arm_of("magic")


def test_an_episode_survives_its_own_json_whether_or_not_the_gate_let_its_scenarios_through():
    playing = game()
    first, second = (episode for episode, _ in zip(episodes(playing, seed=3), range(2), strict=False))
    stopped = second._replace(regrets=(float("nan"), *second.regrets[1:]), judged=None)
    for episode in (first, stopped):
        assert repr(Episode.from_json(json.loads(json.dumps(episode.as_json())))) == repr(episode)
    older = first.as_json()
    del older["learned"]["by_constraint"]  # as checkpoints were before it was told
    read = Episode.from_json(json.loads(json.dumps(older)))
    assert repr(read) == repr(first._replace(learned=first.learned._replace(by_constraint=())))
