"""The command as a rank runs it, of which one dies: ``python -m tests.runner.killed_rank MARKS train ...``."""

import os
import signal
import sys
from pathlib import Path

from loadproof.cli.app import main
from loadproof.selfplay import trainer

DIES_IN = 12
"""In the middle of this episode, two after a checkpoint, the rank that leads dies the first time it is started."""


def _mark_and_die(marks, rank, start):
    """Have every episode leave a mark, and one of them die when it has played and is about to learn."""
    play = trainer._episode

    def die(game, plays, rng):
        os.kill(os.getpid(), signal.SIGKILL)

    def play_or_die(game, number, seed):
        (marks / f"start {start}, rank {rank}, episode {number}").touch()
        if (number, rank, start) == (DIES_IN, "0", "0"):
            trainer._learn = die
        return play(game, number, seed)

    trainer._episode = play_or_die


if __name__ == "__main__":
    _mark_and_die(Path(sys.argv.pop(1)), os.environ["RANK"], os.environ["TORCHELASTIC_RESTART_COUNT"])
    main()
