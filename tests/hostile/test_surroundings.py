import re

import pytest
from tests.hostile.surroundings import SURROUNDINGS, nobody_may_read_this


@pytest.mark.parametrize("case", SURROUNDINGS, ids=[f"{case.sort.name}: {case.name}" for case in SURROUNDINGS])
def test_in_bad_surroundings_1_line_says_so_and_the_same_command_finishes_after_the_mend(case, observe):
    if not nobody_may_read_this():
        pytest.skip("the package lies where only root may read it")
    first, then = observe(case)
    assert "Traceback" not in first.stderr
    assert first.code == 1
    assert re.search(case.says, first.errors[0]), first.errors[0]
    assert (first.good, len(first.errors)) == ((0, 1) if case.nothing else (case.sort.kept, 2))
    assert (then.code, then.good, then.errors) == (0, case.sort.kept, ())
