import importlib.util
import json
import re
from pathlib import Path

import pytest
from tests.runner.made_stores import make_store
from tests.runner.test_backtest import BUILDERS, board

from loadproof.records import find_records
from loadproof.runner.backtest import board_of

ROOT = Path(__file__).parents[1]


def script():
    spec = importlib.util.spec_from_file_location("make_board", ROOT / "docs" / "make_board.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The script, its figures and its page, of a board of two models on six made-up homes."""
    root = tmp_path_factory.mktemp("board")
    store = make_store(root, homes=6, days=100)
    report = board(store, root / "records", builders=BUILDERS, more_lags_steps=(48,))
    make = script()
    make.FIGURES, make.PAGE = root / "board.json", root / "board.md"
    make.keep(root / "records")
    figures = json.loads(make.FIGURES.read_text())
    return make, figures, make.page(figures), report


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_each_figure_kept_is_one_of_the_board_to_5_digits(made):
    _, figures, _, report = made
    kept = [dict(zip(figures["columns"], row, strict=True)) for row in figures["rows"]]
    assert len(kept) == len(report.rows)
    for row, want in zip(kept, report.rows, strict=True):
        assert row["metric"] == want["metric"]
        assert row["value"] == pytest.approx(want["value"], rel=1e-4)


def test_the_page_has_3_tables_of_homes_one_of_lags_and_one_of_building_years(made):
    _, _, page, _ = made
    assert (
        re.findall(r"^##+ (.+)$", page, re.MULTILINE)
        == [
            "Aimed at and reached, on unseen homes and unseen time",
            "Block by block, single homes, unseen",
            "Single homes",
            "Unseen homes and unseen time",
            "Unseen time, homes seen",
            "Plain split: the last quarter, homes seen",
            "What late publication costs",
            "BuildingsBench's protocol on these homes",
        ]
        or "Aimed" not in page
    )
    assert page.count("| `persistence_ensemble` |") == 5


def test_a_block_shows_the_ratio_of_its_own_records_alone(made):
    make, figures, page, _ = made
    block, model, variant, value, low, high = figures["blocks"][0]
    mine = [path for path in find_records(make.FIGURES.parent / "records") if block in path.parts]
    name = "pinball_ratio_to:persistence_ensemble"
    row = next(
        row
        for row in board_of(mine, draws=make.DRAWS)
        if (row["subject"], row["variant"], row["split"], row["metric"], row["level_of_aggregation"])
        == (model, variant, "unseen_homes_and_time", name, "home")
    )
    assert (value, low, high) == pytest.approx((row["value"], row["low"], row["high"]), rel=1e-4)
    section = page.split("## Block by block")[1].split("\n## ")[0]
    assert f"{value:.3f} [{low:.3f}, {high:.3f}]" in section
    assert block.removeprefix("held_") in section


def test_a_line_shows_the_figures_of_its_row_and_no_line_is_longer_than_its_head(made):
    make, figures, page, _ = made
    row = make.Board(figures).row(
        "home", "unseen_time", "none", 0, "ridge", "raw", "pinball_ratio_to:persistence_ensemble"
    )
    said = f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
    section = page.split("### Unseen time, homes seen")[1]
    line = next(line for line in section.splitlines() if line.startswith("| `ridge` |"))
    assert said in cells(line)
    for table in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
        assert len({len(cells(line)) for line in table.splitlines()}) == 1


def test_the_committed_page_is_made_from_the_committed_figures():
    make = script()
    if not make.FIGURES.is_file():
        pytest.skip("no board was committed yet")
    assert make.page(json.loads(make.FIGURES.read_text())) == make.PAGE.read_text(encoding="utf-8")
