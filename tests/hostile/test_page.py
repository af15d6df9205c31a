import importlib.util
import re
from pathlib import Path

import pytest
from tests.hostile.surroundings import nobody_may_read_this

ROOT = Path(__file__).parents[2]


def without_asides(page):
    """A library's own words, in brackets, are not ours to hold over its versions."""
    while (shorter := re.sub(r"\([^()]*\)", "", page)) != page:
        page = shorter
    return page


def test_the_page_of_bad_inputs_is_what_a_fresh_run_gives(observe):
    if not nobody_may_read_this():
        pytest.skip("the package lies where only root may read it")
    spec = importlib.util.spec_from_file_location("make_reliability", ROOT / "docs" / "make_reliability.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    kept = (ROOT / "docs" / "reliability.md").read_text()
    assert without_asides(script.render(observe)) == without_asides(kept)
