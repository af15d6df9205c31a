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


@pytest.mark.parametrize(
    ("name", "title"),
    [("selfplay", "selfplay"), ("selfplay", "selfplay_details"), ("selfplay_pilot", "selfplay_pilot")],
)
def test_a_page_is_made_from_the_kept_figures(make, name, title):
    assert make.MADE[name][1][title](kept(make, name)) == (make.RESULTS / f"{title}.md").read_text()


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


def third(make, *, to_real, outages_vacant=(0.1, 0.2), none_vacant=-0.02):
    """The figures of a third round in which all arms but outages alone have one interval to real days."""
    said = {"value": sum(to_real) / 2, "low": to_real[0], "high": to_real[1], "by_seed": [*to_real, sum(to_real) / 2]}
    level = {"value": 0.0, "low": -0.01, "high": 0.01, "by_seed": [-0.01, 0.0, 0.01]}
    rows = {"primary": said, "OUTAGE": level, "VACANCY": {"value": 0.08, "low": 0.07, "high": 0.09}}
    pairs = {
        "uniform:real": rows,
        "uniform_outages:real": rows
        | {"VACANCY": {"value": 0.15, "low": outages_vacant[0], "high": outages_vacant[1]}},
        "uniform_no_outage:real": rows | {"VACANCY": {"value": none_vacant, "low": -0.03, "high": 0.0}},
        "full_standard_no_outage:real": rows,
        "full_standard_no_outage:full_standard": {"primary": level},
        "full_standard_no_outage:uniform_no_outage": {"primary": level},
    }
    return {"pairs": pairs}


def test_the_third_round_confirms_only_what_both_kinds_of_interval_call_better(make):
    answer = sys.modules["selfplay_third"].third_answer
    assert "wants confirmed on homes that no choice has seen" in answer(third(make, to_real=(-0.03, -0.028)))
    assert "the question is closed" in answer(third(make, to_real=(-0.03, 0.001)))
    assert "**Most of the harm at vacancies is the price" in answer(third(make, to_real=(0.0, 0.01)))
    assert "is not shown**" in answer(third(make, to_real=(0.0, 0.01), none_vacant=0.075))
    assert "is not shown**" in answer(third(make, to_real=(0.0, 0.01), outages_vacant=(-0.01, 0.2)))
