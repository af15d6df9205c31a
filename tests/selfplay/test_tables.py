from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pytest
from tests.selfplay.game_fixtures import panel, weather

from loadproof.config import ForecastConfig
from loadproof.errors import ConfigError
from loadproof.features.panel import Panel
from loadproof.features.place import LONDON
from loadproof.features.weather import Weather
from loadproof.scenario.ground import Ground
from loadproof.selfplay import exam as exam_module
from loadproof.selfplay import tables as module
from loadproof.selfplay.plan import FOLD_NAMES, PLAIN
from loadproof.selfplay.tables import Table, set_table, study_folds

FOLD = "held_2013-04-01"
BLOCK = (np.datetime64("2013-03-31T23:00"), np.datetime64("2013-06-30T23:00"))  # the quarter in UK time
FIRST, LAST = np.datetime64("2012-12-10T00:00", "us"), np.datetime64("2014-01-01T00:00", "us")
INSIDE_KWH = 50.0
"""What every reading inside the block is more than it would be: far above any outside it."""


def year():
    """Return eight homes that alternate between a low and a high half hour, by 0.1 to 0.8 kWh, loads of their own."""
    ts = np.arange(FIRST, LAST, np.timedelta64(30, "m"))
    change = 0.1 * np.arange(1, 9)[:, None]  # (8, 1), kWh
    energy = 0.2 + change * (np.arange(len(ts)) % 2)
    inside = (ts >= BLOCK[0]) & (ts < BLOCK[1])
    energy = np.where(inside, energy * 7 + INSIDE_KWH, energy)  # seven times as large a change, too
    return Panel(np.array([f"lcl:MAC{at:06d}" for at in range(8)]), FIRST, 30, energy.astype(np.float32))


def warm_year():
    hours = np.arange(int((LAST - FIRST) / np.timedelta64(30, "m"))) / 48
    return Weather(FIRST, (8 + 6 * np.sin(hours / 3)).astype(np.float32), "made", arm="perfect")


class Laid(NamedTuple):
    """A table, and the ground that its exam borrowed from."""

    table: Table
    ground: Ground


@lru_cache
def laid(half):
    """Return the table of a half; sums are of two homes, for there are eight."""
    grounds = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exam_module, "_NIGHTS", 1)
        patch.setattr(module, "SUM_HOMES", 2)
        set_exam = module.set_exam
        patch.setattr(
            module, "set_exam", lambda homes, sums, ground, **more: grounds.append(ground) or set_exam(
                homes, sums, ground, **more
            )
        )  # fmt: skip
        table = set_table(year(), warm_year(), LONDON, fold=FOLD, half=half, knobs=ForecastConfig(), seed=1)
    return Laid(table, grounds[0])


def whose(windows):
    return set(windows.inputs.entity.tolist())


def half_hours(windows):
    """Return every reading that windows hold, contexts and truths."""
    return np.concatenate([windows.inputs.context_kwh, windows.truth_kwh], axis=1)


def test_the_plain_split_judges_the_last_quarter_and_learns_nothing_after_it():
    folds = study_folds(panel(), ForecastConfig())
    assert tuple(folds) == FOLD_NAMES
    plain, last = folds[PLAIN], folds["held_2013-10-01"]
    assert plain.test == last.test
    assert plain.valid.end == plain.test.start == np.datetime64("2013-09-30T23:00")  # UK midnight
    assert plain.valid.end - plain.valid.start == np.timedelta64(28, "D")
    assert not plain.learns_after
    assert last.learns_after


def test_a_fold_or_half_that_there_is_not_is_answered_with_those_there_are():
    for fold, half, said in (
        ("q5", "A", r"^no fold is called 'q5'; there are: held_2013-01-01, .*, held_2013-10-01, chronological$"),
        (PLAIN, "C", r"^no half is called 'C'; there are: A, B$"),
    ):
        with pytest.raises(ConfigError, match=said):
            set_table(panel(), weather(), LONDON, fold=fold, half=half, knobs=ForecastConfig(), seed=1)


def test_nobody_who_is_learned_from_is_judged_and_the_other_half_judges_whom_this_one_learns_from():
    first, second = laid("A").table, laid("B").table
    for table in (first, second):
        assert whose(table.train) == whose(table.valid)
        assert len(whose(table.train)) == len(whose(table.exam.real)) == 4
        assert not whose(table.train) & whose(table.exam.real)
        for nights in table.exam.played.values():
            assert all(whose(night) <= whose(table.exam.real) for night in nights)
    assert whose(first.exam.real) == whose(second.train)
    assert whose(second.exam.real) == whose(first.train)


def test_nothing_of_the_block_is_learned_and_a_context_and_a_horizon_on_either_side_are_left_out():
    table = laid("A").table
    for windows in (table.train, table.valid):
        assert half_hours(windows).max() < INSIDE_KWH
    assert table.exam.real.truth_kwh.min() > INSIDE_KWH
    t0, valid = table.train.inputs.t0, table.valid.inputs.t0
    assert t0[t0 > BLOCK[0]].min() == BLOCK[1] + np.timedelta64(14, "D")  # its context begins as the block ends
    assert valid.max() == np.datetime64("2013-03-30T00:00")  # 31 March has 23 hours: its 48 half hours reach too far
    assert valid.min() == np.datetime64("2013-03-04T00:00")
    assert t0[t0 < BLOCK[0]].max() == np.datetime64("2013-03-02T00:00")  # published when validation begins, at 23:00


def test_scenarios_borrow_from_the_learners_homes_outside_the_block():
    table, ground = laid("A")
    assert set(ground.entity.tolist()) == set(ground.response_kwh) == whose(table.train)
    assert ground.kwh.max() < INSIDE_KWH
    for nights in table.exam.played.values():
        for night in nights:
            assert (night.inputs.t0 >= BLOCK[0]).all()


def test_a_judged_homes_scale_is_of_its_own_days_outside_the_block():
    table = laid("A").table
    homes = whose(table.exam.real)
    for who in homes:
        change = 0.1 * (1 + int(who[-1]))
        assert table.exam.scales_kwh[who] == pytest.approx(change, rel=1e-5)  # inside the block it is 7 times that
        assert table.exam.tails_kwh[who] == pytest.approx(0.2 + change, rel=1e-5)
    assert homes < set(table.exam.scales_kwh)  # and two sums


def test_sums_are_of_judged_homes_nobody_in_two():
    table = laid("A").table
    sums = table.exam.sums
    assert len(whose(sums)) == 2
    of_homes, of_sums = (
        sum(scale for who, scale in table.exam.scales_kwh.items() if who.startswith("sum:") == is_sum)
        for is_sum in (False, True)
    )
    assert of_sums == pytest.approx(of_homes, rel=1e-5)  # each judged home once, for they rise and fall together
    assert half_hours(sums)[:, -48:].min() > 2 * INSIDE_KWH
