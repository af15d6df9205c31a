import logging

import numpy as np
import polars as pl
import pytest
from tests.evaluation.score_fixtures import random_case, value

from loadproof.errors import ConfigError
from loadproof.evaluation.comparison import compare, compare_models
from loadproof.evaluation.metrics import score_sums
from loadproof.evaluation.sums import sum_scores
from loadproof.schema import METRICS

SCALES = {f"h{i}": 0.1 + 0.1 * i for i in range(6)}


def judged(model, *, off=0.0, seed=30, missing=0.1, n_homes=5, n_days=42):
    """The sums of a model whose every quantile lies ``off`` kWh too high."""
    rows, truth = random_case(seed, n_homes=n_homes, n_days=n_days, missing=missing)
    forecast = rows.forecast
    shifted = type(forecast)(
        forecast.quantiles_kwh + np.float32(off), forecast.levels, forecast.mean_kwh + np.float32(off), forecast.how
    )
    return sum_scores(rows._replace(model=model, forecast=shifted), truth, interval_mins=30, scales_kwh=SCALES)


def against(sums, *, bars=(), draws=200):
    return compare_models(sums, dataset="lcl", against=bars, draws=draws, rng=np.random.default_rng(31))


def test_comparing_2_models_gives_their_difference_and_ratio_and_pairs_their_draws():
    rows, truth = random_case(11)
    wide, _ = random_case(11, spread=0.9)
    cut = {"interval_mins": 30, "scales_kwh": {}}
    one, two = sum_scores(rows, truth, **cut), sum_scores(wide, truth, **cut)
    found = compare(two, one, "pinball", rng=np.random.default_rng(12))
    tables = [score_sums(sums, dataset="lcl", rng=np.random.default_rng(12)) for sums in (one, two)]
    plain, wider = (value(table, "pinball") for table in tables)
    assert found.difference.value == pytest.approx(wider - plain)
    assert found.ratio.value == pytest.approx(wider / plain)
    assert found.ratio.low < found.ratio.value < found.ratio.high
    assert found.n == np.count_nonzero(~np.isnan(truth))
    assert compare(one, one, "mae", rng=np.random.default_rng(13)).difference == (0, 0, 0)


def test_models_scored_on_1_half_hour_less_or_by_an_unknown_metric_are_not_compared():
    rows, truth = random_case(14, missing=0)
    less = truth.copy()
    less[0, 0] = np.nan
    one, two = (sum_scores(rows, some, interval_mins=30, scales_kwh={}) for some in (truth, less))
    with pytest.raises(ConfigError, match="use the same windows"):
        compare(one, two, "mae", rng=np.random.default_rng(15))
    with pytest.raises(ConfigError, match="metrics are mae, rmse"):
        compare(one, one, "mape", rng=np.random.default_rng(15))
    with pytest.raises(ConfigError, match="in slice 'weekday=Mon'"):
        compare(one.over_all_times(), one.over_all_times(), "mae", slice_="weekday=Mon", rng=np.random.default_rng(15))


def test_the_mase_of_2_models_is_compared_by_the_means_over_homes_in_the_same_draws():
    one, two = judged("one"), judged("two", off=0.3)
    found = compare(two, one, "mase", draws=300, rng=np.random.default_rng(32))
    tables = [score_sums(sums, dataset="lcl", rng=np.random.default_rng(32)) for sums in (one, two)]
    plain, worse = (value(table, "mase") for table in tables)
    assert found.ratio.value == pytest.approx(worse / plain)
    assert found.ratio.low > 1
    assert found.n == 5


def test_3_models_give_the_best_against_2_and_the_other_1_against_the_bar_by_6_figures_each():
    table = against([judged("c", off=0.4), judged("bar", off=0.2), judged("a")], bars=["bar", "absent"])
    assert table.schema == METRICS
    pairs = table.select("subject", other=pl.col("metric").str.split(":").list.last()).unique(maintain_order=True)
    assert pairs.rows() == [("a", "bar"), ("a", "c"), ("c", "bar")]
    assert len(table) == 3 * 6
    assert table.select("entity_id", "slice", "dataset").unique().rows() == [(None, "all", "lcl")]
    ratio = value(table.filter(subject=pl.lit("a")), "crps_ratio_to:bar")
    assert ratio < value(table.filter(subject=pl.lit("a")), "crps_ratio_to:bar", column="high") < 1
    units = dict(table.select(pl.col("metric").str.split(":").list.first(), "unit").iter_rows())
    assert (units["crps_ratio_to"], units["crps_difference_to"], units["mase_difference_to"]) == ("1", "kWh", "1")


def test_each_of_3_models_is_set_against_the_bar_also_where_the_bar_is_the_best():
    table = against([judged("c", off=0.4), judged("bar"), judged("a", off=0.2)], bars=["bar"])
    pairs = table.select("subject", other=pl.col("metric").str.split(":").list.last()).unique(maintain_order=True)
    assert pairs.rows() == [("bar", "a"), ("bar", "c"), ("a", "bar"), ("c", "bar")]
    assert value(table.filter(subject=pl.lit("a")), "crps_ratio_to:bar") > 1


def test_1_model_alone_gives_0_rows_and_the_same_seed_the_same_table():
    assert against([judged("a")]).shape == (0, len(METRICS))
    both = [judged("a"), judged("b", off=0.1)]
    assert against(both).equals(against([sums.over_all_times() for sums in reversed(both)]))


def test_a_model_of_other_half_hours_hides_the_2_that_share_theirs_from_nobody_and_is_logged(caplog):
    with caplog.at_level(logging.WARNING):
        table = against([judged("a"), judged("b", off=0.1), judged("old", seed=33, missing=0)])
    assert table["metric"].str.contains(":b").all()
    assert len(table) == 6
    assert [record.getMessage() for record in caplog.records] == [
        "a and b: scored on other half hours than old, not compared with it"
    ]


def test_3_homes_compare_without_an_interval():
    table = against([judged("a", n_homes=3), judged("b", off=0.1, n_homes=3)])
    assert table["value"].null_count() == 0
    assert table["low"].null_count() == len(table)
