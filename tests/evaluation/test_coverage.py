import numpy as np
import polars as pl
import pytest
from tests.evaluation.score_fixtures import DAY, START, random_case, rows_of, score, value

from loadproof.errors import ConfigError, SchemaError
from loadproof.evaluation.coverage import SLICE_KINDS, after_gap, home_sizes, score_coverage, shortfalls
from loadproof.evaluation.losses import BANDS
from loadproof.features.panel import Panel
from loadproof.schema import METRICS


def cover(rows, truth, *, sizes=None, gaps=None, seed=0, draws=200, **wanted):
    gaps = np.zeros(len(truth), dtype=bool) if gaps is None else gaps
    rng = np.random.default_rng(seed)
    return score_coverage(
        rows, truth, interval_mins=30, sizes=sizes or {}, gaps=gaps, dataset="lcl", draws=draws, rng=rng, **wanted
    )


def test_coverage_in_all_and_per_half_hour_equals_that_of_the_metrics_table_with_its_interval():
    rows, truth = random_case(1)
    mine, theirs = cover(rows, truth), score(rows, truth)
    for slice_ in ("all", "half_hour=07:30", "half_hour=23:00"):
        for band in BANDS:
            for column in ("value", "low", "high", "n"):
                expected = value(theirs, f"coverage_{band}", slice_=slice_, column=column)
                assert value(mine, f"coverage_{band}", slice_=slice_, column=column) == pytest.approx(expected)
    for home in ("h0", "h4"):
        expected = value(theirs, "coverage_80", entity=home)
        assert value(mine, "coverage_80", entity=home) == pytest.approx(expected)


def test_a_truth_on_either_edge_is_held_so_that_4_of_4_by_hand_are_1():
    quantiles = np.tile(np.arange(1.0, 8.0), (1, 4, 1))
    table = cover(rows_of(["a"], [START], quantiles), np.float32([[1, 7, 3, 5]]))
    assert value(table, "coverage_90") == 1
    assert value(table, "coverage_80") == 0.5  # 2 to 6
    assert value(table, "coverage_50") == 0.5  # 3 to 5


def test_seasons_change_at_local_midnight_of_the_first_of_december_and_june():
    t0 = np.array(["2013-11-30T23:30", "2013-05-31T22:30"], dtype="datetime64[us]")  # the second is 23:30 local
    table = cover(rows_of(["a", "a"], t0, np.zeros((2, 2, 7))), np.float32([[0, 0], [0, 0]]))
    counts = {name: value(table, "coverage_50", slice_=f"season={name}", column="n") for name in ("winter", "autumn")}
    counts |= {name: value(table, "coverage_50", slice_=f"season={name}", column="n") for name in ("spring", "summer")}
    assert counts == {"winter": 1, "autumn": 1, "spring": 1, "summer": 1}


def test_sizes_and_gaps_split_the_windows_and_a_home_without_size_is_in_none():
    quantiles = np.zeros((3, 4, 7))
    rows = rows_of(["a", "b", "c"], [START] * 3, quantiles)
    truth = np.float32([[0, 0, 0, 1], [1, 1, 1, 1], [0, 0, 0, 0]])
    table = cover(rows, truth, sizes={"a": "q1", "b": "q4"}, gaps=np.array([True, False, False]))
    found = {slice_: value(table, "coverage_80", slice_=slice_) for slice_ in ("size=q1", "size=q2", "size=q4")}
    assert found == {"size=q1": 0.75, "size=q2": None, "size=q4": 0}
    assert value(table, "coverage_80", slice_="after_gap=yes") == 0.75
    assert value(table, "coverage_80", slice_="after_gap=no") == 0.5


def test_quarters_come_from_the_training_homes_and_readings_before_the_date_alone():
    energy = np.array([[1, 1, 99], [2, 2, 99], [3, 3, 0], [4, 4, 0], [9, 9, 0], [np.nan, np.nan, 5]], dtype=np.float32)
    panel = Panel(np.array(list("abcdef")), START, 30, energy)
    until = START + 2 * np.timedelta64(30, "m")
    sizes = home_sizes(panel, until=until, edges_from=["a", "b", "c", "d"])  # edges 1.75, 2.5 and 3.25
    assert sizes == {"a": "q1", "b": "q2", "c": "q3", "d": "q4", "e": "q4"}
    on_edges = home_sizes(panel, until=until, edges_from=["a", "b", "c", "d", "e"])  # edges 2, 3 and 4
    assert on_edges == {"a": "q1", "b": "q1", "c": "q2", "d": "q3", "e": "q4"}
    with pytest.raises(ConfigError, match="no training home"):
        home_sizes(panel, until=START, edges_from=["a"])


@pytest.mark.parametrize(("lag", "expected"), [(0, [True, False]), (48, [False, True])])
def test_a_window_follows_a_gap_when_one_of_the_last_48_published_readings_lacks(lag, expected):
    energy = np.ones((1, 48 * 6), dtype=np.float32)
    energy[0, 100] = np.nan  # on the third day
    panel = Panel(np.array(["a"]), START, 30, energy)
    t0 = START + np.array([3, 4]) * DAY
    assert after_gap(panel, np.array(["a", "a"]), t0, data_lag_steps=lag).tolist() == expected
    with pytest.raises(SchemaError, match="no readings of"):
        after_gap(panel, np.array(["z", "z"]), t0)


@pytest.mark.parametrize(("missing", "expected"), [(95, False), (96, True), (143, True), (144, False)])
def test_the_last_day_before_step_144_is_from_step_96_to_143(missing, expected):
    energy = np.ones((1, 48 * 6), dtype=np.float32)
    energy[0, missing] = np.nan
    assert (
        after_gap(Panel(np.array(["a"]), START, 30, energy), np.array(["a"]), np.array([START + 3 * DAY])).item()
        is expected
    )


def test_3_of_4_homes_within_5_points_are_0_75_and_one_of_a_day_is_not_judged():
    share = np.array([0.80, 0.76, 0.85, 0.70, 0.10])  # of 10 half hours
    truth = np.zeros((5 * 10, 48), dtype=np.float32)
    for home, held in enumerate(share):
        flat = np.ones(480)
        flat[: round(held * 480)] = 0
        truth[home * 10 : home * 10 + 10] = flat.reshape(10, 48)
    truth[41:] = np.nan
    t0 = np.tile(START + np.arange(10) * DAY, 5)
    table = cover(rows_of(np.repeat(list("abcde"), 10), t0, np.zeros((50, 48, 7))), truth)
    assert value(table, "homes_within_5_points_80") == 0.75
    assert value(table, "homes_within_5_points_80", column="n") == 4
    assert value(table, "homes_within_5_points_80", column="low") < 0.75
    assert value(table, "homes_within_5_points_80", column="high") == 1


def test_the_interval_of_the_share_of_homes_equals_the_slow_twin_of_50_draws_of_homes():
    rows, truth = random_case(3, n_homes=6, n_days=14, spread=1.0)
    table = cover(rows, truth, draws=50, seed=4)
    own = np.array([value(table, "coverage_80", entity=f"h{i}") for i in range(6)])
    within = np.abs(own - 0.8) <= 0.05
    drawn = np.random.default_rng(4).multinomial(6, np.full(6, 1 / 6), size=50)
    slow = [np.mean(np.repeat(within, times)) for times in drawn]
    found = [value(table, "homes_within_5_points_80", column=edge) for edge in ("low", "high")]
    assert found == pytest.approx(np.quantile(slow, [0.025, 0.975]))


def test_the_table_has_the_schema_of_metrics_and_3_rows_a_slice_and_home_and_3_shares():
    rows, truth = random_case(5, n_homes=4, n_days=7)
    table = cover(rows, truth)
    assert table.schema == METRICS
    assert len(table) == (1 + 48 + 4 + 4 + 2) * 3 + 4 * 3 + 3
    assert not table.is_duplicated().any()
    some = cover(rows, truth, kinds=("season", "size", "after_gap"))
    assert len(some) == 10 * 3
    assert SLICE_KINDS == ("all", "half_hour", "season", "size", "after_gap")


def test_fewer_than_4_homes_or_weeks_claim_no_interval():
    table = cover(*random_case(6, n_homes=3, n_days=28))
    assert value(table, "coverage_80", column="low") is None
    assert value(cover(*random_case(6, n_homes=4, n_days=28)), "coverage_80", column="low") is not None


def test_shortfalls_name_what_misses_by_more_than_1_5_points_3_points_and_9_homes_of_10_worst_first():
    base = dict.fromkeys(METRICS, None) | {"unit": "1"}
    rows = [
        ("all", "coverage_80", None, 0.82),
        ("all", "coverage_90", None, 0.914),
        ("half_hour=07:30", "coverage_50", None, 0.55),
        ("half_hour=08:00", "coverage_50", None, 0.47),  # on the edge
        ("season=winter", "coverage_50", None, 0.1),
        ("all", "coverage_80", "h1", 0.1),
        ("all", "homes_within_5_points_90", None, 0.6),
        ("all", "homes_within_5_points_50", None, 0.9),
    ]
    table = pl.DataFrame(
        [base | {"slice": s, "metric": m, "entity_id": e, "value": v} for s, m, e, v in rows], schema=METRICS
    )
    found = shortfalls(table)
    assert found["slice"].to_list() == ["all", "half_hour=07:30", "all"]
    assert found["metric"].to_list() == ["homes_within_5_points_90", "coverage_50", "coverage_80"]
    assert found["off"].to_list() == pytest.approx([0.3, 0.02, 0.005])


def test_an_unknown_kind_and_gaps_of_another_shape_are_refused():
    rows, truth = random_case(7, n_homes=2, n_days=7)
    with pytest.raises(ConfigError, match="no slices of kind"):
        cover(rows, truth, kinds=("tariff",))
    with pytest.raises(SchemaError, match="cut truth and gaps"):
        cover(rows, truth, gaps=np.zeros(3, dtype=bool))
