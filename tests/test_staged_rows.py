import datetime as dt

import numpy as np
import polars as pl

from loadproof.parts import Batch
from loadproof.schema import REJECTED
from loadproof.staged_rows import by_month, counts, first_conflict, iso, with_contested, worst

NEW_YEAR = dt.datetime(2013, 1, 1, tzinfo=dt.UTC)
HALF_HOUR = dt.timedelta(minutes=30)
ASIDE = pl.DataFrame(
    [
        ("a.csv", 3, "unparsable", "x"),
        ("b.csv", 7, "conflict", "0.1"),
        ("b.csv", 9, "conflict", "0.2"),
    ],
    schema=REJECTED,
    orient="row",
)


def test_rows_in_any_order_come_by_month_and_within_one_as_they_came():
    rng = np.random.default_rng(1)
    ts = [NEW_YEAR - HALF_HOUR, NEW_YEAR, *(NEW_YEAR + int(n) * HALF_HOUR for n in rng.integers(-9999, 9999, 500))]
    rows = pl.DataFrame({"ts_utc": rng.permutation(ts).tolist()}).with_row_index("came")
    told = [(month, frame["came"].to_list()) for month, frame in by_month(rows)]
    slow = {}
    for came, at in rows.rows():
        slow.setdefault(f"{at:%Y-%m}", []).append(came)
    assert told == sorted(slow.items())
    assert list(by_month(rows.head(0))) == []


def test_a_half_hour_contested_in_a_batch_stands_beside_its_readings_without_a_value():
    readings = pl.DataFrame({"line": [1], "entity_id": ["h"], "ts_utc": [NEW_YEAR], "energy_kwh": [0.5]})
    aside = pl.DataFrame(
        {"line": [2, 3], "entity_id": ["h", None], "ts_utc": [NEW_YEAR + HALF_HOUR, None],
         "reason": ["conflict", "unparsable"]}
    )  # fmt: skip
    rows = with_contested(Batch(readings, aside, 3, ""))
    assert rows["line"].to_list() == [1, 2]
    assert rows["energy_kwh"].to_list() == [0.5, None]
    assert with_contested(Batch(readings, aside.tail(1), 2, "")) is readings


def test_of_3_rows_set_aside_it_is_said_how_many_which_contradict_and_which_file_has_most():
    assert counts(ASIDE, "reason") == {"conflict": 2, "unparsable": 1}
    assert first_conflict(ASIDE) == "b.csv, line 7: '0.1' against b.csv, line 9: '0.2'"
    assert worst(ASIDE) == "b.csv (2, first line 7, conflict: '0.1')"
    assert first_conflict(ASIDE.head(1)) is None
    assert worst(ASIDE.head(0)) is None


def test_an_instant_is_said_with_a_z_and_none_is_none():
    assert iso(NEW_YEAR + HALF_HOUR) == "2013-01-01T00:30:00Z"
    assert iso(None) is None
