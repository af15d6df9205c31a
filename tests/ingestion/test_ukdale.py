import datetime as dt
import json
import logging

import h5py
import hdf5plugin
import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loadproof.errors import ConfigError, SourceError
from loadproof.ingestion import power
from loadproof.ingestion.ukdale import UKDALEIngestor
from loadproof.runner.ingest import ingest
from loadproof.store import Store

START = int(dt.datetime(2013, 6, 1, tzinfo=dt.UTC).timestamp())
KINDS = {
    ("power", "active"): b"(lp0\n(Vpower\np1\nVactive\np2\ntp3\na.",
    ("power", "apparent"): b"(lp0\n(Vpower\np1\nVapparent\np2\ntp3\na.",
}
MAINS = b"(lp0\n(Vpower\np1\nVactive\np2\ntp3\na(g1\nVapparent\np4\ntp5\na(Vvoltage\np6\nV\np7\ntp8\na."


def every(step_s, hours=1.0, *, first=START):
    return first + np.arange(0, hours * 3600, step_s)


def write_h5(folder, meters, *, name="ukdale.h5"):
    """Write meters: number to (stamps, watts) for active power, or (stamps, watts, kind)."""
    folder.mkdir(parents=True, exist_ok=True)
    with h5py.File(folder / name, "a") as file:
        for (house, number), (stamps, watts, *kind) in meters.items():
            columns = np.stack([watts, watts, watts], axis=1) if kind == ["mains"] else np.asarray(watts)[:, None]
            rows = np.zeros(len(stamps), [("index", "<i8"), ("values_block_0", "<f4", (columns.shape[1],))])
            rows["index"] = np.round(np.asarray(stamps, float) * 1e6).astype("i8") * 1000
            rows["values_block_0"] = columns
            group = file.create_group(f"/building{house}/elec/meter{number}")
            table = group.create_dataset("table", data=rows, chunks=(min(512, len(rows)),), **hdf5plugin.Blosc())
            table.attrs["index_kind"] = np.bytes_(b"datetime64")
            names = MAINS if kind == ["mains"] else KINDS["power", kind[0] if kind else "active"]
            table.attrs["values_block_0_kind"] = np.bytes_(names)


def write_dat(folder, house, name, lines):
    below = folder / f"house_{house}"
    below.mkdir(parents=True, exist_ok=True)
    (below / name).write_bytes(lines if isinstance(lines, bytes) else "".join(f"{line}\n" for line in lines).encode())


def read_all(ingestor):
    """Return readings, rejected and the rows read of all parts; each batch adds up."""
    readings, rejected, rows = [], [], 0
    for part in ingestor.parts():
        for batch in ingestor.read(part):
            assert batch.rows_read == batch.readings.height + batch.rejected.height
            readings.append(batch.readings)
            rejected.append(batch.rejected)
            rows += batch.rows_read
    return pl.concat(readings), pl.concat(rejected), rows


def kwh_of(readings, entity_id):
    mine = readings.filter(entity_id=entity_id).sort("ts_utc")
    return dict(zip(mine["ts_utc"].dt.strftime("%d %H:%M"), mine["energy_kwh"].round(6), strict=True))


def counts(rejected):
    return dict(sorted(rejected["reason"].value_counts().rows()))


@pytest.fixture
def folder(tmp_path):
    below = tmp_path / "raw" / "ukdale"
    below.mkdir(parents=True)
    return below


def test_a_2_kw_kettle_at_6_s_and_300_w_of_mains_at_1_s_are_1_and_015_kwh_a_half_hour(folder):
    write_h5(folder, {(2, 8): (every(6), np.full(600, 2000.0)), (2, 20): (every(1), np.full(3600, 300.0), "mains")})
    readings, rejected, rows = read_all(UKDALEIngestor(folder.parent))
    assert kwh_of(readings, "ukdale:house_2:meter_8") == {"01 00:00": 1.0, "01 00:30": 1.0}
    assert kwh_of(readings, "ukdale:house_2") == {"01 00:00": 0.15, "01 00:30": 0.15}
    assert (rows, rejected.height) == (4, 0)
    extras = [json.loads(text) for text in readings["extras"]]
    assert extras[0] == {"ac_type": "active", "coverage": 1.0, "device_model": "EcoManagerTxPlug", "meter": 8,
                         "n_samples": 300}  # fmt: skip
    assert extras[2]["device_model"] == "SoundCardPowerMeter"
    assert extras[2]["n_samples"] == 1800


def test_the_clamp_is_the_aggregate_until_the_sound_card_starts_and_never_beside_it(folder, caplog):
    caplog.set_level(logging.INFO)
    card_from = START + 1800 + 763.1
    write_h5(folder, {
        (1, 1): (every(6, 2), np.full(1200, 1100.0), "apparent"),
        (1, 54): (every(1, 1, first=card_from), np.full(3600, 1000.0), "mains"),
    })  # fmt: skip
    readings, rejected, _ = read_all(UKDALEIngestor(folder.parent))
    assert kwh_of(readings, "ukdale:house_1") == {"01 00:00": 0.55, "01 00:30": 0.55, "01 01:00": 0.5}
    assert [json.loads(text)["ac_type"] for text in readings["extras"]] == ["apparent", "apparent", "active"]
    assert readings["entity_id"].unique().to_list() == ["ukdale:house_1"]
    assert rejected["reason"].to_list() == ["low_coverage", "low_coverage"]
    assert "2 left to the sound card" in caplog.text


def test_a_disabled_clamp_that_starts_with_the_sound_card_gives_no_part(folder, caplog):
    caplog.set_level(logging.INFO)
    write_h5(
        folder, {(2, 1): (every(6), np.full(600, 1.0), "apparent"), (2, 20): (every(1), np.full(3600, 1.0), "mains")}
    )
    assert [part.member for part in UKDALEIngestor(folder.parent).parts()] == ["/building2/elec/meter20"]
    assert "meter1: the clamp is left alone" in caplog.text


def test_houses_3_and_4_have_apparent_power_only_and_say_so(folder):
    write_h5(folder, {(3, 1): (every(6), np.full(600, 500.0), "apparent")})
    readings, _, _ = read_all(UKDALEIngestor(folder.parent))
    assert readings["entity_id"].unique().to_list() == ["ukdale:house_3"]
    assert json.loads(readings["extras"][0])["ac_type"] == "apparent"


def test_each_bad_sample_is_one_row_with_its_reason_line_and_text(folder):
    lines = [f"{START + 6 * n} 100" for n in range(600)]
    lines[10] = f"{START + 60} -5"
    lines[20] = f"{START + 120} 3301"
    lines[30] = f"{START + 174} 77"  # the stamp of the line before
    lines[40] = f"{START + 240} nan"
    lines[50] = "x 100"
    lines[60] = f"{START + 360} 1 2"
    lines[70] = f"{START + 420} 12O"
    lines[80] = "9000000000 100"
    write_dat(folder, 2, "channel_12.dat", lines)
    readings, rejected, rows = read_all(UKDALEIngestor(folder.parent))
    assert rejected.sort("line").select("line", "reason", "raw").rows() == [
        (11, "value_negative", f"{START + 60} -5"),
        (21, "value_above_limit", f"{START + 120} 3301"),
        (31, "duplicate", f"{START + 174} 77"),
        (41, "value_not_finite", f"{START + 240} nan"),
        (51, "ts_unreadable", "x 100"),
        (61, "fields_count", f"{START + 360} 1 2"),
        (71, "value_unreadable", f"{START + 420} 12O"),
        (81, "ts_out_of_range", "9000000000 100"),
    ]
    assert rows == 2 + 8
    assert kwh_of(readings, "ukdale:house_2:meter_12") == {"01 00:00": 0.05, "01 00:30": 0.05}
    assert [json.loads(text)["n_samples"] for text in readings["extras"]] == [292, 300]


def test_a_comma_in_a_dat_file_is_neither_a_separator_nor_a_point(folder):
    write_dat(folder, 2, "channel_12.dat", [f"{START},100", f"{START + 6} 1,5", f"{START + 12} 5"])
    _, rejected, _ = read_all(UKDALEIngestor(folder.parent))
    assert counts(rejected) == {"fields_count": 1, "low_coverage": 1, "value_unreadable": 1}


def test_a_broken_sound_card_is_an_error_and_is_not_replaced_by_the_clamp(folder):
    write_h5(folder, {(2, 1): (every(6), np.full(600, 1.0), "apparent")})
    with h5py.File(folder / "ukdale.h5", "a") as file:
        file.create_group("/building2/elec/meter20")
    ingestor = UKDALEIngestor(folder.parent)
    (part,) = ingestor.parts()
    with pytest.raises(SourceError, match=r"meter20: has no 'table'"):
        list(ingestor.read(part))


def test_raw_text_of_an_hdf5_row_is_its_index_and_values(folder):
    write_h5(folder, {(2, 20): ([START, START + 1, START + 1, START + 2], np.array([1.0, 2.0, -1.0, 3.0]), "mains")})
    ingestor = UKDALEIngestor(folder.parent)
    _, rejected, _ = read_all(ingestor)
    assert rejected.filter(reason="value_negative")["raw"].to_list() == [f"{START + 1}000000000 -1.0 -1.0 -1.0"]
    assert ingestor.raw_lines(ingestor.parts()[0], [2]) == {2: f"{START + 1}000000000 2.0 2.0 2.0"}


def test_1500_negative_samples_are_1000_rows_and_1_more_for_each_of_3_half_hours(folder):
    watts = np.full(1800, 50.0)
    watts[100:1600] = -1.0
    write_h5(folder, {(2, 8): (every(6, 3), watts)})
    _, rejected, _ = read_all(UKDALEIngestor(folder.parent))
    negative = rejected.filter(reason="value_negative")
    assert negative.height == 1000 + 3
    shared = negative.filter(pl.col("raw").str.contains("more"))
    assert shared["raw"].str.extract(r"\(and (\d+) more\)$").cast(int).to_list() == [99, 299, 99]


def test_a_gap_of_10_minutes_at_an_edge_costs_one_half_hour_and_a_short_one_none(folder):
    stamps = every(6, 2)
    stamps = stamps[(stamps <= START + 1500) | (stamps > START + 2100)]
    stamps = stamps[(stamps < START + 4000) | (stamps > START + 4100)]
    write_h5(folder, {(2, 8): (stamps, np.full(len(stamps), 1000.0))})
    readings, rejected, _ = read_all(UKDALEIngestor(folder.parent))
    assert sorted(kwh_of(readings, "ukdale:house_2:meter_8")) == ["01 00:00", "01 01:00", "01 01:30"]
    assert [json.loads(text)["coverage"] for text in readings["extras"]] == [0.9, 1.0, 1.0]
    assert rejected["raw"].to_list() == ["2013-06-01T00:30:00Z: 249 samples hold power in 0.83 of 30 min"]


def test_min_coverage_of_half_keeps_a_half_hour_that_09_sets_aside(folder):
    write_h5(folder, {(2, 8): (every(6, 0.35), np.full(len(every(6, 0.35)), 1000.0))})
    assert read_all(UKDALEIngestor(folder.parent))[0].height == 0
    readings, _, _ = read_all(UKDALEIngestor(folder.parent, min_coverage=0.5))
    assert kwh_of(readings, "ukdale:house_2:meter_8") == {"01 00:00": 0.35}


def test_minute_data_of_a_1_s_meter_takes_60_s_from_the_data_or_the_flag_and_6_s_meters_keep_120(folder, caplog):
    caplog.set_level(logging.INFO)
    write_h5(folder, {(2, 20): (every(60), np.full(60, 600.0), "mains"), (2, 8): (every(60), np.full(60, 60.0))})
    readings, _, _ = read_all(UKDALEIngestor(folder.parent))
    assert set(kwh_of(readings, "ukdale:house_2").values()) == {0.3}
    assert "takes its modal step of 60 s for the sample period (its model says 1 s), holds up to 60 s" in caplog.text
    assert "takes its modal step of 60 s for the sample period (its model says 6 s), holds up to 120 s" in caplog.text
    readings, _, _ = read_all(UKDALEIngestor(folder.parent, sample_period_s=60))
    assert set(kwh_of(readings, "ukdale:house_2").values()) == {0.3}
    assert read_all(UKDALEIngestor(folder.parent, sample_period_s=1))[0].filter(entity_id="ukdale:house_2").height == 0


@pytest.mark.parametrize(("step_s", "mins"), [(1, 1), (60, 1), (180, 5), (240, 5), (900, 15), (1800, 30), (3600, 60)])
def test_without_downsampling_bins_have_the_native_period_rounded_to_the_grid(folder, step_s, mins):
    write_h5(folder, {(2, 20): (every(step_s, 3), np.full(len(every(step_s, 3)), 600.0), "mains")})
    readings, _, _ = read_all(UKDALEIngestor(folder.parent, downsample_30min=False))
    assert readings["interval_mins"].unique().to_list() == [mins]
    assert readings["energy_kwh"].sum() == pytest.approx(1.8)
    assert readings.height == 180 // mins


def test_hourly_data_is_not_cut_into_half_hours(folder):
    write_h5(folder, {(2, 20): (every(3600, 3), np.full(3, 600.0), "mains")})
    readings, _, _ = read_all(UKDALEIngestor(folder.parent))
    assert readings["interval_mins"].to_list() == [60, 60, 60]


def test_stamps_in_tenths_of_a_second_hold_power_to_the_tenth(folder):
    stamps = np.round(START + 0.3 + np.arange(3700) * 1.1, 1)
    write_dat(folder, 2, "mains.dat", [f"{ts:.1f} 360.00 380.00 241.00" for ts in stamps])
    readings, rejected, _ = read_all(UKDALEIngestor(folder.parent))
    facts = [json.loads(text) for text in readings["extras"]]
    assert [fact["coverage"] for fact in facts] == [0.9998, 1.0]
    assert readings["energy_kwh"].to_list() == pytest.approx([0.36 * (1800 - 0.3) / 3600, 0.18], rel=1e-12)
    assert rejected["reason"].to_list() == ["low_coverage"]


def test_shuffled_lines_give_the_bins_of_sorted_ones(folder, tmp_path):
    lines = [f"{START + 6 * n} {n % 977}" for n in range(1200)]
    write_dat(folder, 2, "channel_8.dat", lines)
    mixed = tmp_path / "mixed" / "ukdale"
    write_dat(mixed, 2, "channel_8.dat", np.random.default_rng(5).permutation(lines).tolist())
    one, other = (read_all(UKDALEIngestor(path.parent))[0] for path in (folder, mixed))
    assert one["energy_kwh"].to_list() == other["energy_kwh"].to_list()
    assert one.height == 4


def test_files_beside_the_channels_are_ignored(folder):
    write_dat(folder, 1, "channel_10.dat", [f"{ts} 100" for ts in every(6).astype(int)])
    for name in ("channel_10_button_press.dat", "channel_100.dat", "channel_1.dat.bak"):
        write_dat(folder, 1, name, ["1 2 3"])
    assert [part.name for part in UKDALEIngestor(folder.parent).parts()] == ["house_1/channel_10.dat"]


def test_names_come_from_labels_or_from_the_metadata_which_says_more(folder):
    for meter in (5, 6):
        write_dat(folder, 1, f"channel_{meter}.dat", [f"{ts} 100" for ts in every(6).astype(int)])
    write_dat(folder, 1, "labels.dat", ["1 aggregate", "5 washing_machine", "6 dishwasher"])
    (folder / "metadata").mkdir()
    (folder / "metadata" / "building1.yaml").write_text(
        "elec_meters: {5: {device_model: CurrentCostTx}}\n"
        "appliances: [{meters: [5], original_name: washing_machine, type: washer dryer}]\n"
    )
    readings, _, _ = read_all(UKDALEIngestor(folder.parent))
    facts = {entity: json.loads(text) for entity, text in readings.select("entity_id", "extras").rows()}
    washer, dishes = facts["ukdale:house_1:meter_5"], facts["ukdale:house_1:meter_6"]
    assert (washer["appliances"], washer["device_model"]) == (["washer dryer"], "CurrentCostTx")
    assert (dishes["original_name"], dishes["device_model"]) == ("dishwasher", "EcoManagerTxPlug")
    assert "appliances" not in dishes


def test_a_csv_with_unix_or_iso_stamps_and_houses_by_either_name_gives_the_same_5_bins(folder):
    stamps = [START + 60 * n for n in range(60)]
    iso = [dt.datetime.fromtimestamp(ts, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for ts in stamps]
    local = [dt.datetime.fromtimestamp(ts, dt.timezone(dt.timedelta(hours=1))).isoformat(" ") for ts in stamps]
    wanted = None
    for texts, house in ((stamps, "2"), (iso, "house_2"), (local, "2")):
        rows = [f"{ts},{house},{meter},{watts}" for ts in texts for meter, watts in (("", 600), (12, 30), (1, 999))]
        (folder / "ukdale_sample.csv").write_text("\n".join(["timestamp,house_id,meter,value_watts", *rows]) + "\n")
        readings, rejected, rows_read = read_all(UKDALEIngestor(folder.parent))
        kwh = {name: kwh_of(readings, name) for name in sorted(readings["entity_id"].unique())}
        assert rejected.height == 0
        assert rows_read == 4
        assert wanted is None or kwh == wanted
        wanted = kwh
    assert wanted == {
        "ukdale:house_2": {"01 00:00": 0.3, "01 00:30": 0.3},
        "ukdale:house_2:meter_12": {"01 00:00": 0.015, "01 00:30": 0.015},
    }


def test_a_csv_without_a_meter_column_is_the_house_and_a_row_of_no_house_is_counted(folder):
    rows = [f"{START + 60 * n},1,100" for n in range(30)]
    rows[3:3] = [f"{START},attic,100", "1,2", f"{START},,5"]
    (folder / "x.csv").write_text("\n".join(["timestamp,house_id,value_watts", *rows]))
    readings, rejected, _ = read_all(UKDALEIngestor(folder.parent))
    assert kwh_of(readings, "ukdale:house_1") == {"01 00:00": 0.05}
    assert counts(rejected) == {"entity_unknown": 1, "fields_count": 2}
    assert rejected.sort("line")["raw"].to_list() == [f"{START},attic,100", "1,2", f"{START},,5"]


def test_in_a_csv_the_clamp_is_the_aggregate_of_house_3_and_of_house_2_until_its_own_series_starts(folder):
    late = [f"{START + 1800 + 60 * n},2,20,500" for n in range(30)]
    rows = [f"{START + 60 * n},{house},1,600" for house in (2, 3) for n in range(60)]
    (folder / "x.csv").write_text("\n".join(["timestamp,house_id,meter,value_watts", *rows, *late]))
    readings, rejected, _ = read_all(UKDALEIngestor(folder.parent))
    assert rejected.height == 0
    assert kwh_of(readings, "ukdale:house_3") == {"01 00:00": 0.3, "01 00:30": 0.3}
    assert kwh_of(readings, "ukdale:house_2") == {"01 00:00": 0.3, "01 00:30": 0.25}


def test_hdf5_goes_before_text_before_csv_and_the_flag_before_all(folder):
    with pytest.raises(SourceError, match=r"no UK-DALE files.*--input-root"):
        UKDALEIngestor(folder.parent).parts()
    (folder / "ukdale.h5.zip").write_bytes(b"PK")
    with pytest.raises(SourceError, match=r"ukdale\.h5\.zip is still packed; unpack it"):
        UKDALEIngestor(folder.parent).parts()
    (folder / "a.csv").write_text("timestamp,house_id,value_watts\n")
    write_dat(folder, 2, "channel_8.dat", [f"{START} 1"])
    assert UKDALEIngestor(folder.parent).parts()[0].name == "house_2/channel_8.dat"
    write_h5(folder, {(2, 8): ([START], np.array([1.0]))})
    assert UKDALEIngestor(folder.parent).parts()[0].name == "ukdale.h5/building2/elec/meter8"
    assert UKDALEIngestor(folder.parent, layout="csv").parts()[0].name == "a.csv"
    with pytest.raises(SourceError, match=r"no house 5; take --house 2"):
        UKDALEIngestor(folder.parent, houses=[5]).parts()


@pytest.mark.parametrize("odd", [{"min_coverage": 0}, {"min_coverage": 1.1}, {"sample_period_s": -1}])
def test_a_coverage_of_0_or_a_negative_period_is_a_config_error(folder, odd):
    with pytest.raises(ConfigError, match=r"give (a share|seconds) above 0"):
        UKDALEIngestor(folder.parent, **odd)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("channel_8.dat", b"", "line 1: the file is empty"),
        ("channel_8.dat", "1370044800 260\n".encode("utf-16"), "line 1: is UTF-16"),
        ("channel_8.dat", b"1370044800 260\n\0\0\0", "line 2: holds NUL bytes"),
        ("channel_8.dat", b"1" * 70_000, "line 1: longer than 65536 bytes"),
    ],
)
def test_a_broken_text_file_is_one_error_with_file_line_and_mend(folder, name, content, message):
    write_dat(folder, 2, "channel_8.dat", [f"{START} 1"])
    write_dat(folder, 2, name, content)
    with pytest.raises(SourceError, match=rf"{name}.*{message}.*; "):
        read_all(UKDALEIngestor(folder.parent, block_bytes=2**16))


def test_labels_that_are_no_text_cost_their_names_alone_and_are_reported(folder):
    write_dat(folder, 2, "channel_8.dat", [f"{START + n * 6} 300" for n in range(600)])
    write_dat(folder, 2, "labels.dat", b"\xff\xfe\x00")
    ingestor = UKDALEIngestor(folder.parent)
    readings, _, _ = read_all(ingestor)
    assert (readings.height, "original_name" in readings["extras"][0]) == (2, False)
    ((name, why),) = ingestor.damaged.items()
    assert (name, "cannot be read as UTF-8" in why) == ("house_2/labels.dat", True)


def test_a_broken_hdf5_file_is_a_part_of_its_own_so_that_others_can_be_read(folder):
    (folder / "a.h5").write_text("1370044800 260\n")
    write_h5(folder, {(2, 8): (every(6), np.full(600, 1.0))}, name="b.h5")
    ingestor = UKDALEIngestor(folder.parent)
    broken, sound = ingestor.parts()
    with pytest.raises(SourceError, match=r"a\.h5: no HDF5 file"):
        list(ingestor.read(broken))
    assert sum(batch.readings.height for batch in ingestor.read(sound)) == 2


def test_yaml_that_would_make_objects_is_refused(folder, tmp_path):
    write_dat(folder, 2, "channel_8.dat", [f"{START} 1"])
    (folder / "metadata").mkdir()
    (folder / "metadata" / "building2.yaml").write_text(f"a: !!python/object/apply:os.system ['touch {tmp_path}/ran']")
    ingestor = UKDALEIngestor(folder.parent)
    ingestor.parts()
    assert "building2.yaml: is no YAML" in ingestor.damaged["metadata/building2.yaml"]
    assert not (tmp_path / "ran").exists()


line_bytes = st.one_of(
    st.builds(lambda ts, w: b"%d %d" % (START + ts, w), st.integers(0, 9000), st.integers(-5, 4000)),
    st.binary(max_size=12).filter(lambda raw: b"\n" not in raw and b"\0" not in raw),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(line_bytes, min_size=1, max_size=40))
def test_of_any_lines_every_one_is_held_or_set_aside(folder, lines):
    if lines[0][:2] in (b"\xff\xfe", b"\xfe\xff"):
        return
    write_dat(folder, 2, "channel_8.dat", b"".join(line + b"\n" for line in lines))
    readings, rejected, _ = read_all(UKDALEIngestor(folder.parent, min_coverage=0.001))
    aside = rejected.filter(pl.col("reason") != "low_coverage").height
    held = sum(json.loads(text)["n_samples"] for text in readings["extras"])
    thin = rejected.filter(reason="low_coverage")["raw"].str.extract(r": (\d+) samples").cast(int).sum()
    assert held + thin + aside == len(lines)


def test_small_chunks_give_the_same_bits_as_large_ones(folder, monkeypatch):
    rng = np.random.default_rng(3)
    stamps = START + np.cumsum(rng.integers(1, 200, 3000))
    write_h5(folder, {(2, 8): (stamps, rng.uniform(-50, 3400, 3000))})
    one, aside, _ = read_all(UKDALEIngestor(folder.parent))
    monkeypatch.setattr("loadproof.ingestion.ukdale_files.read_table.__kwdefaults__", {"chunk_rows": 77})
    other, aside_too, _ = read_all(UKDALEIngestor(folder.parent))
    assert one.equals(other)
    assert aside.sort("line", "reason").equals(aside_too.sort("line", "reason"))


def test_an_ingest_run_twice_leaves_the_same_bytes(folder, tmp_path):
    write_h5(folder, {(2, 8): (every(6, 48), np.arange(28_800) % 3000.0), (2, 20): (every(6), np.ones(600), "mains")})
    seen = []
    for _ in range(2):
        store = Store(tmp_path / "data" / "processed")
        report = ingest(UKDALEIngestor(folder.parent), store, mode="files", max_rejected_share=0.05)
        assert (report.rows_read, report.rows_written, report.entities) == (98, 98, 2)
        seen.append({file.name: file.read_bytes() for file in sorted(tmp_path.glob("data/processed/**/*.parquet"))})
    assert seen[0] == seen[1]


def test_a_wrong_count_of_samples_is_found_out(folder, monkeypatch):
    write_h5(folder, {(2, 8): (every(6), np.full(600, 1.0))})
    monkeypatch.setattr(power.InOrder, "finish", lambda order: order.pending.take(slice(5, None)))
    with pytest.raises(AssertionError, match="samples went missing"):
        read_all(UKDALEIngestor(folder.parent))


def test_on_the_excerpt_energy_per_day_is_that_of_a_plain_sum_within_a_thousandth(real_data):
    with h5py.File(real_data / "ukdale" / "ukdale_house2_2013-05_2013-06.h5") as file:
        rows = file["building2/elec/meter20/table"][:]
    power_w = {int(ns) // 10**9: float(block[0]) for ns, block in rows}
    slow, minutes = {}, {}
    for ts, watts in power_w.items():
        day = dt.datetime.fromtimestamp(ts, dt.UTC).date()
        slow[day] = slow.get(day, 0.0) + watts * 60 / 3.6e6
        minutes[day] = minutes.get(day, 0) + 1
    readings, _, _ = read_all(UKDALEIngestor(real_data, layout="hdf5", houses=[2]))
    mine = readings.filter(entity_id="ukdale:house_2").with_columns(day=pl.col("ts_utc").dt.date())
    days = dict(mine.group_by("day").agg(pl.col("energy_kwh").sum()).rows())
    whole = [day for day, count in minutes.items() if count == 1440]
    assert len(whole) == 40
    assert max(abs(days[day] / slow[day] - 1) for day in whole) < 1e-3
    outage = (dt.datetime(2013, 6, 5, 10, tzinfo=dt.UTC), dt.datetime(2013, 6, 5, 12, 50, tzinfo=dt.UTC))
    assert mine.filter(pl.col("ts_utc").is_between(*outage)).height == 0
    broken = dt.date(2013, 6, 5)
    edges = sum(power_w.get(ts, 0.0) for at in (10 * 60, 12 * 60 + 50)
                for ts in range(1370390400 + at * 60, 1370390400 + (at + 10) * 60, 60)) * 60 / 3.6e6  # fmt: skip
    assert days[broken] == pytest.approx(slow[broken] - edges, rel=1e-3)


def test_on_the_excerpt_text_and_hdf5_agree_in_the_330_half_hours_of_their_common_week(real_data):
    both = {layout: read_all(UKDALEIngestor(real_data, layout=layout))[0] for layout in ("hdf5", "text")}
    common = both["text"].join(both["hdf5"], on=["entity_id", "ts_utc"], suffix="_hdf5")
    assert common["entity_id"].unique().sort().to_list() == sorted(
        ["ukdale:house_2", *(f"ukdale:house_2:meter_{meter}" for meter in (8, 12, 13, 15))]
    )
    assert common.height == both["text"].height == 5 * (7 * 48 - 6)
    # The text of the sub-meters is in whole watts.
    off = common.select(pl.col("entity_id"), off=(pl.col("energy_kwh") - pl.col("energy_kwh_hdf5")).abs())
    assert off.filter(entity_id="ukdale:house_2")["off"].max() < 1e-5
    assert off["off"].max() <= 0.5 * 0.5 / 1000
    facts = [json.loads(text) for text in common["extras"]]
    assert {fact.get("original_name") for fact in facts} >= {"kettle", "washing_machine", "dish_washer", "microwave"}


def test_other_labels_make_another_ingest_so_that_a_killed_run_never_mixes_two_names(folder):
    write_dat(folder, 2, "channel_8.dat", [f"{START + n * 6} 300" for n in range(600)])
    without = UKDALEIngestor(folder.parent).settings["metadata"]
    write_dat(folder, 2, "labels.dat", ["8 kettle"])
    kettle = UKDALEIngestor(folder.parent).settings["metadata"]
    write_dat(folder, 2, "labels.dat", ["8 toaster"])
    assert len({without, kettle, UKDALEIngestor(folder.parent).settings["metadata"]}) == 3
    assert without == "none"


def test_a_bad_sample_in_each_half_hour_is_1_of_300_samples_and_not_half_of_the_rows(folder):
    lines = [f"{START + n * 6} {-1 if n % 300 == 0 else 300}" for n in range(48 * 300)]
    write_dat(folder, 2, "channel_8.dat", lines)
    store = Store(folder.parent / "out" / "processed")
    done = ingest(UKDALEIngestor(folder.parent), store, mode="files", max_rejected_share=0.05)
    assert (done.rows_written, done.rejected_by_reason) == (48, {"value_negative": 48})


def test_one_sample_in_ten_above_the_limit_fails_the_ingest_with_the_count_of_samples(folder):
    write_dat(folder, 2, "channel_8.dat", [f"{START + n * 6} {-1 if n % 10 == 0 else 300}" for n in range(6000)])
    store = Store(folder.parent / "out" / "processed")
    with pytest.raises(SourceError, match=r"600 of 6000 samples \(10\.0%\) were set aside, more than the limit of 5"):
        ingest(UKDALEIngestor(folder.parent), store, mode="files", max_rejected_share=0.05)
