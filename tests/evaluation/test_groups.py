import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.features.panel_fixtures import START, random_panel

from loadproof.errors import ConfigError
from loadproof.evaluation.groups import (
    disjoint_groups,
    random_groups,
    reporting_homes,
    split_halves,
    sum_groups,
    take_homes,
)
from loadproof.features.panel import Panel

HOMES = np.array([f"h{i:03d}" for i in range(69)])


def slow_sum(panel, members, min_reporting):
    total = []
    for step in range(panel.energy_kwh.shape[1]):
        kwh = [float(panel.energy_kwh[panel.entities.tolist().index(name), step]) for name in members]
        known = [x for x in kwh if not np.isnan(x)]
        enough = len(known) / len(members) >= min_reporting - 1e-9
        total.append(sum(known) / len(known) * len(members) if enough and known else np.nan)
    return total


@given(st.integers(0, 50), st.sampled_from([0.34, 0.5, 0.9, 1.0]))
def test_a_sum_of_3_homes_is_what_a_loop_over_its_half_hours_says(seed, min_reporting):
    rng = np.random.default_rng(seed)
    panel = random_panel(rng, n_entities=5, n_days=2, missing=0.3)
    groups = {"b": panel.entities[[0, 3, 4]], "a": panel.entities[[1, 2]]}
    summed = sum_groups(panel, groups, min_reporting=min_reporting)
    assert summed.entities.tolist() == ["a", "b"]
    for row, name in enumerate(("a", "b")):
        np.testing.assert_allclose(summed.energy_kwh[row], slow_sum(panel, groups[name], min_reporting), rtol=1e-6)


def test_9_of_10_homes_that_report_stand_for_the_10th_and_8_do_not():
    energy = np.ones((10, 3), dtype=np.float32)
    energy[0, 1:], energy[1, 2] = np.nan, np.nan
    panel = Panel(HOMES[:10], START, 30, energy)
    summed = sum_groups(panel, {"g": HOMES[:10]})
    np.testing.assert_array_equal(summed.energy_kwh, [[10, 10, np.nan]])


def test_no_home_is_in_2_of_6_judged_groups_and_9_are_in_none():
    groups = disjoint_groups(HOMES, 10, prefix="A", rng=np.random.default_rng(0))
    assert list(groups) == ["A00", "A01", "A02", "A03", "A04", "A05"]
    members = np.concatenate(list(groups.values()))
    assert len(members) == len(set(members.tolist())) == 60


def test_50_groups_to_learn_from_overlap_but_hold_no_home_twice_and_need_as_many_homes_as_one_has():
    groups = random_groups(HOMES, 30, 50, prefix="l", rng=np.random.default_rng(0))
    assert len(groups) == 50
    assert all(len(set(homes.tolist())) == 30 for homes in groups.values())
    with pytest.raises(ConfigError, match="69 homes fill no group of 70"):
        random_groups(HOMES, 70, 1, prefix="l", rng=np.random.default_rng(0))


def test_138_homes_split_into_halves_of_69_that_the_seed_decides():
    homes = np.array([f"h{i:03d}" for i in range(138)])
    first, second = split_halves(homes, rng=np.random.default_rng(1))
    assert (len(first), len(second)) == (69, 69)
    assert not np.intersect1d(first, second).size
    again = split_halves(homes[::-1], rng=np.random.default_rng(1))
    np.testing.assert_array_equal(again[0], first)
    with pytest.raises(ConfigError, match="cannot be halved"):
        split_halves(homes[:1], rng=np.random.default_rng(1))


def test_a_home_that_reports_9_of_10_half_hours_of_a_span_is_steady_and_one_of_8_is_not():
    energy = np.ones((2, 20), dtype=np.float32)
    energy[0, 10], energy[1, 10:12] = np.nan, np.nan
    energy[:, :10] = np.nan
    panel = Panel(HOMES[:2], START, 30, energy)
    half_hour = np.timedelta64(30, "m")
    steady = reporting_homes(panel, START + 10 * half_hour, START + 20 * half_hour, share=0.9)
    assert steady.tolist() == ["h000"]


def test_a_group_with_a_home_the_panel_lacks_is_refused_and_so_is_no_group():
    panel = random_panel(np.random.default_rng(0), n_entities=2)
    with pytest.raises(ConfigError, match="g has 2 homes, the panel 1"):
        sum_groups(panel, {"g": [panel.entities[0], "stranger"]})
    with pytest.raises(ConfigError, match="no group to sum"):
        sum_groups(panel, {})
    assert take_homes(panel, panel.entities[1:]).entities.tolist() == panel.entities[1:].tolist()
