import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from loadproof.evaluation.losses import pinball as pinball_in_numpy
from loadproof.models.losses import masked_mean, pinball, squared
from loadproof.schema import LEVELS


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), missing=st.floats(0, 1))
def test_pinball_equals_its_twin_in_numpy_at_all_7_levels(seed, missing):
    rng = np.random.default_rng(seed)
    truth = rng.gamma(0.5, 1, (5, 8))
    truth[rng.random(truth.shape) < missing] = np.nan
    quantiles = rng.normal(0, 2, (5, 8, 7))
    ours = pinball(torch.from_numpy(truth), torch.from_numpy(quantiles), torch.tensor(LEVELS, dtype=torch.float64))
    np.testing.assert_allclose(ours.numpy(), pinball_in_numpy(truth, quantiles), rtol=1e-12)


def test_a_missing_truth_leaves_a_gradient_of_exactly_0_and_the_others_finite():
    quantiles = torch.ones(1, 2, 7, requires_grad=True)
    masked_mean(pinball(torch.tensor([[torch.nan, 3.0]]), quantiles, torch.tensor(LEVELS))).backward()
    assert quantiles.grad[0, 0].tolist() == [0.0] * 7
    np.testing.assert_allclose(quantiles.grad[0, 1].numpy(), -np.array(LEVELS) / 7, rtol=1e-6)


def test_squared_of_3_against_1_is_4_and_of_nothing_is_nothing():
    loss = squared(torch.tensor([[3.0, torch.nan]]), torch.tensor([[1.0, 5.0]]))
    assert loss[0, 0] == 4
    assert torch.isnan(loss[0, 1])


def test_the_mean_leaves_out_what_is_missing_weighs_windows_and_of_nothing_is_0():
    loss = torch.tensor([[1.0, torch.nan], [2.0, 3.0]])
    assert masked_mean(loss) == 2
    assert masked_mean(loss, torch.tensor([3.0, 1.0])) == (3 + 2 + 3) / 3
    assert masked_mean(torch.full((2, 2), torch.nan)) == 0
