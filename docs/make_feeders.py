"""Write docs/results/feeders.md from the record of a tree's board and the measured cost of reconciling.

loadproof ingest lcl --no-use-samples --input-root data/raw --output-root data/processed
loadproof feeders board --records docs/results/records/feeders
python benchmarks/reconcile.py --output docs/results/reconcile_cost.json
python docs/make_feeders.py
"""

import json
from pathlib import Path
from typing import Any

from loadproof.records import read_facts
from loadproof.runner.feeder_board import rows_of_record

RESULTS = Path(__file__).with_name("results")
RECORD = RESULTS / "records" / "feeders" / "tree-ridge.parquet"
COSTS = RESULTS / "reconcile_cost.json"
PAGE = RESULTS / "feeders.md"
DRAWS = 1000
VARIANTS = {
    "direct": ("each level's own forecast", "no"),
    "bottom_up": ("homes' paths, summed", "yes"),
    "by_node": ("up and down the tree by two by two covariances", "yes"),
    "by_node_stretched": ("the same, widened level by level", "yes"),
    "mint_shrink": ("MinT with shrunk covariance", "yes"),
    "mint_shrink_stretched": ("the same, widened level by level", "yes"),
    "mint_shrink_conformal": ("MinT, then conformal node by node", "no"),
    "naive_bottom_up": ("homes' seasonal naive, summed", "yes"),
}
LEVELS = {"home": "Homes", "feeder": "Feeders", "substation": "The substation"}
CHOSEN = "mint_shrink_stretched"
MOST_WORSE, LEAST_BETTER, WITHIN = 1.01, 0.97, 0.02

HEAD = """# Adding up: homes, feeders, one substation

Made by `python docs/make_feeders.py` from `docs/results/records/feeders`, which `loadproof feeders board` made, and
from `docs/results/reconcile_cost.json`, which `benchmarks/reconcile.py` made.

{homes} real homes of Low Carbon London in {feeders} disjoint random feeders of {size} and one substation; the other
{left_out} report less than {reporting:.0%} of the half hours (known only afterwards) or fill no feeder. Day-ahead from
each UK midnight of {test_from} to before {test_until}, {days} days. Each level is forecast by `{model}`, trained before
{learn_until} (the upper levels on random groups), its lookback and penalty chosen on the days from there to the test
block, and calibrated adaptively by what was published at each origin. Sample paths take the ranks of past days' truths
({first} to {last} paths a day) and are reconciled by the errors of those same days, learned anew each week. Of homes
without context {filled} forecasts were taken from the day before.

CRPS is over the level's mean load; 95 % intervals resample the weeks {draws} times, both sides of a ratio in the same
draws. *Adds up*: in every path every parent is the sum of its children; the largest gap over all coherent variants,
parents, half hours and paths is {gap} kWh. `stretched` paths are widened level by level by what past days asked for and
add up still; `conformal` calibrates each node after reconciliation, and its quantiles belong to no paths that add up.

loadproof {version}, seed {seed}, sources' digest `{digest}`; {forecast_seconds:.0f} s of forecasting and
{reconcile_seconds:.0f} s of paths and reconciliation for all variants, beside other work.
"""


class Board:
    """Rows by level, variant and metric."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = {(row["level"], row["variant"], row["metric"]): row for row in rows}

    def value(self, level: str, variant: str, metric: str) -> float:
        """Return a figure."""
        return float(self.rows[level, variant, metric]["value"])

    def said(self, level: str, variant: str, metric: str, digits: int) -> str:
        """Return a figure with its interval, empty where there is none."""
        row = self.rows.get((level, variant, metric))
        if row is None:
            return ""
        bounds = "" if row["low"] is None else f" [{row['low']:.{digits}f}, {row['high']:.{digits}f}]"
        return f"{row['value']:.{digits}f}{bounds}"


def level_table(board: Board, level: str) -> list[str]:
    """Return a level's table."""
    lines = ["| variant | what | adds up | CRPS / load | to its direct | to naive sums | in 50 % | in 80 % | in 90 % |",
             "|---|---|---|---:|---:|---:|---:|---:|---:|"]  # fmt: skip
    for variant, (what, adds_up) in VARIANTS.items():
        cells = [board.said(level, variant, "crps_scaled", 4)]
        cells += [board.said(level, variant, f"crps_ratio_to:{other}", 3) for other in ("direct", "naive_bottom_up")]
        cells += [f"{board.value(level, variant, f'coverage_{band}'):.3f}" for band in (50, 80, 90)]
        lines.append(f"| `{variant}` | {what} | {adds_up} | " + " | ".join(cells) + " |")
    return lines


def aims(board: Board) -> list[str]:
    """Return what was aimed at, and whether the chosen coherent variant reached it."""
    ratio = {level: board.value(level, CHOSEN, "crps_ratio_to:direct") for level in LEVELS}
    cover = {level: board.value(level, CHOSEN, "coverage_80") for level in LEVELS}
    worst = max(ratio, key=lambda level: ratio[level])
    far = max(cover, key=lambda level: abs(cover[level] - 0.8))
    found = [
        ("no level worse than its own direct forecast by more than 1 %", ratio[worst] <= MOST_WORSE,
         f"{worst}: {board.said(worst, CHOSEN, 'crps_ratio_to:direct', 3)}"),
        ("the middle level at least 3 % better than its own direct forecast", ratio["feeder"] <= LEAST_BETTER,
         f"feeder: {board.said('feeder', CHOSEN, 'crps_ratio_to:direct', 3)}"),
        ("80 % coverage of coherent paths within 2 points at every level", abs(cover[far] - 0.8) <= WITHIN,
         f"farthest is {far}: {board.said(far, CHOSEN, 'coverage_80', 3)}"),
    ]  # fmt: skip
    lines = [f"## What was aimed at, of `{CHOSEN}`", "", "| aim | reached | measured |", "|---|---|---|"]
    lines += [f"| {aim} | {'yes' if reached else '**no**'} | {said} |" for aim, reached, said in found]
    return lines


def costs() -> list[str]:
    """Return the table of what reconciling costs by size."""
    measured = json.loads(COSTS.read_text(encoding="utf-8"))
    about = measured["about"]
    lines = [
        "## Cost by size", "",
        f"Processor seconds, one process a row, one thread; {about['past_steps']} past half hours to learn from, "
        f"{about['steps']} half hours a day, {about['paths_at_once']} paths at once, so that memory does not grow with "
        "their number. Peak memory is of the process, tree and errors included.", "",
        "| way | leaves | nodes | fit, s | s per path and day | peak memory, MiB |",
        "|---|---:|---:|---:|---:|---:|",
    ]  # fmt: skip
    for row in measured["rows"]:
        if "refused" in row:
            lines.append(f"| `{row['way']}` | {row['leaves']:,} | | refused {row['refused']} | | |")
        else:
            lines.append(
                f"| `{row['way']}` | {row['leaves']:,} | {row['nodes']:,} | {row['fit_seconds']:.2f} "
                f"| {row['seconds_per_path_day']:.4f} | {row['peak_mib']:,} |"
            )
    lines += [
        "",
        "At 100 thousand leaves the way is `by_node`: leaves calibrated first, then one pass up and one down.",
    ]
    return lines


def page() -> str:
    """Return the page."""
    facts = read_facts(RECORD) or {}
    board = Board(rows_of_record(RECORD, draws=DRAWS))
    knobs = facts["knobs"]
    head = HEAD.format(
        homes=facts["nodes"]["home"], feeders=facts["nodes"]["feeder"], size=knobs["feeder_homes"],
        reporting=knobs["homes_reporting"],
        left_out=facts["homes_left_out"], test_from=facts["test"][0], test_until=facts["test"][1], days=facts["days"],
        model=facts["model"], learn_until=knobs["learn_until"], first=facts["paths"][0], last=facts["paths"][1],
        filled=facts["filled_forecasts"], draws=DRAWS, gap=max(facts["largest_gap_kwh"].values()),
        version=facts["loadproof_version"], seed=facts["seed"], digest=facts["data_sha256"][:16],
        forecast_seconds=facts["forecast_seconds"], reconcile_seconds=facts["reconcile_seconds"],
    )  # fmt: skip
    parts = [head, *aims(board), ""]
    for level, title in LEVELS.items():
        parts += [f"## {title}", "", *level_table(board, level), ""]
    return "\n".join([*parts, *costs()]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
