import json
import logging
import subprocess
import sys

import pytest
from tests.conftest import lcl_line
from tests.test_store import two_homes
from typer.testing import CliRunner

from loadproof import __version__
from loadproof.cli import app as cli
from loadproof.cli import options
from loadproof.samples import write_samples


@pytest.fixture
def at_home(tmp_path, monkeypatch):
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    root = tmp_path_factory.mktemp("samples")
    write_samples(root, seed=2013)
    return root


def invoke(*words):
    return CliRunner().invoke(cli.app, [str(word) for word in words], catch_exceptions=False)


def run(*words, **options):
    return subprocess.run(
        [sys.executable, "-m", "loadproof", *map(str, words)], capture_output=True, text=True, **options
    )


def test_version_prints_the_version():
    assert invoke("--version").stdout.strip() == __version__


def test_an_error_that_a_user_can_mend_is_one_line_and_exit_code_1(at_home):
    done = run("ingest", "lcl", "--no-use-samples", cwd=at_home)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert line.endswith("or name another folder with --input-root")


def test_the_first_log_line_has_the_format_and_says_which_mode_runs_and_why(at_home, lcl_root):
    done = run("ingest", "lcl", "--no-use-samples", "--input-root", lcl_root(two_homes(days=2)), cwd=at_home)
    assert done.returncode == 0, done.stderr
    first = done.stderr.splitlines()[0]
    assert first[19:].split(" - ")[1:3] == ["loadproof", "INFO"]
    assert "sample mode is off (--no-use-samples)" in first
    assert (at_home / "data" / "processed" / "dataset=lcl" / "month=2013-01").is_dir()


@pytest.mark.parametrize(
    ("variables", "words", "why"),
    [
        ({}, [], "off (the default)"),
        ({"CI": "true"}, [], "on (CI=true)"),
        ({"CI": "woodpecker"}, [], "on (CI=woodpecker)"),
        ({"CI": "false"}, [], "off (the default)"),
        ({"GITHUB_ACTIONS": "true"}, [], "on (GITHUB_ACTIONS=true)"),
        ({"CI": "true", "USE_SAMPLES": "false"}, [], "off (USE_SAMPLES=false)"),
        ({"USE_SAMPLES": "true"}, [], "on (USE_SAMPLES=true)"),
        ({"USE_SAMPLES": "true"}, ["--no-use-samples"], "off (--no-use-samples)"),
        ({"CI": "true", "USE_SAMPLES": "false"}, ["--use-samples"], "on (--use-samples)"),
    ],
)
def test_the_flag_wins_over_use_samples_which_wins_over_ci(at_home, monkeypatch, caplog, variables, words, why):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with caplog.at_level(logging.INFO), pytest.raises(cli.LoadproofError):
        invoke("ingest", "lcl", *words)
    assert f"sample mode is {why}" in caplog.text


def test_use_samples_is_read_from_a_dot_env_file(at_home, caplog):
    (at_home / ".env").write_text("USE_SAMPLES=true\n")
    with caplog.at_level(logging.INFO), pytest.raises(cli.LoadproofError):
        invoke("ingest", "lcl")
    assert "sample mode is on (USE_SAMPLES=true)" in caplog.text


def test_samples_are_read_whatever_input_root_says(at_home, samples, monkeypatch):
    monkeypatch.setattr(options, "SAMPLES_ROOT", samples)
    done = invoke("ingest", "lcl", "--use-samples", "--input-root", "nowhere")
    assert done.exit_code == 0
    summary = json.loads((at_home / "data" / "summaries" / "ingest_lcl.json").read_text())
    assert (summary["mode"], summary["entities"]) == ("samples", 8)


def test_forecast_in_sample_mode_ingests_the_samples_and_report_writes_the_page(at_home, samples, monkeypatch):
    monkeypatch.setattr(options, "SAMPLES_ROOT", samples)
    done = invoke("forecast", "--use-samples", "--model", "persistence_ensemble", "--output-dir", "out")
    assert done.exit_code == 0, done.output
    metrics = json.loads((at_home / "out" / "metrics.json").read_text())
    (crps,) = [row for row in metrics if row["metric"] == "crps" and row["slice"] == "all" and row["entity_id"] is None]
    assert crps["low"] < crps["value"] < crps["high"]
    assert (at_home / "out" / "metrics.csv").read_text().startswith("subject,dataset,level_of_aggregation,entity_id,")
    first = (at_home / "out" / "forecasts" / "persistence_ensemble.parquet").read_bytes()
    assert invoke("report", "--output-dir", "out").exit_code == 0
    page = (at_home / "out" / "report.html").read_text()
    assert "persistence_ensemble" in page
    invoke("forecast", "--use-samples", "--model", "persistence_ensemble", "--output-dir", "again")
    assert (at_home / "again" / "forecasts" / "persistence_ensemble.parquet").read_bytes() == first
    assert json.loads((at_home / "again" / "metrics.json").read_text()) == metrics


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["forecast", "--model", "prophet", "--no-use-samples"],
            "no model is called 'prophet'; there are: lightgbm",
        ),
        (["forecast", "--no-use-samples"], "run 'loadproof ingest lcl' first"),
        (
            ["forecast", "--no-use-samples", "--test-from", "2015-01-01"],
            "valid_from < test_from < test_until must hold",
        ),
        (["forecast", "--no-use-samples", "--test-from", "soon"], "test_from: .* mend that option"),
        (["run", "fly"], "params.yaml: does not exist; name another with --config"),
    ],
)
def test_what_cannot_be_done_says_why_and_what_to_do(at_home, words, message):
    with pytest.raises(cli.LoadproofError, match=message):
        invoke(*words)


@pytest.mark.parametrize(("track", "why"), [("false", "nothing is recorded here"), ("true", "no server is named")])
def test_a_sync_without_a_record_or_a_server_says_what_to_set(at_home, monkeypatch, track, why):
    pytest.importorskip("mlflow", reason="mlflow is not installed")
    monkeypatch.setenv("TRACK", track)
    with pytest.raises(cli.LoadproofError, match=why):
        invoke("track", "sync")


def test_blocks_outside_the_data_are_refused_with_the_span(at_home, lcl_root):
    invoke("ingest", "lcl", "--no-use-samples", "--input-root", lcl_root([lcl_line()]))
    with pytest.raises(cli.LoadproofError, match="readings begin on 2013-01-01: set the blocks inside the data"):
        invoke("forecast", "--no-use-samples")


def test_run_obeys_its_config_and_not_the_environment(at_home, lcl_root, monkeypatch):
    monkeypatch.setenv("CI", "true")
    (at_home / "params.yaml").write_text(
        f"data:\n  input_root: {lcl_root(two_homes(days=2))}\n  processed_root: {at_home}/p/processed\n"
    )
    done = invoke("run", "ingest_lcl")
    assert "192 readings of 2 entities, 0 rows set aside" in done.stdout


def test_an_unknown_knob_names_the_file_and_the_knob(at_home):
    (at_home / "params.yaml").write_text("forecast:\n  horizon: 3\n")
    with pytest.raises(cli.LoadproofError, match=r"params\.yaml: forecast\.horizon: Extra inputs are not permitted"):
        invoke("run", "ingest_lcl")


@pytest.mark.parametrize(
    ("source", "read", "written", "names"),
    [("ukdale", 722, 718, "5"), ("ssen", 1_726, 1_722, "12"), ("weather", 4_510, 4_509, "midas:90001")],
)
def test_the_samples_of_each_source_are_ingested_with_every_row_accounted_for(
    at_home, samples, monkeypatch, source, read, written, names
):
    monkeypatch.setattr(options, "SAMPLES_ROOT", samples)
    done = invoke("ingest", source, "--use-samples")
    assert done.exit_code == 0, done.output
    summary = json.loads((at_home / "data" / "summaries" / f"ingest_{source}.json").read_text())
    assert (summary["rows_read"], summary["rows_written"]) == (read, written)
    assert summary["rows_rejected"] == read - written
    assert names in done.output


def test_one_broken_file_is_named_while_the_others_go_in_and_the_exit_code_is_1(at_home, lcl_root):
    root = lcl_root(two_homes(days=2), b"")
    done = run("ingest", "lcl", "--no-use-samples", "--input-root", root, cwd=at_home)
    assert done.returncode == 1
    assert "error: LCL-June2015v2_1.csv, line 1: the file is empty; fetch it again or remove it" in done.stderr
    assert json.loads((at_home / "data" / "summaries" / "ingest_lcl.json").read_text())["rows_written"] == 192
    strict = run(
        "ingest", "lcl", "--no-use-samples", "--input-root", root, "--output-root", "x/p", "--strict", cwd=at_home
    )
    assert strict.returncode == 1
    assert not (at_home / "x" / "summaries").exists()
