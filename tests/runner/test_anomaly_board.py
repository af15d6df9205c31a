import datetime as dt
import importlib.util
import json
import os
from pathlib import Path

import polars as pl
import pytest
from tests.runner.made_stores import make_store
from typer.testing import CliRunner

from loadproof.anomaly.controls import ConstantDetector, RandomDetector
from loadproof.anomaly.physical import PhysicalDetector
from loadproof.anomaly.seasonal import SeasonalZScoreDetector
from loadproof.cli.app import app
from loadproof.config import AnomalyBoardConfig, ExperimentConfig
from loadproof.errors import ConfigError, SchemaError
from loadproof.records import Record, find_records, read_record, write_records
from loadproof.runner.anomaly_board import SELF_PLAY, BenchOf, anomaly_board, anomaly_board_of

ROOT = Path(__file__).parents[2]
KINDS = ("unit_slip", "ev", "clean")
KNOBS = ExperimentConfig(
    anomaly_board=AnomalyBoardConfig(
        train_every=2, valid_from=dt.date(2013, 5, 1), test_from=dt.date(2013, 6, 1), test_until=dt.date(2013, 7, 5),
        homes_per_half=3, fault_homes=2, slow={"random": 1}, alerts_per_week=1.0, rates=(1.0, 2.0),
    )
)  # fmt: skip


def few(config, *, fuse_a=100.0):
    """Quick detectors in place of all."""
    found = (PhysicalDetector(fuse_a), SeasonalZScoreDetector(), RandomDetector(), ConstantDetector())
    return {detector.name: detector for detector in found}


def board(store, root, *, kinds=KINDS, knobs=KNOBS, **kwargs):
    return anomaly_board(
        store, "lcl", root, config=knobs, kinds=kinds, bench=BenchOf(few, ("anomaly_board",)), **kwargs
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("anomaly_board")
    store = make_store(root, homes=6, days=190)
    return store, root / "records", board(store, root / "records")


def contents(root):
    return {path.name + path.parent.name: path.read_bytes() for path in find_records(root)}


def test_each_half_and_kind_is_1_record_and_a_second_run_makes_none(made):
    store, root, done = made
    assert (done.planned, done.made) == (6, 6)
    before = contents(root)
    again = board(store, root)
    assert (again.made, contents(root)) == (0, before)
    assert json.dumps(again.rows) == json.dumps(done.rows)


def test_a_board_that_was_cut_off_goes_on_to_the_same_bytes(made):
    store, root, _ = made
    before = contents(root)
    (root / "A" / "ev.parquet").unlink()
    assert board(store, root).made == 1
    assert contents(root) == before


def test_a_slip_is_ranked_by_those_who_look_and_not_by_those_who_know_nothing(made):
    rows = made[2].rows
    of = {row["detector"]: row["value"] for row in rows
          if (row["kind"], row["strength"], row["metric"]) == ("unit_slip", None, "vus_pr")}  # fmt: skip
    assert min(of[name] for name in ("physical", "seasonal_zscore", "ensemble")) > 0.9
    assert max(of["random"], of["constant"]) < 0.2


def test_other_knobs_make_other_records_and_do_not_mix(made, tmp_path):
    store, root, _ = made
    other = KNOBS.model_copy(update={"seed": 1})
    board(store, tmp_path, kinds=("clean",), knobs=other)
    target = tmp_path / "B" / "theft.parquet"
    target.write_bytes((root / "A" / "clean.parquet").read_bytes())
    with pytest.raises(SchemaError, match="several boards"):
        anomaly_board_of(tmp_path, draws=100)


def test_an_event_that_nobody_knows_is_refused_with_those_that_there_are(made, tmp_path):
    with pytest.raises(ConfigError, match=r"no event is called 'flood'; there are: meter_dropout, .*lead"):
        board(made[0], tmp_path, kinds=("flood",))


def test_a_detector_on_trial_apart_joins_the_board_of_the_same_homes_and_no_other(made, tmp_path):
    root = made[1]
    for path in find_records(root):
        facts, frame = read_record(path)
        apart = frame.filter(pl.col("detector").is_in(["physical", "random"]))
        renamed = apart.filter(pl.col("detector") == "random").with_columns(detector=pl.lit("verdict"))
        write_records({tmp_path / path.relative_to(root): Record(facts, pl.concat([apart, renamed]))})
    rows = anomaly_board_of(root, draws=50, beside=tmp_path, subjects=("verdict",), without=("ev",))
    of = {row["detector"]: row for row in rows if row["metric"] == "vus_pr_lead_of:verdict" and row["kind"] == "all"}
    assert of["random"]["value"] == 0  # it is chance by another name
    assert of["physical"]["value"] < -0.5
    assert not any(row["kind"] == "ev" for row in rows)
    facts, frame = read_record(tmp_path / "A" / "clean.parquet")
    write_records({tmp_path / "A" / "clean.parquet": Record(facts, frame.with_columns(pl.col("alerts") + 1))})
    with pytest.raises(SchemaError, match="not of the same homes"):
        anomaly_board_of(root, draws=50, beside=tmp_path)


@pytest.mark.skipif("LOADPROOF_REAL_DATA" not in os.environ, reason="LEAD's files are no part of the repository")
def test_leads_4_buildings_are_judged_by_people_s_labels_and_the_zscore_beats_chance(made, tmp_path):
    lead = Path(os.environ["LOADPROOF_REAL_DATA"]) / "lead"
    rows = board(made[0], tmp_path, kinds=("lead",), lead=lead).rows
    for building in ("lead:000118", "lead:000685", "lead:001074", "lead:001143"):
        of = {row["detector"]: row["value"] for row in rows
              if row["kind"] == building and row["metric"] == "average_precision"}  # fmt: skip
        assert of["seasonal_zscore"] > 2 * of["random"]


def page_script():
    spec = importlib.util.spec_from_file_location("make_anomaly_board", ROOT / "docs" / "make_anomaly_board.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_a_small_board_has_its_tables_and_no_line_longer_than_its_head(made, tmp_path):
    make = page_script()
    make.FIGURES = tmp_path / "anomaly.json"
    make.keep(made[1])
    figures = json.loads(make.FIGURES.read_text())
    page = make.page(figures)
    assert "| `constant` |" in page
    assert "unit slip, 4 half hours" in page
    assert "<svg" in make.chart(figures)
    lines = [line for line in page.splitlines() if line.startswith("|")]
    assert len(lines) > 20
    tables = page.split("\n\n")
    for table in (part.strip().splitlines() for part in tables if part.strip().startswith("|")):
        assert len({line.count("|") for line in table}) == 1


def test_the_committed_page_is_made_from_the_committed_figures():
    make = page_script()
    if not make.FIGURES.is_file():
        pytest.skip("no board was committed yet")
    assert make.page(json.loads(make.FIGURES.read_text())) == make.PAGE.read_text(encoding="utf-8")


def test_the_detector_of_self_play_is_put_on_trial_between_its_like_and_asks_for_no_hourly_building():
    assert list(SELF_PLAY.singles(ExperimentConfig())) == ["physical", "residual", "verdict", "random"]
    assert all(detector.name == name for name, detector in SELF_PLAY.singles(ExperimentConfig()).items())
    assert set(SELF_PLAY.sections) <= set(ExperimentConfig.model_fields)
    done = CliRunner().invoke(app, ["benchmark", "anomaly", "--self-play", "--lead", "somewhere"])
    assert isinstance(done.exception, ConfigError)
