import json
import re
from pathlib import Path
from statistics import median

DOCS = Path(__file__).parents[2] / "docs"


def test_what_the_page_says_of_the_allocator_is_in_the_record_and_its_settings_are_those_that_were_measured():
    record, page = (
        json.loads((DOCS / "results" / "worker_settings.json").read_text()),
        (DOCS / "cluster.md").read_text(),
    )
    seconds = [
        median(one["worker_cpu_s"] for one in record["rounds"][name]) for name in ("as delivered", "as on the page")
    ]
    said = re.search(
        r"took such a worker ([\d.]+)\sprocessor seconds, and ([\d.]+) with that line \(medians of 3", page
    )
    assert said
    assert list(said.groups()) == [f"{value:.1f}" for value in seconds]
    assert [len(rounds) for rounds in record["rounds"].values()] == [3, 3]
    for name, value in record["settings"]["as on the page"].items():
        assert re.search(rf"^export .*{name}={value}\b", page, flags=re.MULTILINE)
