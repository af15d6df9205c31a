"""The page on the detector that self-play leaves is what its records say."""

import importlib.util
from pathlib import Path

from loadproof.records import find_records, read_facts

ROOT = Path(__file__).parents[1]


def script():
    spec = importlib.util.spec_from_file_location("make_anomaly_selfplay", ROOT / "docs" / "make_anomaly_selfplay.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_made_from_its_records_which_come_from_real_homes():
    make = script()
    assert make.page(make.RECORDS) == make.PAGE.read_text()
    facts = [read_facts(path) for path in find_records(make.RECORDS)]
    assert {(of["mode"], of["seed"]) for of in facts} == {("files", 2013)}
    assert {of["part"] for of in facts} == {"A", "B"}
