import datetime as dt
import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from loadproof.checking import check_readings, set_repeats_aside
from loadproof.schema import CANDIDATES, ENERGY_LIMIT_KWH, EnergyReading

START = dt.datetime(2013, 1, 1, tzinfo=dt.UTC)

odd_energy = st.one_of(
    st.sampled_from([0.0, -0.0, 0.143, -1e-9, ENERGY_LIMIT_KWH, ENERGY_LIMIT_KWH - 1, 4294967.296, math.inf, math.nan]),
    st.floats(),
    st.none(),
)
odd_entity = st.one_of(
    st.sampled_from(["lcl:MAC000002", "lcl:MAC2", "lcl:MAC0000021", "ssen:000200200402", "", "lcl:"]),
    st.sampled_from([" lcl:MAC000002", "lcl:MAC000002\n", "LCL:MAC000002"]),
)
odd_ts = st.one_of(
    st.sampled_from([START, START + dt.timedelta(minutes=7), dt.datetime(1970, 1, 1, tzinfo=dt.UTC),
                     dt.datetime(2000, 1, 1, tzinfo=dt.UTC), dt.datetime(2099, 12, 31, 23, 30, tzinfo=dt.UTC),
                     dt.datetime(2100, 1, 1, tzinfo=dt.UTC), START + dt.timedelta(microseconds=1)]),
    st.integers(-(3 * 10**15), 3 * 10**15).map(lambda us: START + dt.timedelta(microseconds=us)),
    st.none(),
)  # fmt: skip
odd_row = st.tuples(odd_entity, odd_ts, st.sampled_from([1, 5, 7, 10, 15, 30, 60, 0, -30]), odd_energy)


def row_verdict(entity_id, ts_utc, interval_mins, energy_kwh):
    """The slow twin: one pydantic object."""
    try:
        EnergyReading(dataset="lcl", entity_id=entity_id, ts_utc=ts_utc, interval_mins=interval_mins,
                      energy_kwh=energy_kwh, source="a.csv")  # fmt: skip
    except ValidationError:
        return False
    return True


def candidates(rows):
    return pl.DataFrame(
        [(*row, line, None) for line, row in enumerate(rows, 2)], schema=CANDIDATES, orient="row"
    )  # fmt: skip


@given(st.lists(odd_row, max_size=12))
def test_a_row_and_the_column_rules_give_the_same_verdict(rows):
    first_of_its_key = {}
    for row in rows:
        first_of_its_key.setdefault((row[0], row[1]), row)
    rows = list(first_of_its_key.values())
    checked = check_readings(candidates(rows), "lcl")
    kept = set(checked.readings["line"])
    assert [row_verdict(*row) for row in rows] == [line in kept for line in range(2, 2 + len(rows))]


@given(st.lists(odd_row, max_size=12))
def test_every_row_is_in_exactly_one_of_the_two_frames(rows):
    checked = check_readings(candidates(rows), "lcl")
    assert sorted([*checked.readings["line"], *checked.rejected["line"]]) == list(range(2, 2 + len(rows)))
    assert checked.rejected["reason"].null_count() == 0


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (("lcl:MAC2", START, 30, 0.1), "entity_unknown"),
        ((None, START, 30, 0.1), "entity_unknown"),
        (("lcl:MAC000002", None, 30, 0.1), "ts_unreadable"),
        (("lcl:MAC000002", dt.datetime(1970, 1, 1, tzinfo=dt.UTC), 30, 0.1), "ts_out_of_range"),
        (("lcl:MAC000002", START + dt.timedelta(minutes=7), 30, 0.1), "ts_off_grid"),
        (("lcl:MAC000002", START, 30, None), "value_unreadable"),
        (("lcl:MAC000002", START, 30, math.nan), "value_not_finite"),
        (("lcl:MAC000002", START, 30, -math.inf), "value_not_finite"),
        (("lcl:MAC000002", START, 30, -0.001), "value_negative"),
        (("lcl:MAC000002", START, 30, 4294967.296), "value_sentinel"),
    ],
)
def test_a_row_is_set_aside_for_the_first_rule_it_breaks(row, reason):
    assert check_readings(candidates([row]), "lcl").rejected["reason"].to_list() == [reason]


def repeats(*rows):
    frame = pl.DataFrame(
        rows, schema={"entity_id": pl.String, "ts_utc": pl.Int64, "energy_kwh": pl.Float64}, orient="row"
    )
    return frame.with_columns(pl.from_epoch("ts_utc").dt.replace_time_zone("UTC")).with_row_index("line")


def test_of_three_equal_rows_the_first_is_kept_and_two_are_duplicates():
    kept, aside = set_repeats_aside(repeats(("a", 0, 0.1), ("a", 0, 0.1), ("a", 0, 0.1), ("a", 1800, 0.1)))
    assert kept["line"].to_list() == [0, 3]
    assert aside["reason"].to_list() == ["duplicate", "duplicate"]


def test_two_values_for_one_half_hour_set_all_three_of_its_rows_aside():
    kept, aside = set_repeats_aside(repeats(("a", 0, 0.1), ("a", 0, 0.2), ("a", 0, 0.1), ("a", 1800, 0.1)))
    assert kept["line"].to_list() == [3]
    assert aside["reason"].to_list() == ["conflict"] * 3


def test_two_values_that_are_one_at_rest_are_no_contradiction():
    kept, aside = set_repeats_aside(repeats(("a", 0, 0.143), ("a", 0, 0.143 + 1e-12)))
    assert (kept["line"].to_list(), aside["reason"].to_list()) == ([0], ["duplicate"])


def test_a_half_hour_contested_earlier_takes_its_later_row_with_it():
    kept, aside = set_repeats_aside(repeats(("a", 0, None), ("a", 0, 0.1)))
    assert kept.is_empty()
    assert aside["reason"].to_list() == ["conflict", "conflict"]


small = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 3).map(lambda n: n * 1800), st.sampled_from([0.1, 0.2, None]))
)


@given(small)
def test_repeats_agree_with_a_slow_twin_in_any_order_of_rows(rows):
    by_key = {}
    for line, (entity, ts, energy) in enumerate(rows):
        by_key.setdefault((entity, ts), []).append((line, energy))
    expected = []
    for group in by_key.values():
        values = {energy for _, energy in group}
        if len(values) == 1 and None not in values:
            expected.append(group[0][0])
    kept, aside = set_repeats_aside(repeats(*rows))
    assert kept["line"].to_list() == sorted(expected)
    assert kept.height + aside.height == len(rows)
