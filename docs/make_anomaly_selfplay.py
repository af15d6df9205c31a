"""Write docs/results/anomaly_selfplay.md from the records of the trial of the detector that self-play leaves.

loadproof ingest lcl --no-use-samples --input-root data/raw --output-root data/processed
loadproof benchmark anomaly --self-play --config docs/results/anomaly_selfplay.yaml --records THE_RECORDS
python docs/make_anomaly_selfplay.py

THE_RECORDS are docs/results/records/anomaly_selfplay.
"""

from pathlib import Path
from typing import Any

from loadproof.records import find_records, read_facts
from loadproof.runner.anomaly_board import anomaly_board_of
from loadproof.selfplay.arms import PLAYED

RESULTS = Path(__file__).with_name("results")
RECORDS = RESULTS / "records" / "anomaly_selfplay"
PAGE = RESULTS / "anomaly_selfplay.md"
DRAWS = 1000
ORDER = ("verdict", "residual", "physical", "random")
METRICS = {
    "vus_pr": "VUS-PR",
    "vus_roc": "VUS-ROC",
    "event_f1": "event F1",
    "event_recall": "events found",
    "false_alarms": "false alarms per home and week",
}
PAGE_TEXT = """# The detector that self-play leaves

Made by `python docs/make_anomaly_selfplay.py` from the {records} records in `docs/results/records/anomaly_selfplay`,
which `loadproof benchmark anomaly --self-play` made (the script's first lines hold the commands).

`verdict` asks two things of the day that came: how far each reading lies outside the solver's calibrated band, and
how far the day breaks the verifier's table of constraints. The solver is the pilot's small network after its game, the
one with mended rewards that `loadproof train --model selfplay` plays (`{loop}` in [the study](../selfplay.md)); it
learned from real days and scenarios of one half of the homes and never met a fault. Halves, homes, places of the
events, dates and metrics are those of [the board](anomaly.md); only this trial is of its own, so that one may be run
without the other. `residual` is the same question put to a ridge's band; `physical` are the limits alone. In
brackets, 95 % intervals by resampling homes {draws} times. An outage that the solver has played looks like a meter
that drops out for hours: of that kind alone it cannot be said that nothing like it was ever learned from.

loadproof {version}, seed {seed}, sources' digest `{digest}`.

## Faults

{faults}

VUS-PR by kind:

{kinds}

## Changes that are no faults

{changes}

## False alarms, achieved over chosen

On untouched homes, all alerts taken for false; aimed at: 0.8 to 1.2.

{rates}
"""

Key = tuple[str, str, float | None, str, str]


def table(head: list[str], lines: list[list[str]]) -> str:
    """Return a Markdown table, the first column to the left."""
    rule = "|---|" + "---:|" * (len(head) - 1)
    return "\n".join(["| " + " | ".join(head) + " |", rule, *("| " + " | ".join(line) + " |" for line in lines)])


def cell(row: dict[str, Any] | None, digits: int = 3) -> str:
    """Return a figure with its interval."""
    if row is None or row["value"] is None:
        return ""
    return f"{row['value']:.{digits}f} [{row['low']:.{digits}f}, {row['high']:.{digits}f}]"


def page(records: Path) -> str:
    """Return the page."""
    facts = read_facts(find_records(records)[0]) or {}
    rows: dict[Key, dict[str, Any]] = {
        (row["table"], row["kind"], row["strength"], row["detector"], row["metric"]): row
        for row in anomaly_board_of(records, draws=DRAWS)
    }

    def of_all(name: str) -> str:
        lines = [
            [f"`{who}`", *(cell(rows.get((name, "all", None, who, metric))) for metric in METRICS)] for who in ORDER
        ]
        return table(["detector", *METRICS.values()], lines)

    kinds = sorted({key[1] for key in rows if key[0] == "faults"} - {"all"})
    rates = sorted({key[2] for key in rows if key[0] == "clean" and key[2] is not None})
    by_kind = [
        [f"`{who}`", *(cell(rows.get(("faults", kind, None, who, "vus_pr"))) for kind in kinds)] for who in ORDER
    ]
    achieved = [
        [f"`{who}`", *(cell(rows.get(("clean", "clean", rate, who, "achieved_over_chosen")), 2) for rate in rates)]
        for who in ORDER
    ]
    return PAGE_TEXT.format(
        records=len(find_records(records)), draws=DRAWS, loop=PLAYED, version=facts["loadproof_version"],
        seed=facts["seed"],
        digest=facts["data_sha256"][:12], faults=of_all("faults"), changes=of_all("changes"),
        kinds=table(["detector", *(kind.replace("_", " ") for kind in kinds)], by_kind),
        rates=table(["detector", *(f"{rate:g} per home and week" for rate in rates)], achieved),
    )  # fmt: skip


if __name__ == "__main__":
    PAGE.write_text(page(RECORDS), encoding="utf-8")
