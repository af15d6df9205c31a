import warnings
from functools import partial

import numpy as np
import polars as pl
import pytest

from loadproof.errors import ConfigError, SchemaError
from loadproof.evaluation.metrics import (
    CRPS_WEIGHTS,
    METRIC_UNITS,
    SLICES,
    compare,
    pinball,
    score_forecasts,
    score_sums,
    seasonal_scale,
    sum_scores,
)
from loadproof.features.windows import Panel
from loadproof.forecaster import ForecastRows, make_forecast
from loadproof.schema import LEVELS, METRICS

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # a docstring there has an invalid escape sequence
    from utilsforecast import losses

START = np.datetime64("2013-10-01T23:00", "us")  # a local midnight in summer; the clocks go back on the 27th
DAY = np.timedelta64(1, "D")


def rows_of(entity, t0, quantiles, mean=None, model="m"):
    quantiles = np.asarray(quantiles, dtype=np.float32)
    mean = quantiles[..., 3] if mean is None else np.asarray(mean, dtype=np.float32)
    return ForecastRows(model, np.asarray(entity), np.asarray(t0), make_forecast(quantiles, LEVELS, mean))


def random_case(seed, n_homes=5, n_days=42, spread=0.4, missing=0.1):
    rng = np.random.default_rng(seed)
    entity = np.repeat([f"h{i}" for i in range(n_homes)], n_days)
    t0 = np.tile(START + np.arange(n_days) * DAY, n_homes)
    truth = rng.gamma(2.0, 0.2, (len(entity), 48)).astype(np.float32)
    quantiles = 0.4 + spread * (np.array(LEVELS) - 0.5) + rng.normal(0, 0.1, (*truth.shape, 1))
    truth[rng.random(truth.shape) < missing] = np.nan
    return rows_of(entity, t0, quantiles, mean=quantiles.mean(axis=-1)), truth


def score(rows, truth, *, scales=None, draws=200, seed=0):
    scales = dict.fromkeys(rows.entity.tolist(), 1.0) if scales is None else scales
    rng = np.random.default_rng(seed)
    return score_forecasts(rows, truth, interval_mins=30, scales_kwh=scales, dataset="lcl", draws=draws, rng=rng)


def value(table, metric, *, entity=None, slice_="all", column="value"):
    row = table.filter(
        pl.col("entity_id").eq_missing(pl.lit(entity, pl.String)), slice=pl.lit(slice_), metric=pl.lit(metric)
    )
    return row[column].item()


def long_table(rows, truth):
    """The scored half hours as utilsforecast wants them: one row each, one column per quantile."""
    scored = ~np.isnan(truth)
    columns = {f"q{i}": rows.forecast.quantiles_kwh[scored][:, i].astype(float) for i in range(7)}
    entity = np.broadcast_to(rows.entity[:, None], truth.shape)[scored]
    ts = (rows.t0[:, None] + np.arange(48) * np.timedelta64(30, "m"))[scored]
    mean = rows.forecast.mean_kwh[scored].astype(float)
    return pl.DataFrame({"unique_id": entity, "ds": ts, "y": truth[scored].astype(float), "mean": mean, **columns})


def test_pinball_of_an_overshoot_and_an_undershoot_of_2_kwh_at_level_0_9_is_0_2_and_1_8():
    loss = pinball(np.array([1.0, 5.0]), np.array([[3.0], [3.0]]), (0.9,))
    np.testing.assert_allclose(loss, [[0.2], [1.8]])


def test_the_crps_weights_sum_to_1_and_are_the_gaps_between_the_midpoints_of_the_levels():
    edges = [0, *(np.array(LEVELS[1:]) + LEVELS[:-1]) / 2, 1]
    np.testing.assert_allclose(CRPS_WEIGHTS, np.diff(edges))
    assert sum(CRPS_WEIGHTS) == pytest.approx(1)


def test_mae_rmse_and_mean_pinball_of_5_homes_equal_those_of_utilsforecast():
    rows, truth = random_case(1)
    table, frame = score(rows, truth), long_table(*random_case(1))
    mae = losses.mae(frame, models=["q3"])
    rmse = losses.rmse(frame, models=["mean"])
    by_level = [losses.quantile_loss(frame, models={"x": f"q{i}"}, q=level) for i, level in enumerate(LEVELS)]
    for i, home in enumerate(mae["unique_id"]):
        assert value(table, "mae", entity=home) == pytest.approx(mae["q3"][i], rel=1e-6)
        assert value(table, "rmse", entity=home) == pytest.approx(rmse["mean"][i], rel=1e-6)
        assert value(table, "pinball", entity=home) == pytest.approx(np.mean([x["x"][i] for x in by_level]), rel=1e-6)
        crps = 2 * np.dot(CRPS_WEIGHTS, [x["x"][i] for x in by_level])
        assert value(table, "crps", entity=home) == pytest.approx(crps, rel=1e-6)


def test_mase_of_3_homes_equals_that_of_utilsforecast_with_season_48():
    rows, truth = random_case(2, n_homes=3, missing=0)
    history = np.random.default_rng(3).gamma(2.0, 0.2, (3, 480)).astype(np.float32)
    panel = Panel(np.array(["h0", "h1", "h2"]), START - 10 * DAY, 30, history)
    train = pl.DataFrame(
        {
            "unique_id": np.repeat(panel.entities, 480),
            "ds": np.tile(panel.start + np.arange(480) * np.timedelta64(30, "m"), 3),
            "y": history.ravel().astype(float),
        }
    )
    mase = partial(losses.mase, models=["q3"], seasonality=48, train_df=train)(long_table(rows, truth))
    table = score(rows, truth, scales=seasonal_scale(panel, until=START))
    for home, expected in mase.select("unique_id", "q3").iter_rows():
        assert value(table, "mase", entity=home) == pytest.approx(expected, rel=1e-6)
    assert value(table, "mase") == pytest.approx(mase["q3"].mean(), rel=1e-6)  # as many half hours in each home


def test_the_seasonal_scale_stops_at_its_date_and_skips_gaps():
    energy = np.array([[1, 2, 4, np.nan, 9, 100]], dtype=np.float32)
    panel = Panel(np.array(["a"]), START, 30, energy)
    until = START + 5 * np.timedelta64(30, "m")
    assert seasonal_scale(panel, until=until, season_steps=2) == {"a": (3 + 5) / 2}
    assert np.isnan(seasonal_scale(panel, until=START, season_steps=2)["a"])


def test_homes_of_scale_0_or_none_are_left_out_of_mase_and_of_its_n():
    rows, truth = random_case(4, n_homes=3, n_days=7, missing=0)
    table = score(rows, truth, scales={"h0": 0.5, "h1": 0.0, "h2": np.nan})
    assert value(table, "mase") == pytest.approx(value(table, "mae", entity="h0") / 0.5)
    assert value(table, "mase", column="n") == 7 * 48
    assert value(table, "mae", column="n") == 3 * 7 * 48
    assert value(table, "mase", entity="h1") is None
    assert value(table, "mase", entity="h1", column="n") == 0


def test_four_truths_by_hand_give_coverage_0_25_0_5_and_0_75_and_widths_2_4_and_6():
    quantiles = np.tile(np.arange(1.0, 8.0), (1, 4, 1))  # 1 to 7 kWh at the seven levels
    table = score(rows_of(["a"], [START], quantiles, mean=[[2, 2, 2, 2]]), np.float32([[4, 2, 7, 0]]))
    assert [value(table, f"coverage_{band}") for band in (50, 80, 90)] == [0.25, 0.5, 0.75]
    assert [value(table, f"width_{band}") for band in (50, 80, 90)] == [2, 4, 6]
    assert [value(table, f"share_below_{level}") for level in LEVELS] == [0.25, 0.5, 0.5, 0.75, 0.75, 0.75, 1]
    assert value(table, "mean_load") == 13 / 4
    assert value(table, "mae") == (0 + 2 + 3 + 4) / 4
    assert value(table, "rmse") == pytest.approx(np.sqrt((4 + 0 + 25 + 4) / 4))
    assert value(table, "nrmse") == pytest.approx(np.sqrt(33 / 4) / (13 / 4))
    assert value(table, "pinball_scaled") == pytest.approx(2 * value(table, "pinball") / (13 / 4))


def test_missing_truths_change_no_figure_and_are_not_in_n():
    rows, truth = random_case(5, n_homes=2, n_days=7)
    wild = rows.forecast.quantiles_kwh + np.where(np.isnan(truth), 1e3, 0)[..., None].astype(np.float32)
    assert score(rows_of(rows.entity, rows.t0, wild, mean=rows.forecast.mean_kwh), truth).equals(score(rows, truth))
    assert value(score(rows, truth), "mae", column="n") == np.count_nonzero(~np.isnan(truth))


def test_the_table_has_the_schema_of_metrics_and_56_slices_and_2_homes_of_21_metrics():
    table = score(*random_case(6, n_homes=2, n_days=7))
    assert table.schema == METRICS
    assert len(table) == (56 + 2) * 21
    assert table.filter(pl.col("entity_id").is_null())["slice"].unique(maintain_order=True).to_list() == list(SLICES)
    assert dict(table.select("metric", "unit").unique().iter_rows()) == METRIC_UNITS
    assert not table.is_duplicated().any()


def test_slices_are_of_local_time_before_and_after_the_clocks_go_back():
    summer, winter = np.datetime64("2013-10-26T06:00", "us"), np.datetime64("2013-10-28T07:00", "us")  # 07:00 local
    quantiles = np.zeros((2, 1, 7))
    table = score(rows_of(["a", "a"], [summer, winter], quantiles), np.float32([[1], [3]]))
    assert value(table, "mae", slice_="half_hour=07:00") == 2
    assert value(table, "mae", slice_="half_hour=07:00", column="n") == 2
    assert value(table, "mae", slice_="weekday=Sat") == 1
    assert value(table, "mae", slice_="weekday=Mon") == 3
    assert value(table, "mae", slice_="weekday=Sun") is None
    assert value(table, "mae", slice_="weekday=Sun", column="n") == 0


def test_the_parts_of_7_weekdays_and_of_48_half_hours_each_sum_to_the_whole():
    table = score(*random_case(7)).filter(pl.col("entity_id").is_null(), metric=pl.lit("mae"))
    total = table.select(error=pl.col("value") * pl.col("n"), slice=pl.col("slice").str.split("=").list.first())
    whole, *parts = (total.filter(slice=pl.lit(kind))["error"].sum() for kind in ("all", "weekday", "half_hour"))
    assert parts == pytest.approx([whole, whole])


def test_the_pooled_interval_equals_the_slow_twin_of_50_draws_over_homes_and_weeks():
    rows, truth = random_case(8, n_homes=4, n_days=25)  # all of it in summer time
    table = score(rows, truth, draws=50, seed=9)
    rng = np.random.default_rng(9)
    monday = ((rows.t0 + np.timedelta64(1, "h")).astype("datetime64[D]").astype(int) + 3) // 7
    entities, weeks = np.unique(rows.entity), np.unique(monday)
    homes_drawn = rng.multinomial(len(entities), np.full(len(entities), 1 / len(entities)), size=50)
    weeks_drawn = rng.multinomial(len(weeks), np.full(len(weeks), 1 / len(weeks)), size=50)
    error = np.abs(rows.forecast.quantiles_kwh[..., 3] - truth)
    slow = []
    for homes, some_weeks in zip(homes_drawn, weeks_drawn, strict=True):
        times = [homes[entities == e][0] * some_weeks[weeks == w][0] for e, w in zip(rows.entity, monday, strict=True)]
        slow.append(np.nanmean(np.repeat(error, times, axis=0)))
    expected = np.quantile(slow, [0.025, 0.975])
    assert [value(table, "mae", column=edge) for edge in ("low", "high")] == pytest.approx(expected, rel=1e-6)


def test_a_home_has_an_interval_from_4_weeks_on_and_the_pool_from_4_homes_or_weeks_on():
    long, short = score(*random_case(10, n_homes=2, n_days=28)), score(*random_case(10, n_homes=3, n_days=14))
    assert value(long, "mae", entity="h0", column="low") < value(long, "mae", entity="h0")
    assert value(long, "mae", column="low") < value(long, "mae") < value(long, "mae", column="high")
    assert value(short, "mae", entity="h0", column="low") is None
    assert value(short, "mae", column="low") is None
    assert value(score(*random_case(10, n_homes=4, n_days=14)), "mae", column="low") is not None


def test_a_home_without_load_has_an_mae_of_0_and_no_ratio():
    table = score(rows_of(["a"], [START], np.zeros((1, 48, 7))), np.zeros((1, 48), dtype=np.float32))
    assert value(table, "mae") == 0
    assert value(table, "nrmse") is None
    assert value(table, "pinball_scaled") is None


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


def test_a_truth_of_1_window_less_is_refused():
    rows, truth = random_case(16)
    with pytest.raises(SchemaError, match="cut the truth at the same t0"):
        score(rows, truth[1:])
