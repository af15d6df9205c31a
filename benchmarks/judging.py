"""What judging a day costs the one process that hears of all groups, at any number of feeders; scores are made.

    python benchmarks/judging.py --work /tmp/judging --feeders 400000 --make
    python benchmarks/judging.py --work /tmp/judging --feeders 400000    # this run is the one to be measured
    python benchmarks/judging.py --work /tmp/judging --feeders 4096 --whole    # all rows at once, as 'anomaly' does

``--make`` lets a few groups of 1,024 feeders score, count and rank, and shows their files again as those of all other
groups; one feeder in a hundred is new and so ranked among all. The run after it gathers, counts and chooses thresholds
from what stands there, which is all that is not shared with other processes.
"""

import argparse
import datetime as dt
import resource
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from loadproof.anomaly.day_frames import frame_of_scores
from loadproof.anomaly.pool import leaves_of
from loadproof.anomaly.sweep import DayScores, join_scores
from loadproof.anomaly.watch import judge
from loadproof.config import ExperimentConfig
from loadproof.detector import Scores
from loadproof.features.windows import Inputs
from loadproof.morning_folder import MorningFolder
from loadproof.runner.fleet_group import FORECAST, Morning, numbered
from loadproof.runner.fleet_judge import judge_groups
from loadproof.runner.groups import Group
from loadproof.runner.track import no_track
from loadproof.seeds import rng_for

__all__ = ["main", "make", "morning_in"]

SEED: Final = 2024
SIZE: Final = 1024
MADE: Final = 3
"""So many groups are made; all others show the files of one of them."""
NEW: Final = 0.01
"""The share of feeders that came in the last ten days."""
NAME: Final = "made"
MAIN_STEPS: Final = ("pool", "counted", "judge")


def morning_in(work: Path, feeders: int) -> tuple[Morning, list[Group]]:
    """Return a morning that holds judging and nothing else, and its groups."""
    config = ExperimentConfig()
    day = config.forecast.test_from + dt.timedelta(days=100)
    folder = MorningFolder(work / f"judging-{feeders}", "ssen", "made")
    t0 = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), dt.UTC)
    lots = range(0, feeders, SIZE)
    groups = [Group(number, f"f{at:07d}", f"f{at + SIZE - 1:07d}", SIZE) for number, at in enumerate(lots)]
    return Morning(folder, work, "ssen", t0, t0, 30, (), (NAME,), day, work, config, 48, "cpu", None, None), groups


def made_scores(morning: Morning, group: Group) -> DayScores:
    """Return the scores of a group: skewed, each feeder's of its own size, a few feeders new."""
    rng, first = rng_for(SEED, f"judging/{group.number}"), morning.history.needed_from(morning.day)
    t0 = np.arange(np.datetime64(first), np.datetime64(morning.day) + 1).astype("datetime64[us]")
    score = rng.lognormal(size=(SIZE, len(t0), 48)).astype(np.float32)
    score *= rng.lognormal(size=(SIZE, 1, 1)).astype(np.float32)
    score[rng.random(score.shape, dtype=np.float32) < 0.01] = np.nan
    score[rng.random(SIZE) < NEW, :-10] = np.nan
    flat = score.reshape(-1, 48)
    kept = np.isfinite(flat).any(axis=1)
    entity = np.repeat(np.array([f"f{group.number * SIZE + at:07d}" for at in range(SIZE)]), len(t0))[kept]
    inputs = Inputs(np.zeros((len(entity), 0), np.float32), np.tile(t0, SIZE)[kept], entity, 48, 30)
    return DayScores(inputs, Scores(flat[kept], np.zeros((len(entity), 48), np.uint8)))


def _show_again(folder: Path, made: Group, group: Group) -> None:
    """Show what a made group left as another group's too."""
    for path in folder.rglob(f"*{made.number:05d}.*"):
        wanted = path.with_name(path.name.replace(f"{made.number:05d}", f"{group.number:05d}"))
        if not any(part in MAIN_STEPS for part in path.parts[len(folder.parts) :]) and not wanted.exists():
            wanted.hardlink_to(path)


def make(morning: Morning, groups: list[Group]) -> None:
    """Let the made groups do their steps, and show what they left as that of all."""
    folder = morning.folder
    shutil.rmtree(folder.root, ignore_errors=True)
    for group in groups[:MADE]:
        found = made_scores(morning, group)
        leaves = {f"leaves/{NAME}": numbered(leaves_of(found, morning.history, morning.day))}
        folder.keep(FORECAST, group.number, {f"days/{NAME}": frame_of_scores(found)}, {}, leaves)

    def carry(work: Callable[[Group], Any], items: Iterable[Group]) -> Iterator[Any]:
        for group in items:
            if group.number >= MADE:
                _show_again(folder.working, groups[group.number % MADE], group)
            yield work(group) if group.number < MADE else group.number

    for group in groups[MADE:]:
        _show_again(folder.working, groups[group.number % MADE], group)
    judge_groups(morning, groups, carry, no_track)
    for step in MAIN_STEPS:
        shutil.rmtree(folder.working / "done" / step)


def main() -> None:
    """Make, or judge from what was made and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--feeders", type=int, default=100_000)
    parser.add_argument("--make", action="store_true", help="make what the groups leave, and judge nothing else")
    parser.add_argument("--whole", action="store_true", help="judge all rows at once in this process")
    given = parser.parse_args()
    morning, groups = morning_in(given.work, given.feeders)
    if given.make:
        make(morning, groups)
        return
    if given.whole:
        found = join_scores(made_scores(morning, group) for group in groups)
        begun = time.process_time()
        rate = morning.config.anomaly.alerts_per_week
        limits: object = judge(found, morning.history, [morning.day], alerts_per_week=rate).limits()
    else:
        begun = time.process_time()
        limits = judge_groups(morning, groups, lambda work, items: (), no_track).watched[NAME]["odd_from_p_value"]
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    took_s = time.process_time() - begun
    print(f"{len(groups) * SIZE:,} feeders: {took_s:.1f} processor s, peak {peak_mb:,.0f} MB, odd from {limits}")


if __name__ == "__main__":
    main()
