"""Each how-to page is followed word for word in a copy of the tree.

Read of a page: "Create `path`:" and the block below it, which becomes that file; ``diff`` blocks, which git applies;
and ``console`` blocks, whose commands run and whose other lines must be among what they print, in that order. In those
lines ``...`` stands for anything.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs" / "how-to").glob("*.md"))
_BLOCK = re.compile(r"(?:^[^\n]*Create `(?P<path>[^`\n]+)`:\n\n)?^```(?P<sort>\w+)\n(?P<text>.*?)^```$", re.M | re.S)


class Block(NamedTuple):
    sort: str
    path: str | None
    text: str


def blocks_of(page):
    return [Block(found["sort"], found["path"], found["text"]) for found in _BLOCK.finditer(page.read_text())]


def steps_of(text):
    """Yield each command of a console block with the lines that it should print."""
    for step in re.split(r"^\$ ", text, flags=re.M)[1:]:
        command, *lines = step.replace("\\\n", "").splitlines()
        yield command, [words for line in lines if (words := " ".join(line.split()))]


def fits(expected, line):
    return re.fullmatch(".*".join(re.escape(part) for part in expected.split("...")), line) is not None


@pytest.fixture
def tree(tmp_path):
    """A copy of what a change touches, a repository of its own, in which nothing is of this checkout."""
    for name in ("src", "tests", "data/samples"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("pyproject.toml", "params.yaml"):
        shutil.copy2(ROOT / name, tmp_path / name)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    return tmp_path


@pytest.fixture
def run(tree):
    """Runs a command line in the tree and returns what it printed."""
    own = {
        "PYTHONPATH": str(tree / "src"), "COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1",
        "TRACK": "false",  # MLflow takes seconds to import
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # libraries bring plugins along that take seconds to import
    }  # fmt: skip
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

    def call(command):
        done = subprocess.run(
            command, shell=True, cwd=tree, env={**os.environ, **own, "PATH": path}, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return [words for line in done.stdout.splitlines() if (words := " ".join(line.split()))]

    return call


def follow(block, tree, run):
    if block.path:
        path = tree / block.path
        assert not path.exists(), f"{block.path} is there already"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text)
    elif block.sort == "diff":
        apply = ["git", "apply", "--recount", "-"]
        done = subprocess.run(apply, cwd=tree, input=block.text, capture_output=True, text=True)
        assert done.returncode == 0, f"{done.stderr}{block.text}"
    elif block.sort == "console":
        for command, expected in steps_of(block.text):
            printed = iter(run(command))
            for line in expected:
                assert any(fits(line, found) for found in printed), f"{command}\nnever printed, or not there: {line}"


def test_there_is_a_page_for_each_part_that_can_be_exchanged():
    assert [page.stem for page in PAGES] == ["add-a-detector", "add-a-model", "add-a-scenario", "add-a-source"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_who_follows_the_page_gets_what_it_promises_and_a_clean_house(page, tree, run):
    for block in blocks_of(page):
        follow(block, tree, run)
    run("ruff check . && ruff format --check . && lint-imports --no-cache")


def test_a_page_that_no_longer_fits_the_code_is_caught(tree, run):
    stale = "--- a/params.yaml\n+++ b/params.yaml\n@@ -1,1 +1,1 @@\n-seed: never\n+seed: 1\n"
    with pytest.raises(AssertionError, match=r"params\.yaml"):
        follow(Block("diff", None, stale), tree, run)
    with pytest.raises(AssertionError, match="never printed, or not there: twelve"):
        follow(Block("console", None, "$ echo eleven\ntwelve\n"), tree, run)
    with pytest.raises(AssertionError, match="false"):
        follow(Block("console", None, "$ false\n"), tree, run)
