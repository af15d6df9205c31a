import datetime as dt
import json
import os

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.conftest import lcl_line

from loadproof import merging
from loadproof.errors import SchemaError, SourceError
from loadproof.files import write_atomically
from loadproof.ingestion.lcl import LCLIngestor
from loadproof.runner.ingest import ingest
from loadproof.schema import READINGS
from loadproof.store import Store


def two_homes(days=40):
    start = dt.datetime(2013, 1, 20, 0, 30, tzinfo=dt.UTC)
    stamps = [start + dt.timedelta(minutes=30 * n) for n in range(48 * days)]
    return [
        lcl_line(home, f"{stamp:%Y-%m-%d %H:%M:%S}.0000000", f" 0.{n % 997:03d} ", arm)
        for home, arm in (("MAC000009", "Std"), ("MAC000002", "ToU"))
        for n, stamp in enumerate(stamps)
    ]


@pytest.fixture
def ingested(lcl_root, tmp_path):
    store = Store(tmp_path / "out" / "processed")
    ingest(LCLIngestor(lcl_root(two_homes())), store, mode="files", max_rejected_share=0.05)
    return store


def test_one_file_a_month_and_nothing_else_stands_below_the_root(ingested):
    files = sorted(path.relative_to(ingested.root).as_posix() for path in ingested.root.rglob("*") if path.is_file())
    assert files == [
        "dataset=lcl/month=2013-01/part-00000.parquet",
        "dataset=lcl/month=2013-02/part-00000.parquet",
    ]


def test_a_root_whose_name_is_a_pattern_is_written_read_and_written_again(lcl_root, tmp_path):
    store = Store(tmp_path / "out [old]*" / "{processed}?")
    for _ in range(2):
        ingest(LCLIngestor(lcl_root(two_homes())), store, mode="files", max_rejected_share=0.05)
        readings = store.scan_readings("lcl")
        assert readings.select(pl.len()).collect().item() == 3840
        assert readings.filter(pl.col("month") == "2013-02").select(pl.len()).collect().item() == 2 * (28 * 48 - 1) + 2
    assert store.entities("lcl") == ["lcl:MAC000002", "lcl:MAC000009"]
    assert sum(store.count_sources("lcl")["LCL-June2015v2_0.csv"][0].values()) == 3840


def test_a_file_cut_short_is_named_where_the_names_of_homes_are_read(lcl_root, tmp_path):
    store = Store(tmp_path / "processed")
    ingest(LCLIngestor(lcl_root(two_homes())), store, mode="files", max_rejected_share=0.05)
    last = store.month_files("lcl", None, None)[-1]
    last.write_bytes(last.read_bytes()[:-100])
    with pytest.raises(SchemaError, match=r"month=2013-02/part-00000\.parquet: cannot be read .* ingest lcl again"):
        store.entities("lcl")


def test_four_readers_see_the_same_3840_rows_with_plain_hive_partitioning(ingested):
    root = str(ingested.root)
    total = pl.read_parquet(root, hive_partitioning=True)["energy_kwh"].sum()
    assert pl.read_parquet(root, hive_partitioning=True).height == 3840
    by_pandas = pd.read_parquet(root)
    assert len(by_pandas) == 3840
    assert set(by_pandas["month"].astype(str)) == {"2013-01", "2013-02"}
    by_arrow = pq.read_table(root)
    assert by_arrow.num_rows == 3840
    files = f"read_parquet('{root}/**/*.parquet', hive_partitioning=true)"
    query = f"select count(*), sum(energy_kwh::double), count(distinct month) from {files}"
    ((rows, by_duckdb, months),) = duckdb.sql(query).fetchall()
    assert (rows, months) == (3840, 2)
    assert by_duckdb == pytest.approx(total, rel=1e-6)
    assert by_pandas["energy_kwh"].astype("float64").sum() == pytest.approx(total, rel=1e-6)


def test_a_file_at_rest_has_the_arrow_schema_of_a_reading(ingested):
    file = next(ingested.root.rglob("*.parquet"))
    expected = {
        "entity_id": pa.large_string(), "ts_utc": pa.timestamp("us", tz="UTC"), "interval_mins": pa.int16(),
        "energy_kwh": pa.float32(), "source": pa.large_string(), "extras": pa.large_string(),
    }  # fmt: skip
    found = pq.ParquetFile(file).schema_arrow
    assert list(found.names) == list(expected)
    for field in found:
        assert field.type in (expected[field.name], pa.string_view(), pa.string()), field
        if field.name not in ("entity_id", "source", "extras"):
            assert field.type == expected[field.name]


def test_rows_are_in_order_and_both_keys_have_statistics(ingested):
    for file in ingested.root.rglob("*.parquet"):
        frame = pl.read_parquet(file)
        assert frame.equals(frame.sort("entity_id", "ts_utc"))
        group = pq.ParquetFile(file).metadata.row_group(0)
        for column in (0, 1):
            assert group.column(column).statistics.has_min_max


def test_extras_at_rest_are_json_objects_with_the_trial_arm(ingested):
    frame = pl.read_parquet(ingested.root / "dataset=lcl", hive_partitioning=True)
    arms = dict(frame.select("entity_id", "extras").unique().rows())
    assert json.loads(arms["lcl:MAC000002"]) == {"tariff_group": "ToU", "ts_convention": "end"}


def test_a_month_longer_than_a_file_is_cut_between_entities(lcl_root, tmp_path, monkeypatch):
    monkeypatch.setattr(merging, "ROWS_PER_FILE", 500)
    store = Store(tmp_path / "out" / "processed")
    ingest(LCLIngestor(lcl_root(two_homes())), store, mode="files", max_rejected_share=0.05)
    files = sorted((store.root / "dataset=lcl" / "month=2013-01").iterdir())
    assert [set(pl.read_parquet(file)["entity_id"]) for file in files] == [{"lcl:MAC000002"}, {"lcl:MAC000009"}]
    readings = store.scan_readings("lcl").collect()
    assert readings.height == 3840
    assert (
        store.entities("lcl") == readings["entity_id"].unique().sort().to_list() == ["lcl:MAC000002", "lcl:MAC000009"]
    )


def test_scanning_a_dataset_that_was_never_ingested_says_what_to_run(tmp_path):
    with pytest.raises(SchemaError, match="run 'loadproof ingest lcl' first"):
        Store(tmp_path).scan_readings("lcl")


def test_scanning_a_foreign_file_says_so(tmp_path):
    folder = tmp_path / "dataset=lcl" / "month=2013-01"
    folder.mkdir(parents=True)
    pl.DataFrame({"a": [1]}).write_parquet(folder / "x.parquet")
    with pytest.raises(SchemaError, match="not those of a reading"):
        Store(tmp_path).scan_readings("lcl")


def test_scanned_readings_carry_their_dataset_and_month(ingested):
    frame = ingested.scan_readings("lcl").collect()
    assert set(frame.columns) == {*READINGS, "dataset", "month"}
    assert frame["dataset"].unique().to_list() == ["lcl"]


def test_a_write_that_fails_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail(beside):
        beside.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, fail)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_a_second_writer_of_the_same_dataset_is_refused(tmp_path):
    store = Store(tmp_path / "processed")
    with (
        store.writing("lcl"),
        pytest.raises(SourceError, match="another ingest of lcl runs now, or its"),
        store.writing("lcl"),
    ):
        pass


def test_a_root_that_holds_more_than_datasets_is_refused_since_no_reader_could_take_it_for_one_table(
    lcl_root, tmp_path
):
    root = lcl_root([lcl_line()])
    with pytest.raises(SourceError, match=r"holds 'lcl', which is no dataset.*--output-root"):
        ingest(LCLIngestor(root), Store(root), mode="files", max_rejected_share=0.05)
    assert sorted(path.name for path in root.iterdir()) == ["lcl"]


def test_a_root_whose_name_is_no_text_is_refused_in_printable_words(tmp_path):
    with pytest.raises(SourceError, match=r"caf\\udce9.*no UTF-8; name another folder"):
        Store(tmp_path / os.fsdecode(b"caf\xe9") / "processed")
