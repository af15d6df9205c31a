import datetime as dt

import pytest
from tests.runner.made_stores import make_store

from loadproof.config import ExperimentConfig, ForecastConfig, TreeConfig
from loadproof.runner.feeder_board import feeder_board, rows_of_record

TREE = TreeConfig(
    model="seasonal_naive", feeder_homes=2, learn_until=dt.date(2013, 2, 1), calibrate_days=7, paths=20,
    training_groups=2,
)  # fmt: skip
BLOCKS = ForecastConfig(
    context_steps=336, valid_from=dt.date(2013, 3, 1), test_from=dt.date(2013, 3, 6), test_until=dt.date(2013, 3, 13)
)
CONFIG = ExperimentConfig(tree=TREE, forecast=BLOCKS)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("tree"), homes=4, days=75)


def test_a_second_run_keeps_the_record_and_other_knobs_make_it_anew(store, tmp_path):
    first = feeder_board(store, "lcl", tmp_path, config=CONFIG)
    assert first.made
    assert first.facts["nodes"] == {"substation": 1, "feeder": 2, "home": 4}
    assert set(first.facts["largest_gap_kwh"].values()) == {0.0}
    before = first.path.read_bytes()
    second = feeder_board(store, "lcl", tmp_path, config=CONFIG)
    assert not second.made
    assert second.path.read_bytes() == before
    assert second.rows == rows_of_record(first.path, draws=CONFIG.evaluation.bootstrap_draws)
    # Two weeks are too few for an interval.
    assert {row["low"] for row in second.rows} == {None}
    other = CONFIG.model_copy(update={"seed": 1})
    assert feeder_board(store, "lcl", tmp_path, config=other).made
