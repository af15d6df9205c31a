"""Loads of real and pseudo-feeders, by hand."""

import datetime as dt
import json

import numpy as np
import polars as pl
import pytest

from loadproof.errors import ConfigError
from loadproof.feeders.loads import (
    PSEUDO_SUBSTATION,
    last_common_end,
    network_loads,
    power_factors,
    pseudo_loads,
    read_between,
    widen,
)
from loadproof.schema import LEVELS, NETWORK

START = dt.datetime(2013, 12, 2, tzinfo=dt.UTC)


def readings(series, **extras):
    """Rows of a dict of lists of kWh, None where missing; extras by entity."""
    rows = [
        (name, START + dt.timedelta(minutes=30 * step), 30, float(kwh), json.dumps(extras.get(name, {})))
        for name, values in series.items()
        for step, kwh in enumerate(values)
        if kwh is not None
    ]
    schema = {"entity_id": pl.String, "ts_utc": pl.Datetime("us", "UTC"), "interval_mins": pl.Int16,
              "energy_kwh": pl.Float32, "extras": pl.String}  # fmt: skip
    return pl.LazyFrame(rows, schema=schema, orient="row")


def network(*ids):
    rows = [(f"ssen:{x}", x[:4], "P", x[4:7], "H", x[7:10], "S", x[10:], "", 10, []) for x in ids]
    return pl.DataFrame(rows, schema=NETWORK, orient="row")


def test_pseudo_feeders_are_disjoint_sum_their_homes_and_hang_below_one_substation():
    homes = {f"lcl:MAC{n:06d}": [n] * 1344 for n in range(1, 8)}
    end = START + dt.timedelta(days=28)
    loads = pseudo_loads(readings(homes), end, size=3, min_reporting=0.9, rng=np.random.default_rng(1))
    feeders = [name for name, level in loads.levels.items() if level == "feeder"]
    assert len(feeders) == 2
    members = [set(loads.members[name]) for name in feeders]
    assert not members[0] & members[1]
    for name, homes_of in zip(feeders, members, strict=True):
        row = loads.panel.energy_kwh[loads.panel.entities.tolist().index(name)]
        assert row[0] == sum(int(home[-3:]) for home in homes_of)
    top = loads.panel.energy_kwh[loads.panel.entities.tolist().index(PSEUDO_SUBSTATION)]
    np.testing.assert_allclose(
        top, loads.panel.energy_kwh[[loads.panel.entities.tolist().index(f) for f in feeders]].sum(axis=0)
    )
    assert loads.devices[PSEUDO_SUBSTATION] == 6
    assert set(loads.relative_se.values()) == {0.0}


def test_a_home_that_left_is_in_no_pseudo_feeder_and_too_few_homes_fill_none():
    homes = {"lcl:MAC000001": [1] * 1344, "lcl:MAC000002": [1] * 1344, "lcl:MAC000003": [1] * 700}
    end = START + dt.timedelta(days=28)
    loads = pseudo_loads(readings(homes), end, size=2, min_reporting=0.9, rng=np.random.default_rng(1))
    assert set(loads.members["pseudo:2:00"]) == {"lcl:MAC000001", "lcl:MAC000002"}
    with pytest.raises(ConfigError, match="ask for smaller groups"):
        pseudo_loads(readings(homes), end, size=3, min_reporting=0.9, rng=np.random.default_rng(1))


def test_a_substation_is_the_sum_of_its_feeders_and_missing_where_one_of_them_is():
    series = {"ssen:000200300401": [1, 2, None], "ssen:000200300402": [10, 20, 30], "ssen:000200300501": [5, 5, 5]}
    loads = network_loads(
        readings(series), network("000200300401", "000200300402", "000200300501", "000200300409"), how="as_reported",
        min_reporting=0.2, relative_sd=1.3,
    )  # fmt: skip
    panel = dict(zip(loads.panel.entities.tolist(), loads.panel.energy_kwh.tolist(), strict=True))
    assert panel["secondary_substation:0002-003-004"][:2] == [11, 22]
    assert np.isnan(panel["secondary_substation:0002-003-004"][2])
    assert panel["secondary_substation:0002-003-005"] == [5, 5, 5]
    assert loads.levels["secondary_substation:0002-003-004"] == "substation"
    assert loads.members["secondary_substation:0002-003-004"] == ["ssen:000200300401", "ssen:000200300402"]


def test_scaled_up_a_feeder_of_which_half_reports_uses_twice_as_much_with_its_error():
    series = {"ssen:000200300401": [10, 10]}
    facts = {"ssen:000200300401": {"device_count": 20, "mpan_count": 40}}
    loads = network_loads(readings(series, **facts), None, how="mean_of_reporting", min_reporting=0.2, relative_sd=1.3)
    assert loads.panel.energy_kwh.tolist() == [[20, 20]]
    # A total of 40 from 20 without replacement: 40 x sqrt((1 - 1/2) / 20) x 1.3 x 0.5 kWh, over 20 kWh.
    assert loads.relative_se["ssen:000200300401"] == pytest.approx(1.3 * (0.5 / 20) ** 0.5, rel=1e-4)
    with pytest.raises(ConfigError, match="as_reported"):
        network_loads(readings(series, **facts), None, how="mean_of_reporting", min_reporting=0.9, relative_sd=1.3)


def test_a_power_factor_counts_half_hours_whose_meters_are_equally_many():
    series = {"ssen:000200300401": [6.64, 6.64]}
    facts = {"ssen:000200300401": {"device_count": 9, "device_count_reactive": 9, "reactive_kvarh": 0.339}}
    assert power_factors(readings(series, **facts), {}) == {"ssen:000200300401": pytest.approx(0.9987, abs=5e-5)}
    other = "ssen:000200300402"
    series |= {other: [2.0, 2.0]}
    facts |= {other: {"device_count": 3, "device_count_reactive": 3, "reactive_kvarh": 1.5}}
    both = power_factors(readings(series, **facts), {"ssen:substation:1": ["ssen:000200300401", other, "silent"]})
    assert both[other] == pytest.approx(0.8)  # 2 of 2.5 kVAh
    assert both["ssen:substation:1"] == pytest.approx(8.64 / (8.64**2 + 1.839**2) ** 0.5)
    del series[other]
    del facts[other]
    facts["ssen:000200300401"]["device_count_reactive"] = 8
    assert power_factors(readings(series, **facts), {}) == {}


def test_the_readings_end_where_half_of_all_still_report():
    series = {"a": [1, 1, 1, 1], "b": [1, 1, 1, None], "c": [1, 1, None, None]}
    assert last_common_end(readings(series)) == START + dt.timedelta(minutes=90)
    assert last_common_end(readings({})) is None
    assert read_between(readings(series), START, START + dt.timedelta(minutes=30)).collect().height == 3


def test_widening_adds_the_error_as_a_root_of_squares_and_leaves_the_median():
    quantiles = np.array([1, 2, 6, 10, 14, 18, 19.0])[None, None]
    wide = widen(quantiles, LEVELS, np.array([0.1]))
    assert wide[0, 0, 3] == 10
    assert wide[0, 0, 6] == pytest.approx(10 + np.hypot(9, 1.6449), abs=1e-3)
    assert wide[0, 0, 0] == pytest.approx(10 - np.hypot(9, 1.6449), abs=1e-3)
    np.testing.assert_array_equal(widen(quantiles, LEVELS, np.array([0.0])), quantiles)
