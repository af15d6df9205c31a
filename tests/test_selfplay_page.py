import importlib.util
import json
import sys
from pathlib import Path

import pytest

from loadproof.config import ExperimentConfig
from loadproof.records import find_records, read_facts
from loadproof.runner.study import identity_of
from loadproof.selfplay.plan import STAGES, Job

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def make():
    sys.path.insert(0, str(ROOT / "docs"))  # as it is for a script that is run
    spec = importlib.util.spec_from_file_location("make_selfplay", ROOT / "docs" / "make_selfplay.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.path.remove(str(ROOT / "docs"))
    return module


def kept(make, name):
    return json.loads((make.RESULTS / f"{name}.json").read_text())


@pytest.mark.parametrize("name", ["selfplay", "selfplay_pilot"])
def test_a_page_is_made_from_the_kept_figures(make, name):
    assert make.MADE[name][1](kept(make, name)) == (make.RESULTS / f"{name}.md").read_text()


@pytest.mark.parametrize("budget", ["pilot", "small"])
def test_the_records_are_of_one_study_on_real_homes(make, budget):
    facts = [read_facts(path) for path in find_records(make.RESULTS / "records" / "selfplay" / budget)]
    assert facts
    assert len({(said["study_sha256"], said["data_sha256"], said["study_seed"]) for said in facts}) == 1
    assert {said["mode"] for said in facts} == {"files"}
    job = Job(*(facts[0][name] for name in Job._fields))
    now = identity_of(job, budget, ExperimentConfig(), {name: facts[0][name] for name in ("dataset", "mode")})
    assert {name: facts[0][name] for name in now} == now  # or a study would not go on from them, but make them again


def test_the_pages_count_the_records_that_there_are(make):
    pilot, study = kept(make, "selfplay_pilot"), kept(make, "selfplay")
    assert pilot["study"]["records"] == len(find_records(make.RESULTS / "records" / "selfplay" / "pilot")) == 38
    assert sum(study[stage]["played"] for stage in STAGES if stage != "pilot") == len(
        find_records(make.RESULTS / "records" / "selfplay" / "small")
    )
    assert len(study["confirmation"]["seeds"]) <= study["confirmation"]["planned_seeds"] == 8


def test_the_pilot_has_seen_one_quarter_and_says_that_it_confirms_nothing(make):
    facts = [read_facts(path) for path in find_records(make.RESULTS / "records" / "selfplay" / "pilot")]
    assert {(said["fold"], said["half"]) for said in facts} == {("held_2013-01-01", "A")}
    assert "decides no hypothesis" in (make.RESULTS / "selfplay_pilot.md").read_text()


def test_nothing_counts_for_the_confirmation_but_whole_seeds_of_its_own(make):
    stage, found = STAGES["confirmation"], kept(make, "selfplay")["confirmation"]
    assert {exam["fold"] for exam in found["exams"]} <= set(stage.folds)
    assert {exam["half"] for exam in found["exams"]} == set(stage.halves)
    for arm, of in found["arms"].items():
        trainings = 1 if arm == "real" else 2
        assert of["seeds"] == found["seeds"]
        assert of["records"] == trainings * len(stage.folds) * len(found["seeds"])


def test_the_rule_of_success_is_the_protocols(make):
    def found(uniform, real, clean):
        against_real = {"primary": real, "clean": {"low": -1.0, "high": clean}}
        return {"pairs": {"full:uniform": {"primary": uniform}, "full:real": against_real}}

    better, level, worse = (
        {"low": low, "high": high} for low, high in ((-0.02, -0.001), (-0.01, 0.001), (0.001, 0.02))
    )
    assert "succeeds" in make.reached(found(better, better, 0.0099))
    assert "no gain against `uniform` can be told from none.**" in make.reached(found(level, better, 0.0099))
    assert "it is worse than `uniform` and `real`.**" in make.reached(found(worse, worse, 0.0099))
    mixed = make.reached(found(level, worse, 0.0101))
    assert "worse than `real`, and no gain against `uniform`" in mixed
    assert "clean days may lose more than the margin.**" in mixed
    assert "does not succeed: clean days" in make.reached(found(better, better, 0.0101))
    none = {"low": None, "high": None}
    assert "nothing is decided" in make.reached(found(none, none, None))
