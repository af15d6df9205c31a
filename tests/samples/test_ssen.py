"""The SSEN samples: the layout of 2024, the lookup, and the defects that were set."""

import csv
import json

import polars as pl
import pytest

from loadproof.ingestion.ssen import SSENIngestor
from loadproof.parts import whole_extras
from loadproof.samples.ssen_network import FEEDERS

TOTAL = "total_consumption_active_import"
STAMP = "data_collection_log_timestamp"


@pytest.fixture(scope="module")
def lines(samples_root):
    return (samples_root / "ssen_sample.csv").read_text().split("\n")


@pytest.fixture(scope="module")
def usage(lines):
    """Every field as text."""
    header, *rows = csv.reader(lines[:-1])
    return pl.DataFrame(rows, schema=header, orient="row")


@pytest.fixture(scope="module")
def lookup(samples_root):
    return pl.read_csv(samples_root / "ssen_lookup_sample.csv", infer_schema=False)


@pytest.fixture(scope="module")
def ingested(samples_root):
    ingestor = SSENIngestor(samples_root)
    batches = [batch for part in ingestor.parts() for batch in ingestor.read(part)]
    return (
        pl.concat([batch.readings for batch in batches]).with_columns(pl.col("entity_id").cast(pl.String)),
        pl.concat([batch.rejected for batch in batches]).sort("line"),
    )


def test_lines_have_17_columns_plain_line_ends_quoted_empty_text_and_decimals(lines):
    assert lines[0].startswith("dataset_id,dno_name,dno_alias,secondary_substation_id,")
    assert lines[0].endswith(f",{STAMP},insert_time,last_modified_time")
    assert len(lines[0].split(",")) == 17
    assert lines[1].startswith(
        '099000300101,Scottish and Southern Electricity Networks,SSEN,001,MILL LANE,01,"","",12.0,'
    )
    assert lines[1].endswith(",2024-02-16T00:30:00.000Z,2024-02-18T00:07:06.000Z,2024-02-20T12:46:46.298Z")
    assert lines[-1] == ""
    assert len(lines) - 2 == 12 * 144 - 3 + 1
    assert "\r" not in "".join(lines)


def test_rows_are_sorted_by_feeder_then_stamp_from_half_past_midnight_to_midnight_3_days_later(usage):
    keys = usage.select("dataset_id", STAMP)
    assert keys.equals(keys.sort("dataset_id", STAMP))
    assert keys["dataset_id"].n_unique() == 12
    assert keys[STAMP].min() == "2024-02-16T00:30:00.000Z"
    assert keys[STAMP].max() == "2024-02-19T00:00:00.000Z"


def test_only_the_whole_dataset_id_tells_12_feeders_apart(usage):
    ids = usage.select("dataset_id", "secondary_substation_id", "lv_feeder_id").unique()
    assert ids.height == ids["dataset_id"].n_unique() == 12
    assert ids["lv_feeder_id"].n_unique() == 4
    assert ids.select("secondary_substation_id", "lv_feeder_id").n_unique() == 9
    assert ids["dataset_id"].str.starts_with("0").all()


def test_two_names_hold_a_comma_one_holds_quotes_and_one_is_empty(usage, lines):
    names = usage.select("dataset_id", "secondary_substation_name", "lv_feeder_name").unique()
    assert names.filter(pl.col("secondary_substation_name") == "S.M. HSG.,HARBOUR VIEW").height == 2
    assert names.filter(pl.col("lv_feeder_name") == "ODD NUMBERS, UPPER").height == 1
    assert names.filter(pl.col("secondary_substation_name") == 'KIRK ROAD "B"').height == 2
    assert names.filter(pl.col("secondary_substation_name") == "").height == 1
    assert sum(',015,"KIRK ROAD ""B""",' in line for line in lines) == 288


def test_no_feeder_has_fewer_than_5_devices_and_one_loses_one_of_12(usage):
    counts = usage.filter(pl.col("aggregated_device_count_active") != "").with_columns(
        pl.col("aggregated_device_count_active").cast(pl.Float64).cast(pl.Int64).alias("count")
    )
    assert counts["count"].min() == 5
    changes = counts.filter(pl.col("count").n_unique().over("dataset_id") > 1)
    assert changes["dataset_id"].unique().to_list() == ["099000300101"]
    assert changes["count"].to_list() == [12] * 66 + [11] * 78


def test_primary_equals_total_and_secondary_is_empty_in_every_row(usage):
    assert (usage["primary_consumption_active_import"] == usage[TOTAL]).all()
    assert set(usage["secondary_consumption_active_import"]) == set(usage["substation_geo_location"]) == {""}


def test_1722_rows_are_readings_and_each_defect_is_set_aside_once(ingested):
    readings, rejected = ingested
    assert readings.height == 1722
    assert rejected["reason"].to_list() == ["value_sentinel", "null_value", "value_negative", "duplicate"]


def test_the_sentinel_is_2_to_the_32_above_a_load_and_the_negative_2_to_the_28_below_one(usage):
    wh = usage.filter(pl.col(TOTAL) != "")[TOTAL].cast(pl.Float64).cast(pl.Int64)
    assert 0 < wh.max() - 2**32 < 20_000
    assert 0 < wh.min() + 2**28 < 20_000


def test_the_stamp_at_midnight_is_the_last_half_hour_of_the_day_before(ingested, usage):
    readings, _ = ingested
    midnight = usage.filter(pl.col("dataset_id") == "099100300101", pl.col(STAMP) == "2024-02-19T00:00:00.000Z")
    last = readings.filter(pl.col("entity_id") == "ssen:099100300101").sort("ts_utc").tail(1)
    assert last["ts_utc"].dt.to_string("%Y-%m-%d %H:%M").item() == "2024-02-18 23:30"
    assert last["energy_kwh"].item() * 1000 == float(midnight[TOTAL].item())


def test_three_half_hours_of_one_feeder_are_absent_and_none_is_zero(ingested):
    readings, _ = ingested
    counts = dict(readings.group_by("entity_id").len().iter_rows())
    assert counts.pop("ssen:099000300102") == 141
    assert sorted(counts.values()) == [143] * 3 + [144] * 8
    assert readings["energy_kwh"].min() > 0


def test_homes_average_like_london_s_in_february_and_large_feeders_are_smoother(ingested):
    readings, _ = ingested
    devices = whole_extras(readings).map_elements(
        lambda extras: json.loads(extras)["device_count"], return_dtype=pl.Int64
    )
    per_home = (readings["energy_kwh"] / devices).alias("kwh")
    assert 0.15 < per_home.mean() < 0.45
    spread = (
        readings.with_columns(per_home)
        .group_by("entity_id")
        .agg(pl.col("kwh").max() / pl.col("kwh").mean(), size=pl.len())
        .sort("entity_id")
    )
    peak = dict(spread.select("entity_id", "kwh").iter_rows())
    assert peak["ssen:099100201501"] < peak["ssen:099000300103"]  # 18 homes and 5


def test_the_lookup_has_23_rows_for_13_feeders_of_which_one_has_no_readings(lookup, usage):
    assert lookup.columns == [
        "dataset_id", "postcode", "primary_substation_id", "primary_substation_name", "hv_feeder_id",
        "hv_feeder_name", "secondary_substation_id", "secondary_substation_name", "lv_feeder_id", "lv_feeder_name",
        "total_mpan_count",
    ]  # fmt: skip
    assert lookup.height == 23
    assert set(lookup["dataset_id"]) - set(usage["dataset_id"]) == {"099000300104"}
    assert set(usage["dataset_id"]) < set(lookup["dataset_id"])
    parts = ("primary_substation_id", "hv_feeder_id", "secondary_substation_id", "lv_feeder_id")
    assert lookup.select(pl.concat_str(parts)).to_series().to_list() == lookup["dataset_id"].to_list()


def test_one_feeder_has_4_postcodes_and_its_mpans_are_the_same_on_each(lookup):
    rows = lookup.filter(pl.col("dataset_id") == "099001100101")
    assert rows["total_mpan_count"].to_list() == ["27"] * 4
    assert rows["postcode"].n_unique() == 4


def test_every_feeder_has_more_supplies_than_smart_meters_and_they_are_in_order():
    assert all(feeder.mpans > feeder.smart_meters for feeder in FEEDERS)
    ids = [feeder.dataset_id for feeder in FEEDERS]
    assert ids == sorted(set(ids))
    assert {len(dataset_id) for dataset_id in ids} == {12}


def test_the_ingest_joins_names_and_mpans_from_the_lookup(samples_root):
    feeders = SSENIngestor(samples_root).lookup.feeders
    row = feeders.filter(pl.col("dataset_id") == "099000300201").row(0, named=True)
    assert row["secondary_substation_name"] == "S.M. HSG.,HARBOUR VIEW"
    assert (row["total_mpan_count"], len(row["postcodes"])) == (40, 2)
