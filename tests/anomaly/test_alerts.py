"""What a person is told, and that it is so."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from loadproof.anomaly.alerts import ALERT_KINDS, find_alerts
from loadproof.anomaly.days import cut_days
from loadproof.detector import Scores
from loadproof.errors import SchemaError
from loadproof.features.panel import Panel
from loadproof.schema import ALERTS

START = np.datetime64("2013-06-30T23:00:00", "us")  # local midnight, the 1st of July


def _panel(**stretches):
    """Two homes that use 0.2 kWh each half hour, and 0.3 on every other day, for 40 days; stretches are changed."""
    energy = np.full((2, 40 * 48), 0.2, dtype=np.float32)
    energy.reshape(2, 40, 48)[:, ::2] = 0.3
    for name, (first, last, value) in stretches.items():
        energy["ab".index(name[0]), first:last] = value
    return Panel(np.array(["a", "b"]), START, 30, energy)


def _alerts(panel, odd=(), kinds=(None,), kind=0, require_truth=False):
    windows = cut_days(panel, dt.date(2013, 7, 29), dt.date(2013, 8, 9), require_truth=require_truth)
    grid = np.full(panel.energy_kwh.shape, 0.5, dtype=np.float32)
    for row, first, last in odd:
        grid[row, first:last] = 0.0005
    grid[np.isnan(panel.energy_kwh)] = np.nan
    marked = Panel(panel.entities, panel.start, 30, grid)
    p = cut_days(marked, dt.date(2013, 7, 29), dt.date(2013, 8, 9), require_truth=require_truth).truth_kwh
    scores = Scores(1 - p, np.full(p.shape, kind, np.uint8), kinds)
    shuffled = np.random.default_rng(0).permutation(len(windows))
    return find_alerts(
        windows.take(shuffled), Scores(scores.score[shuffled], scores.kind[shuffled], kinds), p[shuffled],
        odd=p[shuffled] <= 0.01, detector="tiny",
    )  # fmt: skip


def test_an_evening_of_4_1_kwh_is_told_with_its_band_its_rank_and_its_local_time():
    evening = 30 * 48 + 37  # 18:30 local
    table = _alerts(_panel(a=(evening, evening + 5, 0.82)), [(0, evening, evening + 5)])
    assert table.schema == ALERTS and table.height == 1
    row = table.row(0, named=True)
    assert (row["entity_id"], row["kind"], row["detector"]) == ("a", "spike", "tiny")
    assert row["start_utc"] == dt.datetime(2013, 7, 31, 17, 30, tzinfo=dt.UTC)
    assert row["end_utc"] == dt.datetime(2013, 7, 31, 20, 0, tzinfo=dt.UTC)
    assert row["energy_kwh"] == pytest.approx(4.1)
    assert (row["expected_low_kwh"], row["expected_high_kwh"]) == pytest.approx((1.0, 1.5))
    assert row["severity"] == pytest.approx(-np.log10(0.0005), abs=1e-4)
    assert row["sentence"] == (
        "18:30 to 21:00: 4.1 kWh against 1.0 to 1.5 expected; above each of this home's last 28 evenings, "
        "odder than 99.95 % of usual readings"
    )


def test_missing_readings_are_an_alert_of_their_own_and_never_part_of_the_odd_ones():
    gap = 31 * 48
    table = _alerts(_panel(b=(gap + 10, gap + 14, np.nan)), [(1, gap + 10, gap + 14)])
    assert table["kind"].to_list() == ["missing"]
    row = table.row(0, named=True)
    assert (row["severity"], row["energy_kwh"], row["expected_low_kwh"]) == (None, None, None)
    assert row["sentence"] == "05:00 to 07:00: 4 readings missing"


def test_two_whole_days_missing_are_one_alert_with_dates():
    table = _alerts(_panel(b=(31 * 48, 33 * 48, np.nan)))
    assert table["sentence"].to_list() == ["1 Aug 00:00 to 3 Aug 00:00: 96 readings missing"]
    assert _alerts(_panel(b=(31 * 48, 33 * 48, np.nan)), require_truth=True).is_empty()


def test_an_event_over_midnight_is_one_alert_and_one_of_two_days_is_held_against_whole_days():
    night = 31 * 48 + 46
    table = _alerts(_panel(a=(night, night + 4, 0)), [(0, night, night + 4)])
    assert table["kind"].to_list() == ["dropout"]
    assert table["sentence"][0].startswith("1 Aug 23:00 to 2 Aug 01:00: 0.00 kWh against 1.0 to 1.0 expected; ")
    assert "below each of this home's last 28 evenings" in table["sentence"][0]
    table = _alerts(_panel(a=(31 * 48, 33 * 48, 0.9)), [(0, 31 * 48, 33 * 48)])
    row = table.row(0, named=True)
    assert row["kind"] == "level_shift"
    assert (row["expected_low_kwh"], row["expected_high_kwh"]) == pytest.approx((96 * 0.2, 96 * 0.3))
    assert "each of this home's last 28 days" in row["sentence"]


def test_the_detectors_own_word_for_the_kind_holds_and_readings_inside_the_band_are_a_drift():
    noon = 32 * 48 + 24
    own = _alerts(_panel(), [(0, noon, noon + 6)], kinds=(None, "frozen"), kind=1)
    assert own["kind"].to_list() == ["frozen"] and own["sentence"][0].endswith("one value repeated")
    without = _alerts(_panel(), [(0, noon, noon + 6)])
    assert without["kind"].to_list() == ["drift"]
    assert set(own["kind"]) | set(without["kind"]) | {"missing"} <= set(ALERT_KINDS)


def test_odd_readings_two_hours_apart_are_one_alert_whose_energy_is_of_the_whole():
    noon = 32 * 48 + 24
    one = _alerts(_panel(), [(0, noon, noon + 1), (0, noon + 5, noon + 6)])
    assert one["energy_kwh"].to_list() == pytest.approx([6 * 0.3])
    assert _alerts(_panel(), [(0, noon, noon + 1), (0, noon + 6, noon + 7)]).height == 2


def test_without_days_before_there_is_no_band_and_the_sentence_says_so():
    first = 28 * 48 + 20
    panel = _panel(a=(0, 28 * 48 - 1, np.nan))
    row = _alerts(panel, [(0, first, first + 2)]).filter(pl.col("kind") != "missing").row(0, named=True)
    assert row["expected_low_kwh"] is None and "too few days before" in row["sentence"]


def test_quiet_days_give_an_empty_table_and_shapes_that_differ_are_refused():
    quiet = _alerts(_panel())
    assert quiet.schema == ALERTS and quiet.is_empty()
    windows = cut_days(_panel(), dt.date(2013, 7, 29), dt.date(2013, 7, 30))
    scores = Scores(windows.truth_kwh, np.zeros(windows.truth_kwh.shape, np.uint8))
    with pytest.raises(SchemaError, match="one for each"):
        find_alerts(windows, scores, scores.score[:1], odd=scores.score > 0, detector="tiny")
