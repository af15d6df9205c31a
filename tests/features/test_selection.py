import datetime as dt

import polars as pl
import pytest

from loadproof.errors import SchemaError
from loadproof.features.selection import read_panel, read_seen

NOON = dt.datetime(2013, 1, 1, 12, tzinfo=dt.UTC)
HALF_HOUR = dt.timedelta(minutes=30)


def readings(*rows):
    columns = {"entity_id": pl.String, "ts_utc": pl.Datetime("us", "UTC")}
    frame = pl.DataFrame([(name, NOON + step * HALF_HOUR) for name, step in rows], schema=columns, orient="row")
    return frame.with_columns(interval_mins=pl.lit(30, pl.Int16), energy_kwh=pl.lit(0.1, pl.Float32)).lazy()


def test_the_last_reading_of_anybody_in_a_stretch_of_time_ends_it():
    seen = read_seen(readings(("b", 0), ("a", 1), ("c", 5), ("a", -3)), NOON, NOON + 3 * HALF_HOUR)
    assert (seen.end, seen.interval_mins) == (NOON + 2 * HALF_HOUR, 30)
    assert read_seen(readings(("a", 9)), NOON, NOON + HALF_HOUR) is None


def test_between_two_names_both_are_in():
    panel = read_panel(readings(("a", 0), ("b", 0), ("c", 0), ("d", 0)), between=("b", "c"))
    assert panel.entities.tolist() == ["b", "c"]


def test_a_damaged_file_is_named_and_how_to_mend_it(tmp_path):
    path = tmp_path / "part-00000.parquet"
    readings(("a", 0)).collect().write_parquet(path)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(SchemaError, match=r"the readings cannot be read \(.*\); ingest them again"):
        read_panel(pl.scan_parquet(path))
