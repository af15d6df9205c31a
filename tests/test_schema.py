import datetime as dt
import json

import pytest
from pydantic import ValidationError

from loadproof.schema import LEVELS, READINGS, EnergyReading

START = dt.datetime(2013, 1, 1, tzinfo=dt.UTC)


def test_extras_take_a_json_object_and_nothing_else():
    good = {
        "dataset": "lcl",
        "entity_id": "lcl:MAC000002",
        "ts_utc": START,
        "interval_mins": 30,
        "energy_kwh": 0.1,
        "source": "a",
    }
    reading = EnergyReading(**good, extras=json.loads('{"acorn": "ACORN-A", "coverage": 0.95}'))
    assert reading.extras["coverage"] == 0.95
    with pytest.raises(ValidationError):
        EnergyReading(**good, extras=[1])


def test_a_stamp_of_another_zone_becomes_utc_and_a_naive_one_is_refused():
    good = {"dataset": "lcl", "entity_id": "lcl:MAC000002", "interval_mins": 30, "energy_kwh": 0.1, "source": "a"}
    summer = dt.datetime(2013, 7, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    assert EnergyReading(**good, ts_utc=summer).ts_utc == dt.datetime(2013, 7, 1, tzinfo=dt.UTC)
    with pytest.raises(ValidationError):
        EnergyReading(**good, ts_utc=dt.datetime(2013, 7, 1))  # noqa: DTZ001 - naive on purpose


def test_the_levels_hold_the_50_80_and_90_per_cent_bands():
    assert {round(high - low, 2) for low, high in zip(LEVELS, reversed(LEVELS), strict=True) if low < high} == {
        0.5,
        0.8,
        0.9,
    }


def test_partition_keys_are_no_columns_of_a_reading():
    assert not {"dataset", "month"} & set(READINGS)
