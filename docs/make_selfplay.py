"""Write docs/results/selfplay.md and selfplay.json from the records of a study, and its pictures.

    loadproof study selfplay --stage pilot --budget pilot --records docs/results/records/selfplay ...
    python docs/make_selfplay.py
    python docs/make_selfplay.py --pictures data/derived/selfplay/work/pilot/<...>/full-seed1.pictures.parquet

The figures are kept in docs/results/selfplay.json, so that a test can hold the page against them. The pictures show
readings of single homes, which are not kept in the repository: they are drawn where the study ran.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import altair as alt
import polars as pl

from loadproof.records import Record, find_records, read_record
from loadproof.selfplay.board import BASES, ENDPOINTS, arm_figures, frames_of, pair_figures, seeds_needed

RESULTS = Path(__file__).with_name("results")
RECORDS = RESULTS / "records" / "selfplay"
FIGURES = RESULTS / "selfplay.json"
PAGE = RESULTS / "selfplay.md"
PICTURE = Path(__file__).with_name("figures") / "selfplay_scenarios.png"
BUDGET = "pilot"
LEAST_SEEDS = 2
SAID = {
    "primary": "**primary endpoint**",
    "hard": "real hard windows",
    "unseen": "families never proposed",
    "clean": "clean windows",
    "all": "all real windows",
    "tail": "tail loss, all real windows",
    "hard:holidays": "hard: holidays",
    "hard:cold": "hard: coldest days",
    "hard:gaps": "hard: gaps in the context",
    "hard:changed": "hard: change in the context",
    "HEAT_PUMP": "heat pumps (never proposed)",
    "VACANCY": "vacancies (never proposed)",
    "SOLAR": "solar (never proposed)",
    "COLD_SNAP": "cold snaps (proposed)",
    "OUTAGE": "outages (proposed)",
    "MISSING_DATA": "missing data (proposed)",
}
ORDER = ("real", "real_more", "augmented", "uniform", "grounded", "highest_loss", "full", "full_no_gate",
         "full_no_replay", "full_frozen", "full_shuffled")  # fmt: skip


def figures(records: list[Record]) -> dict[str, Any]:
    """Return all figures of the page."""
    pairs = [(record.facts, record.frame) for record in records]
    frames = frames_of(pairs)
    arms = [arm for arm in ORDER if arm in frames]
    facts = records[0].facts
    kept = ("dataset", "mode", "budget", "data_sha256", "study_sha256", "study_seed", "loadproof_version")
    blocks = {(r.facts["fold"], r.facts["half"]): r.facts for r in records}
    exams = [
        {"fold": fold, "half": half, **{n: said[n] for n in said if n in ("windows", "homes") or n.startswith("hard_")}}
        for (fold, half), said in sorted(blocks.items())
    ]
    return {
        "study": {name: facts[name] for name in kept} | {"records": len(records)},
        "exams": exams,
        "arms": {arm: arm_figures(pairs, frames, arm) for arm in arms},
        "pairs": {
            f"{arm}:{base}": pair_figures(frames, arm, base) for base in BASES for arm in arms if arm != base
        },
    }  # fmt: skip


def percent(value: float | None, *, sign: bool = True) -> str:
    """Return a log-ratio as a change in per cent."""
    return "" if value is None else f"{100 * value:+.1f}" if sign else f"{100 * value:.1f}"


def cell(said: dict[str, Any] | None) -> str:
    """Return a comparison with its interval and its seeds."""
    if said is None:
        return ""
    interval = f" [{percent(said['low'])}, {percent(said['high'])}]" if said["low"] is not None else ""
    return f"{percent(said['value'])}{interval}"


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def verdict(found: dict[str, Any]) -> str:
    """Return in words what the protocol's rules say of these records."""
    pairs = found["pairs"]
    parts = []
    for base in BASES:
        said = pairs.get(f"full:{base}", {}).get("primary")
        if said is None:
            return "The full loop was not played to its end against both arms; nothing can be said yet."
        below = "no limit" if said["high"] is None else "below 0" if said["high"] < 0 else "not below 0"
        parts.append(f"against `{base}` {cell(said)} % ({below})")
    clean = pairs.get("full:real", {}).get("clean")
    bound = "" if clean is None else f"; clean windows against `real` {cell(clean)} % (margin +1 %)"
    return f"The full loop's primary endpoint: {', '.join(parts)}{bound}."


def caution(found: dict[str, Any]) -> str:
    """Return what so few seeds allow to be read."""
    seeds = min(len(of["seeds"]) for of in found["arms"].values())
    if seeds < LEAST_SEEDS:
        return (
            f"**Only {seeds} of the {LEAST_SEEDS} seeds that the protocol asks of a pilot at least has been played**, "
            "so that there is no interval, nothing is known of the spread between seeds, and their number is not fixed."
        )
    return f"With {seeds} seeds the intervals are rough, and a limit below 0 here confirms nothing."


CONTROLS = {
    "full_shuffled": "told another scenario's regret",
    "full_frozen": "told nothing",
    "full_no_gate": "without the gate",
    "full_no_replay": "without replays",
}


def controls(found: dict[str, Any]) -> str:
    """Return what the arms that lack a part of the loop say of that part, where they were played."""
    pairs = found["pairs"]
    played = {arm: pairs[f"{arm}:uniform"]["primary"] for arm in (*CONTROLS, "full") if f"{arm}:uniform" in pairs}
    if set(played) != {*CONTROLS, "full"}:
        return ""
    whole = played.pop("full")
    apart = [f"{CONTROLS[arm]} {cell(said)} %" for arm, said in played.items()]
    inside = all(said["low"] <= whole["value"] <= said["high"] for said in played.values())
    verdict = (
        "The whole loop lies inside the interval of each of them: **at this size no part of the loop, the proposer's "
        "learning included, can be told from its absence.**" if inside else
        "The whole loop lies outside the interval of at least one of them."
    )  # fmt: skip
    worse = [arm for arm in ORDER if (said := pairs.get(f"{arm}:real", {}).get("primary")) and said["low"] > 0]
    real = (
        f" Worse than real days only, with the interval above 0: {', '.join(f'`{arm}`' for arm in worse)}."
        if worse
        else ""
    )
    said = f"{'; '.join(apart)}; the whole loop {cell(whole)} %"
    return f"Controls, primary endpoint against `uniform`: {said}. {verdict}{real}"


def arm_rows(found: dict[str, Any]) -> list[list[str]]:
    """Return what each arm was like, a row each."""
    return [
        [f"`{arm}`", ", ".join(map(str, of["seeds"])), str(of["records"]), f"{of['mean_loss']:.4f}",
         f"{of['cvar_10']:.3f}", percent(of["coverage_90"], sign=False), percent(of["coverage_90_hard"], sign=False),
         f"{of['verifier_score']:.5f}", f"{of['seconds']:.0f}"]
        for arm, of in found["arms"].items()
    ]  # fmt: skip


def loop_rows(found: dict[str, Any]) -> list[list[str]]:
    """Return what was proposed by each arm that proposes, a row for each kind."""
    rows = []
    for arm, of in found["arms"].items():
        for kind, early in of["mixture"]["early"].items():
            regrets = [of["regret"][when].get(kind) for when in ("early", "late")]
            rows.append(
                [f"`{arm}`", kind, percent(early, sign=False), percent(of["mixture"]["late"].get(kind, 0), sign=False)]
                + ["" if regret is None else f"{regret:+.3f}" for regret in regrets]
            )
    return rows


def seed_rows(found: dict[str, Any]) -> list[list[str]]:
    """Return the primary endpoint of each pair seed by seed, and how many seeds it would take."""
    rows = []
    for name, endpoints in found["pairs"].items():
        if not (said := endpoints.get("primary")):
            continue
        arm, base = name.split(":")
        needed = seeds_needed(said["by_seed"])
        rows.append(
            [f"`{arm}` to `{base}`", ", ".join(percent(value) for value in said["by_seed"]), percent(said["trimmed"]),
             str(needed or "one seed tells nothing")]
        )  # fmt: skip
    return rows


def page(found: dict[str, Any]) -> str:
    """Return the page."""
    study = found["study"]
    exams = "; ".join(
        f"{e['fold']}, learning from half {e['half']}: {e['windows']:,} windows of {e['homes']} unseen homes, hard by "
        f"holidays {e['hard_holidays']}, cold {e['hard_cold']}, gaps {e['hard_gaps']}, change {e['hard_changed']}"
        for e in found["exams"]
    )
    parts = [
        "# Self-play: results of the pilot\n\nMade by `python docs/make_selfplay.py` from the "
        f"{study['records']} records in `docs/results/records/selfplay/{study['budget']}`; the protocol is "
        "[the page before](../selfplay.md). **This is the pilot: a small network on one quarter and one half of the "
        "homes. It measures the spread between seeds and decides no hypothesis.**\n",
        f"{study['dataset']} ({study['mode']}), budget `{study['budget']}`. {exams}.\n",
        "## What it says, and what it does not\n",
        f"{verdict(found)} {caution(found)}\n",
        *([f"{said}\n"] if (said := controls(found)) else []),
    ]
    for base in BASES:
        arms = [arm for arm in found["arms"] if f"{arm}:{base}" in found["pairs"]]
        rows = [
            [SAID[name], *(cell(found["pairs"][f"{arm}:{base}"].get(name)) for arm in arms)]
            for name in (*ENDPOINTS, "tail")
        ]
        parts += [
            f"## Change of the scaled loss against `{base}`, per cent\n",
            "100 times the mean over homes of the log-ratio, with 95 % intervals over seeds, homes and weeks where "
            "there are seeds to draw; below 0 is better.\n",
            table(["on", *(f"`{arm}`" for arm in arms)], [row for row in rows if any(row[1:])]) + "\n",
        ]  # fmt: skip
    parts += [
        "## Seed by seed\n",
        "The primary endpoint in each seed, its trimmed mean, and the seeds at which half its interval would be 2 "
        "points wide, were seeds the only chance.\n",
        table(["pair", "by seed, %", "trimmed, %", "seeds needed"], seed_rows(found)) + "\n",
        "## The arms\n",
        table(["arm", "seeds", "records", "scaled loss", "CVaR-10 %", "in 90 % band", "hard, in 90 % band",
               "verifier score", "seconds"], arm_rows(found)) + "\n",
        "## What was proposed\n",
        "Share of the proposals and mean regret against the reference, in a home's scale, in the first and the last "
        "third of the episodes.\n",
        table(["arm", "kind", "early, %", "late, %", "regret early", "regret late"], loop_rows(found)) + "\n",
    ]  # fmt: skip
    if PICTURE.exists():
        parts += [
            "## Ten scenarios\n",
            "Remembered by the full loop's proposer and set into validation days of homes it learned from: the reading "
            "as it was (grey) and as played (black), and the solver's median and 80 % band before the play (orange) "
            "and after (blue).\n",
            "![ten scenarios](../figures/selfplay_scenarios.png)\n",
        ]  # fmt: skip
    return "\n".join(parts)


def picture(rows: pl.DataFrame) -> alt.VConcatChart:
    """Return ten scenarios, each with what the solver said before and after."""
    colours = {"before": "#d95f02", "after": "#1f78b4"}
    charts = []
    for number in rows["picture"].unique().sort():
        one = rows.filter((pl.col("picture") == number) & (pl.col("step") >= -96))
        kind, told, onset = one.select("kind", "parameters", "onset_steps").row(0)
        base = alt.Chart(one).encode(
            x=alt.X("step:Q", title="half hours from t0", axis=alt.Axis(values=list(range(-96, 49, 24))))
        )
        layers = [
            base.mark_area(opacity=0.2, color=colour).encode(
                y=alt.Y(f"{when}_low_kwh:Q", title="kWh"), y2=f"{when}_high_kwh:Q"
            )
            for when, colour in colours.items()
        ]
        layers += [
            base.mark_line(color="#bbbbbb", strokeWidth=1).encode(y="real_kwh:Q"),
            base.mark_line(color="black", strokeWidth=1).encode(y="played_kwh:Q"),
            *(base.mark_line(color=c, strokeWidth=1.5).encode(y=f"{w}_middle_kwh:Q") for w, c in colours.items()),
        ]
        title = alt.Title(f"{kind}, {-onset / 48:.1f} days before t0", subtitle=told or "no parameters")
        charts.append(alt.layer(*layers).properties(width=420, height=120, title=title))
    pairs = [alt.hconcat(*charts[at : at + 2]) for at in range(0, len(charts), 2)]
    return alt.vconcat(*pairs)


def main() -> None:
    """Write the page, its figures, or the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path)
    asked = parser.parse_args()
    if asked.pictures:
        picture(read_record(asked.pictures).frame).save(PICTURE, scale_factor=1.5)
    found = figures([read_record(path) for path in find_records(RECORDS / BUDGET)])
    FIGURES.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(found), encoding="utf-8")


if __name__ == "__main__":
    main()
