from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from loadproof.baselines.seasonal import SeasonalNaive
from loadproof.errors import ConfigError, SchemaError
from loadproof.features.panel import Panel
from loadproof.features.windows import cut_windows
from loadproof.forecaster import forecast_from_table, forecast_table, make_forecast
from loadproof.schema import FORECASTS, LEVELS

START = np.datetime64("2013-01-01", "us")
HOWS = (None, "week_mean", "earlier_season")


def inputs_of(n_homes=3, n_days=2, horizon_steps=4):
    panel = Panel(np.array([f"h{i}" for i in range(n_homes)]), START, 30, np.ones((n_homes, 480), dtype=np.float32))
    origins = START + np.arange(1, 1 + n_days) * np.timedelta64(1, "D")
    return cut_windows(panel, context_steps=48, horizon_steps=horizon_steps, origins=origins).inputs


def random_forecast(inputs, rng):
    shape = (len(inputs), inputs.horizon_steps)
    how = rng.integers(0, 3, shape)
    return make_forecast(rng.random((*shape, 7)), LEVELS, rng.random(shape), how=how, hows=HOWS)


def test_made_quantiles_minus_1_3_2_become_0_2_3_and_a_mean_below_0_becomes_0():
    forecast = make_forecast(np.array([[[-1.0, 3.0, 2.0]]]), (0.1, 0.5, 0.9), np.array([[-0.5]]))
    assert forecast.quantiles_kwh.tolist() == [[[0, 2, 3]]]
    assert forecast.mean_kwh.tolist() == [[0]]
    assert forecast.how.tolist() == [[0]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"quantiles_kwh": np.float32([[[2, 1]]])}, "cross.*make_forecast"),
        ({"mean_kwh": np.float32([[-1]])}, "negative; build"),
        ({"quantiles_kwh": np.float32([[[np.nan, 1]]])}, "not finite; give"),
        ({"levels": (0.1,)}, "give 2 levels"),
        ({"how": np.uint8([[1]])}, "way 1 of 1; list"),
    ],
)
def test_a_forecast_that_breaks_1_promise_cannot_be_built(change, message):
    from dataclasses import replace

    good = make_forecast(np.array([[[1.0, 2.0]]]), (0.1, 0.9), np.array([[1.5]]))
    with pytest.raises(SchemaError, match=message):
        replace(good, **change)


def test_a_table_of_3_homes_2_days_4_steps_has_192_rows_in_the_promised_order():
    inputs = inputs_of()
    forecast = random_forecast(inputs, np.random.default_rng(1))
    shuffled = np.random.default_rng(2).permutation(len(inputs))
    mixed = make_forecast(
        forecast.quantiles_kwh[shuffled], LEVELS, forecast.mean_kwh[shuffled], how=forecast.how[shuffled], hows=HOWS
    )
    table = forecast_table("m", mixed, inputs.take(shuffled))
    assert table.schema == FORECASTS
    assert len(table) == 3 * 2 * 4 * (1 + 7)
    assert table.equals(table.sort("entity_id", "t0_utc", "ts_utc", "level", nulls_last=False))
    assert table["level"].head(9).to_list() == [None, *LEVELS, None]
    assert table["ts_utc"].gather([0, 8]).dt.strftime("%d %H:%M").to_list() == ["02 00:00", "02 00:30"]
    assert table.equals(forecast_table("m", forecast, inputs))


@pytest.mark.parametrize("shuffle", [False, True])
def test_all_192_rows_survive_the_way_through_the_table_in_any_order(shuffle):
    inputs = inputs_of()
    forecast = random_forecast(inputs, np.random.default_rng(3))
    table = forecast_table("m", forecast, inputs)
    rows = forecast_from_table(table.sample(fraction=1.0, shuffle=True, seed=4) if shuffle else table)
    assert (rows.model, rows.forecast.levels) == ("m", LEVELS)
    np.testing.assert_array_equal(rows.entity, inputs.entity)
    np.testing.assert_array_equal(rows.t0, inputs.t0)
    np.testing.assert_array_equal(rows.forecast.quantiles_kwh, forecast.quantiles_kwh)
    np.testing.assert_array_equal(rows.forecast.mean_kwh, forecast.mean_kwh)
    names = [np.array(some.hows, dtype=object)[some.how].tolist() for some in (rows.forecast, forecast)]
    assert names[0] == names[1]


def test_a_single_forecast_of_1_step_survives_the_way_through_the_table():
    inputs = inputs_of(n_homes=1, n_days=1, horizon_steps=1)
    rows = forecast_from_table(forecast_table("m", make_forecast(np.ones((1, 1, 7)), LEVELS, np.ones((1, 1))), inputs))
    assert rows.forecast.quantiles_kwh.shape == (1, 1, 7)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda table: table.slice(1), "lack rows or repeat some"),
        (lambda table: table.slice(0, len(table) - 8), "lack rows"),
        (lambda table: pl.concat([table, table]), "lack rows or repeat some"),
        (lambda table: pl.concat([table, table.with_columns(model=pl.lit("z"))]), r"\['m', 'z'\]; filter it to one"),
        (lambda table: table.head(0), r"models \[\]"),
        (lambda table: table.with_columns(pl.col("t0_utc") - pl.duration(minutes=30)), "lack rows"),
    ],
)
def test_a_table_with_1_row_too_few_or_too_many_is_refused(spoil, message):
    inputs = inputs_of()
    table = forecast_table("m", random_forecast(inputs, np.random.default_rng(5)), inputs)
    with pytest.raises(SchemaError, match=message):
        forecast_from_table(spoil(table))


def test_a_forecast_of_6_windows_is_not_told_of_5_inputs():
    inputs = inputs_of()
    with pytest.raises(SchemaError, match="do not fit 5 inputs"):
        forecast_table("m", random_forecast(inputs, np.random.default_rng(6)), inputs.take(slice(5)))


def test_a_forecaster_that_learns_in_one_process_refuses_two_and_says_how_to_train_it():
    with pytest.raises(ConfigError, match="learns in one process, not in 2; train it without torchrun"):
        SeasonalNaive().fit_together(None, None, rng=np.random.default_rng(0), ranks=SimpleNamespace(world=2))
