import numpy as np
import torch

from loadproof.models.examples import SeriesExamples, ShiftedExamples, WindowExamples


def shifted(values, *, shifts=(0, 2), lookback=6, horizon=3, lag_steps=0):
    past = torch.arange(len(shifts) * 2.0)[:, None].reshape(len(shifts), 2, 1, 1).expand(-1, -1, lookback, -1)
    known = past[:, :, :1].expand(-1, -1, horizon, -1)
    at = torch.arange(len(values)) % 2
    return ShiftedExamples(values, at, torch.tensor(shifts), past, known, lag_steps=lag_steps)


def test_series_are_gathered_as_a_slow_loop_would_cut_them():
    series = torch.from_numpy(np.random.default_rng(0).random((3, 50), dtype=np.float32))
    rows, starts = torch.tensor([2, 0, 1, 2]), torch.tensor([0, 7, 40, 33])
    batch = SeriesExamples(series, rows, starts, 6, 4).batch(torch.tensor([3, 0, 2]))
    for at, which in enumerate((3, 0, 2)):
        first = int(starts[which])
        assert torch.equal(batch.context[at], series[rows[which], first : first + 6])
        assert torch.equal(batch.truth[at], series[rows[which], first + 6 : first + 10])


def test_windows_of_1_origin_share_its_features():
    past, known = torch.randn(2, 4, 3), torch.randn(2, 2, 3)
    examples = WindowExamples(torch.randn(5, 4), torch.randn(5, 2), torch.tensor([0, 1, 1, 0, 1]), past, known)
    batch = examples.batch(torch.tensor([1, 4]))
    assert torch.equal(batch.past[0], past[1])
    assert torch.equal(batch.known[0], batch.known[1])


def test_a_window_2_steps_earlier_sees_2_steps_less_and_its_truth_begins_in_the_context():
    values = torch.arange(9.0)[None].repeat(2, 1) + torch.tensor([[0.0], [100.0]])  # 6 of context, 3 of truth
    batch = shifted(values).batch(torch.tensor([1, 3]))  # window 1 as it is, and 2 steps earlier
    assert batch.context[0].tolist() == [100, 101, 102, 103, 104, 105]
    assert batch.truth[0].tolist() == [106, 107, 108]
    assert torch.isnan(batch.context[1, :2]).all()
    assert batch.context[1, 2:].tolist() == [100, 101, 102, 103]
    assert batch.truth[1].tolist() == [104, 105, 106]
    assert batch.past[:, 0, 0].tolist() == [1, 3]


def test_a_context_longer_than_the_lookback_gives_an_earlier_window_all_6_steps():
    batch = shifted(torch.arange(11.0)[None].repeat(2, 1)).batch(torch.tensor([2]))
    assert batch.context[0].tolist() == [0, 1, 2, 3, 4, 5]
    assert batch.truth[0].tolist() == [6, 7, 8]


def test_with_a_lag_of_3_steps_the_last_3_of_a_context_are_missing_at_every_shift_and_no_truth_is_made_up():
    values = torch.arange(9.0)[None].repeat(2, 1)
    values[:, 3:6] = torch.nan  # unpublished when the window was cut
    batch = shifted(values, lag_steps=3).batch(torch.tensor([0, 2]))
    assert torch.isnan(batch.context[:, 3:]).all()
    assert batch.context[1].tolist()[2] == 0
    assert torch.isnan(batch.truth[1, :2]).all()
    assert batch.truth[1, 2] == 6


def test_shifts_of_the_same_windows_are_2_times_as_many_examples():
    assert len(shifted(torch.zeros(5, 9))) == 10
