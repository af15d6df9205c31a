"""The chapter on alerts, from a table and its facts to charts and words."""

import datetime as dt

import polars as pl
import pytest

from loadproof.evaluation.figures_alerts import KIND_WORDS, alert_calendar, alert_chart, alerts_by_day
from loadproof.evaluation.report_chapters_alerts import Alerts, alerts_chapter
from loadproof.schema import ALERTS

SPAN = (dt.date(2013, 7, 1), dt.date(2013, 7, 15))
FACTS = {
    "dataset": "lcl", "detector": "sub_pca", "first": "2013-07-01", "until": "2013-07-15", "alerts_per_week": 0.5,
    "rate": {"alerts": 2, "homes": 2, "home_weeks": 4.0, "per_week": 0.5, "low": 0.2, "high": 0.9},
    "kinds": {"spike": 2, "missing": 1}, "clean_history": {"first": "2013-06-01", "days": 56},
}  # fmt: skip


def _at(day, hour=18):
    return dt.datetime(2013, 7, day, hour, 30, tzinfo=dt.UTC)


def _alerts():
    odd = {"detector": "sub_pca", "kind": "spike", "expected_low_kwh": 0.3, "expected_high_kwh": 1.2, "energy_kwh": 4.1}
    rows = [
        {**odd, "entity_id": "lcl:MAC000001", "start_utc": _at(3), "end_utc": _at(3, 21), "severity": 3.5,
         "sentence": "19:30 to 22:00: <b>4.1</b> kWh against 0.3 to 1.2 expected"},
        {**odd, "entity_id": "lcl:MAC000002", "start_utc": _at(5, 23), "end_utc": _at(6, 1), "severity": 5.0,
         "sentence": "over midnight"},
        {"detector": "sub_pca", "kind": "missing", "entity_id": "lcl:MAC000002", "start_utc": _at(8),
         "end_utc": _at(9), "sentence": "48 readings missing"},
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=ALERTS)


def _steps():
    ts = pl.datetime_range(_at(2, 0), _at(4, 23), "30m", time_zone="UTC", eager=True)
    return pl.DataFrame({"ts_utc": ts}).with_columns(
        energy_kwh=pl.when(pl.int_range(pl.len()).is_between(10, 13)).then(None).otherwise(0.5),
        low_kwh=0.25, middle_kwh=0.5, high_kwh=1.0,
    )  # fmt: skip


def _rows(chart):
    return next(iter(chart.to_dict()["datasets"].values()))


def test_the_calendar_holds_a_mark_an_alert_on_the_uk_clock():
    rows = _rows(alert_calendar(_alerts(), ["lcl:MAC000002", "lcl:MAC000001"], SPAN))
    assert {(row["home"], row["kind"], row["t"]) for row in rows} == {
        ("MAC000001", "spike", "2013-07-03T19:30:00Z"),
        ("MAC000002", "spike", "2013-07-06T00:30:00Z"),
        ("MAC000002", "missing", "2013-07-08T19:30:00Z"),
    }


def test_an_alert_counts_on_the_uk_day_on_which_it_began_and_days_stack():
    twice = pl.concat([_alerts(), _alerts().with_columns(kind=pl.lit("drift"))])
    rows = _rows(alerts_by_day(twice, SPAN))
    found = {(row["day"], row["kind"]): (row["foot"], row["top"]) for row in rows}
    assert found["Sat 06 Jul 2013", "drift"] == (0, 1)  # 23:30 UTC on the 5th
    assert found["Sat 06 Jul 2013", "spike"] == (1, 2)


def test_a_picture_has_the_span_the_gap_the_band_and_the_line_but_of_missing_readings_no_span():
    odd, _, missing = _alerts().rows(named=True)
    drawn = alert_chart(odd, _steps()).to_dict()
    styles = [layer["mark"]["style"] for layer in drawn["layer"]]
    assert styles == ["alert", "gap", "band", "muted", "truth"]
    (span,) = drawn["datasets"][drawn["layer"][0]["data"]["name"]]
    assert span == {"t": "2013-07-03T19:30:00Z", "until": "2013-07-03T22:30:00Z"}
    (gap,) = drawn["datasets"][drawn["layer"][1]["data"]["name"]]
    assert gap == {"t": "2013-07-02T06:30:00Z", "until": "2013-07-02T08:30:00Z"}
    assert "alert" not in [layer["mark"]["style"] for layer in alert_chart(missing, _steps()).to_dict()["layer"]]


def test_the_chapter_says_what_was_asked_what_was_achieved_and_how_that_was_measured():
    table = _alerts()
    shown = table.rows(named=True)[:1]
    body = alerts_chapter(Alerts(table, FACTS, shown, [_steps()], {"physical": 7})).body
    assert "It was asked for 0.5 false alarms per home and week at most. It raised 2 alerts in 4 weeks" in body
    assert "0.500 per home and week (95\u00a0% interval 0.200 to 0.900" in body
    assert "every one counts as false here" in body and "1 stretch without readings" in body
    assert "by physical" in body and "7 alerts" in body
    assert "&lt;b&gt;4.1" in body and "<b>4.1" not in body
    assert "MAC000001, 3 Jul 2013: spike" in body
    assert "last 56 days, from 1 Jun 2013 on" in body


def test_the_homes_that_have_a_picture_are_the_first_rows_of_the_calendar():
    table = _alerts()
    odd = table.rows(named=True)[:1]  # of the home whose alert is the less grave
    body = alerts_chapter(Alerts(table, FACTS, odd, [_steps()], {})).body
    assert body.index('"MAC000001"') < body.index('"MAC000002"')


def test_without_alerts_the_chapter_says_so():
    assert "loadproof anomaly" in alerts_chapter(None).body
    none = FACTS | {"kinds": {}, "rate": FACTS["rate"] | {"alerts": 0, "per_week": 0.0, "low": None, "high": None}}
    body = alerts_chapter(Alerts(pl.DataFrame(schema=ALERTS), none)).body
    assert "Nothing was odd" in body and "interval" not in body


@pytest.mark.parametrize("kind", ["spike", "dropout", "level_shift", "frozen", "drift", "limit", "missing"])
def test_every_kind_of_alert_has_a_word(kind):
    assert kind in KIND_WORDS and len(KIND_WORDS) == 7
