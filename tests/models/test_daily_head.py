import numpy as np
import torch

from loadproof.models.daily_head import DailyHead

DAYS, DAY = 3, 8


def mean_of(values):
    return np.mean(values) if len(values) else 0.0


def slow_history(values, known):
    """Return what is told of each step of a day, as a loop over steps, days and neighbours says it, ``(S, .)``."""
    steps = []
    for s in range(DAY):
        at = [len(values) - (DAYS - d) * DAY + s for d in range(DAYS)]
        own, seen = values[at], known[at] > 0
        mean = mean_of(own[seen])
        spread = np.sqrt(mean_of((own[seen] - mean) ** 2))
        around = {
            reach: [
                [values[i] for i in range(a - reach, a + reach + 1) if 0 <= i < len(values) and known[i]] for a in at
            ]
            for reach in (1, 2, 4)
        }
        days = [range(len(values) - (DAYS - d) * DAY, len(values) - (DAYS - d - 1) * DAY) for d in range(DAYS)]
        steps.append([
            *own, *seen, mean, spread, *np.sort(np.where(seen, own, mean)),
            mean_of(np.concatenate(around[1])), mean_of(np.concatenate(around[2])), *(mean_of(x) for x in around[2]),
            mean_of(np.concatenate(around[4])), *(mean_of([values[i] for i in day if known[i]]) for day in days),
        ])  # fmt: skip
    return np.array(steps)


def head(**changes):
    return DailyHead(
        **{"days": DAYS, "day_steps": DAY, "encoded": 4, "features": 2, "width": 8, "outputs": 8} | changes
    )


def test_the_20_things_told_of_each_step_are_those_of_a_slow_loop_whatever_is_missing():
    rng = np.random.default_rng(0)
    known = (rng.random((5, 30)) > 0.4).astype(np.float32)
    known[4] = 0
    values = rng.normal(size=(5, 30)).astype(np.float32) * known
    ours = head()._history(torch.from_numpy(values), torch.from_numpy(known)).numpy()
    assert ours.shape == (5, DAY, 5 * DAYS + 5)
    for row in range(5):
        np.testing.assert_allclose(ours[row], slow_history(values[row], known[row]), atol=1e-5)


def test_step_9_of_a_horizon_of_12_has_the_history_of_step_1_of_a_day_of_8():
    torch.manual_seed(0)
    values, known = torch.randn(2, 24), torch.ones(2, 24)
    out = head(features=0)(values, known, torch.zeros(2, 12, 4), None)
    assert out.shape == (2, 12, 8)
    assert torch.allclose(out[:, 8:], out[:, :4])
