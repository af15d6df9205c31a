from dataclasses import replace

import polars as pl
import pytest

from loadproof.errors import ConfigError
from loadproof.morning_folder import MorningFolder


@pytest.fixture
def folder(tmp_path):
    """A morning whose first group has a table of scored days."""
    made = MorningFolder(tmp_path / "2013-02-20", "lcl", "key")
    path = made.part("days/stl", 1)
    path.parent.mkdir(parents=True)
    pl.DataFrame({"p": [0.5]}).write_parquet(path)
    return made


def test_days_are_kept_for_a_detector_and_a_group_and_forgotten_with_the_group(folder):
    for whose in ("aa", "bb"):
        folder.keep_days("stl-01", whose, "days/stl", 1)
    folder.forget_days("stl-01", ["bb"])
    assert folder.days("stl-01", "aa") is None
    assert folder.days("stl-01", "bb")["p"].to_list() == [0.5]


def test_days_by_a_detector_as_it_was_are_forgotten_and_those_by_another_are_not(folder):
    for watch in ("stl-01", "stl-02", "deep-stl-01", "physical-03"):
        folder.keep_days(watch, "aa", "days/stl", 1)
    folder.forget_days("stl-02", ["aa"])
    there = {path.name for path in (folder.root.parent / ".fleet-days" / "lcl").iterdir()}
    assert there == {"stl-02", "deep-stl-01", "physical-03"}


def test_days_that_cannot_be_kept_are_said_and_stop_no_morning(folder, caplog):
    (folder.root.parent / ".fleet-days").write_text("where a folder should be")
    folder.keep_days("stl-01", "aa", "days/stl", 1)
    assert "its days are scored again another morning" in caplog.text
    assert folder.days("stl-01", "aa") is None


def test_nothing_kept_is_nothing_to_forget_and_a_damaged_file_is_nothing_kept(folder):
    folder.forget_days("stl-01", [])
    folder.keep_days("stl-01", "aa", "days/stl", 1)
    kept = folder.root.parent / ".fleet-days" / "lcl" / "stl-01" / "aa.parquet"
    kept.unlink()  # a link to the part, whose bytes are not this test's to damage
    kept.write_bytes(b"PAR1 and no more")
    assert folder.days("stl-01", "aa") is None


def test_what_is_under_way_and_kept_of_another_dataset_is_left_alone(folder):
    other = replace(folder, dataset="ssen")
    other.keep("forecast", 1, {"days/stl": pl.DataFrame({"p": [0.25]})}, {})
    for one in (folder, other):
        one.keep_days("stl-01", "aa", "days/stl", 1)
        one.keep_days("stl-02", "aa", "days/stl", 1)
    folder.forget_days("stl-02", [])
    folder.clear()
    assert not folder.working.exists()
    assert other.done("forecast", 1) == {"tables": ["days/stl"]}
    assert folder.days("stl-02", "aa") is None
    assert [other.days(watch, "aa")["p"].item() for watch in ("stl-01", "stl-02")] == [0.25, 0.25]


def test_the_tables_of_another_dataset_are_refused_and_stay(folder):
    folder.publish({}, {"risk": pl.DataFrame({"rank": [1]})}, {"failed": {}})
    with pytest.raises(ConfigError, match=r"fleet: holds the morning of lcl; name another --output-dir$"):
        replace(folder, dataset="ssen", key="other").standing()
    assert folder.standing() == {"failed": {}, "dataset": "lcl", "key": "key"}
