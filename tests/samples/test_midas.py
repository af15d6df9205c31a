"""The MIDAS sample: BADC-CSV that the ingest of weather takes, and the weather that the simulated homes live in."""

import datetime as dt
import gzip

import numpy as np
import polars as pl
import pytest

from loadproof.ingestion.weather import find_weather, read_weather
from loadproof.samples.badc_columns import COLUMNS
from loadproof.samples.clock import build_clock
from loadproof.samples.weather import simulate_weather
from loadproof.seeds import rng_for


@pytest.fixture(scope="module")
def text(samples_root):
    return gzip.decompress((samples_root / "midas_sample.csv.gz").read_bytes()).decode().split("\n")


@pytest.fixture(scope="module")
def rows(text):
    start = text.index("data")
    return [dict(zip(text[start + 1].split(","), row.split(","), strict=True)) for row in text[start + 2 : -2]]


@pytest.fixture(scope="module")
def read(samples_root):
    return read_weather(samples_root / "midas_sample.csv.gz")


def test_the_packed_file_names_neither_a_time_nor_itself(samples_root):
    head = (samples_root / "midas_sample.csv.gz").read_bytes()[:10]
    assert head[3] == 0  # no name
    assert head[4:8] == bytes(4)


def test_the_layout_is_that_of_badc_csv_with_104_columns(text):
    assert text[0] == "Conventions,G,BADC-CSV,1"
    assert text[-2:] == ["end data", ""]
    assert text[text.index("data") + 1] == ",".join(column.name for column in COLUMNS)
    assert len({column.name for column in COLUMNS}) == len(COLUMNS) == 104
    assert "long_name,air_temperature,Air temperature,degC" in text
    assert "missing_value,G,NA" in text


def test_columns_units_and_types_are_those_of_the_published_files(real_data, text):
    published = next((real_data / "weather").glob("midas-open_*_2013.csv.gz"))
    with gzip.open(published, "rt") as stream:
        real = [line.rstrip("\n") for line in stream]
    assert text[text.index("data") + 1] == real[real.index("data") + 1]
    for fact in ("long_name", "type"):
        ours, theirs = (
            {line.split(",")[1]: line.rsplit(",", 1)[1] for line in lines if line.startswith(f"{fact},")}
            for lines in (text, real)
        )
        assert ours == theirs


def test_the_ingest_of_weather_finds_it_and_reads_4509_hours_of_station_90001(samples_root, read):
    assert find_weather(samples_root) == [samples_root / "midas_sample.csv.gz"]
    assert read.rows_read == 4510 == 188 * 24 - 3 + 1
    assert read.table.height == 4509
    assert read.table["station_id"].unique().to_list() == ["midas:90001"]
    assert read.table["ts_utc"].min() == dt.datetime(2013, 7, 1, tzinfo=dt.UTC)
    assert read.table["ts_utc"].max() == dt.datetime(2014, 1, 4, 23, tzinfo=dt.UTC)


def test_the_temperature_is_that_by_which_the_sample_s_homes_heat(read):
    clock = build_clock(dt.date(2013, 7, 1), 188)
    degc = simulate_weather(clock, rng=rng_for(2013, "samples/weather")).temperature_degc
    hours = (read.table["ts_utc"] - dt.datetime(2013, 7, 1, tzinfo=dt.UTC)).dt.total_hours()
    difference = read.table["temperature_degc"].to_numpy() - degc[hours.to_numpy()]
    assert np.isnan(difference).sum() == 3  # two that were never measured, one that is suspect
    assert np.nanmax(np.abs(difference)) <= 0.05 + 1e-9


def test_three_hours_are_absent_two_have_no_temperature_and_a_spike_is_suspect(read):
    have = set(read.table["ts_utc"].to_list())
    first = dt.datetime(2013, 7, 1, tzinfo=dt.UTC)
    absent = [hour for i in range(4512) if (hour := first + dt.timedelta(hours=i)) not in have]
    assert [f"{hour:%m-%d %H}" for hour in absent] == ["09-03 04", "09-03 05", "09-03 06"]
    suspect = read.set_aside_values
    assert suspect.select("column", "reason").rows() == [
        ("temperature_degc", "qc_suspect"), ("relative_humidity_pct", "qc_suspect"),
    ]  # fmt: skip
    nothing = read.table.filter(pl.col("temperature_degc").is_null())["ts_utc"].dt.to_string("%m-%d %H").to_list()
    assert nothing == ["08-20 13", "10-22 09", "10-22 10"]


def test_the_metar_of_one_hour_gives_way_to_the_fuller_report(read, rows):
    assert read.rejected["reason"].to_list() == ["superseded"]
    twice = [row for row in rows if row["ob_time"] == "2013-12-05 18:00:00"]
    assert [row["met_domain_name"] for row in twice] == ["METAR", "AWSHRLY"]
    [degc] = read.table.filter(pl.col("ts_utc") == dt.datetime(2013, 12, 5, 18, tzinfo=dt.UTC))["temperature_degc"]
    assert (f"{degc:g}", f"{round(degc)}") == (twice[1]["air_temperature"], twice[0]["air_temperature"])


def test_humidity_goes_with_dewpoint_and_the_sun_shines_by_day_alone(read):
    table = read.table
    assert (table["dewpoint_degc"] <= table["temperature_degc"]).all()
    assert 20 < table["relative_humidity_pct"].min() < table["relative_humidity_pct"].max() <= 100
    assert 65 < table["relative_humidity_pct"].mean() < 90
    night = table.filter(pl.col("ts_utc").dt.hour().is_in([22, 23, 0, 1, 2]))
    assert night["sunshine_hours"].max() == 0
    july = table.filter(pl.col("ts_utc").dt.month() == 7)["sunshine_hours"].sum()
    december = table.filter(pl.col("ts_utc").dt.month() == 12)["sunshine_hours"].sum()
    assert 0 < december < july < 16 * 31


def test_winds_are_full_tens_of_degrees_and_zero_only_in_a_calm(read):
    wind = read.table.select("wind_speed_m_per_s", "wind_direction_deg")
    assert (wind["wind_direction_deg"] % 10 == 0).all()
    assert (wind["wind_direction_deg"] == 0).equals(wind["wind_speed_m_per_s"] == 0, check_names=False)
    assert 1.5 < wind["wind_speed_m_per_s"].mean() < 6


def test_numbers_are_printed_without_a_useless_decimal_or_minus(rows):
    numbers = {row[name] for row in rows for name in ("air_temperature", "dewpoint", "rltv_hum", "drv_hr_sun_dur")}
    assert "-0" not in numbers
    assert not any(number.endswith(".0") for number in numbers)
