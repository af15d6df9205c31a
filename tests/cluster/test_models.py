"""Models of each kind asked on a cluster: ridge, trees and a network, by one instant and over the test block."""

import datetime as dt
from functools import partial

import pytest
import torch
from tests.cluster import tasks
from tests.runner.made_stores import make_store
from tests.runner.test_ingest import digests

from loadproof.cluster.engine import engine
from loadproof.config import ExperimentConfig
from loadproof.runner.forecast import forecast
from loadproof.runner.predict import predict

CONFIG = ExperimentConfig.model_validate(
    {
        "forecast": {"valid_from": "2013-02-12", "test_from": "2013-02-24", "test_until": "2013-03-06"},
        "lightgbm": {"trees": 3, "leaves": 4, "max_rows": 2000, "line_rows": 1000, "threads": 1},
        "patchtst": {"width": 8, "heads": 2, "layers": 1, "feedforward": 8, "epochs": 1, "batch_windows": 64},
        "ridge": {"penalties": (1.0,)},
    }
)
MODELS = ("seasonal_naive", "ridge", "lightgbm", "patchtst")
SOME = 3


@pytest.fixture(scope="module")
def map_(cluster):
    """A map over workers whose libraries have one thread, as has this process while it asks."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with engine("dask", address=cluster.address) as carried:
        yield carried
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def made(map_, tmp_path_factory):
    """A store of seven homes, and the models that a plain run fitted on it and the forecasts that it wrote."""
    root = tmp_path_factory.mktemp("made")
    store = make_store(root, homes=7, days=66)
    forecast(store, "lcl", MODELS, root / "block", config=CONFIG, models_root=root / "models", homes_a_task=SOME)
    return store, root


def test_the_test_block_asked_of_a_cluster_that_loses_a_worker_is_forecast_to_the_bytes_of_the_plain_run(
    made, map_, tmp_path
):
    store, root = made
    marks = tmp_path / "marks"
    marks.mkdir()

    def dying(function, items):
        return map_(partial(tasks.die_after, function, str(marks), "lcl:MAC000004 to lcl:MAC000006"), items)

    forecast(
        store, "lcl", MODELS, tmp_path / "block", config=CONFIG, models_root=root / "models", homes_a_task=SOME,
        map_=dying,
    )  # fmt: skip
    assert len(list(marks.iterdir())) == 1
    ours, theirs = digests(root / "block" / "forecasts"), digests(tmp_path / "block" / "forecasts")
    assert sorted(ours) == [f"{name}.parquet" for name in sorted(MODELS)]
    assert ours == theirs


def test_homes_asked_about_all_at_once_are_forecast_to_the_bytes_of_groups_of_3(made, tmp_path):
    store, root = made
    alike = MODELS[:3]  # of a network's matrices a library may sum in another order when there are more of them
    forecast(store, "lcl", alike, tmp_path, config=CONFIG, models_root=root / "models", homes_a_task=7)
    ours, theirs = digests(root / "block" / "forecasts"), digests(tmp_path / "forecasts")
    assert theirs == {name: digest for name, digest in ours.items() if name != "patchtst.parquet"}
    assert len(theirs) == 3


@pytest.mark.parametrize("model", MODELS[2:])
def test_trees_and_networks_asked_from_one_instant_say_on_a_cluster_what_they_say_here(made, map_, tmp_path, model):
    store, root = made
    said = [
        predict(store, "lcl", model, dt.date(2013, 3, 5), tmp_path / name, config=CONFIG, horizon_steps=48,
                models_root=root / "models", homes_a_task=SOME, map_=carried)
        for name, carried in (("plain", map), ("dask", map_))
    ]  # fmt: skip
    assert said[1].path.read_bytes() == said[0].path.read_bytes()
    assert len(said[0].outlooks) == 7
