import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadproof.errors import SchemaError
from loadproof.feeders.hierarchy import Hierarchy, hierarchy_of_groups, hierarchy_of_network
from loadproof.schema import NETWORK

GROUPS = {"b": ["h3", "h4", "h5"], "a": ["h2", "h1"]}


def network(ids):
    rows = [(f"ssen:{i}", i[:4], "", i[4:7], "", i[7:10], "", i[10:], "", 10, []) for i in ids]
    return pl.DataFrame(rows, schema=NETWORK, orient="row")


def test_two_feeders_of_five_homes_are_eight_nodes_and_eleven_edges_of_sums():
    tree = hierarchy_of_groups(GROUPS)
    assert tree.names.tolist() == ["substation", "a", "b", "h1", "h2", "h3", "h4", "h5"]
    assert tree.parent.tolist() == [-1, 0, 0, 1, 1, 2, 2, 2]
    expected = [[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 1, 1, 1], *np.eye(5, dtype=int).tolist()]
    assert tree.summing.toarray().tolist() == expected
    assert tree.at("feeder").tolist() == [1, 2]
    assert tree.children(0).tolist() == [1, 2]
    assert tree.leaves_below(2).tolist() == ["h3", "h4", "h5"]


def test_the_groups_of_a_level_are_those_that_the_tree_was_made_of():
    groups = hierarchy_of_groups(GROUPS).groups("feeder")
    assert {name: members.tolist() for name, members in groups.items()} == {"a": ["h1", "h2"], "b": ["h3", "h4", "h5"]}


@given(st.integers(1, 5), st.integers(1, 6), st.integers(0, 99))
def test_each_node_sums_what_its_children_sum(n_groups, size, seed):
    tree = hierarchy_of_groups({f"f{g}": [f"h{g}-{i}" for i in range(size)] for g in range(n_groups)})
    summed = tree.summing @ np.random.default_rng(seed).integers(0, 100, len(tree.leaves))
    for node in range(len(tree)):
        if len(below := tree.children(node)):
            assert summed[node] == summed[below].sum()


def test_ids_that_repeat_under_other_parents_are_other_nodes():
    # Secondary 001 exists below two HV feeders, LV feeder 01 at both.
    tree = hierarchy_of_network(network(["099000300101", "099000300102", "099001100101"]))
    assert tree.names[tree.at("secondary_substation")].tolist() == [
        "secondary_substation:0990-003-001",
        "secondary_substation:0990-011-001",
    ]
    assert len(tree.at("primary_substation")) == 1
    assert len(tree.leaves) == 3


def test_levels_may_be_left_out_and_a_forest_has_several_tops():
    tree = hierarchy_of_network(network(["099000300101", "099100300101"]), levels=("hv_feeder", "lv_feeder"))
    assert tree.summing.toarray().tolist() == [[1, 0], [0, 1], [1, 0], [0, 1]]


def test_a_member_of_two_groups_is_refused_by_name():
    with pytest.raises(SchemaError, match="h1 lies below a and b"):
        hierarchy_of_groups({"a": ["h1"], "b": ["h1"]})


def test_a_tree_with_a_childless_feeder_is_refused():
    with pytest.raises(SchemaError, match="nothing below"):
        Hierarchy(("top", "leaf"), np.array(["a", "b", "h"]), np.array([0, 0, 1]), np.array([-1, -1, 0]))


def test_a_feeder_without_ids_is_refused():
    with pytest.raises(SchemaError, match="lack an id"):
        hierarchy_of_network(network(["099000300101"]).with_columns(hv_feeder_id=pl.lit(None, dtype=pl.String)))
