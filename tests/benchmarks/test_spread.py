import json
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def record():
    return json.loads((DOCS / "results" / "spread.json").read_text())


def test_the_seconds_on_the_page_are_those_of_the_record(record):
    page = (DOCS / "cluster.md").read_text()
    rows = re.findall(r"^\| (.*) \| ([\d.]+) s \| ([\d.]+) s \|$", page, flags=re.MULTILINE)
    found = [record["features"], *(record["block"][name] for name in ("lightgbm", "patchtst", "ridge"))]
    assert [row[1:] for row in rows] == [(f"{one['plain_s']:.1f}", f"{one['spread_s']:.1f}") for one in found]
    assert all(one["same_bytes"] for one in found)
    assert f"about {record['test_windows']:,} windows" in page
    assert f"on {record['homes']} real homes, two workers" in page


def test_the_shares_of_calibration_on_the_page_are_those_of_the_record(record):
    share = {name: one["calibrate_cpu_s"] / sum(one.values()) for name, one in record["shares"].items()}
    said = re.search(
        r"Calibrating is (\d+) % .* `lightgbm`, (\d+) % of\s`patchtst`'s and (\d+) % of `ridge`'s",
        (DOCS / "cluster.md").read_text(),
    )
    assert said
    assert [int(text) for text in said.groups()] == [
        round(100 * share[one]) for one in ("lightgbm", "patchtst", "ridge")
    ]
