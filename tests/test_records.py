import polars as pl
import pytest

from loadproof.errors import SchemaError
from loadproof.records import Record, find_records, read_facts, read_record, write_records

FRAME = pl.DataFrame(
    {
        "seen": [True, False],
        "entity_id": ["a", "b"],
        "n": pl.Series([1, 336], dtype=pl.UInt16),
        "load": pl.Series([0.5, 1.25], dtype=pl.Float32),
    }
)


def test_a_record_comes_back_with_its_2_rows_and_facts_and_twice_written_has_the_same_bytes(tmp_path):
    path = tmp_path / "held" / "home-A" / "m-raw.parquet"
    record = Record({"seed": 7, "epochs": [3], "name": "é"}, FRAME)
    write_records({path: record})
    before = path.read_bytes()
    back = read_record(path)
    assert back.facts == record.facts
    assert back.frame.equals(FRAME)
    assert back.frame.schema == FRAME.schema
    write_records({path: record})
    assert path.read_bytes() == before
    assert read_facts(path) == record.facts


def test_of_2_records_written_together_none_is_there_when_one_cannot_be(tmp_path):
    good, bad = tmp_path / "a.parquet", tmp_path / "b.parquet"
    with pytest.raises(TypeError):
        write_records({good: Record({}, FRAME), bad: Record({"x": {1, 2}}, FRAME)})
    assert find_records(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_records_are_found_in_order_and_what_a_killed_run_left_is_none_of_them(tmp_path):
    paths = [tmp_path / "x" / name for name in ("b.parquet", "a.parquet", ".a.parquet.tmp")]
    write_records({path: Record({}, FRAME) for path in paths[:2]})
    paths[2].write_bytes(b"half")
    assert find_records(tmp_path) == [paths[1], paths[0]]


def test_an_absent_record_has_no_facts_and_a_file_that_is_none_is_refused(tmp_path):
    assert read_facts(tmp_path / "none.parquet") is None
    with pytest.raises(SchemaError, match="is not there; run 'loadproof backtest'"):
        read_record(tmp_path / "none.parquet")
    cut, foreign = tmp_path / "cut.parquet", tmp_path / "foreign.parquet"
    cut.write_bytes(b"PAR1 and no more")
    FRAME.write_parquet(foreign)
    for path in (cut, foreign):
        with pytest.raises(SchemaError, match="is no record of a board"):
            read_facts(path)
