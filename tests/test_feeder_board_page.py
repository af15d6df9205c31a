import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[1]


def script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKE = script("make_feeders")


def test_the_page_of_the_tree_is_what_its_record_and_its_costs_come_to():
    assert MAKE.page() == MAKE.PAGE.read_text()


def test_the_record_is_of_real_homes_whose_paths_added_up_exactly():
    facts = MAKE.read_facts(MAKE.RECORD)
    assert (facts["mode"], facts["nodes"]) == ("files", {"substation": 1, "feeder": 4, "home": 120})
    assert set(facts["largest_gap_kwh"].values()) == {0.0}
