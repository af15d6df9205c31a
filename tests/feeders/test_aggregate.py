import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.feeders.feeder_fixtures import feeder, readings

from loadproof.errors import ConfigError, SchemaError
from loadproof.evaluation.groups import sum_groups
from loadproof.features.panel import panel_from_readings
from loadproof.feeders.aggregate import FEEDERS, aggregate, as_feeders, scale_up
from loadproof.feeders.groupings import groups_of

HOMES = [("lcl:MAC000001", 0, 1.0), ("lcl:MAC000002", 0, 2.0), ("lcl:MAC000003", 0, 6.0), ("lcl:MAC000001", 1, 4.0)]
ALL = groups_of({"f": ["lcl:MAC000001", "lcl:MAC000002", "lcl:MAC000003"]})


def test_a_sum_says_who_reported_and_a_silent_half_hour_has_no_row():
    found = aggregate(readings(HOMES), ALL).collect()
    assert found.schema == FEEDERS
    assert found["energy_kwh"].to_list() == [9.0, 4.0]
    assert found["reporting"].to_list() == [3, 1]
    assert found["devices"].to_list() == [3, 3]
    # 1, 2 and 6 lie 2, 1 and 3 from their mean of 3: the variance is 14 / 2. Of one device there is none.
    assert found["device_sd_kwh"].to_list() == [pytest.approx(7**0.5, abs=1e-6), None]


def test_a_member_that_never_reports_is_a_device_still():
    found = aggregate(readings(HOMES), groups_of({"f": ["lcl:MAC000001", "lcl:MAC999999"]})).collect()
    assert found.select("energy_kwh", "reporting", "devices").rows() == [(1.0, 1, 2), (4.0, 1, 2)]


def test_an_entity_counts_in_each_of_its_groups():
    found = aggregate(readings(HOMES), groups_of({"a": ["lcl:MAC000001"], "b": ["lcl:MAC000001", "lcl:MAC000002"]}))
    assert found.collect().select("entity_id", "energy_kwh").rows() == [("a", 1.0), ("a", 4.0), ("b", 3.0), ("b", 4.0)]


def test_feeders_bring_their_counts_to_their_substation():
    facts = [json.dumps({"device_count": count, "mpan_count": 20}) for count in (8.0, 5.0)]
    rows = [("ssen:099000300101", 0, 4.0, facts[0]), ("ssen:099000300102", 0, 3.0, facts[1])]
    groups = groups_of({"s": ["ssen:099000300101", "ssen:099000300102"]}).with_columns(devices=pl.lit(20, pl.Int32))
    (row,) = aggregate(readings(rows), groups).collect().rows(named=True)
    assert (row["energy_kwh"], row["reporting"], row["devices"], row["device_sd_kwh"]) == (7.0, 13, 40, None)


def test_an_unknown_count_makes_the_sum_unknown_and_not_smaller():
    rows = [("ssen:099000300101", 0, 4.0, '{"device_count":8}'), ("ssen:099000300102", 0, 3.0, "{}")]
    groups = groups_of({"s": ["ssen:099000300101", "ssen:099000300102"]}).with_columns(
        devices=pl.Series([20, None], dtype=pl.Int32)
    )
    (row,) = aggregate(readings(rows), groups).collect().rows(named=True)
    assert (row["energy_kwh"], row["reporting"], row["devices"]) == (7.0, None, None)


def test_groups_of_another_shape_are_refused():
    with pytest.raises(SchemaError, match="each member of a group once"):
        aggregate(readings(HOMES), pl.concat([ALL, ALL]))


def test_two_of_four_devices_scaled_to_all_have_the_error_of_a_sample_without_replacement():
    four = groups_of({"f": ["lcl:MAC000001", "lcl:MAC000002", "lcl:MAC000008", "lcl:MAC000009"]})
    (row,) = scale_up(
        aggregate(readings(HOMES[:2]), four), "mean_of_reporting", min_reporting=0.5
    ).collect().rows(named=True)  # fmt: skip
    assert row["energy_kwh"] == 6.0
    # N sqrt((1 - n / N) s^2 / n) with N = 4, n = 2 and s^2 = 1/2: 4 sqrt(1/2 * 1/2 / 2) = sqrt(2).
    assert row["energy_se_kwh"] == pytest.approx(2**0.5, abs=1e-6)
    assert (row["scaled_by"], row["reported_share"]) == ("mean_of_reporting", 0.5)


def test_what_the_silent_use_is_unknown_unless_a_deviation_is_stated():
    lone = feeder("f", [0, 1], 10.0, [5, 10], 10).lazy()
    scaled = scale_up(lone, "mean_of_reporting", min_reporting=0.5).collect()
    assert scaled.select("energy_kwh", "energy_se_kwh").rows() == [(20.0, None), (10.0, 0.0)]
    stated = scale_up(lone, "mean_of_reporting", min_reporting=0.5, relative_sd=1.0).collect()
    # 10 sqrt(1/2 / 5) times a mean of 2 kWh.
    assert stated["energy_se_kwh"].to_list() == [pytest.approx(20 * 0.1**0.5, abs=1e-5), 0.0]
    left = scale_up(lone, "as_reported", min_reporting=0.5, relative_sd=1.0).collect()
    assert left.select("energy_kwh", "energy_se_kwh").rows() == [(10.0, None), (10.0, 0.0)]


def test_half_hours_with_too_few_or_unknown_or_impossible_counts_are_missing():
    odd = feeder("f", [0, 1, 2, 3], 10.0, [8, None, 12, 9], 10).lazy()
    assert scale_up(odd, "mean_of_reporting").collect()["reporting"].to_list() == [9]


def test_a_choice_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="as_reported or mean_of_reporting"):
        scale_up(feeder("f", [0], 1.0, 1, 1).lazy(), "diversity")


@settings(max_examples=30)
@given(st.integers(0, 999))
def test_scaled_sums_are_those_that_the_board_forecasts(seed):
    rng = np.random.default_rng(seed)
    homes = [f"lcl:MAC{i:06d}" for i in range(5)]
    rows = [(home, step, float(np.float32(rng.gamma(1, 0.3)))) for home in homes for step in range(6)]
    kept = [row for row in rows if rng.random() > 0.3] + [rows[0], rows[-1]]
    frame = readings(sorted(set(kept))).collect()
    members = {
        "a": [h for h in homes[:3] if h in frame["entity_id"]],
        "b": [h for h in homes if h in frame["entity_id"]],
    }
    members = {name: homes for name, homes in members.items() if homes}
    panel = panel_from_readings(frame)
    theirs = sum_groups(panel, members, min_reporting=0.5)
    mine = scale_up(aggregate(frame.lazy(), groups_of(members)), "mean_of_reporting", min_reporting=0.5).collect()
    at = panel.steps_to(mine["ts_utc"].dt.replace_time_zone(None).to_numpy())
    grid = np.full_like(theirs.energy_kwh, np.nan)
    grid[np.searchsorted(theirs.entities, mine["entity_id"].to_numpy().astype(str)), at] = mine["energy_kwh"]
    np.testing.assert_allclose(grid, theirs.energy_kwh, rtol=1e-5)


def test_a_home_is_one_device_of_one():
    assert as_feeders(readings(HOMES)).select("reporting", "devices").unique().collect().rows() == [(1, 1)]
