"""The ranked table, by hand."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from loadproof.errors import ConfigError
from loadproof.features.windows import Inputs
from loadproof.feeders.assets import LIMITS
from loadproof.feeders.risk import count_over, rank_together, risk_of_paths, risk_of_quantiles
from loadproof.forecaster import make_forecast
from loadproof.schema import LEVELS, RISK, RISK_STEPS

T0 = np.datetime64("2013-12-02T00:00", "us")
NAMES = np.array(["a", "b", "s"])
LEVEL_OF = {"a": "feeder", "b": "feeder", "s": "substation"}


def inputs(names=NAMES, t0=None):
    context = np.ones((len(names), 48), dtype=np.float32)
    return Inputs(context, np.full(len(names), T0) if t0 is None else t0, names, 2, 30)


def limits(**kwh):
    rows = [(name, "fuse", 1.0, 0.95, value, "test") for name, value in kwh.items()]
    return pl.DataFrame(rows, schema=LIMITS, orient="row")


def forecast():
    line = 100 * np.array(LEVELS)  # a: 0 to 100 kWh evenly, then a tail that halves each 5 kWh
    quantiles = np.stack([[line, line / 2], [line / 10, line / 5], [line, line]])  # (N, H, Q)
    return make_forecast(quantiles, LEVELS, quantiles.mean(axis=-1))


def test_the_worst_stands_first_with_its_hours_its_excess_and_its_headroom():
    found = risk_of_quantiles(forecast(), inputs(), limits(a=90.0, b=18.0, s=40.0), LEVEL_OF, model="m")
    assert found.ranked.schema == RISK
    assert found.ranked["entity_id"].to_list() == ["s", "a", "b"]
    assert found.ranked["rank"].to_list() == [1, 2, 3]
    first, second, third = found.ranked.rows(named=True)
    assert first["probability"] == pytest.approx(0.6)
    assert (first["any_low"], first["any_high"]) == (pytest.approx(0.6), 1.0)
    assert second["probability"] == pytest.approx(0.1)
    assert second["probability_utc"] == dt.datetime(2013, 12, 2, tzinfo=dt.UTC)
    assert second["any_high"] == pytest.approx(0.1 + 0.05 * 2 ** -((90 - 47.5) / 2.5))
    assert second["headroom_95_kwh"] == pytest.approx(90 - 95)
    # b is at most 19 kWh at its 95 % level, in the second half hour, whose median is the higher one too.
    half_past = dt.datetime(2013, 12, 2, 0, 30, tzinfo=dt.UTC)
    assert third["headroom_95_kwh"] == pytest.approx(-1)
    assert third["headroom_utc"] == third["peak_utc"] == third["probability_utc"] == half_past
    assert third["peak_kwh"] == pytest.approx(10)
    assert third["level"] == "feeder"


def test_the_half_hours_stand_in_the_order_of_the_ranks_and_add_up_to_the_excess():
    found = risk_of_quantiles(forecast(), inputs(), limits(a=90.0, b=18.0), LEVEL_OF, model="m")
    assert found.steps.schema == RISK_STEPS
    assert found.steps["entity_id"].to_list() == ["a", "a", "b", "b"]
    sums = found.steps.group_by("entity_id", maintain_order=True).agg(pl.col("expected_excess_kwh").sum())
    np.testing.assert_allclose(sums["expected_excess_kwh"], found.ranked["expected_excess_kwh"], rtol=1e-6)


def test_two_limits_of_one_entity_are_two_rows_and_an_entity_without_any_is_none():
    two = pl.concat([limits(a=90.0), limits(a=50.0).with_columns(limit=pl.lit("cable"))])
    found = risk_of_quantiles(forecast(), inputs(), two, LEVEL_OF, model="m")
    assert found.ranked["limit"].to_list() == ["cable", "fuse"]
    assert found.ranked["entity_id"].to_list() == ["a", "a"]


def test_paths_tell_the_chance_of_any_half_hour_itself():
    paths = np.zeros((3, 4, 2))
    paths[0] = [[5, 1], [1, 5], [1, 1], [1, 2]]  # each half hour is above 4 in one path, one of both in two
    found = risk_of_paths(paths, inputs(), limits(a=4.0), LEVEL_OF, model="m")
    (row,) = found.ranked.rows(named=True)
    assert row["probability"] == 0.25
    assert row["any_low"] == row["any_high"] == 0.5
    assert row["expected_excess_kwh"] == pytest.approx(0.5)


def test_paths_that_hang_together_and_paths_that_do_not_lie_within_the_bounds_of_their_quantiles():
    rng = np.random.default_rng(3)
    alone = rng.normal(10, 2, (1, 4000, 2))
    tied = np.repeat(alone[:, :, :1], 2, axis=2)
    names = np.array(["a"])
    for paths in (alone, tied):
        levels = np.moveaxis(np.quantile(paths, LEVELS, axis=1), 0, -1)
        told = make_forecast(levels, LEVELS, paths.mean(axis=1))
        bounds = risk_of_quantiles(told, inputs(names), limits(a=12.0), LEVEL_OF, model="m").ranked
        exact = risk_of_paths(paths, inputs(names), limits(a=12.0), LEVEL_OF, model="m").ranked["any_low"].item()
        assert bounds["any_low"].item() - 0.01 <= exact <= bounds["any_high"].item() + 0.01


def test_a_limit_without_a_forecast_and_forecasts_of_two_instants_are_refused():
    with pytest.raises(ConfigError, match="there is a limit of zz"):
        risk_of_quantiles(forecast(), inputs(), limits(zz=1.0), LEVEL_OF, model="m")
    twice = inputs(np.array(["a", "a", "s"]), np.array([T0, T0 + np.timedelta64(1, "D"), T0]))
    with pytest.raises(ConfigError, match="one t0 at a time"):
        risk_of_quantiles(forecast(), twice, limits(a=1.0), LEVEL_OF, model="m")
    with pytest.raises(ConfigError, match="no entity has a limit"):
        risk_of_quantiles(forecast(), inputs(), limits(), LEVEL_OF, model="m")


def test_parts_ranked_together_are_the_ranking_of_the_whole():
    given = limits(a=90.0, b=18.0, s=40.0)
    whole = risk_of_quantiles(forecast(), inputs(), given, LEVEL_OF, model="m").ranked
    parts = [
        risk_of_quantiles(forecast(), inputs(), given.filter(entity_id=name), LEVEL_OF, model="m").ranked
        for name in ("b", "s", "a")
    ]
    assert rank_together(parts).equals(whole)
    assert count_over(whole) == 3
    assert rank_together([]).schema == RISK
