"""From a store to scores and alerts, over a block or for one day."""

import datetime as dt
import json
import shutil

import polars as pl
import pytest
from filelock import FileLock
from tests.runner.made_stores import make_house, make_store

from loadproof.anomaly.sweep import Sweep
from loadproof.config import ExperimentConfig
from loadproof.errors import ConfigError, SchemaError
from loadproof.runner.blocks import data_facts
from loadproof.runner.detect import detect, detect_day
from loadproof.runner.report import report
from loadproof.schema import ALERTS, SCORES

SECTIONS = {
    "forecast": {"valid_from": "2013-03-05", "test_from": "2013-04-02", "test_until": "2013-04-16"},
    "anomaly": {"alerts_per_week": 1, "threads": 1, "clean_days": 28, "rule_days": 14},
    "evaluation": {"bootstrap_draws": 100},
}
CONFIG = ExperimentConfig.model_validate(SECTIONS)


def _but(**sections):
    return ExperimentConfig.model_validate({**SECTIONS, **sections})


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    # The third home has three days without readings, from 6 April on.
    gap = list(range(95 * 48)) + list(range(98 * 48, 110 * 48))
    return make_store(tmp_path_factory.mktemp("data"), homes=4, days=110, keep={"lcl:MAC000003": gap})


@pytest.fixture(scope="module")
def ran(store, tmp_path_factory):
    root = tmp_path_factory.mktemp("run")
    return root, detect(store, "lcl", "sub_pca", root / "out", config=CONFIG, models_root=root / "models")


def test_scores_and_alerts_are_tables_of_the_test_block_and_the_alerts_json_too(ran):
    _, done = ran
    scores, alerts = (pl.read_parquet(path) for path in done.paths[:2])
    assert (scores.schema, alerts.schema, done.how) == (SCORES, ALERTS, "fitted")
    first, last = scores.select(pl.col("ts_utc").min(), pl.col("ts_utc").max().alias("last")).row(0)
    assert (first, last) == (
        dt.datetime(2013, 4, 1, 23, tzinfo=dt.UTC),
        dt.datetime(2013, 4, 15, 22, 30, tzinfo=dt.UTC),
    )
    assert scores.height == (4 * 14 - 3) * 48
    told = json.loads(done.paths[2].read_text())
    assert len(told["alerts"]) == alerts.height == sum(told["kinds"].values())
    assert told["alerts"][0]["start_utc"].endswith("Z")
    assert (told["detector"], told["alerts_per_week"], told["mode"]) == ("sub_pca", 1, "files")
    assert told["rate"]["per_week"] == pytest.approx(done.rate.per_week)


def test_three_days_without_readings_are_one_alert_and_have_no_score(ran):
    scores, alerts = (pl.read_parquet(path) for path in ran[1].paths[:2])
    (gap,) = alerts.filter(kind="missing").rows(named=True)
    assert (gap["entity_id"], gap["severity"]) == ("lcl:MAC000003", None)
    assert gap["sentence"] == "6 Apr 01:00 to 9 Apr 01:00: 144 readings missing"
    inside = pl.col("ts_utc").is_between(gap["start_utc"], gap["end_utc"], closed="left")
    assert scores.filter(inside, entity_id=pl.lit("lcl:MAC000003")).is_empty()


def test_a_second_run_keeps_the_detector_and_writes_the_same_bytes(store, ran):
    root, done = ran
    files = [path for path in root.rglob("*") if path.is_file()]
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}
    again = detect(store, "lcl", "sub_pca", root / "out", config=CONFIG, models_root=root / "models")
    assert (done.how, again.how) == ("fitted", "kept")
    assert {path: path.read_bytes() for path in files} == {path: data for path, (data, _) in before.items()}
    model = again.folder / "config.json"
    assert model.stat().st_mtime_ns == before[model][1]


@pytest.mark.parametrize("day", [dt.date(2013, 4, 2), dt.date(2013, 4, 12)])
def test_one_day_alone_has_the_scores_and_p_values_that_it_has_in_the_block(store, ran, day):
    root, done = ran
    alone = detect_day(store, "lcl", "sub_pca", day, root / "out", config=CONFIG, models_root=root / "models")
    found, wanted = pl.read_parquet(alone.paths[0]), pl.read_parquet(done.paths[0])
    local = pl.col("ts_utc").dt.convert_time_zone("Europe/London").dt.date()
    assert found.equals(wanted.filter(local == day)) and found.height == 4 * 48
    assert alone.paths[0].parent == root / "out" / "at" / day.isoformat() / "scores"


def test_of_one_home_the_tables_hold_its_rows_of_the_tables_of_all(store, ran, tmp_path):
    root, done = ran
    name = "lcl:MAC000002"
    one = detect(
        store, "lcl", "sub_pca", tmp_path, config=CONFIG, models_root=root / "models", entities=[name]
    )  # fmt: skip
    for mine, all_ in zip(one.paths[:2], done.paths[:2], strict=True):
        assert pl.read_parquet(mine).equals(pl.read_parquet(all_).filter(entity_id=name))
    assert one.rate.homes == 1


def test_another_rate_takes_the_same_detector(store, ran, tmp_path):
    root, done = ran
    more = _but(anomaly={**SECTIONS["anomaly"], "alerts_per_week": 3})
    asked = {"config": more, "models_root": root / "models"}
    again = detect(store, "lcl", "sub_pca", tmp_path, **asked)
    assert again.how == "kept" and again.rate.alerts > done.rate.alerts
    assert pl.read_parquet(again.paths[0]).equals(pl.read_parquet(done.paths[0]))
    alone = detect_day(store, "lcl", "sub_pca", dt.date(2013, 4, 5), tmp_path, **asked)
    assert alone.wanted_per_week == 3


def test_a_damaged_detector_is_fitted_again_but_not_used_for_a_day(store, ran, tmp_path):
    models = tmp_path / "models"
    done = detect(store, "lcl", "physical", tmp_path, config=CONFIG, models_root=models)
    (done.folder / "arrays.safetensors").write_bytes(b"rubbish")
    with pytest.raises(SchemaError, match="is not the file that"):
        detect_day(store, "lcl", "physical", dt.date(2013, 4, 5), tmp_path, config=CONFIG, models_root=models)
    assert detect(store, "lcl", "physical", tmp_path, config=CONFIG, models_root=models).how == "fitted"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (_but(anomaly={"clean_days": 70}),
         r"no day to learn from between the readings' first weeks \(2013-01-29\) and the clean history \(2013-01-22\): "
         r"the readings begin on 2013-01-01, and each day needs 28 before it; set test_from inside the data"),
        (_but(anomaly={**SECTIONS["anomaly"], "alerts_per_week": 0.001}),
         r"8 home-weeks of clean history cannot tell 0\.001 alerts per home and week apart from fewer; give more"),
        (_but(forecast={**SECTIONS["forecast"], "test_from": "2013-06-01", "test_until": "2013-06-03"}),
         r"no day to learn from between the clean history \(2013-05-04\) and test_from"),
    ],
)  # fmt: skip
def test_too_little_data_is_refused_with_the_mend_and_leaves_no_table(store, tmp_path, config, message):
    with pytest.raises(ConfigError, match=message):
        detect(store, "lcl", "sub_pca", tmp_path / "out", config=config, models_root=tmp_path / "models")
    assert not (tmp_path / "out").exists()


def test_days_after_the_last_reading_of_anybody_are_not_told_of(store, ran, tmp_path):
    long = _but(forecast={**SECTIONS["forecast"], "test_until": "2013-05-10"})
    done = detect(store, "lcl", "sub_pca", tmp_path, config=long, models_root=ran[0] / "models")
    alerts = pl.read_parquet(done.paths[1]).filter(kind="missing")
    # The last day begins, and breaks off after an hour.
    assert alerts["end_utc"].max() == dt.datetime(2013, 4, 21, 23, tzinfo=dt.UTC)
    assert alerts.height == 5


def test_strange_homes_days_and_detectors_are_refused_with_the_mend(store, ran, tmp_path):
    root, _ = ran
    asked = {"config": CONFIG, "models_root": root / "models"}
    with pytest.raises(ConfigError, match="MAC000099: the store has no reading of it, but of 4 others such as lcl"):
        detect(store, "lcl", "sub_pca", tmp_path, entities=["lcl:MAC000099"], **asked)
    with pytest.raises(ConfigError, match="holds no reading of 2013-06-01; ingest it first, or name another day"):
        detect_day(store, "lcl", "sub_pca", dt.date(2013, 6, 1), tmp_path, **asked)
    with pytest.raises(ConfigError, match="2013-03-10 is before 2013-04-02, from when on days are judged; choose"):
        detect_day(store, "lcl", "sub_pca", dt.date(2013, 3, 10), tmp_path, **asked)
    with pytest.raises(SchemaError, match="holds no detector; run 'loadproof anomaly --detector mstl' without"):
        detect_day(store, "lcl", "mstl", dt.date(2013, 4, 5), tmp_path, **asked)
    other = {**asked, "config": _but(anomaly={**SECTIONS["anomaly"], "fuse_a": 60})}
    with pytest.raises(SchemaError, match="was fitted with other knobs or on another dataset; give the config that it"):
        detect_day(store, "lcl", "sub_pca", dt.date(2013, 4, 5), tmp_path, **other)


def test_while_another_process_fits_it_nobody_else_does(store, tmp_path):
    (tmp_path / "models" / "detectors").mkdir(parents=True)
    lock = tmp_path / "models" / "detectors" / ".physical.lock"
    with FileLock(lock), pytest.raises(ConfigError, match="another process fits it now; wait for it to end"):
        detect(store, "lcl", "physical", tmp_path, config=CONFIG, models_root=tmp_path / "models")


def test_a_kettle_that_reads_twice_what_its_house_does_raises_an_alert_on_the_house_in_a_block_and_alone(tmp_path):
    evening = slice(95 * 48 + 36, 95 * 48 + 42)  # 6 April, 18:00 to 21:00 UTC
    store = make_house(tmp_path, 110, tenfold=evening)
    done = detect(store, "ukdale", "physical", tmp_path, config=CONFIG, models_root=tmp_path / "models")
    alerts = pl.read_parquet(done.paths[1]).filter(entity_id="ukdale:house_1", kind="limit")
    ((start, end),) = alerts.select("start_utc", "end_utc").rows()
    assert start <= dt.datetime(2013, 4, 6, 18, tzinfo=dt.UTC) and end == dt.datetime(2013, 4, 6, 21, tzinfo=dt.UTC)
    assert alerts["sentence"][0].endswith("or less than its sub-meters")
    day = dt.date(2013, 4, 6)
    alone = detect_day(store, "ukdale", "physical", day, tmp_path, config=CONFIG, models_root=tmp_path / "models")
    local = pl.col("ts_utc").dt.convert_time_zone("Europe/London").dt.date()
    assert pl.read_parquet(alone.paths[0]).equals(pl.read_parquet(done.paths[0]).filter(local == day))


def test_the_report_tells_of_the_alerts_of_the_readings_as_they_stand_and_of_no_others(store, ran, tmp_path):
    _, done = ran
    page = report(store, "lcl", done.paths[1].parent.parent, tmp_path / "page.html").read_text()
    assert "The detector sub_pca read every half hour of 4 homes" in page and "6 Apr 01:00 to 9 Apr 01:00" in page
    other = make_store(tmp_path / "other", homes=4, days=110, seed=1)
    page = report(other, "lcl", done.paths[1].parent.parent, tmp_path / "page.html").read_text()
    assert "No alerts were given to this page" in page


def test_homes_scored_by_tasks_that_read_for_themselves_get_the_tables_of_one_process(
    store, ran, tmp_path, monkeypatch
):
    monkeypatch.setattr(Sweep, "_homes_a_chunk", lambda self: 3)
    asked = {"config": CONFIG, "models_root": tmp_path / "models", "map_": map}
    spread = detect(store, "lcl", "sub_pca", tmp_path / "out", **asked)
    assert [path.read_bytes() for path in spread.paths] == [path.read_bytes() for path in ran[1].paths]
    day = dt.date(2013, 4, 8)  # in the gap of the third home
    alone = detect_day(store, "lcl", "sub_pca", day, tmp_path / "out", **asked)
    here = detect_day(store, "lcl", "sub_pca", day, tmp_path / "here", **{**asked, "map_": None})
    assert [path.read_bytes() for path in alone.paths] == [path.read_bytes() for path in here.paths]


def test_the_report_tells_of_alerts_of_a_detector_that_knew_the_weather(store, ran, tmp_path):
    shutil.copytree(ran[0] / "out" / "alerts", tmp_path / "alerts")
    summary = store.summary_path("weather")
    summary.write_text('{"sources": [{"sha256": "of the weather"}]}')
    try:
        plain, with_it = (data_facts(store, "lcl", with_weather=known)["data_sha256"] for known in (False, True))
        told = tmp_path / "alerts" / "sub_pca.json"
        assert plain in told.read_text() and plain != with_it
        told.write_text(told.read_text().replace(plain, with_it))
        assert "The detector sub_pca read every" in report(store, "lcl", tmp_path, tmp_path / "page.html").read_text()
    finally:
        summary.unlink()
