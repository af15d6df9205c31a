"""Write docs/results/board.md, board.json and the README's table from the records of a board.

    loadproof ingest lcl --no-use-samples --input-root data/raw --output-root data/processed
    loadproof ingest weather --no-use-samples --input-root data/raw
    loadproof backtest --no-use-samples --config docs/results/board.yaml --records docs/results/records/board
    python docs/make_board.py

The figures are kept in docs/results/board.json, so that a test can hold both pages against them.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from loadproof.records import find_records, read_facts
from loadproof.runner.backtest import board_of

RESULTS = Path(__file__).with_name("results")
RECORDS = RESULTS / "records" / "board"
FIGURES = RESULTS / "board.json"
PAGE = RESULTS / "board.md"
README = RESULTS.parents[1] / "README.md"
BRIEF = ("crps", "pinball_scaled", "coverage_80")
DRAWS = 1000
KEYS = ("level_of_aggregation", "split", "arm", "data_lag_steps", "subject", "variant", "metric")
KEPT = (*KEYS, "value", "low", "high", "n", "unit", "every", "parts")
DIGITS = 5
SPLITS = {
    "unseen_homes_and_time": "Unseen homes and unseen time",
    "unseen_time": "Unseen time, homes seen",
    "chronological": "Plain split: the last quarter, homes seen",
}
LEVELS = {
    "home": "Single homes",
    "group_10": "Disjoint groups of 10 homes",
    "group_30": "Disjoint groups of 30 homes",
    "sum_50": "One sum of 50 homes",
    "sum_100": "One sum of 100 homes",
}
METRICS = {
    "pinball": "mean pinball, kWh",
    "crps": "CRPS, kWh",
    "pinball_scaled": "2 x pinball / mean load",
    "mase": "MASE",
    "coverage_50": "in 50 %",
    "coverage_80": "in 80 %",
    "coverage_90": "in 90 %",
}
BY_BLOCK = ("patchtst", "lightgbm", "ridge")
ARMS = ("none", "forecast_0.5", "forecast_1", "forecast_2", "perfect")
BAR, RIDGE = "persistence_ensemble", "ridge"
Row = dict[str, Any]

HEAD = """# The board: {dataset} ({mode})

Made by `python docs/make_board.py` from the {records} records in `docs/results/records/board`, which
`loadproof backtest` made (the script's first lines hold the commands before). **Judged so far: {folds}**;
what is planned and not listed is still to be run, by the same command, which goes on where it stopped.
{horizon_steps} half hours ahead from {hours} UK time of each day, from a context of
{context_steps} half hours. Nothing is known that was not published at
the origin, and nothing of the weather unless the table says so.

* **Unseen homes and unseen time** is the headline. The homes are halved and the year is cut into {blocks} blocks; each
  home is judged in each block by a model that has seen neither the home nor the block. Training holds no window that
  shares a half hour with the block, on either side; {valid_days} days beside it validate and calibrate.
* The size and pace of LightGBM and PatchTST were chosen by their cost and their loss on the unseen homes of half A's
  block from 2013-07-01; which features LightGBM leaves out, and the calibration's few constants, by losses on 2013
  before October. No knob was chosen on the block from 2013-10-01; each block stands by itself below.
* The readings of all homes but one begin half an hour before the block from 2013-01-01: on its first day every model
  forecasts from one reading, on its second from 49. These days are judged, and no calibration learns from the first.
  Of that block, LightGBM's calibrated figures and those of sums of homes are of records that still learned from it.
* **Unseen time, homes seen**: the same fits on the homes of their own half.
* **Plain split**: trained before {valid_from}, validated until {test_from}, judged until {test_until}, all homes.
* Groups of 10 and 30 are disjoint and of homes that the model has not seen; it learned sums of random groups of the
  other half. One sum of 50 and one of 100 are judged in unseen time alone: 138 homes do not fill two. A group's half
  hour is the mean of the homes that report times their number, and missing with fewer than {min_reporting:.0%} of
  them. Only homes that report as much of the year are grouped.

In brackets, 95 % intervals by resampling entities crossed with weeks {draws} times (of one sum, weeks alone), both
models of a ratio in the same draws; a ratio below 1 is less than the bar's. A calibrated model is set in ratio to
persistence as it is, and to the ridge calibrated. MASE divides by each entity's own day-naive error in what was learned
from. Models too slow for every origin were judged on each home's every so many days; their ratios are on those alone.
Seconds are the means of one fit and of forecasting one test block, on {devices}, beside other work.

loadproof {versions}, seed {seed}, {libraries_said}; sources' digest `{digest}`.
"""
WEATHER = """On the plain split. `none` is the headline. `forecast_1` is what came, with a simulated error whose
standard deviation grows to 1 degree Celsius at 24 h; `perfect` is what came, which nobody can know. Kew Gardens.
"""
LATE = """On the plain split, single homes: as if each reading were published at once, and so many days late. Each model
is given as many published half hours in both.
"""
HOURLY = """168 h of context, 24 h ahead, every 24 h, hourly means, their filling of gaps; building-years, each judged
by models that have seen neither the home nor the block. NRMSE: median over buildings, resampled 50,000 times.
RPS: median over hours ahead of buildings, from seven quantiles (of the persistence ensemble 2 % below its closed
form). On other homes, 713 building-years of this trial among them, they publish 77.88 % and 0.063 for the persistence
ensemble, and 79.34 % and 0.072 for their best transformer: the ratio is what compares.
"""


def keep(records: Path) -> None:
    """Make the board of all records, and keep its figures and how long each model took."""
    paths = find_records(records)
    rows = [[_rounded(row[name]) for name in KEPT] for row in board_of(paths, draws=DRAWS)]
    facts = [read_facts(path) or {} for path in paths]
    taken: dict[tuple[str, str, str], list[tuple[float, float]]] = defaultdict(list)
    for one in facts:
        if one["variant"] == "raw":
            split = "chronological" if one["fold"] == "chronological" else "held"
            taken[one["level"], split, one["model"]].append((one["fit_seconds"], one["predict_seconds"]))
    seconds = [
        [*key, *(round(sum(column) / len(column), 2) for column in zip(*pairs, strict=True)), len(pairs)]
        for key, pairs in sorted(taken.items())
    ]
    first = facts[0]
    about = {name: first[name] for name in ("dataset", "mode", "seed", "data_sha256", "board_sha256", "libraries")}
    about |= {name: sorted({one[name] for one in facts}) for name in ("loadproof_version", "device", "fold")}
    about |= {"records": len(paths), "knobs": json.loads((records / "knobs.json").read_text()), "draws": DRAWS}
    figures = {"about": about, "columns": KEPT, "rows": rows, "blocks": _by_block(paths), "seconds": seconds}
    FIGURES.write_text(_dump(figures), encoding="utf-8")


def _by_block(paths: list[Path]) -> list[list[object]]:
    """Return block, model, variant, and the ratio to persistence of each held block alone, of unseen single homes."""
    found = []
    for block in sorted({path.parent.parent.name for path in paths if path.parent.parent.name.startswith("held_")}):
        mine = [path for path in paths if path.parent.parent.name == block and path.parent.name.startswith("home-")]
        for row in board_of(mine, draws=DRAWS) if mine else ():
            about = (row["split"], row["metric"], row["subject"] in BY_BLOCK)
            if about == ("unseen_homes_and_time", f"pinball_ratio_to:{BAR}", True):
                ratio = (_rounded(row[name]) for name in ("value", "low", "high"))
                found.append([block, row["subject"], row["variant"], *ratio])
    return found


def _rounded(value: object) -> object:
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def _dump(figures: dict[str, Any]) -> str:
    """Return JSON with a row a line."""
    parts = []
    for name, value in figures.items():
        lines = value if name in ("rows", "blocks", "seconds") else None
        text = json.dumps(value) if lines is None else "[\n" + ",\n".join(json.dumps(line) for line in lines) + "\n]"
        parts.append(f"{json.dumps(name)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


class Board:
    """The kept figures by what they are of."""

    def __init__(self, figures: dict[str, Any]) -> None:
        self.about, self.seconds, self.blocks = figures["about"], figures["seconds"], figures["blocks"]
        rows = [dict(zip(figures["columns"], row, strict=True)) for row in figures["rows"]]
        self.rows: dict[tuple[Any, ...], Row] = {tuple(row[name] for name in KEYS): row for row in rows}

    def row(self, *key: object) -> Row | None:
        """Return the row of level, split, arm, lag, model, variant and metric."""
        return self.rows.get(key)

    def who(self, level: str, split: str, arm: str, lag: int) -> list[tuple[str, str]]:
        """Return the models and variants of a table, best raw mean pinball first, raw before calibrated."""
        found = [key[4:6] for key in self.rows if key[:4] == (level, split, arm, lag) and key[6] == "pinball"]
        best: dict[str, float] = {}
        for model, variant in found:
            row = self.rows[level, split, arm, lag, model, variant, "pinball"]
            ratio = self.row(level, split, arm, lag, model, variant, f"pinball_ratio_to:{BAR}")
            value = ratio["value"] if ratio else 1.0 if model == BAR else row["value"]
            best[model] = min(best.get(model, value), value)
        return sorted(found, key=lambda who: (best[who[0]], who[0], who[1] != "raw"))

    def took(self, level: str, split: str, model: str) -> tuple[str, str]:
        """Return the mean seconds of a fit and of forecasting a test block."""
        kind = "chronological" if split == "chronological" else "held"
        for *key, fit, predict, _ in self.seconds:
            if key == [level, kind, model]:
                return f"{fit:.1f}", f"{predict:.1f}"
        return "", ""


def figure(row: Row | None, digits: int = 3, *, interval: bool = True, times: float = 1) -> str:
    """Return a figure as a cell, with its interval where it has one."""
    if row is None or row["value"] is None:
        return ""
    value = f"{times * row['value']:.{digits}f}"
    if row["low"] is None or not interval:
        return value
    return f"{value} [{times * row['low']:.{digits}f}, {times * row['high']:.{digits}f}]"


def table(head: list[str], lines: list[list[str]]) -> str:
    """Return a Markdown table, the first column to the left."""
    rule = "|---|" + "---:|" * (len(head) - 1)
    return "\n".join(["| " + " | ".join(head) + " |", rule, *("| " + " | ".join(line) + " |" for line in lines)])


def named(model: str, variant: str, row: Row | None, parts: int = 0) -> str:
    """Return a model's name, and what is special about its row: that it lacks some of the table's parts, too."""
    every = f", every {row['every']}th day" if row and row["every"] > 1 else ""
    lacking = f", {row['parts']} of {parts} parts" if row and row["parts"] < parts else ""
    return f"`{model}`{', calibrated' if variant != 'raw' else ''}{every}{lacking}"


def level_table(board: Board, level: str, split: str, arm: str = "none", lag: int = 0) -> str:
    """Return the table of one level and split, a line a model and variant."""
    lines = []
    everybody = board.who(level, split, arm, lag)
    parts = max((board.rows[level, split, arm, lag, *who, "pinball"]["parts"] for who in everybody), default=0)
    for model, variant in everybody:
        at = (level, split, arm, lag, model, variant)
        own = [figure(board.row(*at, name), 4 if "kWh" in METRICS[name] else 3, interval=False) for name in METRICS]
        ridge = RIDGE if variant == "raw" else f"{RIDGE}_{variant}"
        ratios = [figure(board.row(*at, f"pinball_ratio_to:{bar}")) for bar in (BAR, ridge)]
        took = board.took(level, split, model) if variant == "raw" else ("", "")
        lines.append([named(model, variant, board.row(*at, "pinball"), parts), *own, *ratios, *took])
    head = ["model", *METRICS.values(), "ratio to persistence", "ratio to ridge", "fit, s", "forecast, s"]
    return table(head, lines) if lines else ""


def brief(board: Board) -> str:
    """Return the README's table: single homes, unseen homes and unseen time, models as they are."""
    at = ("home", "unseen_homes_and_time", "none", board.about["knobs"]["forecast"]["data_lag_steps"])
    lines = [
        [
            named(model, variant, board.row(*at, model, variant, "pinball")),
            *(figure(board.row(*at, model, variant, name), 4 if "kWh" in METRICS[name] else 3) for name in BRIEF),
            figure(board.row(*at, model, variant, f"pinball_ratio_to:{BAR}")),
        ]
        for model, variant in board.who(*at)
        if variant == "raw"
    ]
    return table(["model", *(METRICS[name] for name in BRIEF), "mean pinball to persistence's"], lines)


def between(text: str, new: str) -> str:
    """Return ``text`` with what stands between its two markers replaced."""
    start, end = "<!-- results -->\n", "<!-- /results -->"
    head, rest = text.split(start)
    return head + start + new + "\n" + end + rest.split(end)[1]


def aims(board: Board) -> str:
    """Return what was aimed at on unseen homes and unseen time beside what was reached."""
    lines = []
    at = ("unseen_homes_and_time", "none", board.about["knobs"]["forecast"]["data_lag_steps"])
    for level, bar, aim, models in (
        ("home", BAR, 0.88, ("patchtst", "lightgbm")),
        ("home", RIDGE, 0.90, ("patchtst", "lightgbm")),
        ("group_30", BAR, 0.85, ("patchtst", "lightgbm", "ridge")),
    ):
        for model in models:
            cells = [
                board.row(level, *at, model, variant, f"pinball_ratio_to:{other}")
                for variant, other in (("raw", bar), ("calibrated", bar if bar == BAR else f"{bar}_calibrated"))
            ]
            if any(cells):
                word = "persistence" if bar == BAR else "ridge"
                lines.append([f"{LEVELS[level]}: `{model}` to {word}", f"{aim:.2f}", *(figure(cell) for cell in cells)])
    return table(["mean pinball in ratio", "aim, at most", "raw", "calibrated"], lines) if lines else ""


def block_table(board: Board) -> str:
    """Return the ratio to persistence in each held block, a line a model and variant."""
    blocks = sorted({block for block, *_ in board.blocks})
    cells = {tuple(row[:3]): dict(zip(("value", "low", "high"), row[3:], strict=True)) for row in board.blocks}
    lines = [
        [named(model, variant, None), *(figure(cells.get((block, model, variant))) for block in blocks)]
        for model in BY_BLOCK
        for variant in ("raw", "calibrated")
        if any((block, model, variant) in cells for block in blocks)
    ]
    return table(["mean pinball in ratio to persistence", *(f"from {block[5:]}" for block in blocks)], lines)


def weather_table(board: Board, lag: int) -> str:
    """Return what weather is worth on the plain split, a line a level, model and arm."""
    lines = []
    for level in LEVELS:
        for model in sorted({key[4] for key in board.rows if key[0] == level and key[2] != "none"}):
            for arm in ARMS:
                at = (level, "chronological", arm, lag, model, "raw")
                if row := board.row(*at, "pinball_scaled"):
                    same = board.row(*at, "pinball_ratio_to:none")
                    lines.append([LEVELS[level], f"`{model}`", arm, figure(row), figure(same, 4)])
    return table(["level", "model", "weather", METRICS["pinball_scaled"], "ratio to none"], lines) if lines else ""


def lag_table(board: Board) -> str:
    """Return what late publication costs single homes, a line a model."""
    lags = sorted({key[3] for key in board.rows if key[:2] == ("home", "chronological")})
    if len(lags) < 2:
        return ""
    lines = []
    for model, variant in board.who("home", "chronological", "none", lags[0]):
        cells = []
        for lag in lags:
            at = ("home", "chronological", "none", lag, model, variant)
            cells += [figure(board.row(*at, name)) for name in ("pinball_scaled", f"pinball_ratio_to:{BAR}")]
        lines.append([named(model, variant, None), *cells])
    head = [f"{what}, {lag / 48:g} days late" for lag in lags for what in ("scaled", "ratio to persistence")]
    return table(["model", *head], lines)


def hourly_table(board: Board) -> str:
    """Return BuildingsBench's figures on these homes, per cent and kWh."""
    lines = []
    found = sorted({key[4:6] for key in board.rows if key[0] == "buildingsbench"}, key=lambda who: who[1] != "raw")
    at = ("buildingsbench", "unseen_homes_and_time", "none", 0)
    order = {who: row["value"] for who in found if (row := board.row(*at, *who, "nrmse_median"))}
    for model, variant in sorted(order, key=lambda who: order[who]):
        nrmse, rps, ratio = (
            board.row(*at, model, variant, name)
            for name in ("nrmse_median", "rps_median", f"nrmse_median_ratio_to:{BAR}")
        )
        cells = [figure(nrmse, 2, times=100), figure(rps, 4), figure(ratio)]
        lines.append([named(model, variant, None), *cells])
    return (
        table(["model", "median NRMSE, %", "median RPS, kWh", "NRMSE in ratio to persistence"], lines) if lines else ""
    )


def page(figures: dict[str, Any]) -> str:
    """Return docs/results/board.md."""
    board = Board(figures)
    about, knobs = board.about, board.about["knobs"]
    plan, plain = knobs["backtest"], knobs["forecast"]
    head = HEAD.format(
        **about,
        **plain,
        hours=", ".join(f"{hour}:00" for hour in plan["origin_hours"]),
        blocks=len(plan["blocks_from"]),
        folds=", ".join(fold.replace("held_", "the block held out from ") for fold in about["fold"]),
        valid_days=plan["valid_days"],
        min_reporting=knobs["groups"]["min_reporting"],
        devices=", ".join(about["device"]),
        versions=", ".join(about["loadproof_version"]),
        libraries_said=", ".join(f"{name} {version}" for name, version in about["libraries"].items()),
        digest=about["data_sha256"][:12],
    )
    parts = [head]
    if reached := aims(board):
        parts.append(f"## Aimed at and reached, on unseen homes and unseen time\n\n{reached}\n")
    if board.blocks:
        parts.append(f"## Block by block, single homes, unseen\n\n{block_table(board)}\n")
    lag = plain["data_lag_steps"]
    for level, title in LEVELS.items():
        tables = [(name, level_table(board, level, split, lag=lag)) for split, name in SPLITS.items()]
        found = [f"### {name}\n\n{text}\n" for name, text in tables if text]
        if found:
            parts.append("\n".join([f"## {title}\n", *found]))
    for title, said, text in (
        ("What weather is worth", WEATHER, weather_table(board, lag)),
        ("What late publication costs", LATE, lag_table(board)),
        ("BuildingsBench's protocol on these homes", HOURLY, hourly_table(board)),
    ):
        if text:
            parts.append(f"## {title}\n\n{said}\n{text}\n")
    return "\n".join(parts)


def main() -> None:
    """Keep the figures of the records, then write both pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=Path, default=RECORDS, help="the folder that 'loadproof backtest' filled")
    keep(parser.parse_args().records)
    figures = json.loads(FIGURES.read_text())
    PAGE.write_text(page(figures), encoding="utf-8")
    README.write_text(between(README.read_text(encoding="utf-8"), brief(Board(figures))), encoding="utf-8")


if __name__ == "__main__":
    main()
