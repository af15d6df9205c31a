import warnings
from functools import partial

import numpy as np
import polars as pl
import pytest
from tests.evaluation.score_fixtures import START, random_case, rows_of, score, value

from loadproof.evaluation.losses import CRPS_WEIGHTS
from loadproof.evaluation.metrics import METRIC_UNITS, seasonal_scale
from loadproof.evaluation.sums import SLICES
from loadproof.features.panel import Panel
from loadproof.schema import LEVELS, METRICS

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # a docstring there has an invalid escape sequence
    from utilsforecast import losses

DAY = np.timedelta64(1, "D")


def long_table(rows, truth):
    """The scored half hours as utilsforecast wants them: one row each, one column per quantile."""
    scored = ~np.isnan(truth)
    columns = {f"q{i}": rows.forecast.quantiles_kwh[scored][:, i].astype(float) for i in range(7)}
    entity = np.broadcast_to(rows.entity[:, None], truth.shape)[scored]
    ts = (rows.t0[:, None] + np.arange(48) * np.timedelta64(30, "m"))[scored]
    mean = rows.forecast.mean_kwh[scored].astype(float)
    return pl.DataFrame({"unique_id": entity, "ds": ts, "y": truth[scored].astype(float), "mean": mean, **columns})


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
    assert value(table, "mase") == pytest.approx(mase["q3"].mean(), rel=1e-6)


def test_the_seasonal_scale_stops_at_its_date_and_skips_gaps():
    energy = np.array([[1, 2, 4, np.nan, 9, 100]], dtype=np.float32)
    panel = Panel(np.array(["a"]), START, 30, energy)
    until = START + 5 * np.timedelta64(30, "m")
    assert seasonal_scale(panel, until=until, season_steps=2) == {"a": (3 + 5) / 2}
    assert np.isnan(seasonal_scale(panel, until=START, season_steps=2)["a"])


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


def test_a_home_without_load_has_an_mae_of_0_and_no_ratio():
    table = score(rows_of(["a"], [START], np.zeros((1, 48, 7))), np.zeros((1, 48), dtype=np.float32))
    assert value(table, "mae") == 0
    assert value(table, "nrmse") is None
    assert value(table, "pinball_scaled") is None


def in_summer(rows):
    """The same 60 days earlier, where no clock changes and step 14 is 07:00 each day."""
    return rows._replace(t0=rows.t0 - 60 * DAY)


def unequal_case(seed):
    """Six homes over six weeks (42 days): the first has 42 windows, the last only 7; the errors grow with the home."""
    rows, truth = random_case(seed, n_homes=6, n_days=42)
    home = np.repeat(np.arange(6), 42)
    truth *= (1 + home)[:, None]
    late = np.tile(np.arange(42), 6) < 7 * home
    truth[late] = np.nan
    return in_summer(rows), truth, home


def slow_mase(rows, truth, scales, *, homes_drawn=None, weeks_drawn=None):
    """The mean over homes of each one's MAE over its own scale, by listing every half hour; and how many homes."""
    entities = np.unique(rows.entity)
    monday = ((rows.t0 + np.timedelta64(1, "h")).astype("datetime64[D]").astype(int) + 3) // 7  # all of it summer time
    weeks = np.unique(monday)
    own = []
    for e, home in enumerate(entities):
        errors = []
        for w, week in enumerate(weeks):
            of_cell = (rows.entity == home) & (monday == week)
            error = np.abs(rows.forecast.quantiles_kwh[of_cell, :, 3] - truth[of_cell])
            errors += [error[~np.isnan(error)]] * (1 if weeks_drawn is None else int(weeks_drawn[w]))
        errors = np.concatenate(errors) if errors else np.empty(0)
        if errors.size and scales[home] > 0:
            own += [errors.mean() / scales[home]] * (1 if homes_drawn is None else int(homes_drawn[e]))
    return np.mean(own), len(own)


def test_the_mase_over_6_homes_is_the_mean_of_their_own_and_not_of_their_half_hours():
    rows, truth, home = unequal_case(20)
    scales = {f"h{i}": 0.2 * (6 - i) for i in range(6)}
    table = score(rows, truth, scales=scales)
    own = table.filter(pl.col("entity_id").is_not_null(), metric=pl.lit("mase"))
    assert value(table, "mase") == pytest.approx(own["value"].mean())
    assert value(table, "mase") == pytest.approx(slow_mase(rows, truth, scales)[0])
    assert value(table, "mase", column="n") == 6
    error = np.abs(rows.forecast.quantiles_kwh[..., 3] - truth) / np.array(list(scales.values()))[home][:, None]
    assert np.nanmean(error) < 0.75 * value(table, "mase")  # what a mean over half hours would have said


def test_the_mase_of_a_slice_is_over_the_homes_that_were_measured_in_it():
    rows, truth, _ = unequal_case(21)
    truth[rows.entity != "h2", 14] = np.nan  # 07:00 of every home but one
    table = score(rows, truth, scales=dict.fromkeys([f"h{i}" for i in range(6)], 0.5))
    error = np.abs(rows.forecast.quantiles_kwh[:, 14, 3] - truth[:, 14])
    assert value(table, "mase", slice_="half_hour=07:00") == pytest.approx(np.nanmean(error) / 0.5)
    assert value(table, "mase", slice_="half_hour=07:00", column="n") == 1
    assert value(table, "mase", slice_="half_hour=07:00", column="low") is None
    assert value(table, "mase", slice_="half_hour=07:30", column="n") == 6


def test_the_interval_of_mase_equals_the_slow_twin_of_60_draws_that_lists_every_half_hour():
    rows, truth, _ = unequal_case(22)
    scales = {"h0": 0.5, "h1": 0.4, "h2": 0.3, "h3": 0.2, "h4": 0.7, "h5": 0.0}
    table = score(rows, truth, scales=scales, draws=60, seed=23)
    rng, n_weeks = np.random.default_rng(23), 7
    homes_drawn = rng.multinomial(6, np.full(6, 1 / 6), size=60)
    weeks_drawn = rng.multinomial(n_weeks, np.full(n_weeks, 1 / n_weeks), size=60)
    slow = [
        slow_mase(rows, truth, scales, homes_drawn=homes, weeks_drawn=weeks)[0]
        for homes, weeks in zip(homes_drawn, weeks_drawn, strict=True)
    ]
    expected = np.quantile(slow, [0.025, 0.975])
    assert [value(table, "mase", column=edge) for edge in ("low", "high")] == pytest.approx(expected, rel=1e-6)
    assert value(table, "mase", column="n") == 5


def test_homes_of_scale_0_or_none_are_left_out_of_mase_and_of_its_count_of_homes():
    rows, truth = random_case(4, n_homes=3, n_days=7, missing=0)
    table = score(rows, truth, scales={"h0": 0.5, "h1": 0.0, "h2": np.nan})
    assert value(table, "mase") == pytest.approx(value(table, "mae", entity="h0") / 0.5)
    assert value(table, "mase", column="n") == 1
    assert value(table, "mae", column="n") == 3 * 7 * 48
    assert value(table, "mase", entity="h0", column="n") == 7 * 48
    assert value(table, "mase", entity="h1") is None
    assert value(table, "mase", entity="h1", column="n") == 0


@pytest.mark.parametrize(("n_homes", "n_days", "claimed"), [(4, 28, True), (3, 28, False), (4, 14, False)])
def test_all_homes_have_an_interval_from_4_homes_and_4_weeks_on(n_homes, n_days, claimed):
    table = score(*random_case(10, n_homes=n_homes, n_days=n_days))
    for metric in ("mae", "mase"):
        low, middle, high = (value(table, metric, column=column) for column in ("low", "value", "high"))
        assert (low, high) == (None, None) if not claimed else low < middle < high


def test_a_home_has_its_own_interval_from_4_of_its_weeks_on_even_where_it_is_alone():
    table = score(*random_case(10, n_homes=1, n_days=28))
    assert value(table, "mae", entity="h0", column="low") < value(table, "mae", entity="h0")
    assert value(table, "mae", column="low") is None
    rows, truth = random_case(10, n_homes=4, n_days=28)
    truth[(rows.entity == "h1") & (rows.t0 >= START + 14 * DAY)] = np.nan
    table = score(rows, truth)
    assert value(table, "mae", entity="h1", column="low") is None
    assert value(table, "mae", column="low") is not None


def test_a_slice_of_which_only_3_weeks_were_measured_claims_no_interval():
    rows, truth = random_case(24, n_homes=5, n_days=42)
    truth[rows.t0 >= START + 14 * DAY, 24] = np.nan  # noon, but for the first three weeks
    table = score(in_summer(rows), truth)
    assert value(table, "mae", slice_="half_hour=12:00", column="low") is None
    assert value(table, "mae", slice_="half_hour=12:30", column="low") is not None
