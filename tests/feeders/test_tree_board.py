import datetime as dt

import numpy as np
import polars as pl
import pytest

from loadproof.baselines.seasonal import SeasonalNaive
from loadproof.config import CalibrationConfig, ForecastConfig, TreeConfig
from loadproof.errors import ConfigError
from loadproof.evaluation.losses import CRPS_WEIGHTS, pinball
from loadproof.features.panel import Panel
from loadproof.feeders.tree_board import TREE_ROWS, TREE_SUMS, sum_tree, tree_rows
from loadproof.feeders.tree_ground import lay_tree
from loadproof.feeders.tree_walk import COHERENT, walk_tree
from loadproof.seeds import rng_for

KNOBS = TreeConfig(
    feeder_homes=3, homes_reporting=0.9, learn_until=dt.date(2013, 2, 20), calibrate_days=7, paths=40, training_groups=4
)
BLOCKS = ForecastConfig(
    context_steps=672, valid_from=dt.date(2013, 4, 1), test_from=dt.date(2013, 4, 29), test_until=dt.date(2013, 5, 27)
)


CALIBRATION = CalibrationConfig()


def made_panel(n=7, days=146):
    rng = rng_for(1, "homes")
    day = 0.2 + 0.3 * np.exp(-(((np.arange(days * 48) % 48 - 36) / 5) ** 2))
    together = rng.gamma(30, 1 / 30, days).repeat(48)  # what all homes have in common from day to day
    kwh = day * together * rng.gamma(4, 1 / 4, (n, days * 48))
    kwh[0, 5000:5010] = np.nan
    names = np.array([f"lcl:MAC{number:06d}" for number in range(n)])
    return Panel(names, np.datetime64("2013-01-01T00:00", "us"), 30, kwh.astype(np.float32))


@pytest.fixture(scope="module")
def ground():
    return lay_tree(
        made_panel(),
        SeasonalNaive,
        SeasonalNaive,
        knobs=KNOBS,
        forecast=BLOCKS,
        calibration=CALIBRATION,
        seed=1,
    )


@pytest.fixture(scope="module")
def walked(ground):
    return walk_tree(ground, most_paths=KNOBS.paths, calibration=CALIBRATION, rng=rng_for(1, "paths"))


def test_seven_homes_make_two_feeders_of_three_and_leave_one(ground):
    assert [len(ground.tree.at(level)) for level in ground.tree.levels] == [1, 2, 6]
    assert ground.homes_left_out == 1
    assert ground.tested.sum() == 28
    assert ground.quantiles_kwh.shape == (len(ground.t0), 9, 48, 7)
    assert ground.t0[0] == np.datetime64("2013-02-27")


def test_every_coherent_variant_adds_up_exactly_on_every_judged_day(walked):
    assert set(walked.largest_gap_kwh) == set(COHERENT)
    assert set(walked.largest_gap_kwh.values()) == {0.0}
    assert set(walked.quantiles_kwh) == {*COHERENT, "direct", "mint_shrink_conformal"}
    assert walked.paths == (40, 40)


def test_bottom_up_keeps_what_was_said_of_the_homes(ground, walked):
    leaves = ground.tree.leaves
    direct, summed = (walked.quantiles_kwh[name][:, leaves] for name in ("direct", "bottom_up"))
    # 40 paths read at seven levels: the inner quantiles come back, and on average the outer ones.
    assert np.abs(summed - direct).mean() < 0.01 * direct.mean()
    assert np.array_equal(walked.quantiles_kwh["direct"], ground.quantiles_kwh[ground.tested])


def test_sums_are_what_a_loop_over_the_half_hours_says(ground, walked):
    sums = sum_tree(ground, walked.quantiles_kwh)
    assert sums.schema == TREE_SUMS
    row = sums.filter(level="feeder", variant="mint_shrink").sort("week").row(0, named=True)
    assert row["week"] == dt.date(2013, 4, 29)
    said, truth = walked.quantiles_kwh["mint_shrink"][:7, 1:3], ground.truth_kwh[ground.tested][:7, 1:3]
    crps, held, n = 0.0, 0, 0
    for place in np.ndindex(truth.shape):
        if not np.isnan(truth[place]):
            n += 1
            crps += float(2 * pinball(truth[place][None], said[place][None])[0] @ np.array(CRPS_WEIGHTS))
            held += said[place][1] <= truth[place] <= said[place][5]
    assert (row["n"], row["in_80"]) == (n, held)
    assert row["crps_kwh"] == pytest.approx(crps, rel=1e-5)


def test_all_variants_are_scored_on_the_same_half_hours_and_ratios_follow(ground, walked):
    sums = sum_tree(ground, walked.quantiles_kwh)
    assert sums.group_by("level", "week").agg(pl.col("n").n_unique())["n"].to_list() == [1] * 12
    rows = tree_rows(sums, draws=100, seed=1)
    assert rows.schema == TREE_ROWS
    cell = {row[:3]: row[3] for row in rows.iter_rows()}
    for level in ("home", "feeder", "substation"):
        for variant in ("bottom_up", "mint_shrink_stretched"):
            ratio = cell[level, variant, "crps_scaled"] / cell[level, "direct", "crps_scaled"]
            assert cell[level, variant, "crps_ratio_to:direct"] == pytest.approx(ratio)
    assert cell["feeder", "naive_bottom_up", "crps_ratio_to:direct"] > 0
    # A direct naive forecast is the naive forecast.
    assert cell["home", "naive_bottom_up", "crps_ratio_to:direct"] == pytest.approx(1, abs=0.01)


def test_a_judged_day_does_not_depend_on_what_came_later(ground, walked):
    cut = int(np.flatnonzero(ground.tested)[3])
    truth = ground.truth_kwh.copy()
    truth[cut:] *= 3
    other = walk_tree(
        ground._replace(truth_kwh=truth),
        most_paths=KNOBS.paths,
        calibration=CALIBRATION,
        rng=rng_for(1, "paths"),
    )
    for name, quantiles in walked.quantiles_kwh.items():
        np.testing.assert_array_equal(other.quantiles_kwh[name][:4], quantiles[:4], err_msg=name)


def test_homes_that_fill_no_feeder_are_refused():
    with pytest.raises(ConfigError, match="fill no feeder"):
        lay_tree(
            made_panel(), SeasonalNaive, SeasonalNaive, knobs=KNOBS.model_copy(update={"feeder_homes": 8}),
            forecast=BLOCKS, calibration=CALIBRATION, seed=1,
        )  # fmt: skip
