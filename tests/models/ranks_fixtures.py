"""Trainings that torchrun starts: each rank trains the fixtures' network, and the first one writes what it came to."""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from tests.models.training_fixtures import SCHEDULE, examples, loss, network
from torch import distributed

from loadproof.errors import RanksError
from loadproof.models import training
from loadproof.models.process_group import open_ranks
from loadproof.models.training import epochs
from loadproof.ranks import ALONE

ROOT = Path(__file__).parents[2]
UNEVEN = replace(SCHEDULE, batch=33)
"""166 examples: five batches of 33, which two ranks cannot halve, and a last one of 1, of which one has nothing."""


def torchrun(module, *words, ranks=2, restarts=0, **environment):
    """Run a module on ranks of this machine, as a user would."""
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", ranks,
        "--max-restarts", restarts, "--monitor-interval", "0.2", "-m", module, *words,
    ]  # fmt: skip
    settings = os.environ | {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"} | environment
    return subprocess.run(
        [*map(str, command)], cwd=ROOT, env=settings, capture_output=True, text=True, timeout=600, check=False
    )


def joined(timeout_s=60.0):
    """The ranks of this process, by what torchrun told it; alone where it told nothing."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        return nullcontext(ALONE)
    start = int(os.environ["TORCHELASTIC_RESTART_COUNT"])
    return open_ranks(rank=int(os.environ["RANK"]), world=world, device="cpu", timeout_s=timeout_s, start=start)


def run(ranks, path=None, *, shift=0):
    """Return the trained network and its records."""
    net = network()
    valid = examples(120, 161)
    return net, list(
        epochs(net, examples(shift, 83), valid, loss, UNEVEN, rng=np.random.default_rng(5), path=path,
               ranks=ranks)
    )  # fmt: skip


def keep(out, net, records, **more):
    """Write weights and losses."""
    weights = {name: value.numpy() for name, value in net.state_dict().items()}
    np.savez(out, **weights, losses=np.array([record[1:] for record in records]), **more)


def refusal(ranks):
    """Return what a rank says that is given other data than the rest."""
    try:
        run(ranks, shift=int(os.environ["RANK"]))
    except RanksError as error:
        return re.search(r"rank 1 .* command", str(error))[0]


def die_in_the_2nd_epoch():
    """Have the second rank die by SIGKILL in the middle of the second epoch, the first time that torchrun starts it."""
    if os.environ["RANK"] != "1" or os.environ["TORCHELASTIC_RESTART_COUNT"] != "0":
        return
    take = training._Run._take_step

    def take_or_die(self, index):
        if (self.epoch, self.step) == (1, 3):
            os.kill(os.getpid(), signal.SIGKILL)
        take(self, index)

    training._Run._take_step = take_or_die


def main(what, out):
    """Train as the test wants it."""
    torch.set_num_threads(1)
    second = os.environ.get("RANK") == "1"
    if what == "silent" and second:
        time.sleep(100)
    try:
        with joined(timeout_s=3 if what == "silent" else 60) as ranks:
            more = {}
            if what == "plain":
                said = [None] * ranks.world
                distributed.all_gather_object(said, refusal(ranks))
                more = {"refused": np.array(said)}
            if what == "killed":
                die_in_the_2nd_epoch()
            path = Path(f"{out}.safetensors") if what == "killed" else None
            net, records = run(ranks, path)
            if ranks.leads:
                keep(out, net, records, **more)
    except RanksError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
