import json
import shutil
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
from tests.pipeline_project import contents
from tests.runner.made_stores import make_store

from loadproof.config import ExperimentConfig, FeatureConfig, PipelineConfig
from loadproof.errors import ConfigError, SchemaError, SourceError
from loadproof.features.table import spec_from_config
from loadproof.runner.alerts import cut_runs
from loadproof.runner.detect import detect
from loadproof.runner.features import read_features, write_features
from loadproof.runner.forecast import forecast
from loadproof.runner.forecasters import FORECASTERS
from loadproof.runner.stages import CUSTOM, PLAYED, run_stage
from loadproof.runner.track import no_track
from loadproof.store import Store
from loadproof.tracker import NoTracker

SAMPLES = Path(__file__).parents[2] / "data" / "samples"


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """The knobs of a store of 2 homes and 80 days, the last 3 of which are judged."""
    root = tmp_path_factory.mktemp("run")
    make_store(root, homes=2, days=80)
    sections = {
        "data": {"input_root": SAMPLES, "processed_root": root / "processed", "derived_root": root / "derived"},
        "forecast": {"valid_from": "2013-03-05", "test_from": "2013-03-17", "test_until": "2013-03-20"},
        "ridge": {"penalties": (1.0,)},
        "lightgbm": {"trees": 2, "leaves": 4, "max_rows": 2000, "line_rows": 1000, "threads": 1},
        "patchtst": {"width": 8, "heads": 2, "layers": 1, "feedforward": 8, "epochs": 1, "batch_windows": 64},
        "evaluation": {"bootstrap_draws": 100},
        "risk": {"feeder_homes": 2},
        "anomaly": {"fit_windows": 100, "fault_homes": 1, "alerts_per_week": 2.0, "clean_days": 28, "rule_days": 14},
        "autoencoder": {"width": 8, "epochs": 1},
        "pipeline": {
            "baselines": ("persistence_ensemble", "seasonal_naive", "ridge", "lightgbm"),
            "baseline_detectors": ("physical",),
            "custom_detectors": ("autoencoder",),
        },
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


def test_features_are_not_made_while_another_process_writes_the_readings(config, features):
    store = Store(config.data.processed_root)
    with (
        store.writing("lcl"),
        pytest.raises(SourceError, match="another ingest of lcl runs now, or its features are made"),
    ):
        write_features(store, "lcl", config=config)


def test_features_that_want_weather_are_refused_where_none_was_ingested(config, tmp_path):
    wants = config.model_copy(update={"features": FeatureConfig(weather="perfect")})
    with pytest.raises(ConfigError, match=r"holds no weather, and features.weather is perfect; run 'loadproof ingest"):
        write_features(make_store(tmp_path, homes=1, days=20), "lcl", config=wants)


class Recorder(NoTracker):
    """Remembers what was opened."""

    def __init__(self):
        self.opened, self.said = {}, {}

    @contextmanager
    def run(self, name, *, params, tags):
        self.opened[name] = (params, tags)
        yield self

    def metrics(self, values, *, step=0):
        self.said.setdefault(list(self.opened)[-1], {}).update(values)


@pytest.fixture(scope="module")
def recorder():
    return Recorder()


@pytest.fixture(scope="module")
def judged(config, features, recorder):
    """What the stages from training to judging said; a naive model stands in for self-play, which wants four homes."""
    said = {name: run_stage(name, config, tracker=recorder) for name in ("train_baselines", "train_custom")}
    derived = config.data.derived_root
    forecast(
        Store(config.data.processed_root), "lcl", ["seasonal_naive_week"], derived / "selfplay", config=config,
        models_root=derived / "selfplay" / "models",
    )  # fmt: skip
    return said | {"evaluate_models": run_stage("evaluate_models", config, tracker=recorder)}


def test_each_training_stage_leaves_a_folder_of_its_own(config, judged):
    derived = config.data.derived_root
    assert judged["train_baselines"] == "4 models, 6 windows each, 1 detectors, 1 feeders held against pole_100kva"
    assert judged["train_custom"] == "1 models, 6 windows each, 1 detectors"
    assert {path.stem for path in (derived / "baselines" / "forecasts").iterdir()} == set(config.pipeline.baselines)
    assert {path.stem for path in (derived / "custom" / "forecasts").iterdir()} == set(CUSTOM)
    models = (derived / "baselines" / "models").glob("[!.]*")
    assert {path.name for path in models if path.is_dir()} == {"ridge", "lightgbm", "detectors"}
    assert (derived / "custom" / "scores" / "autoencoder.parquet").is_file()
    assert [path.parent.name for path in derived.glob("*/alerts")] == ["evaluation"]  # training stages cut none


def test_trees_that_learned_from_the_feature_table_are_those_that_made_their_features(config, judged, tmp_path):
    forecast(Store(config.data.processed_root), "lcl", ["lightgbm"], tmp_path, config=config, models_root=tmp_path)
    derived = config.data.derived_root / "baselines"
    assert contents(tmp_path / "lightgbm") == contents(derived / "models" / "lightgbm")
    table = "forecasts/lightgbm.parquet"
    assert (tmp_path / table).read_bytes() == (derived / table).read_bytes()


def test_a_feature_table_that_is_not_there_or_of_other_knobs_or_readings_is_not_learned_from(config, judged, tmp_path):
    asked = config.forecast.model_copy(update={"data_lag_steps": 2})
    with pytest.raises(SchemaError, match=r"is a feature table of another data_lag_steps; run 'loadproof run feature_"):
        run_stage("train_baselines", config.model_copy(update={"forecast": asked}))
    other = make_store(tmp_path, homes=1, days=20)
    with pytest.raises(SchemaError, match=r"dataset=lcl: is no feature table; run 'loadproof run feature_engineering'"):
        read_features(other, "lcl", config=config)
    facts = config.data.processed_root.parent / "summaries" / "features_lcl.json"
    (tmp_path / "summaries" / "features_lcl.json").write_text(
        facts.read_text().replace('"data_sha256": "', '"data_sha256": "0')
    )
    with pytest.raises(SchemaError, match=r"is a feature table of another data_sha256"):
        read_features(other, "lcl", config=config)


def test_every_model_is_a_baseline_ours_or_plays():
    assert {*PipelineConfig().baselines, *CUSTOM, *PLAYED} == set(FORECASTERS)


def test_every_table_is_judged_beside_all_others(config, judged):
    derived = config.data.derived_root
    assert judged["evaluate_models"] == str(derived / "evaluation" / "report.html")
    metrics = pl.read_parquet(derived / "evaluation" / "tables" / "metrics.parquet")
    pooled = metrics.filter(pl.col("entity_id").is_null())
    once = pooled.group_by("subject", "slice", "metric").len()
    assert once["len"].unique().to_list() == [1]
    slices = pooled.filter(pl.col("metric") == "coverage_80", pl.col("subject") == "patchtst")["slice"]
    assert {"season=winter", "season=spring", "size=q1", "after_gap=no", "half_hour=18:00"} <= set(slices)
    assert "homes_within_5_points_80" in pooled["metric"].unique().to_list()
    scores = json.loads((derived / "evaluation" / "scores.json").read_text())
    assert set(scores) == {*config.pipeline.baselines, *CUSTOM, "seasonal_naive_week"}
    by_hand = pooled.filter(subject="ridge", metric="crps", slice="all")["value"].item()
    assert scores["ridge"]["crps"] == pytest.approx(by_hand, rel=1e-5)
    page = (derived / "evaluation" / "report.html").read_text()
    assert all(name in page for name in scores)


def test_judging_where_no_model_lies_writes_the_same_bytes(config, judged, tmp_path):
    shutil.copytree(config.data.derived_root, tmp_path / "derived", ignore=shutil.ignore_patterns("evaluation"))
    for models in (tmp_path / "derived").glob("*/models"):
        for folder in [path for path in models.iterdir() if path.is_dir()]:
            shutil.rmtree(folder)
    assert not [*tmp_path.rglob("*.safetensors"), *tmp_path.rglob("config.json")]
    data = config.data.model_copy(update={"derived_root": tmp_path / "derived"})
    run_stage("evaluate_models", config.model_copy(update={"data": data}))
    assert contents(tmp_path / "derived" / "evaluation") == contents(config.data.derived_root / "evaluation")


def test_alerts_are_cut_from_scores_by_the_thresholds_beside_them_and_are_those_of_a_watch(config, judged, tmp_path):
    derived = config.data.derived_root
    for run, name in [("baselines", "physical"), ("custom", "autoencoder")]:
        done = detect(
            Store(config.data.processed_root), "lcl", name, tmp_path, config=config,
            models_root=derived / run / "models",
        )  # fmt: skip
        assert done.how == "kept"
        for suffix in (".parquet", ".json"):
            cut = (derived / "evaluation" / "alerts" / name).with_suffix(suffix)
            assert cut.read_bytes() == (tmp_path / "alerts" / name).with_suffix(suffix).read_bytes()
        scores = derived / run / "scores" / f"{name}.json"
        assert scores.read_bytes() == (tmp_path / "scores" / f"{name}.json").read_bytes()
        assert set(json.loads(scores.read_text())["odd_from_p_value"]) == {f"2013-03-{day}" for day in (17, 18, 19)}


def test_no_threshold_lets_no_alert_stand_and_scores_of_other_days_or_readings_are_refused(config, judged, tmp_path):
    shutil.copytree(config.data.derived_root / "baselines" / "scores", tmp_path / "scores")
    path = tmp_path / "scores" / "physical.json"
    facts = json.loads(path.read_text())

    def cut(**other):
        path.write_text(json.dumps({**facts, **other}))
        return cut_runs(Store(config.data.processed_root), "lcl", [tmp_path], tmp_path, config, no_track)["physical"]

    assert cut(odd_from_p_value=dict.fromkeys(facts["odd_from_p_value"], 1.0))["rate"]["alerts"] > 0
    assert cut(odd_from_p_value=dict.fromkeys(facts["odd_from_p_value"], 0.0))["rate"]["alerts"] == 0
    with pytest.raises(SchemaError, match=r"physical.parquet: its scores are of another until than is asked for; run"):
        cut(until="2013-03-21")
    with pytest.raises(SchemaError, match=r"its scores are of another data_sha256 than is asked for; run the training"):
        cut(data_sha256="0" * 64)


def test_the_rates_of_all_detectors_stand_in_one_table(config, judged):
    evaluation = config.data.derived_root / "evaluation"
    alarms = pl.read_parquet(evaluation / "tables" / "alarms.parquet")
    assert alarms["subject"].to_list() == ["autoencoder", "physical"]
    told = json.loads((evaluation / "alerts" / "physical.json").read_text())
    assert alarms.filter(subject="physical")["value"].item() == told["rate"]["per_week"]


def test_each_training_watch_and_evaluation_is_a_run_with_its_knobs_seed_and_hash(config, judged, recorder):
    names = ["train ridge", "train lightgbm", "watch physical", "train patchtst", "watch autoencoder", "evaluate"]
    assert list(recorder.opened) == names
    params, tags = recorder.opened["train patchtst"]
    assert params["patchtst"]["width"] == 8
    assert (tags["dataset"], tags["seed"], len(tags["data_sha256"])) == ("lcl", "2013", 64)
    assert recorder.said["train ridge"]["train_windows"] > 0
    assert recorder.said["evaluate"]["patchtst.crps"] > 0
    assert recorder.said["watch physical"] == {"homes": 2, "readings_scored": 2 * 3 * 48}
    assert recorder.said["evaluate"]["physical.alerts_per_home_week"] >= 0


def test_runs_of_other_knobs_are_not_judged_together(config, judged):
    derived = config.data.derived_root
    run = derived / "custom" / "run.json"
    kept = run.read_text()
    run.write_text(kept.replace('"seed": 2013', '"seed": 2014'))
    with pytest.raises(SchemaError, match=r"is of another seed than .*; run the training stages again"):
        run_stage("evaluate_models", config)
    run.write_text(kept)


def test_the_poster_fails_where_a_number_has_no_support(config, judged):
    with pytest.raises(SchemaError, match="poster number best_crps: its 95 % interval is missing"):
        run_stage("poster_numbers", config)
    assert not (config.data.derived_root / "poster").exists()


def test_self_play_says_that_two_homes_are_too_few_to_share(config):
    with pytest.raises(ConfigError, match="2 training homes cannot be shared with a reference"):
        run_stage("train_selfplay", config)
