import logging
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.models.training_fixtures import SCHEDULE, examples, loss, network, run

from loadproof.errors import ConfigError
from loadproof.models import checkpoint
from loadproof.models.training import epochs, mean_loss, seeded


def weights(net):
    return {name: value.numpy() for name, value in net.state_dict().items()}


def assert_same(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert np.array_equal(value, theirs[name]), name


def test_two_trainings_of_1_seed_end_in_the_same_weights_and_of_another_in_others():
    assert_same(weights(run()[0]), weights(run()[0]))
    assert not np.array_equal(weights(run()[0])["head.weight"], weights(run(seed=6)[0])["head.weight"])


def test_3_epochs_on_a_wave_halve_the_validation_loss_of_the_first_weights():
    before = mean_loss(network(), examples(120, 160), loss)
    _, records = run(schedule=replace(SCHEDULE, learning_rate=1e-2))
    assert [record.epoch for record in records] == [1, 2, 3]
    assert records[-1].best_loss < before / 2


def test_the_weights_kept_are_those_of_the_best_epoch():
    net, records = run(schedule=replace(SCHEDULE, epochs=6, learning_rate=0.1))
    best = min(record.valid_loss for record in records)
    assert mean_loss(net, examples(120, 160), loss) == pytest.approx(best, rel=1e-6)


def test_a_patience_of_1_ends_after_the_first_epoch_that_is_no_better():
    _, records = run(schedule=replace(SCHEDULE, epochs=60, learning_rate=0.3, patience=1))
    losses = [record.valid_loss for record in records]
    assert len(records) < 60
    assert losses[-1] >= min(losses[:-1])


def test_training_leaves_torchs_own_generator_as_it_was():
    torch.manual_seed(99)
    wanted = torch.rand(3)
    torch.manual_seed(99)
    run()
    assert torch.equal(torch.rand(3), wanted)


def test_who_draws_from_torch_between_epochs_does_not_change_the_weights():
    net = network()
    for _ in epochs(net, examples(0, 100), examples(120, 160), loss, SCHEDULE, rng=np.random.default_rng(5)):
        torch.manual_seed(3)
        torch.rand(7)
    assert_same(weights(net), weights(run()[0]))


def test_seeding_draws_1_integer_from_the_given_generator():
    rng, twin = np.random.default_rng(1), np.random.default_rng(1)
    with seeded(rng) as seed:
        assert seed == int(twin.integers(2**31))
    assert rng.random() == twin.random()


def test_without_a_validation_example_the_last_weights_are_kept():
    net = network()
    list(epochs(net, examples(0, 100), examples(0, 0), loss, SCHEDULE, rng=np.random.default_rng(5)))
    other = network()
    assert not np.array_equal(weights(net)["head.weight"], weights(other)["head.weight"])


def test_no_training_example_is_refused():
    with pytest.raises(ConfigError, match="begin training earlier"):
        list(epochs(network(), examples(0, 0), examples(0, 1), loss, SCHEDULE, rng=np.random.default_rng(0)))


def run_process(path, kill_at, out):
    command = [sys.executable, "-m", "tests.models.training_fixtures", str(path), str(kill_at), str(out)]
    return subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, check=False)


def test_a_training_killed_by_sigkill_in_its_2nd_epoch_resumes_to_the_same_weights_bit_for_bit(tmp_path):
    assert run_process(tmp_path / "whole.safetensors", 0, tmp_path / "whole.npz").returncode == 0
    killed = run_process(tmp_path / "killed.safetensors", 6, tmp_path / "killed.npz")
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed.npz").exists()
    _, facts = checkpoint.load(tmp_path / "killed.safetensors", torch.device("cpu"))
    assert (facts["epoch"], facts["step"]) == (1, 4)
    assert run_process(tmp_path / "killed.safetensors", 0, tmp_path / "killed.npz").returncode == 0
    with np.load(tmp_path / "whole.npz") as whole, np.load(tmp_path / "killed.npz") as resumed:
        assert_same(dict(whole), dict(resumed))


def test_a_checkpoint_of_other_data_is_not_taken_up_and_the_log_says_so(tmp_path, caplog):
    run(tmp_path / "c.safetensors", identity="one")
    with caplog.at_level(logging.WARNING):
        net, records = run(tmp_path / "c.safetensors", identity="other")
    assert "begins anew" in caplog.text
    assert len(records) == 3
    assert_same(weights(net), weights(run()[0]))


def test_a_file_that_is_no_checkpoint_is_refused_with_its_mend(tmp_path):
    path = tmp_path / "c.safetensors"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(ConfigError, match="remove it to begin anew"):
        run(path)


def test_a_checkpoint_holds_what_was_saved_and_no_half_written_file_beside_it(tmp_path):
    tensors = {"a/x": torch.arange(3.0), "a/y": torch.ones(2, 2), "b": torch.tensor(4)}
    checkpoint.save(tmp_path / "deep" / "c.safetensors", tensors, {"epoch": 2, "best": float("inf")})
    loaded, facts = checkpoint.load(tmp_path / "deep" / "c.safetensors", torch.device("cpu"))
    assert facts == {"epoch": 2, "best": float("inf")}
    assert all(torch.equal(loaded[name], value) for name, value in tensors.items())
    assert sorted(checkpoint.under(loaded, "a")) == ["x", "y"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["c.safetensors"]
