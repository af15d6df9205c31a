"""Runs of equal readings against a walk along the series."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from loadproof.anomaly.runs import find_runs

READINGS = st.lists(st.sampled_from([0.0, 0.1, 0.2, np.nan]), min_size=2, max_size=30)


def walk(readings):
    """Each step's run as (first, length), one by one."""
    runs = []
    for value, group in itertools.groupby(
        enumerate(readings), key=lambda step: str(step[1]) if step[1] == step[1] else step
    ):
        steps = [at for at, _ in group]
        missing = not isinstance(value, str)
        runs += [(steps[0], 0 if missing else len(steps))] * len(steps)
    return runs


@given(READINGS, st.integers(0, 29))
def test_whole_lengths_are_those_of_a_walk(readings, first):
    first = min(first, len(readings) - 1)
    runs = find_runs(np.array([readings], dtype=np.float32))
    assert runs.whole(first)[0].tolist() == [length for _, length in walk(readings)][first:]
    assert runs.begin[0].tolist() == [begin for begin, _ in walk(readings)]


@given(READINGS, st.integers(1, 29))
def test_the_longest_before_is_that_of_the_runs_that_ended(readings, stop):
    stop = min(stop, len(readings) - 1)
    runs = find_runs(np.array([readings], dtype=np.float32))
    which = np.array([readings[:stop]], dtype=np.float32) < 0.15
    over = [(b, n) for b, n in walk(readings)[:stop] if b != walk(readings)[stop][0]]
    wanted = max([n for b, n in over if readings[b] < 0.15], default=0)
    assert runs.longest(stop, which).tolist() == [wanted]


def test_of_5_zeros_of_which_2_lie_in_the_context_the_day_knows_all_5_and_the_record_none():
    series = np.array([[0.3, 0.0, 0.0, 0.0, 0.0, 0.0, 0.4]], dtype=np.float32)
    runs = find_runs(series)
    assert runs.whole(3).tolist() == [[5, 5, 5, 1]]
    assert runs.longest(3, series[:, :3] == 0).tolist() == [0]
