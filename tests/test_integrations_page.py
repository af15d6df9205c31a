"""Every file, variable, option and test that the page of integrations names is there."""

import ast
import re
from pathlib import Path

import pytest
from typer.main import get_command

from loadproof.cli.app import app
from loadproof.environment import Environment

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "integrations.md").read_text()
ROWS = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in PAGE.splitlines() if line.startswith("| ")]
ROWS = [row for row in ROWS if row[0] != "What"]
OF_REQUESTS = {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}


def named(cell):
    return re.findall(r"`([^`]+)`", cell)


def options(command):
    for parameter in command.params:
        yield from parameter.opts
    for member in getattr(command, "commands", {}).values():
        yield from options(member)


def functions_of(path):
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_what_a_row_names_exists(row):
    what, code, how, fails, test = row
    assert what
    assert fails
    assert [name for name in named(code) if not (ROOT / "src" / "loadproof" / name).is_file()] == []
    assert named(code)
    variables = {name for name in named(how) if name.isupper()}
    known = {name.upper() for name in Environment.model_fields} | OF_REQUESTS
    assert variables <= known
    flags = {name.split()[0] for name in named(how) if name.startswith("--")}
    assert flags <= set(options(get_command(app)))
    (address,) = named(test)
    file, name = address.split("::")
    assert name in functions_of(ROOT / file)


def test_every_variable_of_the_environment_is_on_the_page_and_in_the_example():
    example = (ROOT / ".env.example").read_text()
    for name in Environment.model_fields:
        assert f"`{name.upper()}`" in PAGE
        assert name.upper() in example


def test_every_module_that_imports_a_library_of_the_network_is_on_the_page():
    sources = (ROOT / "src" / "loadproof").rglob("*.py")
    talkers = {path.name for path in sources if re.search(r"^(import|from) requests", path.read_text(), re.MULTILINE)}
    assert {name for name in talkers if f"{name}`" not in PAGE} <= {"remote_version.py"}
