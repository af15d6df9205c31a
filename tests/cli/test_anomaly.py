import json

import pytest
from tests.runner.made_stores import make_store
from typer.testing import CliRunner

from loadproof.cli import app as cli
from loadproof.runner.detectors import DETECTORS

KNOBS = """
forecast: {valid_from: 2013-02-20, test_from: 2013-03-13, test_until: 2013-03-20}
anomaly: {alerts_per_week: 1, clean_days: 28, rule_days: 14}
evaluation: {bootstrap_draws: 100}
"""


@pytest.fixture
def at_home(tmp_path, monkeypatch):
    """A working folder whose store holds 3 homes of 90 days, and the knobs of a small run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DEVICE", raising=False)
    make_store(tmp_path / "data", homes=3, days=90)
    (tmp_path / "small.yaml").write_text(KNOBS)
    return tmp_path


def invoke(*words):
    return CliRunner().invoke(cli.app, [str(word) for word in words], catch_exceptions=False)


def test_a_watch_prints_what_was_achieved_and_how_and_a_day_takes_the_same_detector(at_home):
    words = ("anomaly", "--no-use-samples", "--config", "small.yaml", "--detector", "physical", "--output-dir", "out")
    done = invoke(*words)
    assert done.exit_code == 0, done.output
    assert "physical, fitted: 2013-03-13 to 2013-03-19" in done.output
    assert "1 false alarms per home and week" in done.output
    assert "every alert taken for false" in done.output
    assert json.loads((at_home / "out" / "alerts" / "physical.json").read_text())["rate"]["homes"] == 3
    done = invoke(*words, "--at", "2013-03-15", "--entity", "lcl:MAC000002")
    assert "physical, kept: 2013-03-15" in done.output
    assert (at_home / "out" / "at" / "2013-03-15" / "scores" / "physical.parquet").is_file()


def test_the_rate_on_the_command_line_wins_over_the_config(at_home):
    done = invoke("anomaly", "--no-use-samples", "--config", "small.yaml", "--alerts-per-week", "2",
                  "--detector", "seasonal_zscore")  # fmt: skip
    assert "2 false alarms per home and week" in done.output
    assert "lcl:MAC00000" in done.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--detector", "oracle"], "no detector is called 'oracle'; there are: physical, "),
        (["--at", "2013-03-15T06:00Z"], "whole days are scored; write one as 2013-12-01"),
        (
            ["--at", "2013-03-15", "--anew"],
            "takes a detector that was fitted before, and --anew fits one",
        ),
        (["--alerts-per-week", "0"], "alerts_per_week: Input should be greater than 0; mend that option"),
        (["--entity", "lcl:MAC000099"], "lcl:MAC000099: the store has no reading of it, but of 3 others"),
        ([], "no day to learn from between the readings' first weeks .* set test_from inside the data"),
    ],
)
def test_what_cannot_be_done_says_why_and_what_to_do(at_home, words, message):
    with pytest.raises(cli.LoadproofError, match=message):
        invoke("anomaly", "--no-use-samples", *(words or ["--config", at_home / "late.yaml"]))


@pytest.fixture(autouse=True)
def late(tmp_path):
    """Knobs whose blocks begin before there is anything to learn from."""
    (tmp_path / "late.yaml").write_text("forecast: {valid_from: 2013-01-10, test_from: 2013-02-20}\n")


def test_the_help_names_every_detector():
    text = "".join(invoke("anomaly", "--help").output.split()).replace("│", "")
    assert all(name in text for name in DETECTORS)
