import datetime as dt
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import polars as pl
import pytest
from filelock import FileLock
from tests.runner.made_stores import add_weather, make_store

from loadproof import __version__
from loadproof.config import ExperimentConfig
from loadproof.errors import ConfigError, SchemaError
from loadproof.model_folder import read_model
from loadproof.models.training import _Run
from loadproof.runner.forecast import forecast
from loadproof.runner.forecasters import AT_ONCE, FORECASTERS
from loadproof.runner.predict import predict
from loadproof.runner.report import report
from loadproof.runner.train import restored, train
from loadproof.store import Store

ROOT = Path(__file__).parents[2]

SMALL = {
    "forecast": {"valid_from": "2013-03-10", "test_from": "2013-03-25", "test_until": "2013-04-05"},
    "ridge": {"lookbacks_steps": (336,), "penalties": (1.0,)},
    "lightgbm": {"trees": 3, "leaves": 4, "max_rows": 4000, "line_rows": 1000, "threads": 1},
    "patchtst": {"width": 8, "heads": 2, "layers": 1, "feedforward": 8, "epochs": 2, "batch_windows": 64},
    "selfplay": {
        "warm_updates": 8, "reference_updates": 4, "episodes": 2, "updates": 1, "scenarios": 2, "homes": 2,
        "real_windows": 8, "scenario_windows": 4, "judge_episodes": 2,
    },
}  # fmt: skip
LEARNERS = sorted(set(FORECASTERS) - AT_ONCE)


def config_of(**changes):
    sections = {name: {**section, **changes.pop(name, {})} for name, section in SMALL.items()}
    return ExperimentConfig.model_validate({**sections, **changes})


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store"), homes=4, days=100)


@pytest.fixture(scope="module")
def models_root(store, tmp_path_factory):
    """Every model that learns, trained once."""
    root = tmp_path_factory.mktemp("models")
    for model in LEARNERS:
        assert train(store, "lcl", model, root, config=config_of()).how == "trained"
    return root


def files_of(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("model", LEARNERS)
def test_the_folder_says_what_the_model_is_and_holds_no_pickle(models_root, model):
    config = json.loads((models_root / model / "config.json").read_text())
    facts = config["facts"]
    assert (facts["model"], facts["loadproof_version"], facts["interval_mins"]) == (model, __version__, 30)
    assert (facts["trained_until"], facts["horizon_steps"], facts["seed"]) == ("2013-03-25", 48, 2013)
    assert facts["known_names"][:2] == ["local_half_hour", "local_weekday"]
    assert {path.suffix for path in (models_root / model).iterdir()} <= {".json", ".safetensors", ".txt"}
    assert sorted(path.name for path in models_root.iterdir() if "checkpoints" in path.name) == []


@pytest.mark.parametrize("model", LEARNERS)
def test_a_model_of_the_same_data_and_knobs_is_kept_and_trained_anew_it_is_the_same(
    store, models_root, model, tmp_path
):
    before = files_of(models_root / model)
    assert train(store, "lcl", model, models_root, config=config_of()).how == "kept"
    assert files_of(models_root / model) == before
    assert train(store, "lcl", model, tmp_path, config=config_of(), anew=True).how == "trained"
    assert files_of(tmp_path / model) == before


@pytest.mark.parametrize("model", LEARNERS)
def test_the_backtest_takes_the_model_that_was_trained_and_gets_the_forecasts_of_one_that_it_trains(
    store, models_root, model, tmp_path
):
    for root, out in ((models_root, "a"), (tmp_path / "models", "b")):
        forecast(store, "lcl", [model], tmp_path / out, config=config_of(), models_root=root)
    tables = [(tmp_path / out / "forecasts" / f"{model}.parquet").read_bytes() for out in ("a", "b")]
    assert tables[0] == tables[1]


@pytest.mark.parametrize("model", LEARNERS)
def test_a_home_never_seen_with_two_days_of_history_and_one_without_the_last_three_are_forecast(
    models_root, model, tmp_path
):
    at = 90 * 48 - 2
    keep = {"lcl:MAC000008": slice(at - 96, at), "lcl:MAC000009": slice(0, at - 144)}
    strangers = make_store(tmp_path / "other", homes=9, days=100, keep=keep, seed=5)
    said = predict(
        strangers, "lcl", model, dt.date(2013, 4, 1), tmp_path / "out", config=ExperimentConfig(),
        horizon_steps=48, models_root=models_root, entities=["lcl:MAC000007", "lcl:MAC000008", "lcl:MAC000009"],
    )  # fmt: skip
    whole, short, gone = said.outlooks
    assert whole.fallbacks == {}
    assert sum(short.fallbacks.values()) == 48
    assert sum(gone.fallbacks.values()) == 48
    assert min(one.total_kwh for one in said.outlooks) > 0


def ask(store, models_root, tmp_path, model="ridge", at=dt.date(2013, 3, 28), **options):
    return predict(
        store, "lcl", model, at, tmp_path / "out", config=ExperimentConfig(), models_root=models_root,
        **{"horizon_steps": 48, **options},
    )  # fmt: skip


def copied(models_root, tmp_path, **facts):
    """A copy of the ridge whose facts say otherwise."""
    folder = tmp_path / "models" / "ridge"
    shutil.copytree(models_root / "ridge", folder)
    config = json.loads((folder / "config.json").read_text())
    config["facts"].update(facts)
    (folder / "config.json").write_text(json.dumps(config))
    return folder.parent


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"loadproof_version": "0.0.1"}, "was written by loadproof 0.0.1, this is .*; train the model again"),
        (
            {"known_names": ["local_half_hour"]},
            r"known_names \[local_half_hour\], the data \[local_half_hour, local_week",
        ),
        ({"interval_mins": 10}, "interval_mins 10, the data 30; train a model on such data with 'loadproof train'"),
        ({"mode": "samples"}, "mode samples, the data files; train a model on such data"),
        ({"dataset": "ssen"}, "dataset ssen, the data lcl; train a model on such data"),
        ({"model": "lightgbm"}, "model lightgbm, the data ridge; train a model"),
        ({"levels": [0.5]}, r"forecasts the levels \[0.5\]"),
        ({"settings": {"ridge": {"penalties": "all"}}}, "penalties.*training the model again"),
        ({"settings": {"section": 1}}, "section: Extra inputs are not permitted.*training the model again"),
        ({"context_steps": 336}, "says context_steps 336 and, in its settings, 672; train the model again"),
        ({"horizon_steps": 10**9}, "says horizon_steps 1000000000 and, in its settings, 48; train the model again"),
    ],
)
def test_a_model_of_other_features_interval_version_or_levels_is_refused(store, models_root, tmp_path, facts, message):
    with pytest.raises(SchemaError, match=message):
        ask(store, copied(models_root, tmp_path, **facts), tmp_path)


def test_a_device_that_is_not_there_is_refused_before_anything_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ConfigError, match="device 'cuda' is not there; take --device cpu"):
        train(Store(tmp_path / "empty"), "lcl", "patchtst", tmp_path / "models", config=config_of(), device="cuda")


def test_without_readings_it_is_they_that_lack_and_not_the_model(models_root, tmp_path):
    with pytest.raises(SchemaError, match="dataset=lcl: holds no readings; run 'loadproof ingest lcl' first"):
        ask(Store(tmp_path / "empty"), models_root, tmp_path)


def test_a_model_that_was_never_trained_says_to_train_it(store, tmp_path):
    with pytest.raises(SchemaError, match="models/ridge: holds no model; run 'loadproof train' first"):
        ask(store, tmp_path / "models", tmp_path)


def test_24_of_48_steps_are_the_first_24_and_96_are_refused(store, models_root, tmp_path):
    tables = [pl.read_parquet(ask(store, models_root, tmp_path / str(n), horizon_steps=n).path) for n in (24, 48)]
    assert tables[0].equals(tables[1].filter(pl.col("ts_utc") - pl.col("t0_utc") < pl.duration(hours=12)))
    with pytest.raises(ConfigError, match="forecasts 48 intervals ahead and not 96; ask for fewer with --horizon, or"):
        ask(store, models_root, tmp_path, horizon_steps=96)


def test_a_forecast_of_what_training_has_seen_is_called_no_measure(store, models_root, tmp_path, caplog):
    ask(store, models_root, tmp_path, at=dt.date(2013, 3, 28))
    assert "has seen what came after" not in caplog.text
    ask(store, models_root, tmp_path, at=dt.date(2013, 3, 1))
    assert "ridge was trained until 2013-03-25 and so has seen what came after 2013-03-01 00:00 UTC" in caplog.text


def test_other_knobs_another_seed_or_other_data_are_trained_again(store, models_root, tmp_path):
    shutil.copytree(models_root / "ridge", tmp_path / "ridge")
    assert train(store, "lcl", "ridge", tmp_path, config=config_of()).how == "kept"
    assert train(store, "lcl", "ridge", tmp_path, config=config_of(seed=1)).how == "trained"
    assert (
        train(store, "lcl", "ridge", tmp_path, config=config_of(seed=1, features={"nation": "scotland"})).how
        == "trained"
    )
    other = make_store(tmp_path / "store", homes=4, days=100, seed=9)
    assert train(other, "lcl", "ridge", tmp_path, config=config_of()).how == "trained"
    assert read_model(tmp_path / "ridge").facts.data_sha256 != read_model(models_root / "ridge").facts.data_sha256


@pytest.mark.parametrize("name", ["config.json", "arrays.safetensors", "calibration.safetensors"])
def test_a_model_of_which_1_file_is_damaged_is_trained_again(store, models_root, tmp_path, name):
    shutil.copytree(models_root / "ridge", tmp_path / "ridge")
    (tmp_path / "ridge" / name).write_text("{")
    assert train(store, "lcl", "ridge", tmp_path, config=config_of()).how == "trained"
    assert files_of(tmp_path / "ridge") == files_of(models_root / "ridge")


def test_two_trainings_of_one_model_at_once_are_refused(store, tmp_path):
    with FileLock(tmp_path / ".ridge.lock"), pytest.raises(ConfigError, match="another process trains it now; wait"):
        train(store, "lcl", "ridge", tmp_path, config=config_of())


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        (("2012-03-10", "2012-03-25"), r"no window lies before valid_from .*: set the blocks inside the data"),
        (("2014-03-10", "2014-03-25"), r"no window lies between valid_from and test_from .* calibrated there: set the"),
    ],
)
def test_blocks_outside_the_data_are_refused_before_anything_is_trained(store, tmp_path, blocks, message):
    config = config_of(forecast={"valid_from": blocks[0], "test_from": blocks[1], "test_until": "2015-01-01"})
    with pytest.raises(ConfigError, match=message):
        train(store, "lcl", "ridge", tmp_path, config=config)
    assert list(tmp_path.iterdir()) == []


def test_a_test_block_is_not_needed_to_train(store, tmp_path):
    config = config_of(forecast={"valid_from": "2013-03-25", "test_from": "2013-04-11", "test_until": "2014-01-01"})
    assert train(store, "lcl", "ridge", tmp_path, config=config).how == "trained"


@pytest.mark.parametrize("model", LEARNERS)
def test_a_forecast_from_one_midnight_is_that_of_the_backtest_though_it_never_saw_what_came_after(
    store, models_root, model, tmp_path
):
    forecast(store, "lcl", [model], tmp_path, config=config_of(), models_root=models_root)
    of_all = pl.read_parquet(tmp_path / "forecasts" / f"{model}.parquet")
    one = pl.read_parquet(ask(store, models_root, tmp_path, model, at=dt.date(2013, 3, 31)).path)
    there = of_all.filter(pl.col("t0_utc") == one["t0_utc"][0])
    assert len(one) == len(there) == 4 * 48 * 8
    assert one.drop("energy_kwh").equals(there.drop("energy_kwh"))
    assert (one["energy_kwh"] - there["energy_kwh"]).abs().max() < 1e-5


def test_the_bands_are_calibrated_as_the_config_says(store, tmp_path):
    tables = {}
    for kind in ("none", "static", "adaptive"):
        config = config_of(calibration={"kind": kind})
        forecast(store, "lcl", ["ridge"], tmp_path / kind, config=config, models_root=tmp_path / kind)
        tables[kind] = pl.read_parquet(tmp_path / kind / "forecasts" / "ridge.parquet")
        assert read_model(tmp_path / kind / "ridge").calibration.knobs["kind"] == kind
    means = [table.filter(pl.col("level").is_null()) for table in tables.values()]
    assert means[0].equals(means[1])
    assert means[0].equals(means[2])
    assert not tables["none"].equals(tables["static"])
    assert not tables["static"].equals(tables["adaptive"])


def test_a_model_without_its_calibration_is_refused(store, models_root, tmp_path):
    root = copied(models_root, tmp_path)
    config = json.loads((root / "ridge" / "config.json").read_text())
    del config["parts"]["calibration"]
    (root / "ridge" / "config.json").write_text(json.dumps(config))
    with pytest.raises(SchemaError, match="has no calibration; train the model again with 'loadproof train --anew'"):
        ask(store, root, tmp_path)


@pytest.mark.parametrize("model", LEARNERS)
def test_a_state_that_lacks_any_one_thing_is_refused_with_the_mend_and_without_a_traceback(
    models_root, model, tmp_path
):
    stored = read_model(models_root / model)
    for part in ("state", "calibration"):
        for kind in ("knobs", "arrays", "texts"):
            whole = getattr(getattr(stored, part), kind)
            for name in [key for key in whole if not key.endswith("num_batches_tracked")]:
                less = {key: value for key, value in whole.items() if key != name}
                broken = stored._replace(**{part: getattr(stored, part)._replace(**{kind: less})})
                with pytest.raises(SchemaError, match="again"):
                    restored(broken, tmp_path, config_of(), "cpu")


KILLED = """
import os, signal, sys
from pathlib import Path
from loadproof.models import checkpoint
from loadproof.runner.train import train
from loadproof.store import Store
from tests.runner.test_train import config_of
left, write = int(sys.argv[3]), checkpoint.save
def save(*args):
    global left
    write(*args)
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
checkpoint.save = save
train(Store(Path(sys.argv[1])), "lcl", "patchtst", Path(sys.argv[2]), config=config_of())
"""


@pytest.fixture(scope="module")
def killed(store, tmp_path_factory):
    """What a training leaves that was killed after its first checkpoint."""
    root = tmp_path_factory.mktemp("killed")
    done = subprocess.run([sys.executable, "-c", KILLED, store.root, root, "1"], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    return root


def test_a_training_killed_after_its_first_checkpoint_goes_on_and_ends_in_the_same_weights(
    store, models_root, killed, tmp_path
):
    shutil.copytree(killed, tmp_path, dirs_exist_ok=True)
    (left,) = (tmp_path / ".patchtst.checkpoints").rglob("*.safetensors")
    assert left.stat().st_size > 0
    assert not (tmp_path / "patchtst").exists()
    report = train(store, "lcl", "patchtst", tmp_path, config=config_of())
    assert report.how == "trained"
    assert files_of(tmp_path / "patchtst") == files_of(models_root / "patchtst")
    assert not (tmp_path / ".patchtst.checkpoints").exists()


def test_a_training_killed_before_its_model_is_written_takes_no_step_again(store, models_root, tmp_path, monkeypatch):
    with monkeypatch.context() as dying:
        dying.setattr("loadproof.runner.train.write_model", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            train(store, "lcl", "patchtst", tmp_path, config=config_of())
    assert not (tmp_path / "patchtst").exists()
    monkeypatch.setattr(_Run, "_take_step", Mock(side_effect=AssertionError("a step")))
    assert len(train(store, "lcl", "patchtst", tmp_path, config=config_of()).fit.records) == 2
    assert files_of(tmp_path / "patchtst") == files_of(models_root / "patchtst")


def test_a_game_killed_before_its_model_is_written_tells_its_whole_curve_and_leaves_its_pictures(
    store, models_root, tmp_path, monkeypatch
):
    with monkeypatch.context() as dying:
        dying.setattr("loadproof.runner.train.write_model", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            train(store, "lcl", "selfplay", tmp_path, config=config_of())
    monkeypatch.setattr("loadproof.selfplay.trainer._episode", Mock(side_effect=AssertionError("an episode")))
    train(store, "lcl", "selfplay", tmp_path, config=config_of())
    for name in ("selfplay.fit.json", "selfplay.pictures.parquet"):
        assert (tmp_path / name).read_bytes() == (models_root / name).read_bytes()
    facts, pictures = store.read_fit(tmp_path / "selfplay")
    assert [record["episode"] for record in facts["curve"]] == [1, 2]
    assert facts["data_sha256"] == read_model(tmp_path / "selfplay").facts.data_sha256
    assert pictures.is_empty()  # so short a game remembers no scenario
    assert store.read_fit(models_root / "seasonal_naive") is None


def test_a_checkpoint_of_other_knobs_is_not_taken_up(store, killed, tmp_path):
    shutil.copytree(killed, tmp_path, dirs_exist_ok=True)
    assert [*(tmp_path / ".patchtst.checkpoints").rglob("*.safetensors")]
    other = train(store, "lcl", "patchtst", tmp_path, config=config_of(seed=5))
    alone = train(store, "lcl", "patchtst", tmp_path / "alone", config=config_of(seed=5))
    assert (other.how, alone.how) == ("trained", "trained")
    assert files_of(tmp_path / "patchtst") == files_of(tmp_path / "alone" / "patchtst")


def test_new_data_are_trained_on_from_the_weights_there_unless_these_have_seen_what_is_judged_or_calibrated_on(
    store, models_root, tmp_path
):
    shutil.copytree(models_root / "patchtst", tmp_path / "a" / "patchtst")
    shutil.copytree(models_root / "patchtst", tmp_path / "b" / "patchtst")
    newer = make_store(tmp_path / "store", homes=4, days=100, seed=9)
    later = {"valid_from": "2013-03-15", "test_from": "2013-03-30"}
    earlier = {"valid_from": "2013-03-05", "test_from": "2013-03-20"}
    on = train(newer, "lcl", "patchtst", tmp_path / "a", config=config_of(forecast=later))
    anew = train(newer, "lcl", "patchtst", tmp_path / "c", config=config_of(forecast=later))
    assert (on.how, anew.how) == ("continued", "trained")
    assert files_of(on.folder)["arrays.safetensors"] != files_of(anew.folder)["arrays.safetensors"]
    for unblind in (earlier, earlier | {"test_from": later["test_from"]}):
        shutil.rmtree(tmp_path / "b")
        shutil.copytree(models_root / "patchtst", tmp_path / "b" / "patchtst")
        assert train(newer, "lcl", "patchtst", tmp_path / "b", config=config_of(forecast=unblind)).how == "trained"


@pytest.mark.parametrize("model", LEARNERS)
def test_a_model_that_learned_weather_is_given_weather_or_refused_and_changed_weather_is_learned_again(model, tmp_path):
    store = add_weather(make_store(tmp_path / "store", homes=4, days=100))
    config = config_of(features={"weather": "perfect"})
    done = train(store, "lcl", model, tmp_path / "models", config=config)
    assert "temp_perfect_degc" in done.facts.known_names
    assert train(store, "lcl", model, tmp_path / "models", config=config).how == "kept"
    assert len(ask(store, tmp_path / "models", tmp_path, model).outlooks) == 4
    dry = make_store(tmp_path / "dry", homes=4, days=100)
    with pytest.raises(ConfigError, match=r"holds no weather, and features.weather is perfect; run 'loadproof ingest"):
        ask(dry, tmp_path / "models", tmp_path, model)
    summary = store.summary_path("weather")
    summary.write_text(summary.read_text().replace("7", "8"))
    assert train(store, "lcl", model, tmp_path / "models", config=config).how != "kept"


def test_a_config_of_other_features_or_of_a_longer_lag_than_the_models_is_refused_with_the_mend(
    store, models_root, tmp_path
):
    def of(**sections):
        return predict(
            store, "lcl", "ridge", dt.date(2013, 3, 28), tmp_path / "out", horizon_steps=48, models_root=models_root,
            config=ExperimentConfig.model_validate(sections),
        )  # fmt: skip

    with pytest.raises(
        SchemaError, match=r"trained with features\.weather none, and perfect is asked for; train it so"
    ):
        of(features={"weather": "perfect"})
    with pytest.raises(
        SchemaError, match=r"trained with forecast\.data_lag_steps 0, and 336 is asked for; train it so"
    ):
        of(forecast={"data_lag_steps": 336})
    assert len(of(features={"weather": "none"}, forecast={"context_steps": 1344}).outlooks) == 4


def test_a_run_and_a_forecast_that_knew_the_weather_to_come_say_perfect_weather_and_stand_in_no_other_run(tmp_path):
    store = add_weather(make_store(tmp_path / "store", homes=3, days=100))
    config, root = config_of(features={"weather": "perfect"}), tmp_path / "models"
    forecast(store, "lcl", ["persistence_ensemble"], tmp_path / "run", config=config_of(), models_root=root)
    done = forecast(store, "lcl", ["lightgbm"], tmp_path / "run", config=config, models_root=root)
    assert done.models == ("lightgbm",)  # the run without weather was cleared away
    label = "perfect weather: what really came, known to nobody at t0"
    assert json.loads((tmp_path / "run" / "run.json").read_text())["weather"] == label
    page = report(store, "lcl", tmp_path / "run", tmp_path / "report.html").read_text()
    assert label in page
    assert ask(store, root, tmp_path, "lightgbm").weather == label
    assert ask(store, root, tmp_path, "persistence_ensemble").weather == "none"
