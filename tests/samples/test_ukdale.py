"""The UK-DALE samples: NILMTK's layout as pandas reads it, the CSV beside it, and the defects in both."""

import datetime as dt
import pickle

import h5py
import numpy as np
import pandas as pd
import polars as pl
import pytest

from loadproof.ingestion.ukdale import UKDALEIngestor
from loadproof.samples.ukdale import simulate_meters

MAINS, CLAMP, PLUGS = 20, 1, (8, 12, 13, 14)
DAY_S = 86_400


def key(meter):
    return f"/building2/elec/meter{meter}"


@pytest.fixture(scope="module")
def meters():
    return {meter.number: meter for meter in simulate_meters(seed=2013)}


@pytest.fixture(scope="module")
def hdf5(samples_root):
    return samples_root / "ukdale_sample.h5"


@pytest.fixture(scope="module")
def csv(samples_root):
    return pl.read_csv(samples_root / "ukdale_sample.csv", infer_schema=False)


@pytest.fixture(scope="module")
def ingested(samples_root):
    """Readings and set-aside rows, by layout."""

    def ingest(layout):
        ingestor = UKDALEIngestor(samples_root, layout=layout)
        batches = [batch for part in ingestor.parts() for batch in ingestor.read(part)]
        readings = pl.concat([batch.readings for batch in batches]).sort("entity_id", "ts_utc")
        return readings, pl.concat([batch.rejected for batch in batches])

    return {layout: ingest(layout) for layout in (None, "csv")}


@pytest.mark.parametrize("number", [CLAMP, *PLUGS, MAINS])
def test_pandas_reads_back_every_number_of_6_meters(hdf5, meters, number):
    frame = pd.read_hdf(hdf5, key(number))
    meter = meters[number]
    assert frame.columns.to_list() == list(meter.columns)
    assert frame.columns.names == ["physical_quantity", "type"]
    assert str(frame.index.tz) == "Europe/London"
    assert (frame.index.asi8 == meter.ts_s * 10**9).all()
    assert (frame.to_numpy() == meter.values.astype(np.float32)).all()


def test_nilmtk_s_ways_of_reading_find_4311_rows_the_first_the_last_and_a_span(hdf5):
    with pd.HDFStore(hdf5, "r") as store:
        assert sorted(store.keys()) == sorted(key(number) for number in (CLAMP, *PLUGS, MAINS))
        assert store.get_storer(key(MAINS)).nrows == 4311
        assert store.get_storer(key(MAINS)).non_index_axes[0][1] == [
            ("power", "active"), ("power", "apparent"), ("voltage", ""),
        ]  # fmt: skip
        assert store.select(key(MAINS), [0]).index[0] == pd.Timestamp("2013-11-15T00:00Z")
        assert store.select(key(MAINS), start=-1).index[0] == pd.Timestamp("2013-11-17T23:59Z")
        active = store.select(key(MAINS), columns=[("power", "active")], start=10, stop=20)
        assert active.shape == (10, 1)
        early, late = pd.Timestamp("2013-11-16T12:20Z"), pd.Timestamp("2013-11-16T12:40Z")
        assert len(store.select_as_coordinates(key(MAINS), where=["index>=early", "index<late"])) == 10
        assert early < late


def test_nilmtk_finds_two_site_meters_of_which_one_is_disabled(hdf5):
    with pd.HDFStore(hdf5, "r") as store:
        devices = store.root._v_attrs.metadata["meter_devices"]
        building = store.get_node("/building2")._v_attrs.metadata
    assert devices["SoundCardPowerMeter"]["sample_period"] == 60
    assert building["instance"] == 2
    elec_meters = building["elec_meters"]
    assert {number: meter["data_location"] for number, meter in elec_meters.items()} == {
        number: key(number) for number in (CLAMP, *PLUGS, MAINS)
    }
    sites = {number: meter.get("disabled", False) for number, meter in elec_meters.items() if meter.get("site_meter")}
    assert sites == {CLAMP: True, MAINS: False}
    assert {meter["device_model"] for meter in elec_meters.values()} == set(devices)
    assert [(appliance["type"], appliance["meters"]) for appliance in building["appliances"]] == [
        ("kettle", [8]), ("washing machine", [12]), ("dish washer", [13]), ("fridge", [14]),
    ]  # fmt: skip


def test_the_attributes_are_those_that_pandas_itself_writes_for_the_same_frame(hdf5, tmp_path):
    frame = pd.read_hdf(hdf5, key(MAINS))
    with pd.HDFStore(tmp_path / "pandas.h5", "w", complib="zlib", complevel=9) as store:
        store.put(key(MAINS), frame, format="table", index=False)
    with h5py.File(hdf5) as ours, h5py.File(tmp_path / "pandas.h5") as theirs:
        for node in ("/", "/building2", "/building2/elec", key(MAINS), f"{key(MAINS)}/table"):
            mine, wanted = attributes(ours[node]), attributes(theirs[node])
            mine.pop("metadata", None)  # NILMTK's, which pandas does not write
            # Their newer word for nanoseconds, which pandas 1 cannot read; and what they say of categories: nothing.
            assert wanted.pop("index_kind", "datetime64[ns]") == "datetime64[ns]"
            assert mine.pop("index_kind", "datetime64") == "datetime64"
            wanted.pop("values_block_0_meta", None)
            if "info" in wanted:  # a zone as an object, which wants code to be read back; its name serves as well
                wanted["info"]["index"]["tz"] = str(wanted["info"]["index"]["tz"])
            assert mine == wanted
        assert ours[f"{key(MAINS)}/table"].dtype == theirs[f"{key(MAINS)}/table"].dtype


def attributes(node):
    """Return a node's attributes, pickles parsed."""
    found = {}
    for name, value in node.attrs.items():
        raw = value.tobytes() if isinstance(value, np.bytes_) else value
        pickled = isinstance(raw, bytes) and len(raw) > 2 and raw.endswith(b".") and raw[:1] in b"(cI"
        # Ours, or written by pandas a moment ago: there is nobody to mistrust.
        found[name] = pickle.loads(raw) if pickled else raw.decode() if isinstance(raw, bytes) else raw
        if isinstance(found[name], h5py.Empty):
            found[name] = ""
    return found


def test_the_csv_holds_the_active_power_of_5_meters_to_the_watt_and_no_clamp(csv, meters):
    assert csv.columns == ["timestamp", "house_id", "meter", "value_watts"]
    assert csv["house_id"].unique().to_list() == ["2"]
    assert csv["meter"].unique(maintain_order=True).to_list() == ["8", "12", "13", "14", "20"]
    for number in (*PLUGS, MAINS):
        rows = csv.filter(pl.col("meter") == str(number))
        ts_s = rows["timestamp"].str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC").dt.epoch("s")
        assert (ts_s.to_numpy() == meters[number].ts_s).all()
        assert (rows["value_watts"].cast(pl.Int64).to_numpy() == meters[number].values[:, 0]).all()


def test_both_layouts_give_the_same_718_half_hours_to_the_last_bit(ingested):
    (hdf5_readings, _), (csv_readings, _) = ingested[None], ingested["csv"]
    assert hdf5_readings.height == 718
    columns = ["entity_id", "ts_utc", "interval_mins", "energy_kwh", "extras"]
    assert hdf5_readings.select(columns).equals(csv_readings.select(columns))


@pytest.mark.parametrize("layout", [None, "csv"])
def test_the_gap_of_10_minutes_costs_the_half_hours_on_both_sides_and_the_repeats_one_sample_each(ingested, layout):
    readings, rejected = ingested[layout]
    gap = rejected.filter(pl.col("reason") == "low_coverage")
    assert gap["ts_utc"].dt.to_string("%d %H:%M").to_list() == ["16 12:00", "16 12:30"]
    assert gap["entity_id"].unique().to_list() == ["ukdale:house_2"]
    repeats = rejected.filter(pl.col("reason") == "duplicate").sort("entity_id")
    assert repeats["entity_id"].to_list() == ["ukdale:house_2", "ukdale:house_2:meter_14"]
    assert repeats["ts_utc"].dt.truncate("1m").unique().to_list() == [dt.datetime(2013, 11, 16, 3, tzinfo=dt.UTC)]
    assert rejected.height == 4
    counts = dict(readings.group_by("entity_id").len().iter_rows())
    assert counts == {"ukdale:house_2": 142, **{f"ukdale:house_2:meter_{plug}": 144 for plug in PLUGS}}


def test_a_half_hour_of_the_house_is_the_sum_of_its_30_minutes(ingested, meters):
    readings, _ = ingested[None]
    evening = dt.datetime(2013, 11, 15, 18, 30, tzinfo=dt.UTC)
    first_s = int(evening.timestamp())
    mains = meters[MAINS]
    minutes_w = mains.values[(mains.ts_s >= first_s) & (mains.ts_s < first_s + 1800), 0]
    assert len(minutes_w) == 30
    row = readings.filter(pl.col("entity_id") == "ukdale:house_2", pl.col("ts_utc") == evening)
    assert row["energy_kwh"].item() == pytest.approx(minutes_w.sum() / 60_000, abs=1e-12)


def test_the_repeat_on_the_fridge_s_meter_says_7_w_more_and_that_on_the_mains_the_same(meters):
    for number, more_w in ((14, 7), (MAINS, 0)):
        meter = meters[number]
        [at] = np.flatnonzero(np.diff(meter.ts_s) == 0)
        assert meter.values[at + 1, 0] - meter.values[at, 0] == more_w


def test_mains_and_clamp_measure_the_same_house_and_apparent_power_is_never_below_active(meters):
    active_w, apparent_va, voltage_v = meters[MAINS].values.T
    assert (apparent_va >= active_w).all()
    assert 230 < voltage_v.min() < voltage_v.mean() < voltage_v.max() < 253  # of 230 V: -6 to +10 %
    clamp_va = meters[CLAMP].values[:, 0]
    assert clamp_va.mean() == pytest.approx(apparent_va.mean(), rel=0.01)
    assert meters[CLAMP].ts_s[0] > meters[MAINS].ts_s[0]  # so that no half hour is the clamp's


def test_no_appliance_takes_more_than_the_house_and_each_runs_on_its_own_power(meters):
    mains = dict(zip((meters[MAINS].ts_s // 60).tolist(), meters[MAINS].values[:, 0].tolist(), strict=True))
    appliances_w = dict.fromkeys(mains, 0.0)
    for number in PLUGS:
        meter = meters[number]
        for minute, power_w in dict(zip((meter.ts_s // 60).tolist(), meter.values[:, 0].tolist(), strict=True)).items():
            if minute in mains:
                appliances_w[minute] += power_w
    # A plug's own watt of standby is part of the house's standby; the wrong repeat is 7 W.
    assert all(appliances_w[minute] <= mains[minute] + 7 for minute in mains)
    most_w = {number: meters[number].values.max() for number in PLUGS}
    assert 2200 <= most_w[8] <= 3300
    assert most_w[12] == 2110
    assert most_w[13] == 1960
    assert 70 <= most_w[14] <= 400


def test_samples_come_once_a_minute_for_3_days_each_meter_at_its_own_second(meters):
    assert len({int(meter.ts_s[0] % 60) for meter in meters.values()}) == 6
    for number, meter in meters.items():
        steps = np.diff(meter.ts_s)
        assert set(steps.tolist()) == {60} | ({0, 660} if number == MAINS else {0} if number == 14 else set())
        assert meter.ts_s[-1] // DAY_S - meter.ts_s[0] // DAY_S == 2
