import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import get_args

import click
import pytest
from typer.main import get_command

from loadproof.cli.app import app
from loadproof.environment import Environment
from loadproof.schema import Reason

ROOT = Path(__file__).parents[1]


def script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def leaves(command, names=("loadproof",)):
    members = getattr(command, "commands", {})
    if not members:
        yield " ".join(names), command
    for name, member in members.items():
        yield from leaves(member, (*names, name))


COMMANDS = dict(leaves(get_command(app)))


def test_the_page_of_commands_is_what_the_command_line_prints():
    code = "import runpy; print(runpy.run_path('docs/make_commands.py')['render']())"
    printed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert printed.rstrip() == (ROOT / "docs" / "commands.md").read_text().rstrip()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_an_example_that_it_could_run(name):
    text = COMMANDS[name].help
    (example,) = re.findall(r"Example: (.+)", text)
    assert example.startswith(name)
    words = example.split()[len(name.split()) :]
    COMMANDS[name].make_context(name, words)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_help(name):
    for parameter in COMMANDS[name].params:
        assert isinstance(parameter, click.Argument) or parameter.help, parameter.name


def test_every_reason_is_explained():
    page = (ROOT / "docs" / "data-sources.md").read_text()
    assert [reason for reason in get_args(Reason) if f"`{reason}`" not in page] == []


def test_the_example_environment_lists_every_variable():
    text = (ROOT / ".env.example").read_text()
    torchruns = {"torchelastic_run_id", "world_size", "rank", "local_rank", "torchelastic_restart_count"}
    for field in set(Environment.model_fields) - {"ci", "github_actions"} - torchruns:
        assert field.upper() in text
    for name in ("CI", "GITHUB_ACTIONS"):
        assert name in text


def test_the_figures_in_the_readme_are_the_kept_ones_of_the_board():
    make = script("make_board")
    readme = (ROOT / "README.md").read_text()
    assert make.between(readme, make.brief(make.Board(json.loads(make.FIGURES.read_text())))) == readme


def test_the_figures_on_the_page_of_baselines_are_the_kept_ones():
    make = script("make_results")
    figures = json.loads(make.FIGURES.read_text())
    assert make.page(figures) == (ROOT / "docs" / "results" / "baselines.md").read_text()


def test_the_kept_figures_come_from_real_homes():
    run = json.loads(script("make_results").FIGURES.read_text())["run"]
    assert (run["mode"], run["test_windows"]) == ("files", 11_559)


def test_the_readme_stays_within_120_lines():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


@pytest.mark.parametrize("page", sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]), ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_map_leads_to_every_page():
    docs = ROOT / "docs"
    linked = {
        (docs / target).resolve() for target in re.findall(r"\]\(([^)#]+\.md)\)", (docs / "index.md").read_text())
    }
    assert {page for page in docs.glob("**/*.md") if page.name != "index.md"} - linked == set()


def test_all_that_builds_the_pages_is_pinned():
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["docs"]
    pinned = set(re.findall(r"^(\S+)==", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    assert {name.partition(">")[0] for name in wanted} <= pinned


def test_the_page_of_benchmarks_is_made_from_the_kept_figures():
    assert script("make_benchmarks").page() == (ROOT / "docs" / "results" / "benchmarks.md").read_text()
