import importlib.util
import json
from pathlib import Path

import pytest

from loadproof.records import find_records, read_facts

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def make():
    spec = importlib.util.spec_from_file_location("make_selfplay", ROOT / "docs" / "make_selfplay.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_made_from_the_kept_figures(make):
    assert make.page(json.loads(make.FIGURES.read_text())) == make.PAGE.read_text()


def test_the_figures_are_of_the_kept_records_and_of_real_homes(make):
    found = json.loads(make.FIGURES.read_text())["study"]
    facts = [read_facts(path) for path in find_records(make.RECORDS / make.BUDGET)]
    assert len(facts) == found["records"]
    assert {said["study_sha256"] for said in facts} == {found["study_sha256"]}
    assert {said["mode"] for said in facts} == {"files"}


def test_the_pilot_has_seen_one_quarter_and_says_that_it_confirms_nothing(make):
    facts = [read_facts(path) for path in find_records(make.RECORDS / make.BUDGET)]
    assert {(said["fold"], said["half"]) for said in facts} == {("held_2013-01-01", "A")}
    assert "decides no hypothesis" in make.PAGE.read_text()
