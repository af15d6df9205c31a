"""The page on risk's probabilities is what its record says."""

import importlib.util
from pathlib import Path

import polars as pl

from loadproof.records import read_record

ROOT = Path(__file__).parents[1]


def script():
    spec = importlib.util.spec_from_file_location("make_feeder_risk", ROOT / "docs" / "make_feeder_risk.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_made_from_its_record():
    make = script()
    assert make.page(read_record(make.RECORD)) == make.PAGE.read_text()


def test_the_record_comes_from_real_homes_and_its_shares_are_shares():
    record = read_record(script().RECORD)
    assert (record.facts["mode"], record.facts["feeders"]) == ("files", 40)
    rates = record.frame.filter(metric="event_rate")
    assert rates["value"].is_between(0, 1).all()
    of_days = pl.col("subject").str.contains("/any/")
    assert rates.filter(~of_days)["n"].min() > 150_000
    assert rates.filter(of_days)["n"].min() > 3_000


def test_past_days_tell_the_chance_of_any_half_hour_better_than_independence_at_each_percentile():
    frame = read_record(script().RECORD).frame.filter(metric="reliability_error")
    for percentile in (0.9, 0.95, 0.99):
        error = {way: frame.filter(subject=f"ridge/any/{way}", percentile=percentile)["value"].item()
                 for way in ("least", "apart", "together")}  # fmt: skip
        assert error["together"] < min(error["least"], error["apart"])


def test_a_climatology_has_no_skill_over_itself():
    frame = read_record(script().RECORD).frame
    for name in ("constant", "hourly", "recent"):
        own = frame.filter(subject=f"climatology:{name}", metric=f"brier_skill:{name}")
        assert own["value"].abs().max() < 1e-12
