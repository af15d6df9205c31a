import datetime as dt
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from tests.cluster import tasks
from tests.cluster.tasks import DyingLCL, DyingSSEN, DyingUKDALE
from tests.conftest import lcl_line
from tests.runner.made_stores import make_store
from tests.runner.ssen_servers import day_csv
from tests.runner.test_backtest import BUILDERS, board, config_of
from tests.runner.test_detect import CONFIG
from tests.runner.test_ingest import digests
from tests.runner.test_study import run as small_study
from tests.runner.test_study import table  # noqa: F401

from loadproof.anomaly.sweep import Sweep
from loadproof.cluster.engine import engine
from loadproof.config import ExperimentConfig
from loadproof.errors import EngineError
from loadproof.ingestion.lcl import LCLIngestor
from loadproof.ingestion.ssen import SSENIngestor
from loadproof.ingestion.ukdale import UKDALEIngestor
from loadproof.records import find_records, read_record
from loadproof.runner.backtest import backtest
from loadproof.runner.detect import detect
from loadproof.runner.ingest import ingest
from loadproof.runner.predict import predict
from loadproof.store import Store

ROOT = Path(__file__).parents[2]

PARTS, MONTHS = 6, 3


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """Six parts, a home each, three months long."""
    folder = tmp_path_factory.mktemp("raw") / "lcl"
    folder.mkdir()
    first = dt.datetime(2013, 1, 1, 0, 30)  # noqa: DTZ001 the source names no zone
    stamps = [f"{first + number * dt.timedelta(minutes=30)}.0000000" for number in range(90 * 48 - 1)]
    for number in range(PARTS):
        home = f"MAC{number:06d}"
        lines = [lcl_line(home, stamp, f" 0.{at % 977:03d} ") for at, stamp in enumerate(stamps)]
        text = "LCLid,stdorToU,DateTime,KWH/hh (per half hour) \r\n" + "".join(lines)
        (folder / f"LCL-June2015v2_{number}.csv").write_bytes(text.encode())
    return folder.parent


def bring(ingestor, out, **options):
    return ingest(ingestor, Store(out / "processed"), mode="files", max_rejected_share=0.05, **options)


@pytest.fixture(scope="module")
def plain(raw, tmp_path_factory):
    """What a plain run makes of the six parts."""
    out = tmp_path_factory.mktemp("plain")
    bring(LCLIngestor(raw), out)
    return digests(out)


@pytest.fixture(scope="module")
def map_(cluster):
    with engine("dask", address=cluster.address) as carried:
        yield carried


def test_a_worker_killed_in_the_middle_of_a_part_loses_and_doubles_nothing(raw, plain, map_, tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()
    bring(DyingLCL(raw, marks, "LCL-June2015v2_2.csv", block_bytes=1 << 15), tmp_path / "out", map_=map_)
    assert len(list(marks.iterdir())) == 1
    assert digests(tmp_path / "out") == plain


@pytest.mark.parametrize(("whole", "dying"), [(SSENIngestor, DyingSSEN), (UKDALEIngestor, DyingUKDALE)])
def test_a_worker_killed_in_a_day_of_feeders_or_a_meter_of_a_house_loses_and_doubles_nothing(
    map_, tmp_path, whole, dying
):
    marks, root = tmp_path / "marks", tmp_path / "raw"
    marks.mkdir()
    root.mkdir()
    if whole is SSENIngestor:
        for day in ("2024-02-12", "2024-02-13", "2024-02-14"):
            (root / f"{day}.csv").write_bytes(day_csv(day))
    else:
        shutil.copy(ROOT / "data" / "samples" / "ukdale_sample.h5", root / "ukdale.h5")
    victim = whole(root).parts()[1].name
    bring(whole(root), tmp_path / "plain")
    bring(dying(root, marks, victim), tmp_path / "dask", map_=map_)
    assert len(list(marks.iterdir())) == 1
    theirs = digests(tmp_path / "dask")
    assert [name for name in theirs if name.endswith(".parquet")]
    assert theirs == digests(tmp_path / "plain")


def test_workers_killed_after_a_part_and_after_a_month_lose_and_double_nothing(raw, plain, map_, tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()

    def dying(function, items):
        items = list(items)
        return map_(partial(tasks.die_after, function, str(marks), str(items[1])), items)

    bring(LCLIngestor(raw), tmp_path / "out", map_=dying)
    assert sorted(path.name for path in marks.iterdir()) == ["LCL-June2015v2_1.csv", "month 2013-02"]
    assert digests(tmp_path / "out") == plain


@pytest.mark.parametrize("victim", ["LCL-June2015v2_4.csv", "month 2013-02"])
def test_a_task_that_always_fails_is_named_the_rest_is_done_and_the_next_run_ends_in_the_same_bytes(
    raw, plain, map_, tmp_path, victim
):
    def failing(function, items):
        return map_(partial(tasks.fail, function, victim), items)

    with pytest.raises(EngineError, match=f"^{victim}: RuntimeError: as it was told to .all others are done"):
        bring(LCLIngestor(raw), tmp_path, map_=failing)
    stage = next((tmp_path / ".staging").glob("lcl-*/"))
    months = [path.name for path in (stage / "out" / "months").glob("*")] if "month" in victim else []
    assert len(list((stage / "parts").glob("*.json"))) == (PARTS if "month" in victim else PARTS - 1)
    assert sorted(months) == (["month=2013-01", "month=2013-03"] if "month" in victim else [])
    assert not (tmp_path / "processed").exists()
    bring(LCLIngestor(raw), tmp_path, map_=map_)
    assert digests(tmp_path) == plain


def test_a_scheduler_restarted_between_two_stages_is_found_again(raw, plain, cluster, map_, tmp_path):
    stages = []

    def restarting(function, items):
        if stages:
            cluster.restart()
        stages.append(function)
        return map_(function, items)

    bring(LCLIngestor(raw), tmp_path, map_=restarting)
    assert len(stages) == 2
    assert digests(tmp_path) == plain


def test_a_scheduler_lost_in_the_middle_is_said_and_the_same_command_goes_on(cluster, map_):
    results = map_(tasks.wait_a_little, range(100))
    assert next(results) == 0
    cluster.restart()
    with pytest.raises(EngineError, match=r"the scheduler went away during .*; start it and run the same"):
        list(results)


def test_a_worker_out_of_memory_is_said_and_not_tried_for_ever(small_worker):
    done = []
    with (
        engine("dask", address=small_worker.address) as map_,
        pytest.raises(
            EngineError, match=r"^2: alone on a worker took more memory than that has, 2 times, the last at \d+\.\d GB"
        ),
    ):
        for result in map_(tasks.eat, range(4)):
            done.append(result)
    assert done == [0, 1, 3]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_is_said_with_exit_code_1_and_the_same_command_goes_on(raw, plain, cluster, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=150k", "tmpfs", disk], check=False).returncode:
        pytest.skip("this container may not mount a small disk")
    try:
        command = [sys.executable, "-m", "loadproof", "ingest", "lcl", "--input-root", raw, "--output-root",
                   disk / "data" / "processed"]  # fmt: skip
        full = subprocess.run(command, env=cluster.of_a_client, capture_output=True, text=True, check=False)
        assert full.returncode == 1
        assert "OSError: [Errno 28] No space left on device: " in full.stderr
        assert not (disk / "data" / "processed").exists()
        subprocess.run(["mount", "-o", "remount,size=20m", disk], check=True)
        again = subprocess.run(command, env=cluster.of_a_client, capture_output=True, text=True, check=False)
        assert again.returncode == 0, again.stderr
        assert digests(disk / "data") == plain
    finally:
        subprocess.run(["umount", disk], check=True)


def test_homes_in_groups_forecast_on_a_cluster_that_loses_a_worker_are_those_of_the_plain_run(map_, tmp_path):
    store = make_store(tmp_path / "store", homes=7, days=60)
    marks = tmp_path / "marks"
    marks.mkdir()

    def dying(function, items):
        items = list(items)
        return map_(partial(tasks.die_after, function, str(marks), str(items[1])), items)

    said = [
        predict(store, "lcl", "seasonal_naive", dt.date(2013, 2, 20), tmp_path / name, config=ExperimentConfig(),
                horizon_steps=48, models_root=tmp_path / "models", homes_a_task=2, map_=carried)
        for name, carried in (("plain", map), ("dask", dying))
    ]  # fmt: skip
    assert [path.name for path in marks.iterdir()] == ["lcl:MAC000003 to lcl:MAC000004"]
    assert said[1].path.read_bytes() == said[0].path.read_bytes()
    assert said[1].outlooks == said[0].outlooks


def test_days_of_homes_scored_on_a_cluster_that_loses_a_worker_give_the_tables_of_the_plain_run(
    map_, tmp_path, monkeypatch
):
    monkeypatch.setattr(Sweep, "_homes_a_chunk", lambda self: 2)
    store, marks = make_store(tmp_path / "store", homes=4, days=110), tmp_path / "marks"
    marks.mkdir()

    def dying(function, items):
        items = list(items)
        return map_(partial(tasks.die_after, function, str(marks), str(items[0])), items)

    done = [
        detect(store, "lcl", "sub_pca", tmp_path / name, config=CONFIG, models_root=tmp_path / name, map_=carried)
        for name, carried in (("plain", None), ("dask", dying))
    ]
    assert [path.name for path in marks.iterdir()] == ["lcl:MAC000001 to lcl:MAC000002"]
    for here, there in zip(done[0].paths, done[1].paths, strict=True):
        assert here.read_bytes() == there.read_bytes()


def test_the_14_jobs_of_a_board_on_a_cluster_that_loses_a_worker_come_to_the_rows_of_the_plain_run(map_, tmp_path):
    store, marks = make_store(tmp_path / "store", homes=6, days=100), tmp_path / "marks"
    marks.mkdir()
    here = board(store, tmp_path / "plain")

    def dying(function, items):
        items = list(items)
        return map_(partial(tasks.die_after, function, str(marks), str(items[1])), items)

    there = backtest(store, "lcl", tmp_path / "dask", config=config_of(), forecasters=BUILDERS, map_=dying)
    assert len(list(marks.iterdir())) == 1
    assert (there.made, there.kept) == (14, 0)
    assert there.rows == here.rows
    assert len(find_records(tmp_path / "dask")) == 28


def run(arguments, environment, cwd=None):
    done = subprocess.run(
        [sys.executable, "-m", "loadproof", *map(str, arguments)], env=environment, capture_output=True, text=True,
        check=False, cwd=cwd,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


def test_workers_that_stand_in_another_folder_find_an_input_that_is_named_from_here(cluster, tmp_path):
    environment = {**cluster.of_a_client, "USE_SAMPLES": "true"}
    assert cluster.folder != ROOT
    for name, one in (("plain", {**environment, "LOADPROOF_ENGINE": "plain"}), ("dask", environment)):
        run(["ingest", "lcl", "--output-root", tmp_path / name / "processed"], one, cwd=ROOT)
    ours, theirs = digests(tmp_path / "plain"), digests(tmp_path / "dask")
    assert [name for name in ours if name.startswith("processed/")]
    assert ours == theirs


def test_the_real_archive_ingested_and_forecast_by_two_workers_gives_the_tables_of_the_plain_run(
    real_data, cluster, tmp_path
):
    root = tmp_path / "raw"
    root.mkdir()
    shutil.copytree(Path(real_data) / "lcl", root / "lcl")
    at_home = {**cluster.environment, "TRACK": "false"}
    for name, environment in (("plain", at_home), ("dask", {**cluster.of_a_client, "TRACK": "false"})):
        out = tmp_path / name
        told = run(["ingest", "lcl", "--input-root", root, "--output-root", out / "processed"], environment)
        forecast = ["forecast", "--at", "2013-12-01", "--processed-root", out / "processed", "--output-dir", out / "f"]
        run([*forecast, "--model", "seasonal_naive", "--model", "persistence_ensemble"], environment)
    assert f"dask: {cluster.address}, without a dashboard" in told.stderr
    ours, theirs = digests(tmp_path / "plain"), digests(tmp_path / "dask")
    # Seventeen months, what was set aside, and two forecasts.
    assert len([name for name in ours if name.endswith(".parquet")]) == 20
    assert ours == theirs


@pytest.mark.usefixtures("table")  # for this process; a worker's is set in the task
def test_a_worker_killed_between_two_records_of_a_study_s_seed_loses_and_doubles_nothing(map_, tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()

    def dying(function, items):
        items = list(items)
        return map_(partial(tasks.play_small, function, str(marks), str(items[0])), items)

    def told(root):
        records = {path.relative_to(root): read_record(path) for path in find_records(root / "records")}
        facts = {path: {**one.facts, "seconds": 0} for path, one in records.items()}
        return facts, {path: one.frame.to_dicts() for path, one in records.items()}

    plain = small_study(tmp_path / "plain", arms=("real", "real_more"), seeds=2)
    spread = small_study(tmp_path / "dask", arms=("real", "real_more"), seeds=2, map_=dying)
    assert (spread.planned, spread.made) == (plain.planned, plain.made) == (4, 4)
    assert len(list(marks.iterdir())) == 1
    assert told(tmp_path / "dask") == told(tmp_path / "plain")
