"""Write docs/results/anomaly.md, anomaly.json and anomaly.svg from the records of the board of detectors.

    loadproof ingest lcl --no-use-samples --input-root data/raw --output-root data/processed
    loadproof benchmark anomaly --lead data/raw/lead --records docs/results/records/anomaly
    loadproof benchmark anomaly --self-play --config docs/results/anomaly_selfplay.yaml --records THE_RECORDS_BESIDE
    python docs/make_anomaly_board.py

THE_RECORDS_BESIDE are docs/results/records/anomaly_selfplay. The figures are kept in docs/results/anomaly.json, so that
a test can hold the page against them.
"""

import json
import math
from pathlib import Path
from typing import Any

from loadproof.anomaly.changes import CHANGES
from loadproof.anomaly.injection import FAULTS
from loadproof.records import find_records, read_facts
from loadproof.runner.anomaly_board import anomaly_board_of

RESULTS = Path(__file__).with_name("results")
RECORDS = RESULTS / "records" / "anomaly"
BESIDE = RESULTS / "records" / "anomaly_selfplay"
FIGURES = RESULTS / "anomaly.json"
PAGE = RESULTS / "anomaly.md"
CHART = RESULTS / "anomaly.svg"
DRAWS = 1000
COLUMNS = ("table", "kind", "strength", "detector", "metric", "value", "low", "high", "n")
ENSEMBLE, BAR, VERDICT = "ensemble", "seasonal_zscore", "verdict"
CONTROLS = ("random", "constant")
LEAD_OF = f"vus_pr_lead_of:{ENSEMBLE}"
VERDICTS_LEAD = f"vus_pr_lead_of:{VERDICT}"
PLAYED = ("meter_dropout",)
UNSEEN = "without dropouts"
SHOWN = {
    "vus_pr": "VUS-PR",
    "vus_roc": "VUS-ROC",
    "range_f1": "range F1",
    "event_f1": "event F1",
    "event_recall": "events found",
    "detection_delay": "delay, half hours",
    "false_alarms": "false alarms per home and week",
}
KEPT = {*SHOWN, LEAD_OF, VERDICTS_LEAD, "achieved_over_chosen", "average_precision", "roc_auc"}
OF_STRENGTHS = {"vus_pr", "event_recall", "detection_delay", "achieved_over_chosen"}
EVENTS = {**FAULTS, **CHANGES}
Row = dict[str, Any]

HEAD = """# Detectors: {dataset} ({mode}) and LEAD

Made by `python docs/make_anomaly_board.py` from the {records} records in `docs/results/records/anomaly`, which
`loadproof benchmark anomaly` made (the script's first lines hold the commands before); `verdict` comes from a trial
beside it.

Homes are halved. Detectors learn from one half before {valid_from}, one day in {train_every} of each home; on its
days until {test_from} they are calibrated, and the ensemble learns its weights from faults set into {fault_homes}
homes. They are judged on the **other half's homes**, {test_from} until {test_until}, each half in turn. Into
{homes_per_half} homes a half, one event of each kind and strength is set at a random place (`anomaly/injection.py`);
no detector sees where, and **the ensemble that is asked for a kind has never met that kind**. How it combines its
members was chosen on homes into which nothing is set here (`docs/decisions.md` says on which, and what was seen of
these homes before). `mstl` is slow, and is judged on {mstl} of these homes a half alone, whose weeks are too few to
choose a threshold on: it raises no alarm. There are no labels in these homes' own readings: what truly happened there
counts as a false alarm.

VUS-PR and VUS-ROC: volumes under the surface, buffer up to 24 half hours, of each home by itself, then the mean over
homes; a kind counts once, however many strengths it has. Event and range F1, delay and false alarms are of alarms at
{alerts_per_week:g} alerts per home and week. Point-adjusted F1, which a random score can lead, is not reported. In
brackets, 95 % intervals by resampling homes {draws} times; a lead is the ensemble's VUS-PR less the detector's, in the
same draws and on the homes that both have.

loadproof {versions}, seed {seed}, sources' digest `{digest}`.
"""
RATES = """Each week is judged by the weeks before it, as `loadproof anomaly` does: scores are ranked among those of the
home's own {clean_days} days before, and the threshold is what would have made the chosen rate over all homes of the
half in the {rule_days} days before, each of them ranked so itself. Achieved over chosen, on {homes} untouched homes,
all alerts taken for false; aimed at: 0.8 to 1.2. At 0.1 their quarter holds some {expected:.0f} alerts.
"""
CHANGE = """Not faults, and no alarms: a planner wants to hear of them. Same homes, same figures; the ensemble's weights
are those learned from all kinds of faults. A change of four weeks is a third of the quarter, so that a constant score
has 0.31.
"""
OF_SELF_PLAY = """`verdict` asks how far each reading lies outside the band of a network that learned by self-play, and
how far the day breaks the verifier's table; [its own page](anomaly_selfplay.md) says how it was made. It was tried
apart, on the same homes and events: the detectors of both trials have the same figures in both, to the last digit. Its
network never met a fault, but an outage that it played looks like a meter that drops out; so all faults without
dropouts stand beside all. Its lead is its VUS-PR less the other's, in the same draws; above 0 it is better.
"""
ON_LEAD = """Four commercial buildings, hourly, 2016, marked by people. Each is judged by what was learned from the
others, unlabelled: nobody's labels are used to learn. Each reading is in multiples of its building's mean. One building
has no interval. Buffer: 12 h in all, as above. Alarms at {lead_alerts_per_week:g} a week.
"""


def unseen(records: Path, beside: Path | None) -> list[Row]:
    """Return the leads of self-play's detector over faults of kinds that its network never played."""
    found = anomaly_board_of(records, draws=DRAWS, beside=beside, subjects=(VERDICT,), without=PLAYED)
    kept = [row for row in found if (row["table"], row["kind"]) == ("faults", "all")]
    return [row | {"kind": UNSEEN} for row in kept if row["metric"] in ("vus_pr", VERDICTS_LEAD)]


def keep(records: Path, beside: Path | None = None) -> None:
    """Make the board of all records and keep its figures."""
    paths = find_records(records)
    found = anomaly_board_of(records, draws=DRAWS, beside=beside, subjects=(ENSEMBLE, VERDICT))
    found += unseen(records, beside) if beside else []
    shown = [row for row in found if row["metric"] in (KEPT if row["strength"] is None else OF_STRENGTHS)]
    rows = [[_rounded(row[name]) for name in COLUMNS] for row in shown]
    facts = [read_facts(path) or {} for path in paths]
    about = {name: facts[0][name] for name in ("dataset", "mode", "seed", "data_sha256", "knobs_sha256")}
    about |= {"records": len(paths), "draws": DRAWS, "knobs": json.loads((records / "knobs.json").read_text())}
    about["loadproof_version"] = sorted({one["loadproof_version"] for one in facts})
    lines = ",\n".join(json.dumps(row) for row in rows)
    text = f'{{"about": {json.dumps(about)},\n"columns": {json.dumps(COLUMNS)},\n"rows": [\n{lines}\n]}}\n'
    FIGURES.write_text(text, encoding="utf-8")


def _rounded(value: object) -> object:
    if not isinstance(value, float):
        return value
    return float(f"{value:.4g}") if math.isfinite(value) else None


class Board:
    """The kept figures by what they are of."""

    def __init__(self, figures: dict[str, Any]) -> None:
        self.about = figures["about"]
        rows = [dict(zip(figures["columns"], row, strict=True)) for row in figures["rows"]]
        self.rows: dict[tuple[Any, ...], Row] = {tuple(row[name] for name in COLUMNS[:5]): row for row in rows}

    def row(self, *key: object) -> Row | None:
        """Return the row of table, kind, strength, detector and metric."""
        return self.rows.get(key)

    def who(self, table: str, kind: str) -> list[str]:
        """Return the detectors of a table, the best VUS-PR first, and those that know nothing last."""
        found = {key[3]: row["value"] or 0 for key, row in self.rows.items()
                 if key[:3] == (table, kind, None) and key[4] == "vus_pr"}  # fmt: skip
        return sorted(found, key=lambda name: (name in CONTROLS, -found[name]))

    def kinds(self, table: str) -> list[str]:
        """Return the kinds of a table, without that of all together."""
        return list(dict.fromkeys(key[1] for key in self.rows if key[0] == table and key[1] not in ("all", UNSEEN)))


def figure(row: Row | None, digits: int = 3) -> str:
    """Return a figure as a cell, with its interval where it has one."""
    if row is None or row["value"] is None:
        return ""
    value = f"{row['value']:.{digits}f}"
    return value if row["low"] is None else f"{value} [{row['low']:.{digits}f}, {row['high']:.{digits}f}]"


def table(head: list[str], lines: list[list[str]]) -> str:
    """Return a Markdown table, the first column to the left."""
    rule = "|---|" + "---:|" * (len(head) - 1)
    return "\n".join(["| " + " | ".join(head) + " |", rule, *("| " + " | ".join(line) + " |" for line in lines)])


def all_table(board: Board, name: str) -> str:
    """Return one table over all kinds and strengths, a line a detector."""
    lines = []
    for detector in board.who(name, "all"):
        cells = [
            figure(board.row(name, "all", None, detector, metric), 1 if "delay" in metric else 3) for metric in SHOWN
        ]
        row = board.row(name, "all", None, detector, "vus_pr") or {"n": 0}
        lines.append([f"`{detector}`", *cells, figure(board.row(name, "all", None, detector, LEAD_OF)), str(row["n"])])
    return table(["detector", *SHOWN.values(), "ensemble's lead, VUS-PR", "homes"], lines)


def kind_table(board: Board, name: str) -> str:
    """Return VUS-PR by kind over all strengths, the best of each kind in bold."""
    kinds = board.kinds(name)
    who = board.who(name, "all")
    best = {
        kind: max(
            (d for d in who if d != "mstl"),
            key=lambda d: (board.row(name, kind, None, d, "vus_pr") or {"value": 0})["value"],
        )
        for kind in kinds
    }
    lines = []
    for detector in who:
        cells = [figure(board.row(name, kind, None, detector, "vus_pr")) for kind in kinds]
        cells = [f"**{cell}**" if best[kind] == detector else cell for kind, cell in zip(kinds, cells, strict=True)]
        lines.append([f"`{detector}`", *cells])
    return table(["detector", *(kind.replace("_", " ") for kind in kinds)], lines)


def strength_table(board: Board, name: str) -> str:
    """Return VUS-PR of the ensemble, the bar and the best by kind and strength, with events found and delay."""
    lines = []
    for kind in board.kinds(name):
        for strength in EVENTS[kind].strengths:
            said = [board.row(name, kind, _single(strength), d, "vus_pr") for d in (ENSEMBLE, BAR)]
            if not any(said):
                continue
            of_all = {d: board.row(name, kind, _single(strength), d, "vus_pr") for d in board.who(name, "all")}
            known = {d: row["value"] for d, row in of_all.items() if row and row["value"] is not None and d != "mstl"}
            best = max(known, key=lambda d: known[d])
            more = [board.row(name, kind, _single(strength), ENSEMBLE, m) for m in ("event_recall", "detection_delay")]
            lines.append([f"{kind.replace('_', ' ')}, {strength:g} {EVENTS[kind].unit}", *map(figure, said),
                          f"`{best}` {known[best]:.3f}", figure(more[0], 2), figure(more[1], 1)])  # fmt: skip
    head = ["event", "`ensemble`", f"`{BAR}`", "best", "ensemble: events found", "ensemble: delay, half hours"]
    return table(head, lines)


def _single(strength: float) -> float:
    """Return a strength as the records keep it."""
    import struct

    return float(f"{struct.unpack('f', struct.pack('f', strength))[0]:.4g}")


def verdict_table(board: Board) -> str:
    """Return how much better self-play's detector is than each other one: all faults, those never played, each kind."""
    cuts = ["all", UNSEEN, *board.kinds("faults")]
    lines = [
        [f"`{detector}`", *(figure(board.row("faults", cut, None, detector, VERDICTS_LEAD)) for cut in cuts)]
        for detector in board.who("faults", "all")
        if detector != VERDICT
    ]
    return table(["`verdict` less", *(cut.replace("_", " ") for cut in cuts)], lines)


def rate_table(board: Board) -> str:
    """Return achieved over chosen, a line a detector, a column a rate."""
    rates = sorted({key[2] for key in board.rows if key[0] == "clean"})
    who = dict.fromkeys(key[3] for key in board.rows if key[0] == "clean")
    lines = [
        [f"`{d}`", *(figure(board.row("clean", "clean", rate, d, "achieved_over_chosen"), 2) for rate in rates)]
        for d in who
        if d not in ("mstl", "constant")
    ]
    return table(["detector", *(f"{rate:g} per home and week" for rate in rates)], lines)


def lead_tables(board: Board) -> str:
    """Return a table for each building."""
    parts = []
    for building in board.kinds("lead"):
        who = board.who("lead", building)
        lines = []
        for detector in who:
            cells = [
                figure(board.row("lead", building, None, detector, m))
                for m in ("vus_pr", "vus_roc", "average_precision", "roc_auc", "event_f1", "range_f1")
            ]
            lines.append([f"`{detector}`", *cells])
        head = ["detector", "VUS-PR", "VUS-ROC", "average precision", "ROC-AUC", "event F1", "range F1"]
        parts.append(f"### Building {int(building.split(':')[1])}\n\n{table(head, lines)}\n")
    return "\n".join(parts)


def reached(board: Board) -> str:
    """Return what was aimed at beside what came out."""
    lines = []
    for detector in board.who("faults", "all"):
        if detector == ENSEMBLE or detector in CONTROLS:
            continue
        row = board.row("faults", "all", None, detector, LEAD_OF)
        good = row is not None and row["low"] is not None and row["low"] > 0
        lines.append(
            [f"ensemble's VUS-PR less that of `{detector}`, faults", "interval above 0", figure(row), _said(good)]
        )
    for building in board.kinds("lead"):
        mine, bar = (board.row("lead", building, None, d, "vus_pr") for d in (ENSEMBLE, BAR))
        if mine and bar:
            said = f"{mine['value']:.3f} against {bar['value']:.3f}"
            what = f"ensemble's VUS-PR above that of `{BAR}`, LEAD {int(building.split(':')[1])}"
            lines.append([what, "above", said, _said(mine["value"] > bar["value"])])
    rate = board.row(
        "clean", "clean", board.about["knobs"]["anomaly_board"]["alerts_per_week"], ENSEMBLE, "achieved_over_chosen"
    )
    if rate:
        good = 0.8 <= rate["value"] <= 1.2
        lines.append(["ensemble's false alarms, achieved over chosen", "0.8 to 1.2", figure(rate, 2), _said(good)])
    return table(["aim", "wanted", "found", "reached"], lines)


def _said(good: bool) -> str:
    return "yes" if good else "**no**"


def page(figures: dict[str, Any]) -> str:
    """Return docs/results/anomaly.md."""
    board = Board(figures)
    about, knobs = board.about, board.about["knobs"]["anomaly_board"]
    head = HEAD.format(
        **{name: about[name] for name in ("dataset", "mode", "records", "seed", "draws")},
        **knobs,
        mstl=knobs["slow"].get("mstl", "all"),
        versions=", ".join(about["loadproof_version"]),
        digest=about["data_sha256"][:12],
    )
    row = board.row("clean", "clean", knobs["alerts_per_week"], ENSEMBLE, "achieved_over_chosen")
    homes = row["n"] if row else 0
    parts = [head, "## Aimed at and reached\n", reached(board), "\n## Faults\n", all_table(board, "faults")]
    parts += ["\nVUS-PR by kind:\n", kind_table(board, "faults"), "\n![VUS-PR over strength](anomaly.svg)\n"]
    parts += ["By kind and strength, from hard to find to easy:\n", strength_table(board, "faults")]
    parts += [
        "\n## False alarms on untouched homes\n",
        RATES.format(homes=homes, expected=0.1 * 13 * homes, **about["knobs"]["history"]),
        rate_table(board),
    ]
    parts += ["\n## Changes that are no faults\n", CHANGE, all_table(board, "changes"), "\nVUS-PR by kind:\n"]
    parts += [kind_table(board, "changes"), "\nBy kind and strength:\n", strength_table(board, "changes")]
    if board.row("faults", UNSEEN, None, VERDICT, "vus_pr"):
        parts += ["\n## The detector that self-play leaves\n", OF_SELF_PLAY, verdict_table(board)]
    parts += ["\n## LEAD\n", ON_LEAD.format(**knobs), lead_tables(board)]
    return "\n".join(parts)


def chart(figures: dict[str, Any]) -> str:
    """Return the curves over strength as SVG."""
    import altair as alt
    import vl_convert

    board = Board(figures)
    shown = [d for d in board.who("faults", "all") if d not in ("constant", "mstl")]
    values = [
        {"kind": kind.replace("_", " "), "strength": at + 1, "detector": d, "VUS-PR": row["value"], "unit": f"{s:g}"}
        for kind in board.kinds("faults")
        for at, s in enumerate(EVENTS[kind].strengths)
        for d in shown
        if (row := board.row("faults", kind, _single(s), d, "vus_pr"))
    ]
    colour = alt.Color("detector:N", sort=shown, scale=alt.Scale(scheme="tableau10"), title=None)
    width = alt.condition(alt.datum.detector == ENSEMBLE, alt.value(3), alt.value(1.2))
    base = alt.Chart(alt.Data(values=values)).mark_line(point=alt.OverlayMarkDef(size=18)).encode(
        x=alt.X("strength:O", title="strength, from hard to easy", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("VUS-PR:Q", scale=alt.Scale(domain=[0, 1])), color=colour, strokeWidth=width,
    )  # fmt: skip
    faceted = base.properties(width=150, height=130).facet(facet=alt.Facet("kind:N", title=None), columns=4)
    return str(vl_convert.vegalite_to_svg(faceted.to_dict()))


def main() -> None:
    """Keep the figures of the records, then write the page and its chart."""
    keep(RECORDS, BESIDE)
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    PAGE.write_text(page(figures), encoding="utf-8")
    CHART.write_text(chart(figures), encoding="utf-8")


if __name__ == "__main__":
    main()
