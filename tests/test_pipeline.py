import json
import re
from pathlib import Path

import pytest
import yaml
from tests.pipeline_project import ROOT, contents, dvc, git, lay_project

from loadproof.config import ExperimentConfig, read_config
from loadproof.runner.stages import RUNS, STAGES, run_stage

PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())

TINY = {
    "lightgbm": {"trees": 2, "leaves": 4, "min_rows_in_leaf": 50, "line_rows": 1000, "max_rows": 5000, "threads": 1},
    "ridge": {"penalties": [1.0]},
    "patchtst": {"width": 8, "heads": 2, "layers": 1, "feedforward": 8, "epochs": 1, "batch_windows": 256},
    "autoencoder": {"width": 8, "epochs": 1},
    "anomaly": {"fit_windows": 100, "fault_homes": 1},
    "evaluation": {"bootstrap_draws": 100},
    "selfplay": {**PARAMS["selfplay"], "warm_updates": 2, "reference_updates": 2, "episodes": 1, "judge_episodes": 1},
    "pipeline": {
        "baselines": ["persistence_ensemble", "ridge", "lightgbm"],
        "baseline_detectors": ["physical"],
        "custom_detectors": ["ensemble"],
        "usual_rating": "pole_100kva",
    },
}


def outs(stage):
    named = [*stage["outs"], *stage.get("metrics", []), *stage.get("plots", [])]
    return [next(iter(out)) if isinstance(out, dict) else out for out in named]


def stages_run(printed):
    return re.findall(r"^Running stage '(\w+)'", printed, re.MULTILINE)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return lay_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def reproduced(project):
    return dvc(project, "repro")


def set_knob(folder, section, **knobs):
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params[section].update(knobs)
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


def test_the_nine_stages_are_those_of_the_house_and_none_is_an_echo():
    assert len(PIPELINE) == 9
    assert {name: stage["cmd"] for name, stage in PIPELINE.items()} == {
        name: f"python -m loadproof run {name}" for name in STAGES
    }


def test_every_param_of_a_stage_is_a_knob_of_the_config():
    for name, stage in PIPELINE.items():
        for key in stage.get("params", []):
            section, _, knob = key.partition(".")
            assert section in ExperimentConfig.model_fields, (name, key)
            assert not knob or knob in ExperimentConfig.model_fields[section].annotation.model_fields, (name, key)


def test_what_a_stage_reads_is_a_raw_input_or_what_another_wrote():
    written = [out for stage in PIPELINE.values() for out in outs(stage)]
    assert len(written) == len(set(written))
    read = {dep for stage in PIPELINE.values() for dep in stage["deps"]} - {"src/loadproof", "${data.input_root}"}
    assert [dep for dep in read if not any(dep == out or dep.startswith(f"{out}/") for out in written)] == []


def test_the_paths_of_the_stages_are_those_of_the_params():
    config = read_config(ROOT / "params.yaml")
    roots = {str(config.data.derived_root), str(config.data.processed_root.parent)}
    assert roots == {"run"}
    assert {out.split("/")[0] for stage in PIPELINE.values() for out in outs(stage)} == roots
    assert {out.split("/")[1] for name in ("train_baselines", "train_custom", "train_selfplay")
            for out in outs(PIPELINE[name])} == set(RUNS)  # fmt: skip


def test_judging_depends_on_no_model():
    read = {dep for dep in PIPELINE["evaluate_models"]["deps"] if "models" in dep}
    assert {Path(dep).name for dep in read} == {"selfplay.fit.json", "selfplay.pictures.parquet"}  # a curve, pictures


def test_the_second_time_there_is_nothing_to_do(project, reproduced):
    assert set(stages_run(reproduced)) == set(STAGES)
    assert dvc(project, "repro").rstrip().endswith("Data and pipelines are up to date.")


def test_what_the_stages_leave_in_the_checkout_is_ignored_but_for_the_lock(project, reproduced):
    assert git(project, "status", "--porcelain").split() == ["??", "dvc.lock"]


def test_metrics_and_plots_are_shown_by_dvc(project, reproduced):
    assert "patchtst.crps" in dvc(project, "metrics", "show")
    dvc(project, "plots", "show", "--out", "run/plots")
    assert "CRPS by UK half hour" in (project / "run" / "plots" / "index.html").read_text()


@pytest.mark.parametrize(
    ("section", "knobs", "first"),
    [
        ("patchtst", {"width": 32}, ["train_custom", "train_selfplay"]),
        ("statistical", {"lookback_days": 8}, ["train_baselines"]),
        ("backtest", {"levels": ["home"]}, []),
    ],
)
def test_a_knob_reruns_the_stages_that_it_decides_and_what_follows_and_nothing_else(
    project, reproduced, section, knobs, first
):
    set_knob(project, section, **knobs)
    follows = ["evaluate_models", "poster_numbers"] if first else []
    assert stages_run(dvc(project, "repro")) == [*first, *follows]


def test_an_experiment_sets_a_knob_from_the_command_line(project, reproduced):
    git(project, "add", ".")
    git(project, "commit", "--quiet", "-m", "before the experiment")
    printed = dvc(project, "exp", "run", "-S", "patchtst.width=48", "--name", "wide")
    assert stages_run(printed) == ["train_custom", "train_selfplay", "evaluate_models", "poster_numbers"]
    assert yaml.safe_load((project / "params.yaml").read_text())["patchtst"]["width"] == 48
    assert "wide" in dvc(project, "exp", "show", "--csv")


def test_two_runs_from_nothing_leave_the_same_bytes_and_every_number_of_the_poster_has_an_interval(
    tmp_path, monkeypatch
):
    left = []
    for name in ("first", "second"):
        (tmp_path / name / "data").mkdir(parents=True)
        (tmp_path / name / "data" / "samples").symlink_to(ROOT / "data" / "samples")
        (tmp_path / name / "params.yaml").write_text(yaml.safe_dump({**PARAMS, **TINY}))
        monkeypatch.chdir(tmp_path / name)
        for stage in STAGES:
            run_stage(stage, read_config(Path("params.yaml")))
        left.append(contents(tmp_path / name / "run"))
    first, second = left
    assert list(first) == list(second)
    assert [name for name in first if first[name] != second[name]] == []
    numbers = json.loads(first["poster/poster.json"])["numbers"]
    assert all(number["low"] <= number["value"] <= number["high"] for number in numbers)
    declared = {path.removeprefix("run/") for stage in PIPELINE.values() for path in outs(stage)}
    assert [name for name in first if not any(f"{name}/".startswith(f"{out}/") for out in declared)] == []
