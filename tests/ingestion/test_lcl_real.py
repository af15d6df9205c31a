"""Facts about the real homes, read where LOADPROOF_REAL_DATA says; the counts were made with zipfile and csv alone."""

import csv
import io
import zipfile

import polars as pl
import pytest

from loadproof.ingestion.lcl import LCLIngestor
from loadproof.runner.ingest import ingest
from loadproof.store import Store


@pytest.fixture(scope="module")
def real(real_data, tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("real") / "processed")
    report = ingest(LCLIngestor(real_data), store, mode="files", max_rejected_share=0.05)
    return report, store


def test_the_archive_gives_138_homes_and_every_row_is_accounted_for(real):
    report, _ = real
    assert report.entities == 138
    assert (report.rows_read, report.rows_written, report.rows_rejected) == (2_291_018, 2_291_000, 18)
    assert report.rejected_by_reason == {"duplicate": 17, "null_off_grid": 1}


def test_the_days_of_both_clock_changes_keep_48_half_hours(real):
    _, store = real
    readings = store.scan_readings("lcl")
    for day, homes in (("2013-03-31", 133), ("2013-10-27", 126)):
        counts = (
            readings.filter(pl.col("ts_utc").dt.date() == pl.lit(day).str.to_date())
            .group_by("entity_id").agg(pl.col("ts_utc").n_unique()).collect()
        )  # fmt: skip
        assert counts["ts_utc"].unique().to_list() == [48]
        assert counts.height == homes


def test_the_null_of_mac000002_is_set_aside_with_its_line(real):
    _, store = real
    aside = pl.read_parquet(store.rejected_root / "lcl").filter(pl.col("reason") == "null_off_grid")
    assert aside["raw"].to_list() == ["MAC000002,Std,2012-12-19 12:37:27.0000000,Null"]
    assert aside["line"].to_list() == [3242]


def test_a_slow_reading_of_the_last_part_finds_the_same_energy(real, real_data):
    _, store = real
    name = "Small LCL Data/LCL-June2015v2_2.csv"
    with zipfile.ZipFile(real_data / "lcl" / "Partitioned LCL Data.zip") as archive, archive.open(name) as member:
        rows = csv.DictReader(io.TextIOWrapper(member))
        energy_kwh = sum(float(row["KWH/hh (per half hour) "]) for row in rows)
    found = (
        store.scan_readings("lcl").filter(pl.col("source") == name).select(pl.col("energy_kwh").cast(pl.Float64).sum())
    )
    assert found.collect().item() == pytest.approx(energy_kwh, rel=1e-6)


def test_the_kaggle_block_holds_the_same_readings_as_the_archive(real, real_data, tmp_path):
    _, store = real
    other = Store(tmp_path / "processed")
    report = ingest(LCLIngestor(real_data, layout="kaggle"), other, mode="files", max_rejected_share=0.05)
    assert report.entities == 4
    key = ["entity_id", "ts_utc"]
    joined = (
        other.scan_readings("lcl").join(store.scan_readings("lcl"), on=key, how="left", suffix="_archive").collect()
    )
    assert joined["energy_kwh_archive"].null_count() == 0
    assert (joined["energy_kwh"] == joined["energy_kwh_archive"]).all()
