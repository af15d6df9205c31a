import datetime as dt
import gzip
import os
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadproof.errors import SourceError
from loadproof.ingestion.weather import find_weather, merge_weather, read_weather
from loadproof.schema import REJECTED, WEATHER

UNITS = {
    "air_temperature": "degC", "dewpoint": "degC", "rltv_hum": "%", "wind_speed": "knots",
    "wind_direction": "deg true", "msl_pressure": "hPa", "cld_ttl_amt_id": "Oktas",
    "wmo_hr_sun_dur": "hours", "drv_hr_sun_dur": "hours",
}  # fmt: skip
KEYS = ["ob_time", "id", "id_type", "met_domain_name", "version_num", "src_id", "rec_st_ind", "meto_stmp_time"]
FLAGS = [f"{field}_q" for field in UNITS if field != "rltv_hum"]
COLUMNS = [*KEYS, *UNITS, *FLAGS]
NAME = "midas-open_uk-hourly-weather-obs_dv-201901_greater-london_00723_kew-gardens_qcv-1_2013.csv"
ROW = {
    "ob_time": "2013-01-01 00:00:00", "id": "5260", "id_type": "DCNN", "met_domain_name": "AWSHRLY",
    "version_num": "1", "src_id": "723", "rec_st_ind": "1011", "meto_stmp_time": "2013-01-01 00:05:00",
    "air_temperature": "9.1", "dewpoint": "7.6", "rltv_hum": "90.6", "wind_speed": "10", "wind_direction": "210",
    "msl_pressure": "1013.2", "cld_ttl_amt_id": "7", "wmo_hr_sun_dur": "NA", "drv_hr_sun_dur": "0.4",
}  # fmt: skip


def badc(*rows, units=UNITS, facts=(), end="end data\n", columns=COLUMNS):
    head = ["Conventions,G,BADC-CSV,1", "midas_station_id,G,00723", "midas_qc_version_number,G,1",
            "collection_version_number,G,dataset-version-201901", "missing_value,G,NA", *facts]  # fmt: skip
    head += [f"long_name,{field},a quantity,{unit}" for field, unit in units.items()]
    lines = [",".join({**dict.fromkeys(columns, "NA"), **ROW, **row}[name] for name in columns) for row in rows]
    return "\n".join([*head, "data", ",".join(columns), *lines, ""]) + end


def put(folder, text, name=NAME):
    path = folder / name
    data = text if isinstance(text, bytes) else text.encode()
    path.write_bytes(gzip.compress(data) if name.lower().endswith(".gz") else data)
    return path


def read(folder, *rows, **kwargs):
    return read_weather(put(folder, badc(*rows), kwargs.pop("name", NAME)), **kwargs)


def hour(n, **fields):
    return {"ob_time": f"2013-01-01 {n:02d}:00:00", **fields}


def reasons(frame):
    return dict(frame.group_by("reason").len().iter_rows())


def test_1_row_becomes_1_hour_in_our_units(tmp_path):
    got = read(tmp_path, {})
    assert got.table.drop("line").schema == WEATHER and got.rejected.schema == REJECTED
    row = got.table.row(0, named=True)
    assert row["station_id"] == "midas:00723" and row["ts_utc"] == dt.datetime(2013, 1, 1, tzinfo=dt.UTC)
    assert row["wind_speed_m_per_s"] == pytest.approx(5.144444)  # 10 knots
    assert [row[name] for name in ("temperature_degc", "dewpoint_degc", "relative_humidity_pct", "wind_direction_deg",
            "pressure_hpa", "cloud_oktas", "sunshine_hours")] == [9.1, 7.6, 90.6, 210, 1013.2, 7, 0.4]  # fmt: skip
    assert (got.rows_read, got.rejected.height, got.set_aside_values.height) == (1, 0, 0)


@pytest.mark.parametrize(
    ("unit", "stated", "ours"), [("m/s", "10", 10.0), ("knots", "10", 5.1444), ("Knots", "1", 0.5144)]
)
def test_the_wind_is_converted_by_the_unit_in_the_header(tmp_path, unit, stated, ours):
    path = put(tmp_path, badc({"wind_speed": stated}, units={**UNITS, "wind_speed": unit}))
    assert read_weather(path).table["wind_speed_m_per_s"][0] == pytest.approx(ours, abs=1e-4)


def test_kelvin_in_the_header_is_taken_off_by_273(tmp_path):
    path = put(tmp_path, badc({"air_temperature": "283.15"}, units={**UNITS, "air_temperature": "K"}))
    assert read_weather(path).table["temperature_degc"][0] == pytest.approx(10)


def test_a_unit_that_nobody_knows_is_an_error_and_no_guess(tmp_path):
    path = put(tmp_path, badc({}, units={**UNITS, "air_temperature": "degF"}))
    with pytest.raises(SourceError, match="states the unit 'degF' for air_temperature; known are degc"):
        read_weather(path)


@pytest.mark.parametrize("text", ["NA", "", "  "])
def test_missing_stays_missing_and_is_counted_0_times(tmp_path, text):
    got = read(tmp_path, {"air_temperature": text})
    assert got.table["temperature_degc"].to_list() == [None] and got.set_aside_values.is_empty()


@pytest.mark.parametrize(("text", "reason"), [
    ("warm", "value_unreadable"), ("inf", "value_not_finite"), ("nan", "value_not_finite"),
    ("50.1", "value_out_of_range"), ("-40.1", "value_out_of_range"), ("1,5", None),
])  # fmt: skip
def test_a_value_that_cannot_be_becomes_null_and_is_listed_with_its_text(tmp_path, text, reason):
    got = read(tmp_path, {"air_temperature": text})
    if reason is None:
        assert reasons(got.rejected) == {"fields_count": 1}
        return
    assert got.table["temperature_degc"].to_list() == [None] and got.table["dewpoint_degc"].to_list() == [7.6]
    assert got.set_aside_values.rows() == [(NAME, got.table["line"][0], reason, text, "temperature_degc")]


@pytest.mark.parametrize(("flag", "kept"), [("6", True), ("1", True), ("NA", True), ("0", True), ("46", True),
    ("6006", True), ("106", False), ("141", False), ("141.0", False), ("20131", False), ("?", False)])  # fmt: skip
def test_a_status_digit_other_than_0_sets_a_value_aside(tmp_path, flag, kept):
    got = read(tmp_path, {"dewpoint_q": flag})
    assert (got.table["dewpoint_degc"][0] == 7.6) == kept
    assert (got.table["relative_humidity_pct"][0] == 90.6) == kept  # calculated from the dew point
    assert got.table["temperature_degc"][0] == 9.1
    assert reasons(got.set_aside_values) == ({} if kept else {"qc_suspect": 2})


def test_keep_suspect_keeps_all_2_values(tmp_path):
    got = read(tmp_path, {"dewpoint_q": "106"}, keep_suspect=True)
    assert got.table["dewpoint_degc"][0] == 7.6 and got.set_aside_values.is_empty()


def test_a_station_doubted_as_a_whole_is_said_in_1_warning(tmp_path, caplog):
    read(tmp_path, *(hour(n, wind_speed_q="106") for n in range(20)))
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert "20 values of wind_speed are flagged suspect" in caplog.text and "--keep-suspect" in caplog.text


def test_the_sensor_comes_before_the_derived_sunshine(tmp_path):
    got = read(tmp_path, hour(0, wmo_hr_sun_dur="0.9"), hour(1))
    assert got.table["sunshine_hours"].to_list() == [0.9, 0.4]


@pytest.mark.parametrize(("row", "reason"), [
    ({"ob_time": "2013-01-01 00:20:00"}, "ts_off_grid"), ({"ob_time": "2013-13-01 00:00:00"}, "ts_unreadable"),
    ({"ob_time": "NA"}, "ts_unreadable"), ({"ob_time": "1970-01-01 00:00:00"}, "ts_out_of_range"),
    ({"ob_time": "2100-01-01 00:00:00"}, "ts_out_of_range"), ({"src_id": "708"}, "entity_unknown"),
    ({"src_id": "NA"}, "entity_unknown"), ({"rec_st_ind": "1013"}, "record_deleted"),
])  # fmt: skip
def test_a_row_without_its_station_or_hour_is_set_aside_whole(tmp_path, row, reason):
    got = read(tmp_path, hour(5), row)
    assert reasons(got.rejected) == {reason: 1} and (got.rows_read, got.table.height) == (2, 1)
    assert row.get("ob_time", ROW["ob_time"]) in got.rejected["raw"][0]


def best(tmp_path, *rows):
    """The temperature that is left of the rows of one hour, and why the others went."""
    got = read(tmp_path, *rows)
    assert got.rows_read == len(rows)
    return got.table["temperature_degc"].to_list(), reasons(got.rejected)


def test_of_versions_0_and_1_the_checked_1_counts(tmp_path):
    rows = [
        {"version_num": "1", "air_temperature": "1"},
        {"version_num": "0", "rec_st_ind": "1012", "air_temperature": "2", "meto_stmp_time": "2014-01-01 00:00:00"},
    ]
    assert best(tmp_path, *rows) == best(tmp_path, *rows[::-1]) == ([1.0], {"superseded": 1})


def test_of_2_states_of_a_record_the_later_counts_even_if_emptier(tmp_path):
    rows = [{"rec_st_ind": "1022", "dewpoint": "NA", "air_temperature": "1"}, {"rec_st_ind": "1011"}]
    assert best(tmp_path, *rows) == best(tmp_path, *rows[::-1]) == ([1.0], {"superseded": 1})


def test_of_2_snapshots_the_later_receipt_counts(tmp_path):
    rows = [{"meto_stmp_time": "2013-02-01 00:00:00", "air_temperature": "1"}, {}]
    assert best(tmp_path, *rows) == best(tmp_path, *rows[::-1]) == ([1.0], {"superseded": 1})


def test_of_2_messages_the_fuller_counts_and_of_equals_the_synop_over_the_metar(tmp_path):
    metar = {"met_domain_name": "METAR", "air_temperature": "9"}
    synop = {"met_domain_name": "SYNOP", "air_temperature": "9.4"}
    assert best(tmp_path, metar, synop) == ([9.4], {"superseded": 1})
    assert best(tmp_path, metar, {**synop, "wind_speed": "NA"}) == ([9.0], {"superseded": 1})


def test_equal_rows_are_1_duplicate_and_contradictions_2_conflicts(tmp_path):
    assert best(tmp_path, {}, {}) == ([9.1], {"duplicate": 1})
    assert best(tmp_path, {"dewpoint": "NA"}, {"dewpoint": "NA"}) == ([9.1], {"duplicate": 1})
    assert best(tmp_path, {}, {"air_temperature": "1"}) == ([], {"conflict": 2})


@pytest.mark.parametrize("suffix", [".gz", ".GZ"])
def test_a_packed_file_reads_like_its_plain_twin(suffix, tmp_path):
    plain, packed = read(tmp_path, hour(0), hour(1)), read(tmp_path, hour(0), hour(1), name=NAME + suffix)
    assert plain.table.drop("source").equals(packed.table.drop("source")) and plain.sha256 != packed.sha256


def test_windows_line_ends_and_an_empty_table_are_read(tmp_path):
    assert read_weather(put(tmp_path, badc({}).replace("\n", "\r\n"))).table.height == 1
    assert read_weather(put(tmp_path, badc())).rows_read == 0


BROKEN = {
    "no end data": (badc({}, end=""), r"line 17: ends without 'end data', so it is cut off; fetch it again"),
    "header only": ("Conventions,G,BADC-CSV,1\n", "ends before its line 'data'"),
    "zero bytes": ("", "line 1: the file is empty"),
    "another csv": ("a,b\n1,2\n", "line 1: is not 'Conventions,G,BADC-CSV'"),
    "two tables": (badc({}) + badc({}), "text after 'end data'"),
    "a column twice": (badc({}, columns=[*COLUMNS, "dewpoint"]), "line 16: the column 'dewpoint' stands twice"),
    "no time": (badc({}, columns=COLUMNS[1:]), "lacks the column 'ob_time'"),
    "no station": (badc({}).replace("00723", "Kew"), "no station number"),
    "utf-16": (badc({}).encode("utf-16"), "is UTF-16"),
    "nul bytes": (badc({}).encode() + b"\0", "line 19: holds NUL bytes"),
    "a long line": ("Conventions,G,BADC-CSV," + "x" * 2_000_000, "line 1: longer than 1048576 bytes"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_1_clear_line(tmp_path, name):
    text, message = BROKEN[name]
    with pytest.raises(SourceError, match=message) as caught:
        read_weather(put(tmp_path, text))
    assert str(caught.value).startswith(str(tmp_path / NAME)) and "\n" not in str(caught.value)


def test_a_packed_file_cut_off_or_swollen_is_1_clear_line(tmp_path, monkeypatch):
    path = put(tmp_path, badc({}), NAME + ".gz")
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    with pytest.raises(SourceError, match="cannot be read to its end"):
        read_weather(path)
    path.write_bytes(whole)
    monkeypatch.setattr("loadproof.ingestion.badc.FILE_LIMIT_BYTES", 100)
    with pytest.raises(SourceError, match="holds more than 100 bytes"):
        read_weather(path)


def test_a_ragged_and_an_unreadable_line_cost_themselves_alone(tmp_path):
    good, line = badc(hour(0), hour(1)), ",".join(["1"] * len(COLUMNS))
    text = (
        good.replace("end data", "1,2,3\nend data")
        .encode()
        .replace(b"end data", b"\xff" + line.encode() + b"\nend data")
    )
    got = read_weather(put(tmp_path, text))
    assert got.table.height == 2 and reasons(got.rejected) == {"fields_count": 1, "text_unreadable": 1}
    assert got.rejected["raw"].to_list()[0] == "1,2,3" and got.rejected["raw"][1].startswith("\\xff1,1")


fields = st.one_of(
    st.sampled_from(["NA", "", "6", "106", "1e400", "-0", "inf", "9.1", '"', '"a', "١٢"]), st.text(max_size=6)
)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.dictionaries(st.sampled_from(COLUMNS), fields, max_size=5), max_size=6))
def test_whatever_the_fields_hold_each_row_is_in_exactly_1_place(tmp_path_factory, rows):
    text = badc(*rows).encode(errors="replace").replace(b"\0", b"0")
    got = read_weather(put(tmp_path_factory.mktemp("w"), text))
    assert got.rows_read == got.table.height + got.rejected.height
    assert set(got.table["line"]).isdisjoint(got.rejected["line"])
    hours = got.table.select("station_id", "ts_utc")
    assert hours.n_unique() == hours.height and got.table["temperature_degc"].drop_nulls().is_between(-40, 50).all()


DARKSKY = (
    "visibility,windBearing,temperature,time,dewPoint,pressure,apparentTemperature,windSpeed,precipType,icon,"
    "humidity,summary"
)


def darksky(*hours, temperature="10.24"):
    rows = [
        f"5.97,104,{temperature},{h},8.86,{'' if 'T' in h else '1016.76'},10.24,2.77,rain,fog,0.29,Foggy" for h in hours
    ]
    return "\n".join([DARKSKY, *rows, ""])


def test_kaggles_unsorted_hours_come_out_sorted_with_2_still_missing(tmp_path):
    hours = [f"2011-11-11 {h:02d}:00:00" for h in (9, 0, 5, 4, 3, 8)]
    got = read_weather(put(tmp_path, darksky(*hours), "weather_hourly_darksky.csv"))
    assert [ts.hour for ts in got.table["ts_utc"]] == [0, 3, 4, 5, 8, 9]
    row = got.table.row(0, named=True)
    assert (row["station_id"], row["temperature_degc"], row["relative_humidity_pct"]) == ("darksky:london", 10.24, 29.0)
    assert (row["wind_speed_m_per_s"], row["pressure_hpa"], row["sunshine_hours"]) == (2.77, 1016.76, None)


def test_kaggles_contradicting_hour_is_set_aside_and_its_equal_kept_once(tmp_path):
    first, second = "2011-11-11 00:00:00", "2011-11-11 01:00:00"
    text = darksky(first, first, second) + darksky(second, temperature="3").split("\n", 1)[1]
    got = read_weather(put(tmp_path, text, "weather_hourly_darksky.csv"))
    assert got.table.height == 1 and reasons(got.rejected) == {"duplicate": 1, "conflict": 2} and got.rows_read == 4


def test_kaggles_file_without_a_column_or_rows_is_1_clear_line(tmp_path):
    for text, message in ((darksky().replace("time", "when"), "column 'time' is missing"), (darksky(), "no rows")):
        with pytest.raises(SourceError, match=message):
            read_weather(put(tmp_path, text, "weather_hourly_darksky.csv"))


def test_find_weather_takes_observations_and_leaves_5_other_files(tmp_path):
    folder = tmp_path / "weather" / "greater-london" / "qc-version-1"
    folder.mkdir(parents=True)
    (tmp_path / "lcl").mkdir()
    others = [NAME + ".gz", NAME.replace("_2013", "_capability"), NAME.replace("hourly-weather", "radiation"),
              NAME + ".part", "weather_daily_darksky.csv"]  # fmt: skip
    for name in (NAME, *others):
        put(folder, "x", name)
    kaggle = put(tmp_path / "lcl", "x", "weather_hourly_darksky.csv")
    assert find_weather(tmp_path) == [kaggle, folder / NAME]
    assert find_weather(tmp_path / "weather") == [folder / NAME]


def test_a_folder_without_weather_says_what_to_put_where(tmp_path):
    with pytest.raises(SourceError, match=r"no weather files; put MIDAS Open files .*--input-root"):
        find_weather(tmp_path)


def test_merging_files_keeps_each_hour_once_and_the_higher_edition(tmp_path):
    old = put(tmp_path, badc(hour(0, air_temperature="1"), hour(1)), NAME)
    new = put(tmp_path, badc(hour(0), hour(1), hour(2)).replace("201901", "202507"), NAME.replace("201901", "202507"))
    for paths in ([old, new], [new, old]):
        merged = merge_weather([read_weather(path) for path in paths])
        assert merged.table.schema == WEATHER and merged.table["temperature_degc"].to_list() == [9.1] * 3
        assert merged.table["source"].unique().to_list() == [new.name]
        assert reasons(merged.rejected) == {"superseded": 1, "duplicate": 1}
        assert merged.rejected.schema == REJECTED and merged.rejected["file"].unique().to_list() == [old.name]
        assert all(raw.startswith("2013-01-01 0") for raw in merged.rejected["raw"])


def test_merging_0_files_gives_0_hours():
    assert merge_weather([]).table.schema == WEATHER


@pytest.fixture(scope="module")
def kew():
    root = os.environ.get("LOADPROOF_REAL_DATA")
    if not root:
        pytest.skip("LOADPROOF_REAL_DATA is not set")
    return [read_weather(path) for path in find_weather(Path(root) / "weather")]


def test_kew_2012_to_2014_has_25522_hours_between_minus_8_1_and_33_degc(kew):
    assert [read.rows_read for read in kew] == [8772, 8757, 7993] == [read.table.height for read in kew]
    table = merge_weather(kew).table
    assert table.height == 25_522 and table["station_id"].unique().to_list() == ["midas:00723"]
    years = table.group_by(pl.col("ts_utc").dt.year().alias("year")).agg(
        pl.col("temperature_degc").min().alias("low"), pl.col("temperature_degc").max().alias("high"),
        pl.col("temperature_degc").null_count().alias("missing"), pl.col("wind_speed_m_per_s").max().alias("wind"),
    ).sort("year")  # fmt: skip
    assert years.drop("wind").rows() == [(2012, -8.1, 29.4, 0), (2013, -6.4, 33.0, 808), (2014, -4.6, 28.3, 29)]
    assert years["wind"].to_list() == pytest.approx([9.26, 10.8033, 9.26], abs=1e-3)  # 18, 21 and 18 knots


def test_kew_misses_12_3_and_767_hours_of_its_3_years(kew):
    absent = [hours - read.table.height for hours, read in zip((8784, 8760, 8760), kew, strict=True)]
    assert absent == [12, 3, 767]


def test_kew_has_57_sunshine_values_that_quality_control_doubts(kew):
    assert [reasons(read.set_aside_values) for read in kew] == [{"qc_suspect": 30}, {}, {"qc_suspect": 27}]
    assert {column for read in kew for column in read.set_aside_values["column"]} == {"sunshine_hours"}
