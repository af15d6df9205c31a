"""What a watch tells: the rate that it had, its counts, its gravest alerts."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from tests.anomaly.detector_fixtures import homes, panel_of
from tests.anomaly.tiny_detector import TinyDetector

from loadproof.anomaly import sweep
from loadproof.anomaly.following import CleanHistory
from loadproof.anomaly.sweep import Sweep, join_scores
from loadproof.anomaly.watch import (
    Told,
    achieved_rate,
    alert_sums,
    alerts_to_show,
    count_kinds,
    judge,
    tell,
    worst_alerts,
)
from loadproof.errors import ConfigError
from loadproof.schema import ALERTS, SCORES

CLEAN = CleanHistory(dt.date(2013, 2, 25), days=21, rule_days=14, refresh_days=7)
UNTIL = dt.date(2013, 3, 4)


def _watch(energy, *, only=(), threads=1):
    panel = panel_of(energy)
    found = join_scores(Sweep(panel, CLEAN.first, UNTIL).score(TinyDetector()))
    days = Sweep(panel.only(only) if only else panel, CLEAN.judged_from, UNTIL, threads=threads)
    judged = judge(found, CLEAN, days.dates, days.panel.entities, alerts_per_week=0.5)
    alerts = tell(days, judged, detector="tiny")
    return judged, Told(alerts, judged.rate(draws=100, rng=np.random.default_rng(0)))


def _rate(odd, read=None):
    read = np.ones_like(odd) if read is None else read
    sums = alert_sums(odd, read, interval_mins=30)
    return achieved_rate([sums], draws=100, rng=np.random.default_rng(0))


@pytest.fixture(scope="module")
def energy():
    energy = homes(5, 56, seed=4)
    energy[2, 50 * 48 + 37 : 50 * 48 + 42] = 9  # 26 February, 18:30 to 21:00
    energy[3, 51 * 48 : 53 * 48] = np.nan  # two days
    return energy


def test_3_alerts_in_2_home_weeks_are_1_5_a_week():
    odd = np.zeros((2, 336), bool)
    odd[0, [5, 50, 54]] = odd[1, 100] = True  # two within two hours are one alert
    rate = _rate(odd)
    assert (rate.alerts, rate.homes, rate.home_weeks, rate.per_week) == (3, 2, 2, 1.5)
    assert np.isnan([rate.low, rate.high]).all() and rate.as_json()["low"] is None
    rate = _rate(np.tile(odd, (4, 4)))
    assert rate.per_week == 1.5 and rate.low < 1.5 < rate.high


def test_half_a_week_missing_counts_half_a_week():
    odd, read = np.zeros((1, 336), bool), np.ones((1, 336), bool)
    read[0, 168:] = False
    assert _rate(odd, read).home_weeks == 0.5


def test_an_evening_of_9_kwh_is_the_gravest_and_two_days_missing_are_told_of_once(energy):
    judged, told = _watch(energy)
    scores = judged.table("tiny")
    assert scores.schema == SCORES and told.alerts.schema == ALERTS
    assert scores.height == 5 * 7 * 48 - 96
    (first, *_) = worst_alerts(told.alerts)
    assert (first["entity_id"], first["kind"]) == ("h0002", "spike")
    assert first["sentence"].startswith("18:30 to 21:00: 45.0 kWh against ")
    assert told.alerts.filter(kind="missing")["sentence"].to_list() == [
        "27 Feb 00:00 to 1 Mar 00:00: 96 readings missing"
    ]
    assert count_kinds(told.alerts)["missing"] == 1
    assert told.rate.alerts == told.alerts.height - 1
    assert list(judged.limits()) == [
        f"2013-{day}" for day in ("02-25", "02-26", "02-27", "02-28", "03-01", "03-02", "03-03")
    ]
    assert len(set(judged.limits().values())) == 1  # one period


def test_in_chunks_of_one_home_on_two_threads_the_same_is_told(energy, monkeypatch):
    whole = _watch(energy)
    monkeypatch.setattr(sweep, "_CHUNK_VALUES", 1)
    parts = _watch(energy, threads=2)
    assert parts[0].table("tiny").equals(whole[0].table("tiny")) and parts[1].alerts.equals(whole[1].alerts)


def test_told_of_two_homes_alone_they_are_ranked_among_all(energy):
    whole, two = _watch(energy), _watch(energy, only=("h0002", "h0003"))
    mine = pl.col("entity_id").is_in(["h0002", "h0003"])
    assert two[0].table("tiny").equals(whole[0].table("tiny").filter(mine))
    assert two[1].alerts.equals(whole[1].alerts.filter(mine))


def test_homes_that_are_not_there_are_refused_with_the_mend(energy):
    with pytest.raises(
        ConfigError, match=r"none of 0 entities has a reading in the weeks before.*choose a later day, or"
    ):
        _watch(energy, only=("strange",))


def test_the_gravest_are_one_a_home_and_of_equals_the_one_furthest_outside_its_band():
    rows = [("a", 3.0, 9.0), ("a", 5.0, 2.0), ("b", 5.0, 4.0), ("c", None, None)]
    alerts = pl.DataFrame(rows, ["entity_id", "severity", "energy_kwh"], orient="row").with_columns(
        start_utc=pl.lit(dt.datetime(2013, 1, 1, tzinfo=dt.UTC)), expected_low_kwh=0.5, expected_high_kwh=1.0
    )
    assert [(row["entity_id"], row["energy_kwh"]) for row in worst_alerts(alerts)] == [("b", 4.0), ("a", 2.0)]


def test_the_report_pictures_every_alert_of_its_homes_each_home_s_gravest_first_and_the_longest_gap_last():
    start = dt.datetime(2013, 5, 1, tzinfo=dt.UTC)
    rows = [("a", 3.0, "spike", 1), ("a", 5.0, "spike", 2), ("b", 4.0, "drift", 3), ("a", None, "missing", 4),
            ("b", None, "missing", 6), ("c", 1.0, "spike", 7)]  # fmt: skip
    alerts = pl.DataFrame(
        [(who, start + dt.timedelta(days=day), start + dt.timedelta(days=day, hours=day), kind, severity, 1.0, 0.1, 0.2)
         for who, severity, kind, day in rows],
        schema={"entity_id": pl.String, "start_utc": pl.Datetime("us", "UTC"), "end_utc": pl.Datetime("us", "UTC"),
                "kind": pl.String, "severity": pl.Float64, "energy_kwh": pl.Float64, "expected_low_kwh": pl.Float64,
                "expected_high_kwh": pl.Float64},
        orient="row",
    )  # fmt: skip
    told = [(alert["entity_id"], alert["severity"]) for alert in alerts_to_show(alerts, homes=2)]
    assert told == [("a", 5.0), ("b", 4.0), ("a", 3.0), ("b", None)]
    assert len(alerts_to_show(alerts, homes=3)) == 5
    assert [alert["severity"] for alert in alerts_to_show(alerts, homes=2, most=3)] == [5.0, 4.0, None]
