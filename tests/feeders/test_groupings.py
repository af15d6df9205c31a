import numpy as np
import polars as pl
import pytest
from tests.feeders.test_hierarchy import network

from loadproof.errors import ConfigError, SchemaError
from loadproof.feeders.groupings import (
    groups_like,
    groups_of,
    groups_of_network,
    groups_of_size,
    sizes_of_network,
)
from loadproof.seeds import rng_for

HOMES = np.array([f"h{i:03d}" for i in range(100)])


def test_100_homes_make_3_feeders_of_30_and_leave_10():
    groups = groups_of_size(HOMES, 30, rng=rng_for(1, "t"))
    assert groups.group_by("group_id").len()["len"].to_list() == [30, 30, 30]
    assert groups["entity_id"].n_unique() == 90


def test_sizes_follow_those_given_and_no_home_is_in_two_groups():
    groups = groups_like(HOMES, [5, 20, 400], rng=rng_for(1, "t"))
    sizes = groups.group_by("group_id").len()["len"]
    assert set(sizes) == {5, 20}
    assert groups["entity_id"].is_unique().all()
    assert 80 < sizes.sum() <= 100


def test_the_mpans_of_the_lookup_are_the_sizes():
    table = network(["099000300101", "099000300102", "099001100101"])
    table = table.with_columns(total_mpan_count=pl.Series([31, None, 9], dtype=pl.Int32))
    assert sizes_of_network(table).tolist() == [9, 31]
    groups = groups_of_network(table, "hv_feeder")
    assert groups["devices"].to_list() == [31, None, 9]
    assert groups["group_id"].unique().sort().to_list() == ["hv_feeder:0990-003", "hv_feeder:0990-011"]


def test_what_cannot_be_grouped_is_refused_with_the_numbers():
    with pytest.raises(ConfigError, match="100 homes fill no group of 101"):
        groups_of_size(HOMES, 101, rng=rng_for(1, "t"))
    with pytest.raises(ConfigError, match="fill none of the 1 sizes"):
        groups_like(HOMES, [400], rng=rng_for(1, "t"))
    with pytest.raises(ConfigError, match="member twice"):
        groups_of({"a": ["h1", "h1"]})
    with pytest.raises(SchemaError, match="states its MPANs"):
        sizes_of_network(network([]))
