import datetime as dt
import logging
import subprocess
import sys

import polars as pl
import pytest
from tests.runner.made_stores import make_store
from typer.testing import CliRunner

from loadproof.cli import app as cli
from loadproof.cli.forecasting import backtest_command, forecast_command, train_command
from loadproof.errors import ConfigError
from loadproof.runner.forecasters import AT_ONCE, FORECASTERS

HEAVY = ("h5py", "torch", "lightgbm", "statsforecast", "sklearn", "scipy", "altair", "vl_convert", "requests", "pandas")


@pytest.fixture
def at_home(tmp_path, monkeypatch):
    """A working folder whose store holds 2 homes of 60 days."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DEVICE", raising=False)
    make_store(tmp_path / "data", homes=2, days=60)
    return tmp_path


def invoke(*words):
    return CliRunner().invoke(cli.app, [str(word) for word in words], catch_exceptions=False)


def test_starting_the_command_line_imports_none_of_10_heavy_libraries():
    code = f"import sys, loadproof.cli.app; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_building_the_naive_models_imports_no_torch():
    code = (
        "import sys; from loadproof.config import ExperimentConfig; from loadproof.runner.forecasters import *;"
        "[FORECASTERS[name](ExperimentConfig()) for name in AT_ONCE]; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_forecast_at_one_instant_prints_a_row_a_home_and_names_its_table(at_home):
    done = invoke(
        "forecast", "--no-use-samples", "--at", "2013-02-20", "--entity", "lcl:MAC000001", "--entity", "lcl:MAC000002"
    )
    assert done.exit_code == 0, done.output
    assert done.output.count("lcl:MAC00000") == 2
    assert "seasonal_naive, from 2013-02-20 00:00 UTC" in done.output
    assert "plainly" in done.output
    table = at_home / "data" / "derived" / "forecast" / "at" / "2013-02-20T0000Z" / "seasonal_naive.parquet"
    assert table.is_file()
    assert str(table.relative_to(at_home)) in done.output


def test_an_instant_with_its_zone_is_that_instant(at_home):
    done = invoke("forecast", "--no-use-samples", "--at", "2013-02-20T06:30+01:00")
    assert "from 2013-02-20 05:30 UTC" in done.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["forecast", "--at", "soon"], "--at soon: .*; write a day as 2013-12-01 or an instant as 2013-12-01T06:00Z"),
        (["forecast", "--at", "2013-13-01"], "--at 2013-13-01: month must be in 1..12.*; write a day as"),
        (["forecast", "--at", "1850-01-01"], "--at 1850-01-01: choose a year from 2000 to 2099"),
        (["forecast", "--at", "2013-02-20T06:00"], "2013-02-20 06:00:00 has no zone; write 2013-02-20T06:00:00Z"),
        (["forecast", "--entity", "lcl:MAC000001"], "--entity is for a forecast from one instant; name that with --at"),
        (["forecast", "--config", "none.yaml"], "none.yaml: does not exist; name another with --config"),
        (["forecast", "--model", "prophet", "--at", "2013-02-20"], "no model is called 'prophet'; there are: "),
        (["train", "--model", "prophet"], "no model is called 'prophet'; there are: "),
        (["train", "--model", "seasonal_naive"], "learns nothing that is worth keeping; ask 'loadproof forecast' for"),
    ],
)
def test_what_cannot_be_done_says_why_and_what_to_do(at_home, words, message):
    with pytest.raises(cli.LoadproofError, match=message):
        invoke(*words, "--no-use-samples")


def test_a_data_lag_of_2_days_hides_the_last_2_days_from_the_forecast(at_home):
    words = ("forecast", "--no-use-samples", "--at", "2013-02-20", "--entity", "lcl:MAC000001")
    folder = at_home / "data" / "derived" / "forecast" / "at" / "2013-02-20T0000Z"
    found = []
    for lag in (0, 96, 96):
        if len(found) == 2:  # what the last 2 days were is nothing to a forecast that does not know them
            path = at_home / "data" / "processed" / "dataset=lcl" / "month=2013-02" / "part-00000.parquet"
            late = pl.col("ts_utc").is_between(
                dt.datetime(2013, 2, 18, tzinfo=dt.UTC), dt.datetime(2013, 2, 20, tzinfo=dt.UTC)
            )
            table = pl.read_parquet(path).with_columns(
                pl.when(late).then(9.0).otherwise("energy_kwh").cast(pl.Float32).alias("energy_kwh")
            )
            table.write_parquet(path)
        assert invoke(*words, "--data-lag", lag).exit_code == 0
        found.append(pl.read_parquet(folder / "seasonal_naive.parquet"))
    assert not found[0].equals(found[1])
    assert found[1].equals(found[2])


def test_a_config_that_is_a_folder_or_no_text_is_refused_in_1_line_with_the_mend(at_home):
    (at_home / "folder").mkdir()
    (at_home / "bytes.yaml").write_bytes(b"\xff\xfe")
    (at_home / "torn.yaml").write_text("forecast: [1,\nseed: 2")
    for name, message in (("folder", "is a folder; name"), ("bytes.yaml", "is no YAML"), ("torn.yaml", "is no YAML")):
        with pytest.raises(ConfigError, match=f"{name}: {message}") as raised:
            invoke("forecast", "--config", name)
        assert "\n" not in str(raised.value)


def test_the_device_is_the_flags_then_the_environments_then_cpu(at_home, monkeypatch):
    seen = []
    monkeypatch.setattr("loadproof.runner.train.train", lambda *a, device, **k: seen.append(device))
    monkeypatch.setattr("loadproof.cli.forecasting.show_training", lambda done: None)
    invoke("train", "--no-use-samples")
    monkeypatch.setenv("DEVICE", "cuda")
    invoke("train", "--no-use-samples")
    invoke("train", "--no-use-samples", "--device", "cpu")
    assert seen == ["cpu", "cuda", "cpu"]
    monkeypatch.setenv("DEVICE", "tpu")
    with pytest.raises(cli.LoadproofError, match="DEVICE=tpu: is no device; set it to one of cpu, cuda"):
        invoke("train", "--no-use-samples")


def test_the_command_line_wins_over_the_config_which_wins_over_what_is_built_in(at_home, monkeypatch, caplog):
    make_store(at_home / "other", homes=1, days=60)
    (at_home / "own.yaml").write_text(
        "seed: 7\ndata:\n  processed_root: other/processed\nforecast:\n  horizon_steps: 24\n"
    )
    seen = []
    monkeypatch.setattr(
        "loadproof.runner.predict.predict", lambda store, *a, config, **k: seen.append((store.root, config))
    )
    monkeypatch.setattr("loadproof.cli.forecasting.show_outlooks", lambda said: None)
    with caplog.at_level(logging.INFO):
        invoke("forecast", "--no-use-samples", "--at", "2013-02-20", "--config", "own.yaml")
        invoke(
            "forecast",
            "--no-use-samples",
            "--at",
            "2013-02-20",
            "--config",
            "own.yaml",
            "--horizon",
            "12",
            "--seed",
            "8",
        )
        invoke("forecast", "--no-use-samples", "--at", "2013-02-20")
    assert [(config.seed, config.forecast.horizon_steps) for _, config in seen] == [(7, 24), (8, 12), (2013, 48)]
    assert [root.parent.name for root, _ in seen] == ["other", "other", "data"]


@pytest.mark.parametrize("command", [train_command, forecast_command, backtest_command])
def test_the_help_names_every_model_or_takes_them_from_the_board(command):
    text = invoke(command.__name__.removesuffix("_command"), "--help").output
    if command is not backtest_command:
        names = set(FORECASTERS) - (AT_ONCE if command is train_command else set())
        assert all(name in "".join(text.split()).replace("│", "") for name in names)
    assert "--config" in text
