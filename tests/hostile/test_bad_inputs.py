import re

import pytest
from tests.hostile.broken_packed import PLANTED
from tests.hostile.make_bad_inputs import BAD_INPUTS

NAMES = [f"{bad.sort.name}: {bad.name}" for bad in BAD_INPUTS]


@pytest.fixture(scope="module")
def _at_home(tmp_path_factory):
    """A working folder of the run's own, in which nothing may appear."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("home")
        patch.chdir(folder)
        yield
        assert list(folder.iterdir()) == []


@pytest.mark.usefixtures("_at_home")
@pytest.mark.parametrize("bad", BAD_INPUTS, ids=NAMES)
def test_a_bad_file_gets_1_line_and_costs_itself_alone(bad, observe):
    got, strict = observe(bad)
    assert "Traceback" not in got.stderr
    if bad.gets.all_out:
        assert (got.code, len(got.errors), got.nothing) == (1, 1, True)
    else:
        assert (got.code, got.good) == (int(bool(bad.gets.says)), bad.sort.kept)
        assert got.written - got.good == bad.kept
        assert (got.aside, got.values_aside) == (bad.gets.aside, bad.gets.values)
        assert len(got.errors) == (2 if bad.gets.says else 0)
    if bad.gets.says:
        assert re.search(bad.gets.says, got.errors[0]), got.errors[0]
        assert strict is got or (strict.code, strict.errors, strict.nothing) == (1, got.errors[:1], True)
    assert not PLANTED.exists()


def test_the_table_names_each_bad_input_of_a_source_once():
    assert len(NAMES) == len(set(NAMES)) > 200
