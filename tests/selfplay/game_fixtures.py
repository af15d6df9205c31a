"""Eight homes with evenings of their own, a tiny network, and a game that can be run as a process of its own."""

import os
import signal
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from loadproof.config import PatchTSTConfig, SelfPlayConfig
from loadproof.features.calendar import local_midnights
from loadproof.features.panel import Panel
from loadproof.features.splits import split_by_time
from loadproof.features.weather import Weather
from loadproof.features.windows import cut_windows
from loadproof.models import checkpoint
from loadproof.selfplay.arms import ARMS
from loadproof.selfplay.start import game_of, start
from loadproof.selfplay.trainer import episodes

BEGIN = np.datetime64("2013-01-07T00:00", "us")
DAYS = 56
NETWORK = PatchTSTConfig(width=8, heads=2, layers=1, feedforward=16, head_width=16, shifts=1, dropout=0.1)
KNOBS = SelfPlayConfig(
    warm_updates=6, reference_updates=4, episodes=4, updates=2, scenarios=4, homes=4, real_windows=12,
    scenario_windows=4, judge_episodes=2,
)  # fmt: skip


def panel(homes=8):
    rng = np.random.default_rng(3)
    day = 0.1 + 0.5 * np.exp(-(((np.arange(48) - 37) / 5) ** 2))
    energy = np.tile(day, (homes, DAYS)) * rng.uniform(0.5, 2, (homes, 1)) * rng.gamma(4, 0.25, (homes, DAYS * 48))
    energy[0, 400:440] = np.nan
    names = np.array([f"lcl:MAC{at:06d}" for at in range(homes)])
    return Panel(names, BEGIN, 30, energy.astype(np.float32))


def weather():
    hours = np.arange(DAYS * 48) / 48
    return Weather(BEGIN, (6 + 4 * np.sin(hours / 3)).astype(np.float32), "made", arm="perfect")


@lru_cache
def split():
    """Return eight homes' windows in blocks; nobody changes them."""
    day = np.timedelta64(1, "D")
    cut = cut_windows(
        panel(), context_steps=672, horizon_steps=48, weather=weather(),
        origins=local_midnights(BEGIN + 14 * day, BEGIN + DAYS * day),
    )  # fmt: skip
    return split_by_time(cut, valid_from=BEGIN + 45 * day, test_from=BEGIN + 50 * day)


def begun(*, left_out=(), folder=None, with_reference=True, knobs=KNOBS, lessons=1):
    blocks = split()
    return start(
        blocks.train, blocks.valid, network=NETWORK, knobs=knobs, seed=5, left_out=left_out, folder=folder,
        with_reference=with_reference, identity="made", lessons=lessons,
    )  # fmt: skip


def game(arm="full", **knobs):
    chosen = KNOBS.model_copy(update=knobs)
    return game_of(begun(knobs=chosen), ARMS[arm], chosen)


def kill_at_checkpoint(number):
    """Have this very process die by SIGKILL right after so many checkpoints."""
    save, count = checkpoint.save, 0

    def save_and_die(path, tensors, facts):
        nonlocal count
        save(path, tensors, facts)
        count += 1
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    checkpoint.save = save_and_die


def play(path, out):
    """Play a game with checkpoints to its end, and save what it came to."""
    playing = game()
    played = list(episodes(playing, seed=7, path=path, identity="made", checkpoint_episodes=1))
    weights = {name: value.numpy() for name, value in playing.solver.weights().items()}
    np.savez(out, **weights, proposer=np.array(str(playing.proposer.state())), played=np.array(str(played)))


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[2] != "0":
        kill_at_checkpoint(int(sys.argv[2]))
    play(Path(sys.argv[1]), sys.argv[3])
