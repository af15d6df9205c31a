import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.runner.made_stores import make_store

from loadproof.config import ExperimentConfig
from loadproof.errors import ConfigError, SchemaError
from loadproof.runner.forecasters import AT_ONCE
from loadproof.runner.predict import predict
from loadproof.schema import FORECASTS, LEVELS

DAY = dt.date(2013, 4, 1)  # 90 days after the first reading; the UK is an hour ahead since the day before
STEPS_TO_T0 = 90 * 48 - 2
TWO_DAYS = slice(STEPS_TO_T0 - 96, STEPS_TO_T0)
NOT_THE_LAST_THREE_DAYS = slice(0, STEPS_TO_T0 - 144)
TWELVE = slice(STEPS_TO_T0 - 12, STEPS_TO_T0)
KEEP = {"lcl:MAC000002": TWO_DAYS, "lcl:MAC000003": NOT_THE_LAST_THREE_DAYS, "lcl:MAC000004": TWELVE}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store"), homes=4, days=100, keep=KEEP)


def ask(store, tmp_path, model="persistence_ensemble", at=DAY, entities=(), horizon_steps=48):
    return predict(
        store, "lcl", model, at, tmp_path / "out", config=ExperimentConfig(), horizon_steps=horizon_steps,
        models_root=tmp_path / "models", entities=entities,
    )  # fmt: skip


def test_a_uk_midnight_in_summer_is_23_hours_utc_and_the_table_holds_48_steps_of_8_rows(store, tmp_path):
    said = ask(store, tmp_path, entities=["lcl:MAC000001"])
    table = pl.read_parquet(said.path)
    assert said.t0_utc == dt.datetime(2013, 3, 31, 23, tzinfo=dt.UTC)
    assert said.path == tmp_path / "out" / "at" / "2013-03-31T2300Z" / "persistence_ensemble.parquet"
    assert table.schema == FORECASTS
    assert (len(table), table["ts_utc"].min(), table["how"].null_count()) == (48 * (1 + len(LEVELS)), said.t0_utc, 384)
    assert (said.outlooks[0].fallbacks, said.outlooks[0].steps) == ({}, 48)


@pytest.mark.parametrize("model", sorted(AT_ONCE))
def test_a_home_of_two_days_and_one_without_the_last_three_are_forecast_and_say_how(store, tmp_path, model):
    said = ask(store, tmp_path, model, entities=["lcl:MAC000002", "lcl:MAC000003"])
    short, gone = said.outlooks
    assert (short.entity_id, gone.entity_id) == ("lcl:MAC000002", "lcl:MAC000003")
    if model != "seasonal_naive":
        assert sum(short.fallbacks.values()) == 48
    if model != "seasonal_naive_week":  # its week lies before the gap
        assert sum(gone.fallbacks.values()) == 48
    hows = pl.read_parquet(said.path).filter(pl.col("entity_id") == "lcl:MAC000003")["how"]
    assert hows.drop_nulls().n_unique() == len(gone.fallbacks)


def test_without_names_the_3_homes_with_a_days_worth_are_forecast_and_the_other_is_named(store, tmp_path):
    said = ask(store, tmp_path)
    assert [one.entity_id[-1] for one in said.outlooks] == ["1", "2", "3"]
    assert said.left_out == ["lcl:MAC000004"]


def test_nothing_that_was_measured_from_t0_on_is_looked_at(store, tmp_path):
    known = dict.fromkeys((f"lcl:MAC{number:06d}" for number in range(1, 5)), slice(0, STEPS_TO_T0))
    cut = make_store(tmp_path / "cut", homes=4, days=100, keep={**known, **KEEP})
    for model in sorted(AT_ONCE):
        whole, less = (pl.read_parquet(ask(one, tmp_path / "o", model).path) for one in (store, cut))
        assert whole.equals(less)


@pytest.mark.parametrize(
    ("entities", "at", "message"),
    [
        (["lcl:MAC000004"], DAY, r"lcl:MAC000004: has 12 published readings in the 14 days before 2013-03-31 23:00 "
         r"UTC, and a forecast needs 48 \(a day's worth, in whatever pieces\); lcl:MAC000004 has readings .* --at"),
        (["lcl:MAC000009"], DAY, "no reading of lcl:MAC000009 .* but of 4 others such as lcl:MAC000001: name those"),
        ([], dt.date(2015, 1, 1), "no reading in the 28 days before 2015-01-01 .* to 2013-04-10 23:30: choose --at"),
        ([], dt.date(2012, 1, 1), "no reading in the 28 days before 2012-01-01 00:00 UTC; .* from 2013-01-01 00:00 to"),
        ([], dt.datetime(2013, 3, 1, 0, 10, tzinfo=dt.UTC), r"^2013-03-01T00:10:00Z: is off the 30 minute grid; write "
         r"2013-03-01T00:00Z or 2013-03-01T00:30Z \(with --at\)$"),
        ([], dt.datetime(2013, 3, 1), "has no zone; write 2013-03-01T00:00:00Z if it is UTC"),  # noqa: DTZ001
    ],
)  # fmt: skip
def test_what_is_missing_for_a_forecast_is_said(store, tmp_path, entities, at, message):
    with pytest.raises(ConfigError, match=message):
        ask(store, tmp_path, "seasonal_naive", at=at, entities=entities)


def test_on_the_second_day_of_all_data_the_naive_model_has_nothing_to_learn_from_and_persistence_says_how(
    store, tmp_path
):
    day = dt.date(2013, 1, 2)
    with pytest.raises(ConfigError, match=r"next 48 intervals were published by 2013-01-02 00:00 UTC, and no .* --at"):
        ask(store, tmp_path, "seasonal_naive", at=day, entities=["lcl:MAC000001"])
    (one,) = ask(store, tmp_path, at=day, entities=["lcl:MAC000001"]).outlooks
    assert one.fallbacks == {"week_mean": 48}


def test_an_unknown_model_is_refused_with_the_names_of_all(store, tmp_path):
    with pytest.raises(ConfigError, match=r"no model is called 'prophet'; there are: .*persistence_ensemble"):
        ask(store, tmp_path, "prophet")


def test_the_outlook_adds_the_means_and_finds_the_peak_of_the_median(store, tmp_path):
    said = ask(store, tmp_path, entities=["lcl:MAC000001"])
    table = pl.read_parquet(said.path)
    (one,) = said.outlooks
    assert one.total_kwh == pytest.approx(table.filter(pl.col("level").is_null())["energy_kwh"].sum(), rel=1e-6)
    median = table.filter(pl.col("level") == 0.5).sort("energy_kwh", descending=True).row(0, named=True)
    assert one.peak_kwh == median["energy_kwh"]
    assert one.peak_local == median["ts_utc"]
    band = table.filter(pl.col("ts_utc") == median["ts_utc"], pl.col("level").is_in([0.1, 0.9])).sort("level")
    np.testing.assert_array_equal(band["energy_kwh"], [one.peak_low_kwh, one.peak_high_kwh])


def test_a_horizon_of_96_steps_is_two_days(store, tmp_path):
    said = ask(store, tmp_path, entities=["lcl:MAC000001"], horizon_steps=96)
    assert pl.read_parquet(said.path)["ts_utc"].n_unique() == 96


def test_ten_minute_readings_need_144_for_a_day(tmp_path):
    store = make_store(
        tmp_path, homes=1, days=40, interval_mins=10, keep={"lcl:MAC000001": slice(31 * 144, 31 * 144 + 100)}
    )
    with pytest.raises((ConfigError, SchemaError), match=r"has 100 published .* needs 144"):
        ask(store, tmp_path, at=dt.date(2013, 2, 2), entities=["lcl:MAC000001"])


def test_4_homes_in_groups_of_2_come_to_the_rows_of_one_group_and_leave_no_parts(store, tmp_path):
    one = ask(store, tmp_path / "one")
    two = predict(
        store, "lcl", "persistence_ensemble", DAY, tmp_path / "two", config=ExperimentConfig(), horizon_steps=48,
        models_root=tmp_path / "models", homes_a_task=2,
    )  # fmt: skip
    assert pl.read_parquet(two.path).equals(pl.read_parquet(one.path))
    assert (two.outlooks, two.left_out) == (one.outlooks, one.left_out)
    assert list(two.path.parent.iterdir()) == [two.path]


def test_a_forecast_to_a_folder_named_from_here_is_found_wherever_its_workers_stand(store, tmp_path, map_elsewhere):
    said = predict(
        store, "lcl", "seasonal_naive", DAY, Path("out"), config=ExperimentConfig(), horizon_steps=48,
        models_root=Path("models"), homes_a_task=2, map_=map_elsewhere,
    )  # fmt: skip
    assert not said.path.is_absolute()  # for people, as they named it
    assert list(said.path.parent.iterdir()) == [said.path]
    assert not list((tmp_path / "worker").iterdir())
