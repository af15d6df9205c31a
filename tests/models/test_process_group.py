"""Ranks on loopback, started by torchrun as a user would: gloo, real processes."""

import time

import numpy as np
import pytest
from tests.models import ranks_fixtures
from tests.models.ranks_fixtures import joined, keep, run, torchrun

FIXTURES = ranks_fixtures.__name__


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What one process comes to."""
    path = tmp_path_factory.mktemp("alone") / "out.npz"
    with joined() as ranks:
        keep(path, *run(ranks))
    return np.load(path)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """What two ranks come to."""
    path = tmp_path_factory.mktemp("two") / "out.npz"
    done = torchrun(FIXTURES, "plain", path)
    assert done.returncode == 0, done.stderr[-3000:]
    return np.load(path)


def test_2_ranks_come_to_the_losses_and_weights_of_1_within_noise_though_they_cannot_halve_a_batch(alone, two):
    assert set(two) == {*alone, "refused"}
    np.testing.assert_allclose(two["losses"], alone["losses"], rtol=1e-5)
    for name in alone:
        np.testing.assert_allclose(two[name], alone[name], rtol=1e-3, atol=1e-5, err_msg=name)


def test_a_rank_killed_in_the_2nd_epoch_is_started_again_from_the_checkpoint_and_the_end_is_the_same(two, tmp_path):
    path = tmp_path / "out.npz"
    done = torchrun(FIXTURES, "killed", path, restarts=1)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "exitcode  : -9" in done.stderr or "Signal 9" in done.stderr or "-9" in done.stderr
    ended = np.load(path)
    for name in ended:
        assert np.array_equal(ended[name], two[name]), name


def test_a_rank_that_says_nothing_for_3_seconds_ends_the_run_and_the_error_names_who_lost_it(tmp_path):
    begun = time.monotonic()
    done = torchrun(FIXTURES, "silent", tmp_path / "out.npz")
    assert done.returncode != 0
    assert "rank 0 of 2 lost another" in done.stderr
    assert "run the same command again" in done.stderr
    assert time.monotonic() - begun < 300  # torch's own patience is half an hour
    assert not (tmp_path / "out.npz").exists()


def test_ranks_that_were_given_different_data_refuse_to_train_all_of_them(two):
    assert two["refused"].tolist() == 2 * ["rank 1 of 2 sees another than rank 0; give all ranks the same command"]
