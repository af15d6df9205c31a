"""What is usual, against a search through the context one reading at a time."""

import datetime as dt
import statistics
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from tests.anomaly.detector_fixtures import homes, panel_of, windows_of

from loadproof.anomaly.usual import SPREAD_FLOOR, find_slots, usual_readings, usual_values
from loadproof.baselines.seasonal import home_scale
from loadproof.errors import ConfigError
from loadproof.features.windows import cut_windows

LONDON = ZoneInfo("Europe/London")
HOLIDAYS = {dt.date(2013, 3, 29), dt.date(2013, 4, 1), dt.date(2013, 5, 6), dt.date(2013, 5, 27)}


def local_of(t0, step):
    return (dt.datetime.fromisoformat(str(t0) + "+00:00") + dt.timedelta(minutes=30 * step)).astimezone(LONDON)


def slot_of(at, *, day_types):
    rest = at.weekday() >= 5 or at.date() in HOLIDAYS
    return (at.hour, at.minute, rest if day_types else None)


def slow_usual(inputs, n, step, *, day_types):
    wanted = slot_of(local_of(inputs.t0[n], step), day_types=day_types)
    c = inputs.context_kwh.shape[1]
    same = [
        float(kwh)
        for back, kwh in enumerate(inputs.context_kwh[n])
        if not np.isnan(kwh) and slot_of(local_of(inputs.t0[n], back - c), day_types=day_types) == wanted
    ]
    if len(same) < 4:
        return None
    median = statistics.median(same)
    return median, 1.4826 * statistics.median(abs(kwh - median) for kwh in same)


def spring(missing=0.1):
    """Windows whose contexts and days hold Easter and the change to summer time of 2013-03-31."""
    panel = panel_of(homes(2, 50, seed=3, missing=missing), start=np.datetime64("2013-03-01", "us"))
    origins = panel.start + np.array([28, 30, 31, 45]) * np.timedelta64(1, "D") - np.timedelta64(0, "h")
    return cut_windows(panel, context_steps=1344, horizon_steps=48, origins=origins)


def test_median_and_spread_are_those_of_the_same_local_half_hour_and_type_of_day_over_easter():
    inputs = spring().inputs
    usual = usual_readings(inputs)
    floor = SPREAD_FLOOR * home_scale(inputs)
    for n in range(len(inputs)):
        for step in range(0, 48, 5):
            median, mad = slow_usual(inputs, n, step, day_types=True)
            assert usual.median[n, step] == pytest.approx(median, rel=1e-5)
            assert usual.spread[n, step] == pytest.approx(max(mad, floor[n]), rel=1e-5)


def test_a_slot_of_2_readings_is_held_against_the_half_hour_of_all_days_and_one_of_none_against_everything():
    windows = windows_of(homes(1, 40, seed=5), first=35, last=36)  # a Monday
    context = windows.inputs.context_kwh.reshape(28, 48)
    monday_to_friday = np.arange(28) % 7 < 5
    context[monday_to_friday, 3] = np.nan
    context[:2, 3] = 0.7
    context[:, 9] = np.nan
    usual = usual_readings(windows.inputs)
    assert usual.median[0, 3] == pytest.approx(np.nanmedian(context[:, 3]))
    assert usual.median[0, 9] == pytest.approx(np.nanmedian(context))
    assert usual.median[0, 4] == pytest.approx(np.median(context[monday_to_friday, 4]))


def test_steps_before_the_day_are_told_too_and_a_spread_that_is_not_wanted_is_none():
    inputs = spring().inputs
    usual = usual_values(inputs.context_kwh, [find_slots(inputs, -3, 2, day_types=False)], spread=False)
    assert usual.median.shape == (len(inputs), 5)
    assert np.isnan(usual.spread).all()
    for at, step in enumerate(range(-3, 2)):
        assert usual.median[1, at] == pytest.approx(slow_usual(inputs, 1, step, day_types=False)[0], rel=1e-5)


def test_a_context_of_6_days_tells_no_usual_week():
    with pytest.raises(ConfigError, match="raise context_steps to 336 or more"):
        usual_readings(windows_of(homes(1, 10), first=8, context_steps=288).inputs)
