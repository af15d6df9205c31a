import runpy
import sys

import pytest
from tests.pipeline_project import ROOT


@pytest.fixture
def scale(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    yield runpy.run_path(str(ROOT / "benchmarks" / "scale.py"))
    for name in ("made_fleet", "made_ssen"):
        sys.modules.pop(name, None)


def test_a_next_morning_that_is_there_is_taken_away_and_the_first_one_made_anew(scale, tmp_path, monkeypatch):
    begun = []
    inner = scale["_fleet"].__globals__
    monkeypatch.setitem(inner, "_make_models", lambda work: work / "models")
    monkeypatch.setitem(inner, "make_fleet", lambda *_, **__: None)
    monkeypatch.setattr(inner["subprocess"], "run", lambda command, **_: begun.append(command))
    job = scale["Job"]("fleet", 100, "plain", "next")
    command, folder = scale["command_of"](job, tmp_path)
    assert begun == []
    folder.mkdir(parents=True)
    (kept := tmp_path / "out-fleet-100-plain" / "at" / ".fleet-days").mkdir()
    assert scale["command_of"](job, tmp_path) == (command, folder)
    assert not folder.exists() and not kept.exists()
    (first,) = begun
    assert first[first.index("--at") + 1] == scale["MORNINGS"]["first"]
