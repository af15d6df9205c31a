import polars as pl
import pytest
from tests.runner.made_stores import make_store

from loadproof.config import ExperimentConfig, FeatureConfig
from loadproof.errors import ConfigError
from loadproof.features.table import spec_from_config
from loadproof.runner.features import write_features
from loadproof.runner.forecasters import FORECASTERS
from loadproof.runner.stages import CUSTOM, PLAYED, run_stage


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """The knobs of a store of 2 homes and 80 days, the last 3 of which are judged."""
    root = tmp_path_factory.mktemp("run")
    make_store(root, homes=2, days=80)
    sections = {
        "data": {"processed_root": root / "processed", "derived_root": root / "derived"},
        "forecast": {"valid_from": "2013-03-05", "test_from": "2013-03-17", "test_until": "2013-03-20"},
        "ridge": {"penalties": (1.0,)},
        "lightgbm": {"trees": 2, "leaves": 4, "max_rows": 2000, "line_rows": 1000, "threads": 1},
        "patchtst": {"width": 8, "heads": 2, "layers": 1, "feedforward": 8, "epochs": 1, "batch_windows": 64},
        "evaluation": {"bootstrap_draws": 100},
    }
    return ExperimentConfig.model_validate(sections)


@pytest.fixture(scope="module")
def features(config):
    return run_stage("feature_engineering", config)


def test_the_feature_table_holds_a_row_a_half_hour_and_a_column_a_feature(config, features):
    root = config.data.processed_root.parent / "features"
    names = spec_from_config(FeatureConfig()).names
    table = pl.read_parquet(root, hive_partitioning=True)
    assert features == f"{len(table):,} rows of {len(names)} features in {root / 'dataset=lcl'}"
    assert len(table) == 2 * 79 * 48  # the first day has nothing before it
    assert set(table.columns) == {"entity_id", "t0_utc", "ts_utc", "energy_kwh", "dataset", "month", *names}
    assert table["month"].unique().sort().to_list() == ["2013-01", "2013-02", "2013-03"]
    assert not list(root.glob(".*"))


def test_the_feature_table_made_again_has_the_same_bytes(config, features):
    folder = config.data.processed_root.parent / "features"
    before = {path: path.read_bytes() for path in folder.rglob("*.parquet")}
    assert run_stage("feature_engineering", config) == features
    assert {path: path.read_bytes() for path in folder.rglob("*.parquet")} == before


def test_features_that_want_weather_are_refused_where_none_was_ingested(config, tmp_path):
    wants = config.model_copy(update={"features": FeatureConfig(weather="perfect")})
    with pytest.raises(ConfigError, match=r"holds no weather, and features.weather is perfect; run 'loadproof ingest"):
        write_features(make_store(tmp_path, homes=1, days=20), "lcl", config=wants)


def test_two_stages_train_all_7_models_and_the_third_judges_their_tables(config):
    derived = config.data.derived_root
    assert run_stage("train_baselines", config) == "6 models, 6 windows each"
    assert run_stage("train_custom", config) == "7 models, 6 windows each"
    assert {path.stem for path in (derived / "forecasts").iterdir()} == set(FORECASTERS) - set(PLAYED)
    assert {path.name for path in (derived / "models").glob("[!.]*")} == {"ridge", "lightgbm", *CUSTOM}
    assert run_stage("evaluate_models", config) == str(derived / "report.html")
    metrics = pl.read_parquet(derived / "metrics.parquet").filter(pl.col("entity_id").is_null())
    once = metrics.group_by("subject", "slice", "metric").len()
    assert once["len"].unique().to_list() == [1]
    slices = metrics.filter(pl.col("metric") == "coverage_80", pl.col("subject") == "patchtst")["slice"]
    assert {"season=winter", "season=spring", "size=q1", "after_gap=no", "half_hour=18:00"} <= set(slices)
    assert "homes_within_5_points_80" in metrics["metric"].unique().to_list()
    page = (derived / "report.html").read_text()
    assert all(name in page for name in FORECASTERS if name not in PLAYED)


def test_self_play_says_that_two_homes_are_too_few_to_share(config):
    with pytest.raises(ConfigError, match="2 training homes cannot be shared with a reference"):
        run_stage("train_selfplay", config)
