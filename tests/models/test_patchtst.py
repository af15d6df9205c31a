import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from loadproof.models.patchtst import PatchTST, _attend, normalise
from loadproof.models.shared_layers import Dropout

SMALL = {"context_steps": 96, "horizon_steps": 24, "width": 8, "heads": 2, "layers": 1, "feedforward": 16}
HOME = {**SMALL, "quantiles": 7, "transform": "root", "floor": 1e-3, "day_steps": 24, "patch_steps": 24,
        "stride_steps": 24, "past_features": 3, "known_features": 3}  # fmt: skip


def home_network(seed=0, **changes):
    torch.manual_seed(seed)
    return PatchTST(**{**HOME, **changes}).eval()


def contexts(rng, rows=6, missing=0.3):
    values = rng.gamma(0.5, 0.4, (rows, 96)).astype(np.float32)
    values[rng.random(values.shape) < missing] = np.nan
    return torch.from_numpy(values)


def test_the_papers_336_steps_in_patches_of_16_every_8_are_42_patches():
    network = PatchTST(context_steps=336, horizon_steps=96, mask=False)
    assert network.position.shape[0] == 42
    assert network(torch.randn(2, 336)).shape == (2, 96)


def test_the_last_of_the_papers_patches_is_8_steps_and_their_last_value_8_times_more():
    network = PatchTST(context_steps=336, horizon_steps=96, mask=False)
    patches = network._patches(torch.arange(336.0)[None])  # (1, 42, 16)
    assert patches[0, 0].tolist() == list(range(16))
    assert patches[0, -1].tolist() == [*range(328, 336), *[335] * 8]


def test_the_steps_that_fill_no_patch_are_the_4_oldest():
    network = PatchTST(context_steps=100, horizon_steps=24, patch_steps=24, stride_steps=24)
    assert network._patches(torch.arange(100.0)[None])[0].flatten().tolist() == list(range(4, 100))


def test_statistics_are_those_of_the_observed_values_alone():
    values = np.random.default_rng(1).gamma(0.5, 1, (4, 96)).astype(np.float32)
    values[:, ::3] = np.nan
    series = normalise(torch.from_numpy(values))
    np.testing.assert_allclose(series.centre[:, 0].numpy(), np.nanmean(values, axis=1), rtol=1e-5)
    np.testing.assert_allclose(series.scale[:, 0].numpy(), np.nanstd(values, axis=1), rtol=1e-5)
    assert (series.values[:, ::3] == 0).all()
    assert (series.known[:, ::3] == 0).all()


@pytest.mark.parametrize("transform", ["none", "root"])
def test_normalised_values_go_back_to_where_they_came_from_within_1_part_in_10_000(transform):
    values = torch.from_numpy(np.random.default_rng(2).normal(0, 1, (4, 96)).astype(np.float32))
    series = normalise(values, transform=transform)
    back = series.back(series.values[..., None], root=transform == "root")[..., 0]
    np.testing.assert_allclose(back.numpy(), values.numpy(), rtol=1e-4, atol=1e-5)


def test_a_party_of_2_kwh_after_two_still_weeks_is_below_200_spreads_under_the_root_and_over_1000_without():
    still = torch.full((1, 672), 0.03) + 1e-3 * torch.randn(1, 672, generator=torch.Generator().manual_seed(0))
    plain, root = normalise(still), normalise(still, transform="root", floor=1e-3)
    assert (2 - plain.centre) / plain.scale > 1000
    assert ((2 / root.unit).sqrt() - root.centre) / root.scale < 200


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), missing=st.floats(0, 1), size=st.sampled_from([0.0, 1e-6, 1.0, 1e4]))
def test_all_7_quantiles_are_finite_and_never_cross_whatever_is_missing(seed, missing, size):
    rng = np.random.default_rng(seed)
    context = contexts(rng, missing=missing) * size
    out = home_network()(context, torch.randn(6, 96, 3), torch.randn(6, 24, 3))
    assert out.shape == (6, 24, 8)
    assert torch.isfinite(out).all()
    assert (out[..., 2:] >= out[..., 1:-1]).all()


def test_ten_times_the_energy_is_ten_times_the_forecast_within_1_part_in_1000():
    context, past, known = contexts(np.random.default_rng(3)), torch.randn(6, 96, 3), torch.randn(6, 24, 3)
    network = home_network()
    np.testing.assert_allclose(
        network(10 * context, past, known).detach().numpy(),
        10 * network(context, past, known).detach().numpy(), rtol=1e-3, atol=1e-4,
    )  # fmt: skip


def test_a_missing_step_is_not_the_same_as_a_step_at_the_mean():
    context = contexts(np.random.default_rng(4), missing=0)
    gap, filled = context.clone(), context.clone()
    gap[:, 40:60] = torch.nan
    filled[:, 40:60] = torch.cat([gap[:, :40], gap[:, 60:]], dim=1).mean(dim=1, keepdim=True)
    network = home_network(transform="none")
    past, known = torch.zeros(6, 96, 3), torch.zeros(6, 24, 3)
    assert not torch.allclose(network(gap, past, known), network(filled, past, known), atol=1e-3)


def test_a_row_knows_nothing_of_the_other_5():
    network, rng = home_network(), np.random.default_rng(5)
    context, past, known = contexts(rng), torch.randn(6, 96, 3), torch.randn(6, 24, 3)
    alone = torch.cat([network(*(x[i : i + 1] for x in (context, past, known))) for i in range(6)])
    np.testing.assert_allclose(network(context, past, known).detach(), alone.detach(), rtol=1e-4, atol=1e-5)


def test_a_gradient_through_a_context_with_nothing_observed_is_finite_everywhere():
    network = home_network().train()
    network(torch.full((4, 96), torch.nan), torch.zeros(4, 96, 3), torch.zeros(4, 24, 3)).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())


def test_a_horizon_of_3_days_sees_each_days_own_half_hours():
    torch.manual_seed(0)
    network = PatchTST(**{**HOME, "horizon_steps": 72}).eval()
    out = network(contexts(np.random.default_rng(6)), torch.zeros(6, 96, 3), torch.zeros(6, 72, 3))
    assert out.shape == (6, 72, 8)


def test_dropout_of_0_2_drops_a_fifth_in_every_one_of_8_columns_and_keeps_the_mean():
    torch.manual_seed(0)
    dropped = Dropout(0.2)(torch.ones(40_000, 8))
    np.testing.assert_allclose((dropped == 0).float().mean(dim=0), 0.2, atol=0.01)
    assert float(dropped.mean()) == pytest.approx(1, abs=0.01)


def test_attention_in_bf16_on_a_cpu_agrees_with_torchs_own_within_2_per_cent():
    q, k, v = torch.randn(3, 2, 4, 14, 16, generator=torch.Generator().manual_seed(0))
    ours = _attend(q.bfloat16(), k.bfloat16(), v.bfloat16()).float()
    np.testing.assert_allclose(ours.numpy(), _attend(q, k, v).numpy(), atol=0.02)


def test_no_window_at_all_is_a_forecast_of_none():
    assert home_network()(torch.zeros(0, 96), torch.zeros(0, 96, 3), torch.zeros(0, 24, 3)).shape == (0, 24, 8)
