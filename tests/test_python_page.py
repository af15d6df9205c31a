"""The blocks of Python in the documents run, one after the other in one session, and print what stands below them."""

import contextlib
import io
import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```$(?:\n\n^```text\n(?P<printed>.*?)^```$)?", re.M | re.S)


def blocks_of(page):
    return [(found["code"], found["printed"]) for found in _BLOCK.finditer((ROOT / page).read_text())]


def lines_of(text):
    return [words for line in text.splitlines() if (words := " ".join(line.split()))]


def pattern_of(expected):
    """Return what fits the expected lines; ``...`` stands for anything, over lines where it is a line of its own."""
    text = re.escape("\n".join(lines_of(expected)))
    return re.sub(r"\\\.\\\.\\\.", r"[\\s\\S]*", text)


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "samples").symlink_to(ROOT / "data" / "samples")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_every_block_runs_and_prints_what_stands_below_it(page, workplace):
    session = {}
    for code, expected in blocks_of(page):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(code, page, "exec"), session)
        found = "\n".join(lines_of(printed.getvalue()))
        assert expected is None or re.fullmatch(pattern_of(expected), found), f"{code}\nprinted:\n{found}"


def test_the_page_shows_each_step_from_ingest_to_risk():
    code = "".join(code for code, _ in blocks_of("docs/python.md"))
    for name in ("ingest", "train", "predict", "forecast", "evaluate", "score_forecasts", "detect", "apply", "verify"):
        assert f"lp.{name}(" in code, name
    assert "lp.risk(" in code
