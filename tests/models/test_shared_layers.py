from types import SimpleNamespace

import pytest
import torch
from torch import nn

from loadproof.models.shared_layers import Dropout, Norm


def test_a_rank_drops_of_its_rows_what_one_process_drops_of_them_and_leaves_the_generator_where_that_does():
    x, dropout = torch.ones(7, 5, 3), Dropout(0.4)
    torch.manual_seed(3)
    whole, after = dropout(x), torch.rand(1)
    for rows in (slice(0, 3), slice(3, 7), slice(7, 7)):
        dropout.ranks = SimpleNamespace(place=lambda _, rows=rows: (rows, 7))
        torch.manual_seed(3)
        assert torch.equal(dropout(x[rows]), whole[rows])
        assert torch.equal(torch.rand(1), after)
    assert 0 < int((whole == 0).sum()) < whole.numel()


def shared(rows, norm):
    """A norm's answer, gradient and statistics where other ranks computed the sums of the rest of ``rows``."""
    mine, rest = rows[:3].clone().requires_grad_(), rows[3:].double()
    theirs = torch.cat([rest.sum(dim=0), rest.square().sum(dim=0), torch.tensor([float(len(rest))])])
    norm.ranks = SimpleNamespace(world=2, sum_with_gradient=lambda values: values + theirs)
    return norm(mine)


def test_a_rank_normalises_its_rows_by_the_whole_batch_as_torchs_own_layer_does():
    torch.manual_seed(0)
    rows = torch.randn(8, 4) * 3 + 5
    own, ours = nn.BatchNorm1d(4), Norm(4)
    torch.testing.assert_close(shared(rows, ours), own(rows)[:3], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(ours.running_mean, own.running_mean)
    torch.testing.assert_close(ours.running_var, own.running_var)
    assert ours.num_batches_tracked == 1
    assert shared(rows.bfloat16(), ours).dtype == own(rows.bfloat16()).dtype == torch.bfloat16


def test_alone_the_norm_is_torchs_own_bit_for_bit():
    torch.manual_seed(0)
    rows = torch.randn(8, 4)
    assert torch.equal(Norm(4)(rows), nn.BatchNorm1d(4)(rows))


def test_a_norm_that_does_not_train_asks_no_other_rank():
    norm = Norm(4).eval()
    norm.ranks = SimpleNamespace(world=2)
    assert torch.equal(norm(torch.ones(0, 4)), torch.ones(0, 4))
    with pytest.raises(AttributeError, match="sum_with_gradient"):
        norm.train()(torch.ones(1, 4))
