import gzip

import pytest
from tests.hostile.good_files import SORTS
from tests.hostile.watch import ingest

MIDAS = SORTS["weather midas"]


@pytest.fixture
def ingested(tmp_path):
    """An input with two years of a station, the first of them in the store too."""
    root = tmp_path / "raw"
    for path, first in ((root / MIDAS.good, MIDAS.first.replace(month=1, day=4)), (root / MIDAS.bad, MIDAS.first)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(MIDAS.text([*MIDAS.lines(first), MIDAS.lines(first)[0]]))
    got = ingest(MIDAS, root, tmp_path / "data")
    assert (got.code, got.rows_read, got.written, got.aside) == (0, 194, 192, {"duplicate": 2})
    return root, tmp_path / "data"


def test_a_file_that_breaks_later_keeps_its_96_hours_and_what_was_set_aside(ingested):
    root, out = ingested
    whole = (root / MIDAS.bad).read_bytes()
    (root / MIDAS.bad).write_bytes(whole[:200])
    for _ in range(2):
        got = ingest(MIDAS, root, out)
        assert (got.code, got.rows_read, got.written, got.aside) == (1, 194, 192, {"duplicate": 2})
        assert "line 7: ends before its line 'data'" in got.errors[0]
    strict = ingest(MIDAS, root, out, "--strict")
    assert (strict.code, strict.written) == (1, 192)
    (root / MIDAS.bad).write_bytes(whole)
    again = ingest(MIDAS, root, out)
    assert (again.code, again.rows_read, again.written, again.aside) == (0, 194, 192, {"duplicate": 2})


def test_an_hour_that_another_file_gives_now_supersedes_that_of_the_broken_one(ingested):
    root, out = ingested
    (root / MIDAS.bad).write_bytes(b"")
    copy = (root / MIDAS.bad).with_name((root / MIDAS.bad).name.replace("dv-202507", "dv-202601") + ".gz")
    copy.write_bytes(gzip.compress(MIDAS.text(MIDAS.lines(rows=24))))
    got = ingest(MIDAS, root, out)
    assert (got.code, got.rows_read, got.written) == (1, 218, 192), got.errors
    assert got.aside == {"duplicate": 2, "superseded": 24}
