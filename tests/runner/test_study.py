"""A study keeps one record a job, goes on where it stopped, and asks for weather."""

import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.selfplay.game_fixtures import KNOBS, NETWORK, panel, split, weather

from loadproof.config import ExperimentConfig
from loadproof.errors import ConfigError, EngineError
from loadproof.features.panel import Panel
from loadproof.features.place import LONDON
from loadproof.records import find_records, read_record
from loadproof.runner import study as module
from loadproof.runner import study_elsewhere as elsewhere
from loadproof.runner.study import study
from loadproof.scenario.ground import lay_ground
from loadproof.selfplay import exam as exam_module
from loadproof.selfplay import plan
from loadproof.selfplay import solver as solver_module
from loadproof.selfplay.board import arm_figures, frames_of
from loadproof.selfplay.exam import set_exam
from loadproof.selfplay.tables import Table, whole_days
from loadproof.selfplay.verifier import CONSTRAINTS, Limits

FOLD = "held_2013-01-01"


def _lay(*_, seed, **__):
    blocks = split()
    ground = lay_ground(blocks.train, weather())
    exam = set_exam(blocks, None, ground, weather=weather(), rng=np.random.default_rng(seed))
    return Table(blocks.train, blocks.valid, exam, weather())


SMALL = {
    "set_table": _lay,
    "read_all": lambda store, dataset: panel(),
    "read_surroundings": lambda store, knobs, seed: (None, weather()),
    "data_facts": lambda *_, **__: {"mode": "samples", "data_sha256": "made"},
}
"""A study on eight homes of eight weeks, which hold no quarter: the table is laid from their own blocks."""
TINY = plan.Budget(NETWORK, KNOBS)


@pytest.fixture
def table(monkeypatch):
    """Let this process play the small study."""
    monkeypatch.setattr(exam_module, "_NIGHTS", 1)
    monkeypatch.setattr(solver_module, "Limits", lambda: Limits(feeder_kva=0.5))  # 0.285 kWh: evenings exceed it
    for name, value in SMALL.items():
        monkeypatch.setattr(module, name, value)
    monkeypatch.setitem(plan.BUDGETS, "tiny", TINY)


class _Store:
    def write_json(self, path, value):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(value))


def run(root, arms=("real", "full"), seeds=1, folds=(FOLD,), halves=("A",), **options):
    return study(
        _Store(), "lcl", root / "records", root / "work", config=ExperimentConfig(), budget="tiny", arms=arms,
        seeds=seeds, folds=folds, halves=halves, **options,
    )  # fmt: skip


def test_a_study_keeps_a_record_a_job_and_a_second_run_changes_nothing(tmp_path, table):
    done = run(tmp_path)
    assert (done.planned, done.made) == (3, 3)
    paths = find_records(tmp_path / "records")
    was = {path: path.read_bytes() for path in paths}
    again = run(tmp_path)
    assert (again.made, again.kept) == (0, 3)
    assert {path: path.read_bytes() for path in paths} == was
    records = [read_record(path) for path in paths]
    pairs = [(record.facts, record.frame) for record in records]
    full = arm_figures(pairs, frames_of(pairs), "full")
    assert full["real_share"] == 0.75
    assert full["penalty_gradient"] > 0
    for facts, _ in pairs:
        parts = facts["curves"]["penalty_by_constraint"]
        assert list(parts) == sorted(CONSTRAINTS)  # as JSON keeps them
        assert sum(parts.values()) == pytest.approx(facts["curves"]["penalty"])
        assert min(parts.values()) >= 0
        assert parts["feeder_rating"] > 0
        assert parts["admd"] == 0  # a limit from thirty homes on; a solver forecasts one
    assert 0 < full["verifier_score"] <= 1
    assert not {"EV_SPIKE", "ADDED_LOAD"} & set(
        next(f for f, _ in pairs if f["left_out"] == "new_load")["curves"]["mixture"]["late"]
    )
    pictures = read_record(next(tmp_path.glob("work/**/full-seed1.pictures.parquet"))).frame
    assert pictures["step"].min() == -192
    assert pictures.filter(pl.col("step") >= 0)["after_middle_kwh"].null_count() == 0


def test_a_solver_asked_elsewhere_is_the_one_that_was_judged(tmp_path, table, monkeypatch):
    monkeypatch.setattr(elsewhere, "set_table", module.set_table)
    for name in ("read_all", "read_surroundings", "data_facts"):
        monkeypatch.setattr(elsewhere, name, getattr(module, name))
    laid = module.set_table(seed=ExperimentConfig().seed)
    monkeypatch.setattr(elsewhere, "whole_days", lambda *_, **__: laid.exam)  # the same questions again
    planned = list(plan.jobs(arms=["real", "full"], seeds=2, folds=[FOLD], halves=["A"]))

    def ask():
        return elsewhere.study_elsewhere(
            _Store(), "lcl", "ukdale", tmp_path / "records", tmp_path / "work", config=ExperimentConfig(),
            budget="tiny", planned=planned,
        )  # fmt: skip

    assert ask().made == 0  # nobody has played
    run(tmp_path)
    assert (ask().made, ask().kept) == (3, 3)  # seed 2 was never played
    for job in planned[:3]:
        judged = read_record(tmp_path / "records" / "tiny" / f"{job.path}.parquet")
        asked = read_record(tmp_path / "records" / "tiny_ukdale" / f"{job.path}.parquet")
        assert asked.frame.equals(judged.frame)
        assert asked.facts["judged_on"] == "ukdale"


def test_days_elsewhere_are_of_homes_not_of_their_appliances_and_follow_a_context_that_was_read():
    homes = panel(homes=2)
    homes.energy_kwh[0, : 20 * 48] = np.nan  # its readings begin after 20 of 56 days
    named = Panel(np.array(["ukdale:house_1", "ukdale:house_2"]), homes.start, 30, homes.energy_kwh)
    appliance = Panel(np.array(["ukdale:house_1:meter_2"]), homes.start, 30, homes.energy_kwh[1:])
    knobs = ExperimentConfig().forecast
    exam = whole_days(named, weather(), LONDON, knobs=knobs)
    counts = {who: int((exam.real.inputs.entity == who).sum()) for who in named.entities.tolist()}
    days = knobs.context_steps // 48
    assert counts["ukdale:house_2"] == 56 - math.ceil(0.9 * days)
    assert counts["ukdale:house_1"] == 56 - 20 - math.ceil(0.9 * days)
    with pytest.raises(ConfigError, match="no home has a day"):
        whole_days(appliance, weather(), LONDON, knobs=knobs)


def test_unknown_words_are_answered_with_those_there_are(tmp_path, table):
    with pytest.raises(ConfigError, match="no budget is called"):
        study(
            _Store(), "lcl", tmp_path, tmp_path, config=ExperimentConfig(), budget="huge", arms=["real"], seeds=1,
            folds=[FOLD], halves=["A"],
        )  # fmt: skip
    with pytest.raises(ConfigError, match="no arm is called"):
        run(tmp_path, arms=("magic",))
    with pytest.raises(ConfigError, match=r"^no fold is called 'q5'; there are: held_2013-01-01, .*, chronological$"):
        run(tmp_path, folds=(FOLD, "q5"), map_=None)  # and so no job is begun
    with pytest.raises(ConfigError, match=r"^no half is called 'C'; there are: A, B$"):
        run(tmp_path, halves=("A", "C"), map_=None)


def test_a_word_said_twice_is_played_once():
    said = {"arms": ["real", "full", "real"], "folds": [FOLD, FOLD], "halves": ["A", "B", "A"]}
    once = {"arms": ["real", "full"], "folds": [FOLD], "halves": ["A", "B"]}
    assert list(plan.jobs(**said, seeds=1)) == list(plan.jobs(**once, seeds=1))


def test_a_study_whose_records_are_named_from_here_leaves_them_here_wherever_its_workers_stand(
    tmp_path, table, map_elsewhere
):
    done = run(Path(), arms=("real",), map_=map_elsewhere)
    assert (done.planned, done.made) == (1, 1)
    assert len(find_records(tmp_path / "client" / "records")) == 1
    assert (tmp_path / "client" / "work" / "tiny").is_dir()
    assert not list((tmp_path / "worker").iterdir())


def test_records_that_a_worker_wrote_to_a_folder_of_its_own_are_said_to_be_lost(tmp_path, table):
    def unshared(function, items):
        for item in items:
            records = function(item)
            for path in records:
                path.unlink()
            yield records

    with pytest.raises(EngineError, match=r"none: real-seed1.parquet was done elsewhere, by a worker that does not"):
        run(tmp_path, arms=("real",), map_=unshared)
