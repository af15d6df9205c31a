"""What is drawn of an alert."""

import datetime as dt

import numpy as np
from tests.anomaly.detector_fixtures import panel_of

from loadproof.anomaly.pictures import pictures, span_needed


def _alert(start, end, entity="h0001"):
    start_utc, end_utc = (dt.datetime(*moment, tzinfo=dt.UTC) for moment in (start, end))
    return {"entity_id": entity, "start_utc": start_utc, "end_utc": end_utc}


def _panel(days=70):
    """Two homes: each half hour as many tenths of a Wh as its number, and more by the day."""
    energy = np.tile(np.arange(48) / 10, (2, days)) + np.repeat(np.arange(days), 48) / 1000
    return panel_of(energy)  # from 7 January 2013 on


def test_an_evening_is_shown_with_the_day_before_and_after_and_the_band_of_28_days():
    alert = _alert((2013, 2, 20, 18, 30), (2013, 2, 20, 21))
    (steps,) = pictures(_panel(), [alert])
    assert steps.height == 3 * 48
    assert steps["ts_utc"][0] == dt.datetime(2013, 2, 19, tzinfo=dt.UTC)
    row = steps.row(48 + 12, named=True)  # 6:00 on the 20th, day 44; before 18:30 lie days 17 to 44
    assert row["energy_kwh"] == np.float32(1.2 + 44 / 1000)
    assert np.isclose(row["middle_kwh"], 1.2 + 30.5 / 1000)
    assert np.isclose(row["low_kwh"], 1.2 + (17 + 0.05 * 27) / 1000)
    assert np.isclose(row["high_kwh"], 1.2 + (17 + 0.95 * 27) / 1000)


def test_what_is_missing_is_null_and_too_few_days_give_no_band():
    panel = _panel()
    panel.energy_kwh[1, 44 * 48 : 44 * 48 + 3] = np.nan
    panel.energy_kwh[1, : 41 * 48] = np.nan
    (steps,) = pictures(panel, [_alert((2013, 2, 20, 18, 30), (2013, 2, 20, 21))])
    assert steps["energy_kwh"].null_count() == 3
    bare = steps.filter(steps["low_kwh"].is_null())
    assert bare.height == 3 * 3 + 3 * 11  # of 0:00 to 1:30, and from 18:30 on, three days were read


def test_an_alert_of_weeks_is_shown_for_6_days_and_needs_28_before_it():
    alert = _alert((2013, 2, 10), (2013, 3, 1))
    (steps,) = pictures(_panel(), [alert])
    assert steps.height == 6 * 48
    since, until = span_needed([alert])
    assert (since, until) == (dt.datetime(2013, 1, 11, tzinfo=dt.UTC), dt.datetime(2013, 2, 14, tzinfo=dt.UTC))
