"""A study keeps one record a job, goes on where it stopped, and asks for weather."""

import numpy as np
import polars as pl
import pytest
from tests.selfplay.game_fixtures import KNOBS, NETWORK, panel, weather

from loadproof.config import ExperimentConfig
from loadproof.errors import ConfigError
from loadproof.records import find_records, read_record
from loadproof.runner import study as module
from loadproof.runner.study import study
from loadproof.selfplay import exam as exam_module
from loadproof.selfplay import plan
from loadproof.selfplay.board import arm_figures, frames_of

FOLD = "held_2013-01-01"


@pytest.fixture
def table(monkeypatch):
    """A study on eight homes of eight weeks, which hold no quarter: the table is laid from their own blocks."""
    from tests.selfplay.game_fixtures import split

    from loadproof.scenario.ground import lay_ground
    from loadproof.selfplay.exam import set_exam
    from loadproof.selfplay.tables import Table

    def lay(*_, seed, **__):
        blocks = split()
        ground = lay_ground(blocks.train, weather())
        exam = set_exam(blocks, None, ground, weather=weather(), rng=np.random.default_rng(seed))
        return Table(blocks.train, blocks.valid, exam, weather())

    monkeypatch.setattr(exam_module, "_NIGHTS", 1)
    monkeypatch.setattr(module, "set_table", lay)
    monkeypatch.setattr(module, "read_all", lambda store, dataset: panel())
    monkeypatch.setattr(module, "read_surroundings", lambda store, knobs, seed: (None, weather()))
    monkeypatch.setattr(module, "data_facts", lambda *_, **__: {"mode": "samples", "data_sha256": "made"})
    monkeypatch.setitem(plan.BUDGETS, "tiny", plan.Budget(NETWORK, KNOBS))


class _Store:
    def write_json(self, path, value):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(value))


def run(root, arms=("real", "full"), seeds=1):
    return study(
        _Store(), "lcl", root / "records", root / "work", config=ExperimentConfig(), budget="tiny", arms=arms,
        seeds=seeds, folds=[FOLD], halves=["A"],
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
    assert full["penalty_gradient"] >= 0
    assert 0 < full["verifier_score"] <= 1
    assert not {"EV_SPIKE", "ADDED_LOAD"} & set(
        next(f for f, _ in pairs if f["left_out"] == "new_load")["curves"]["mixture"]["late"]
    )
    pictures = read_record(next(tmp_path.glob("work/**/full-seed1.pictures.parquet"))).frame
    assert pictures["step"].min() == -192
    assert pictures.filter(pl.col("step") >= 0)["after_middle_kwh"].null_count() == 0


def test_unknown_words_are_answered_with_those_there_are(tmp_path, table):
    with pytest.raises(ConfigError, match="no budget is called"):
        study(
            _Store(), "lcl", tmp_path, tmp_path, config=ExperimentConfig(), budget="huge", arms=["real"], seeds=1,
            folds=[FOLD], halves=["A"],
        )  # fmt: skip
    with pytest.raises(ConfigError, match="no arm is called"):
        run(tmp_path, arms=("magic",))
