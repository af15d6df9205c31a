import polars as pl
import pytest
from tests.runner.made_stores import make_store
from typer.testing import CliRunner

from loadproof.cli import app as cli
from loadproof.errors import ConfigError

KNOBS = """
forecast: {valid_from: 2013-02-20, test_from: 2013-03-13, test_until: 2013-03-20}
anomaly: {alerts_per_week: 1, clean_days: 28, rule_days: 14}
evaluation: {bootstrap_draws: 100}
ridge: {lookbacks_steps: [336], penalties: [10.0]}
"""
WORDS = ("fleet", "--at", "2013-03-18", "--dataset", "lcl", "--config", "small.yaml", "--output-dir", "out",
         "--no-use-samples")  # fmt: skip


@pytest.fixture
def at_home(tmp_path, monkeypatch):
    """A working folder whose store holds 3 homes of 80 days, the knobs of a small run, and a trained ridge."""
    monkeypatch.chdir(tmp_path)
    make_store(tmp_path / "data", homes=3, days=80)
    (tmp_path / "small.yaml").write_text(KNOBS)
    assert invoke("train", "--model", "ridge", "--config", "small.yaml", "--no-use-samples").exit_code == 0
    return tmp_path


def invoke(*words):
    return CliRunner().invoke(cli.app, [str(word) for word in words], catch_exceptions=False)


def test_a_morning_prints_what_was_found_and_a_second_one_that_it_stood_there(at_home):
    done = invoke(*WORDS)
    assert done.exit_code == 0, done.output
    assert "3 in 1 groups" in done.output
    assert "no detector was fitted: run 'loadproof anomaly' first" in done.output
    assert "no limit is known: name --assets or --rating" in done.output
    assert "all was there already" in invoke(*WORDS).output
    invoke("anomaly", "--detector", "physical", "--config", "small.yaml", "--no-use-samples")
    assert "alerts of physical, 2013-03-17" in invoke(*WORDS).output


def test_a_group_that_fails_is_named_and_the_exit_code_is_1(at_home):
    march = at_home / "data" / "processed" / "dataset=lcl" / "month=2013-03" / "part-00000.parquet"
    good = pl.read_parquet(march)
    pl.concat([good, good.filter(entity_id="lcl:MAC000003")]).write_parquet(march)
    done = invoke(*WORDS, "--group-size", "2")
    assert done.exit_code == 1
    assert "group 1 (lcl:MAC000003 to lcl:MAC000003)" in done.stderr
    assert "groups that failed" in done.output


def test_a_dataset_that_does_not_come_by_a_listing_is_refused(at_home):
    with pytest.raises(ConfigError, match="take --ingest files"):
        invoke(*WORDS, "--ingest", "listing")
