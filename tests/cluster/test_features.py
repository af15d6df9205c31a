import subprocess
import sys
from functools import partial

import pytest
import yaml
from tests.cluster import tasks
from tests.runner.made_stores import add_weather, make_store
from tests.runner.test_ingest import digests

from loadproof.cluster.engine import engine
from loadproof.config import ExperimentConfig, FeatureConfig, read_config
from loadproof.errors import EngineError
from loadproof.runner.features import write_features
from loadproof.runner.stages import run_stage

CONFIG = ExperimentConfig(features=FeatureConfig(weather="forecast"))
VICTIM = "2013-02 of lcl:MAC000003 to lcl:MAC000004"


@pytest.fixture(scope="module")
def map_(cluster):
    with engine("dask", address=cluster.address) as carried:
        yield carried


def fill(root):
    """A store of four homes and 40 days."""
    store = make_store(root, homes=4, days=40)
    add_weather(store, days=60)
    return store


def make(store, map_=map):
    return write_features(store, "lcl", config=CONFIG, homes_a_task=2, map_=map_)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """What a plain run leaves, beside the readings too."""
    root = tmp_path_factory.mktemp("plain")
    assert make(fill(root)).rows == 4 * 39 * 48
    return digests(root)


def test_features_made_by_a_cluster_that_loses_a_worker_are_those_of_the_plain_run(plain, map_, tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()

    def dying(function, items):
        return map_(partial(tasks.die_after, function, str(marks), VICTIM), items)

    make(fill(tmp_path / "out"), dying)
    assert [path.name for path in marks.iterdir()] == [VICTIM]
    assert digests(tmp_path / "out") == plain


def test_a_month_that_always_fails_is_named_and_the_next_run_makes_that_one_alone(plain, map_, tmp_path):
    store = fill(tmp_path)
    with pytest.raises(EngineError, match=f"^{VICTIM}: RuntimeError: as it was told to .all others are done"):
        make(store, lambda function, items: map_(partial(tasks.fail, function, VICTIM), items))
    assert not (tmp_path / "features").exists()
    (stage,) = (tmp_path / ".staging").glob("features-*")
    assert len(list(stage.rglob("*.json"))) == 2 * 2 - 1
    kept = {file.stat().st_ino for file in stage.rglob("*.parquet")}
    done = make(store, map_)
    made = [file for file in done.folder.rglob("*.parquet") if file.stat().st_ino not in kept]
    assert [file.relative_to(done.folder).as_posix() for file in made] == ["month=2013-02/part-00001.parquet"]
    assert digests(tmp_path) == plain


def test_a_stage_of_the_pipeline_that_the_environment_sends_to_a_cluster_leaves_the_bytes_of_the_plain_run(
    cluster, tmp_path
):
    files = {}
    for name in ("plain", "dask"):
        store = make_store(tmp_path / name, homes=2, days=40)
        knobs = {"data": {"input_root": str(tasks.ROOT / "data" / "samples"), "input_kind": "samples",
                          "processed_root": str(store.root), "derived_root": str(tmp_path / name)}}  # fmt: skip
        files[name] = tmp_path / f"{name}.yaml"
        files[name].write_text(yaml.safe_dump(knobs))
    run_stage("feature_engineering", read_config(files["plain"]))
    command = [sys.executable, "-m", "loadproof", "run", "feature_engineering", "--config", str(files["dask"])]
    environment = {**cluster.of_a_client, "TRACK": "false"}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"dask: {cluster.address}, without a dashboard" in done.stderr
    ours, theirs = digests(tmp_path / "plain"), digests(tmp_path / "dask")
    assert "features/dataset=lcl/month=2013-01/part-00000.parquet" in ours
    assert ours == theirs
