import polars as pl
import pytest
from tests.feeders.feeder_fixtures import feeder

from loadproof.feeders.changes import CHANGES, explain_changes

WEEK = 336
TWO_WEEKS = [0, 1, WEEK, WEEK + 1]
PARENTS = pl.DataFrame({"entity_id": ["a", "b", "c"], "parent": ["s", "s", "t"]})


def kinds(table, parents=PARENTS):
    found = explain_changes(table.lazy(), parents)
    assert found.schema == CHANGES
    return {row["entity_id"]: row for row in found.rows(named=True)}


def test_more_use_of_the_same_devices_is_load():
    row = kinds(feeder("a", TWO_WEEKS, [5.0, 5.0, 8.0, 8.0], 10))["a"]
    parts = [row[name] for name in ("change_kwh", "by_load_kwh", "by_devices_kwh")]
    assert (row["kind"], parts) == ("load", pytest.approx([3.0, 3.0, 0.0]))


def test_the_same_use_of_more_devices_is_devices_and_the_two_parts_are_the_whole():
    row = kinds(feeder("a", TWO_WEEKS, [5.0, 5.0, 8.0, 8.0], [10, 10, 15, 15]))["a"]
    assert row["kind"] == "devices"
    # From 0.5 to 8/15 kWh by 12.5 devices, and 5 devices by their mean.
    assert row["by_load_kwh"] == pytest.approx(12.5 * (8 / 15 - 0.5))
    assert row["by_load_kwh"] + row["by_devices_kwh"] == pytest.approx(3.0)


def test_devices_that_move_between_feeders_of_one_substation_are_a_switching():
    table = pl.concat(
        [
            feeder("a", TWO_WEEKS, [5.0, 5.0, 8.0, 8.0], [10, 10, 16, 16]),
            feeder("b", TWO_WEEKS, [9.0, 9.0, 6.0, 6.0], [20, 20, 14, 14]),
            feeder("c", TWO_WEEKS, [9.0, 9.0, 6.0, 6.0], [20, 20, 14, 14]),  # of another substation
        ]
    )
    found = kinds(table)
    assert {name: (row["kind"], row["neighbour"]) for name, row in found.items()} == {
        "a": ("switching", "b"),
        "b": ("switching", "a"),
        "c": ("devices", None),
    }
    assert kinds(table, None)["a"]["kind"] == "devices"


def test_without_counts_the_cause_is_unknown_and_a_week_missing_is_no_change():
    assert kinds(feeder("a", TWO_WEEKS, 5.0, None))["a"]["kind"] == "unknown"
    assert kinds(feeder("a", [0, 2 * WEEK], 5.0, 3)) == {}
