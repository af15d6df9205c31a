"""A small network, series with a planted daily wave, and a training of it that can be run as a process of its own."""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch

from loadproof.models import training
from loadproof.models.examples import SeriesExamples
from loadproof.models.losses import squared
from loadproof.models.patchtst import PatchTST
from loadproof.models.training import Schedule, epochs, seeded

SCHEDULE = Schedule(epochs=3, batch=32, learning_rate=1e-3, checkpoint_steps=2)


def wave(n=300):
    rng = np.random.default_rng(1)
    values = np.sin(np.arange(n) * 2 * np.pi / 24) + 0.1 * rng.standard_normal((2, n))
    values[0, 50:60] = np.nan
    return torch.from_numpy(values.astype(np.float32))


def examples(first, last):
    starts = torch.arange(first, last)
    return SeriesExamples(wave(), torch.arange(2).repeat_interleave(len(starts)), starts.repeat(2), 48, 12)


def network(seed=0):
    with seeded(np.random.default_rng(seed)):
        return PatchTST(
            context_steps=48, horizon_steps=12, width=8, heads=2, layers=1, feedforward=16, patch_steps=8,
            stride_steps=8, dropout=0.2,
        )  # fmt: skip


def loss(net, batch):
    errors = squared(batch.truth, net(batch.context))
    return torch.where(torch.isnan(errors), 0.0, errors).sum(), (~torch.isnan(errors)).sum()


def run(path=None, *, seed=5, schedule=SCHEDULE, identity="", net=None):
    """Return the trained network and its records."""
    net = net or network()
    records = list(
        epochs(net, examples(0, 100), examples(120, 160), loss, schedule, rng=np.random.default_rng(seed), path=path,
               identity=identity)
    )  # fmt: skip
    return net, records


def kill_at_checkpoint(number):
    """Have this very process die by SIGKILL after so many checkpoints, in the middle of an epoch."""
    save, count = training.checkpoint.save, 0

    def save_and_die(path, tensors, facts):
        nonlocal count
        save(path, tensors, facts)
        count += 1
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    training.checkpoint.save = save_and_die


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[2] != "0":
        kill_at_checkpoint(int(sys.argv[2]))
    trained, _ = run(Path(sys.argv[1]))
    np.savez(sys.argv[3], **{name: value.numpy() for name, value in trained.state_dict().items()})
