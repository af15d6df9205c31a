import contextlib
import datetime as dt
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.runner.made_stores import make_store

from loadproof.baselines import BASELINES
from loadproof.baselines.seasonal import SeasonalNaive
from loadproof.config import BacktestConfig, ExperimentConfig, ForecastConfig, RidgeConfig
from loadproof.errors import ConfigError, EngineError, SchemaError
from loadproof.records import find_records, read_facts
from loadproof.runner.backtest import Only, backtest, board_of
from loadproof.schema import WEATHER


def config_of(seed=1, ridge=None, **knobs):
    board = {
        "models": ("persistence_ensemble", "ridge"), "levels": ("home",),
        "blocks_from": (dt.date(2013, 2, 1), dt.date(2013, 3, 1)), "blocks_until": dt.date(2013, 3, 29),
        "valid_days": 7, "every": {}, "more_lags_steps": (), "weather_models": (),
        "buildingsbench_models": ("persistence_ensemble",),
    } | knobs  # fmt: skip
    forecast = ForecastConfig(
        context_steps=336, valid_from=dt.date(2013, 3, 1), test_from=dt.date(2013, 3, 8),
        test_until=dt.date(2013, 3, 29),
    )  # fmt: skip
    return ExperimentConfig(
        seed=seed, forecast=forecast, backtest=BacktestConfig(**board), ridge=ridge or RidgeConfig()
    )  # fmt: skip


def build(model, config, device="cpu", checkpoint_dir=None):
    return SeasonalNaive(48) if model == "ridge" else BASELINES[model]()


BUILDERS = {model: partial(build, model) for model in ("persistence_ensemble", "ridge")}


class Dies:
    """Builds until it is asked once too often, as a process that is cut off."""

    def __init__(self, after):
        self.left = after

    def __call__(self, model, config, device="cpu", checkpoint_dir=None):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return build(model, config)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store"), homes=6, days=100)


def board(store, root, *, builders=BUILDERS, only=None, **knobs):
    config = config_of(**knobs)
    return backtest(store, "lcl", root, config=config, forecasters=builders, only=only or Only())


@pytest.fixture(scope="module")
def whole(store, tmp_path_factory):
    """A board of all 14 jobs: its folder and its report."""
    root = tmp_path_factory.mktemp("whole")
    return root, board(store, root)


def bytes_of(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in find_records(root)}


def test_a_second_board_makes_0_of_its_14_jobs_and_tells_the_same(store, whole, tmp_path):
    root, first = whole
    shutil.copytree(root, tmp_path, dirs_exist_ok=True)
    # Two folds of two halves and the plain split, two models; and four hourly jobs of one.
    assert (first.planned, first.made, first.kept) == (14, 14, 0)
    before = bytes_of(tmp_path)
    assert len(before) == 28
    again = board(store, tmp_path)
    assert (again.planned, again.made, again.kept) == (14, 0, 14)
    assert bytes_of(tmp_path) == before
    assert again.rows == first.rows
    assert {row["split"] for row in first.rows} == {"unseen_homes_and_time", "unseen_time", "chronological"}


def test_a_board_leaves_its_records_here_wherever_its_workers_stand_and_says_when_they_are_not(
    store, tmp_path, monkeypatch
):
    (tmp_path / "client").mkdir()
    (tmp_path / "worker").mkdir()
    monkeypatch.chdir(tmp_path / "client")
    only, shared = Only(models=("ridge",), folds=("chronological",)), True

    def away(function, items):
        for item in items:
            with contextlib.chdir(tmp_path / "worker"):
                task = function(item)
            for path in () if shared else task.paths.values():
                path.unlink()
            yield task

    def ask(root):
        return backtest(store, "lcl", Path(root), config=config_of(), forecasters=BUILDERS, only=only, map_=away)

    done = ask("records")
    assert len(find_records(tmp_path / "client" / "records")) == 2 * done.made > 0
    assert not list((tmp_path / "worker").iterdir())
    shared = False
    with pytest.raises(EngineError, match=r"parquet was done elsewhere, by a worker that does not share this folder"):
        ask("lost")


def test_a_board_cut_off_after_5_jobs_goes_on_and_ends_as_if_it_had_not_been(store, whole, tmp_path):
    dies = Dies(after=5)
    builders = {model: partial(dies, model) for model in BUILDERS}
    with pytest.raises(KeyboardInterrupt):
        board(store, tmp_path / "cut", builders=builders)
    assert len(find_records(tmp_path / "cut")) == 10
    leftover = find_records(tmp_path / "cut")[0].with_name(".half.parquet.tmp")
    leftover.write_bytes(b"half")
    resumed = board(store, tmp_path / "cut")
    assert (resumed.made, resumed.kept) == (9, 5)
    assert resumed.rows == whole[1].rows
    assert bytes_of(tmp_path / "cut").keys() == bytes_of(whole[0]).keys()


def test_a_knob_of_the_ridge_remakes_its_5_jobs_and_a_seed_all_14(store, whole, tmp_path):
    shutil.copytree(whole[0], tmp_path, dirs_exist_ok=True)
    changed = board(store, tmp_path, ridge=RidgeConfig(penalties=(5.0,)))
    assert (changed.made, changed.kept) == (5, 9)
    assert board(store, tmp_path, seed=2).made == 14


def test_a_record_that_is_damaged_is_made_again(store, tmp_path):
    only = Only(levels=("home",), folds=("chronological",), models=("ridge",))
    board(store, tmp_path, only=only)
    find_records(tmp_path)[0].write_bytes(b"PAR1")
    report = board(store, tmp_path, only=only)
    assert (report.planned, report.made) == (1, 1)


def test_records_of_2_seeds_make_no_board(store, tmp_path):
    only = Only(levels=("home",), folds=("chronological",))
    for seed in (1, 2):
        board(store, tmp_path / str(seed), seed=seed, only=only)
    with pytest.raises(SchemaError, match="several boards"):
        board_of(find_records(tmp_path), draws=100)
    with pytest.raises(SchemaError, match="no records"):
        board_of([], draws=100)


def test_a_record_tells_seconds_windows_versions_and_what_it_was_made_from(store, tmp_path):
    board(store, tmp_path, only=Only(levels=("home",), folds=("held_2013-02-01",), models=("ridge",)))
    paths = find_records(tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == [
        f"held_2013-02-01/home-{half}/ridge-none-lag0-{variant}.parquet"
        for half in "AB"
        for variant in ("calibrated", "raw")
    ]
    facts = read_facts(paths[0])
    assert facts["test_windows"] == 6 * 28
    assert facts["model_knobs"]["penalties"] == list(RidgeConfig().penalties)
    assert facts["libraries"]["numpy"] == np.__version__
    assert len(facts["data_sha256"]) == len(facts["board_sha256"]) == 64
    assert facts["fit_seconds"] >= 0


def test_a_slow_model_is_judged_on_every_7th_day_and_meets_the_bar_on_those_alone(store, tmp_path):
    builders = {**BUILDERS, "statistical": BUILDERS["persistence_ensemble"]}
    report = board(
        store, tmp_path, builders=builders, models=("persistence_ensemble", "statistical"), every={"statistical": 7},
        only=Only(levels=("home",), folds=("held_2013-02-01",)),
    )  # fmt: skip
    rows = [row for row in report.rows if (row["subject"], row["variant"]) == ("statistical", "raw")]
    ratio = next(row for row in rows if row["metric"] == "pinball_ratio_to:persistence_ensemble")
    assert (ratio["value"], ratio["every"], ratio["n"]) == (1.0, 7, 6 * 4 * 48)
    bar = next(row for row in report.rows if row["subject"] != "statistical" and row["metric"] == "pinball")
    assert (bar["every"], bar["n"]) == (1, 6 * 28 * 48)


def with_weather(store):
    """Put a year of hourly weather beside the readings."""
    hours = pl.datetime_range(
        dt.datetime(2012, 12, 1, tzinfo=dt.UTC), dt.datetime(2013, 6, 1, tzinfo=dt.UTC), "1h", eager=True
    )
    known = {"station_id": "kew", "ts_utc": hours, "temperature_degc": 8.0}
    columns = [pl.lit(known.get(name)).cast(kind).alias(name) for name, kind in WEATHER.items() if name != "ts_utc"]
    frame = pl.DataFrame({"ts_utc": hours}).with_columns(columns).select(list(WEATHER))
    store.weather_root.mkdir(exist_ok=True)
    frame.write_parquet(store.weather_root / "part-00000.parquet")
    store.summary_path("weather").write_text('{"sources": [{"name": "made", "sha256": "77"}]}')
    return store


def test_each_arm_and_lag_builds_its_model_with_its_own_features_and_lookback(tmp_path):
    store = with_weather(make_store(tmp_path, homes=6, days=100))
    seen = []

    def spy(config, device="cpu", checkpoint_dir=None):
        features = config.features
        seen.append((features.weather, features.weather_error_degc, config.patchtst.lookback_steps))
        return BASELINES["persistence_ensemble"]()

    report = board(
        store, tmp_path / "records", builders={**BUILDERS, "ridge": spy}, more_lags_steps=(48,),
        weather_models=("ridge",), weather_arms=("forecast_0.5", "perfect"),
        only=Only(models=("ridge",), levels=("home",), folds=("chronological",)),
    )  # fmt: skip
    lookback = ExperimentConfig().patchtst.lookback_steps
    assert seen == [
        ("none", 0.0, lookback), ("none", 0.0, lookback + 48), ("forecast", 0.5, lookback), ("perfect", 0.0, lookback),
    ]  # fmt: skip
    # Persistence looks at no weather.
    ratios = [row["value"] for row in report.rows if row["metric"] == "pinball_ratio_to:none"]
    assert ratios == [1.0] * 4
    facts = [read_facts(path) for path in find_records(tmp_path / "records")]
    assert {(one["arm"] != "none", "weather_sha256" in one) for one in facts} == {(True, True), (False, False)}


def test_a_model_that_nobody_builds_is_refused_with_those_that_there_are(store, tmp_path):
    with pytest.raises(ConfigError, match="no model is called 'ridge'; there are: persistence_ensemble"):
        board(store, tmp_path, builders={"persistence_ensemble": BUILDERS["persistence_ensemble"]})
    assert not find_records(tmp_path)


def test_an_arm_that_wants_weather_where_there_is_none_is_refused(store, tmp_path):
    with pytest.raises(ConfigError, match="loadproof ingest weather"):
        board(store, tmp_path, weather_models=("ridge",), weather_arms=("perfect",), only=Only(arms=("perfect",)))
