import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from loadproof import merging
from loadproof.merging import MonthJob, merge_month

ROWS = 500
START_US = 1_709_251_200_000_000  # 2024-03-01


def stage(folder, number, names, extras, dtype):
    """Stage ``ROWS`` half hours of each name, from the last name to the first, under a part's number."""
    times = pl.Series([START_US + 1_800_000_000 * n for n in range(ROWS)]).cast(pl.Datetime("us", "UTC"))
    frames = [
        pl.DataFrame({"entity_id": [name] * ROWS, "ts_utc": times, "extras": [extras(name, n) for n in range(ROWS)]})
        for name in reversed(names)
    ]
    rows = pl.concat(frames).with_row_index("line").with_columns(
        pl.col("entity_id").cast(pl.Categorical), pl.col("extras").cast(dtype),
        interval_mins=pl.lit(30, dtype=pl.Int16), energy_kwh=pl.lit(0.25, dtype=pl.Float32),
        part=pl.lit(number, dtype=pl.UInt32),
    )  # fmt: skip
    rows.write_ipc(folder / f"{number:05d}-00000.arrow")


def merge(folder, sources):
    staged = tuple(sorted(folder.glob("*.arrow")))
    return merge_month(MonthJob("2024-03", staged, (), {}, sources, folder / "out"))


def test_the_files_of_a_folder_whose_name_is_a_pattern_are_merged(tmp_path):
    folder = tmp_path / "a*[b]?"
    folder.mkdir()
    stage(folder, 0, ["ssen:000200100401"], own, pl.String)
    assert merge(folder, {0: "2024-03-01.csv"}).rows == ROWS


def own(name, n):
    return f'{{"feeder":"{name}","device_count":{n % 7},"reactive_kvarh":{n / 1000}}}'


def test_facts_of_1000_rows_of_their_own_are_the_same_to_four_readers(tmp_path):
    stage(tmp_path, 0, ["ssen:000200100401", "ssen:000200100402"], own, pl.String)
    assert merge(tmp_path, {0: "2024-03-01.csv"}).rows == 2 * ROWS
    path = tmp_path / "out" / "part-00000.parquet"
    wanted = [own(name, n) for name in ("ssen:000200100401", "ssen:000200100402") for n in range(ROWS)]
    assert pl.read_parquet(path)["extras"].to_list() == wanted
    assert pq.read_table(path)["extras"].to_pylist() == wanted
    assert pd.read_parquet(path)["extras"].tolist() == wanted
    assert duckdb.sql(f"select extras from '{path}'").fetchall() == [(text,) for text in wanted]


@pytest.mark.parametrize("rows_per_file", [1_250_000, ROWS])
def test_parts_in_the_reverse_order_of_names_merge_to_rows_in_order_with_their_own_sources(
    tmp_path, monkeypatch, rows_per_file
):
    monkeypatch.setattr(merging, "ROWS_PER_FILE", rows_per_file)
    stage(
        tmp_path, 3, ["lcl:MAC000004", "lcl:MAC000005"], lambda name, _: f'{{"tariff_group":"{name}"}}', pl.Categorical
    )
    stage(
        tmp_path, 7, ["lcl:MAC000002", "lcl:MAC000003"], lambda name, _: f'{{"tariff_group":"{name}"}}', pl.Categorical
    )
    done = merge(tmp_path, {3: "b.csv", 7: "a.csv"})
    files = sorted((tmp_path / "out").glob("*.parquet"))
    assert (done.rows, len(done.entities), len(files)) == (4 * ROWS, 4, 1 if rows_per_file > ROWS else 4)
    rows = pl.concat(pl.read_parquet(file) for file in files)
    assert rows.equals(rows.sort("entity_id", "ts_utc"))
    facts = rows.group_by("entity_id", maintain_order=True).agg(pl.col("source").unique(), pl.col("extras").unique())
    assert facts.rows() == [
        (f"lcl:MAC00000{n}", ["a.csv" if n < 4 else "b.csv"], [f'{{"tariff_group":"lcl:MAC00000{n}"}}'])
        for n in (2, 3, 4, 5)
    ]


def test_row_groups_of_300_feeders_and_of_6_stand_in_one_file(tmp_path, monkeypatch):
    monkeypatch.setattr(merging, "ROWS_PER_GROUP", 300 * ROWS)
    names = [f"ssen:0002001{n:05d}" for n in range(306)]
    stage(tmp_path, 0, names, own, pl.String)
    assert merge(tmp_path, {0: "2024-03-01.csv"}).rows == 306 * ROWS
    path = tmp_path / "out" / "part-00000.parquet"
    groups = [pq.ParquetFile(path).read_row_group(n)["entity_id"].unique().to_pylist() for n in (0, 1)]
    assert groups == [names[:300], names[300:]]
