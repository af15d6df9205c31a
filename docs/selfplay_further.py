"""What came after the study: its second further round, the plain split, and the confirmation drawn by events."""

from collections.abc import Sequence
from typing import Any

from selfplay_figures import BY_QUARTER, CONFIRMED, DRAWS, counted, figures, stage_figures, told
from selfplay_tables import RATIO, SAID, against, by_students_t, cell, details, percent, table

from loadproof.selfplay.arms import FURTHER
from loadproof.selfplay.board import BASES, Told, complete_seeds, corrected, frames_of, in_events, pair_figures
from loadproof.selfplay.plan import STAGES

BESIDE = ("real", "uniform", "grounded", "full")
FACE_TO_FACE = (
    "full_standard:full",
    "full_taught:full",
    "full_standard:full_standard_shuffled",
    "full_standard_grounded:grounded",
)
PLAIN_PAIRS = (*CONFIRMED, "full_standard:uniform", "full_standard:real")
PLAIN_ROWS = ("primary", "hard", "unseen", "clean", "all", "HEAT_PUMP", "VACANCY", "SOLAR", "sums", "tail")


def _round(records: Sequence[Told]) -> dict[str, Any]:
    """Return the figures of the second further round, its arms beside those of the screen that share its seeds."""
    stage = STAGES["further"]
    whole = complete_seeds(records, stage._replace(arms=(*BESIDE, *FURTHER)))
    found = counted(stage, records, whole)
    if not whole:
        return found
    pairs = [f"{arm}:{base}" for base in BASES for arm in FURTHER] + list(FACE_TO_FACE)
    found |= figures(whole, pairs, draws=DRAWS["small"])
    return found | {"holm": corrected({pair: of["primary"] for pair, of in found["pairs"].items()})}


def _events(records: Sequence[Told]) -> dict[str, Any]:
    """Return the confirmation's pairs with the weeks of one event drawn together, and how many there are of each."""
    whole = complete_seeds(records, STAGES["confirmation"])
    if not whole:
        return {}
    weeks = frames_of(whole)
    events = in_events(weeks)
    first = next(iter(weeks))
    counts = [
        {week for of in some[first].values() for frame in of.values() for week in frame["week"].to_list()}
        for some in (weeks, events)
    ]
    pairs = {}
    for pair in CONFIRMED:
        said = pair_figures(events, *pair.split(":"), draws=DRAWS["small"])
        pairs[pair] = {name: said[name] for name in BY_QUARTER}
    return {"weeks": len(counts[0]), "events": len(counts[1]), "pairs": pairs}


def further_figures() -> dict[str, Any]:
    """Return all that came after the study's two stages."""
    records = told("small")
    return {
        "further": _round(records),
        "plain": stage_figures("plain", records, PLAIN_PAIRS),
        "events": _events(records),
    }


def names_of(pair: str) -> str:
    """Return a pair's arms as the page names them."""
    return " to ".join(f"`{arm}`" for arm in pair.split(":"))


def agreed(said: dict[str, Any]) -> str:
    """Return what both kinds of interval say of a pair: better, worse, or not to be told from level."""
    low, high = (float(part) for part in by_students_t(said["by_seed"]).strip("[]").split(", "))
    if said["high"] < 0 and high < 0:
        return "better"
    return "worse" if said["low"] > 0 and low > 0 else "not to be told from level"


def _bases(arm: str) -> list[str]:
    return [f"{arm}:{base}" for base in BASES]


def _answer(found: dict[str, Any]) -> str:
    """Return the round's answer to its questions, from its figures alone."""
    pairs, arms = found["pairs"], found["arms"]

    def told_of(pair: str) -> str:
        return f"{cell(pairs[pair]['primary'])} % ({agreed(pairs[pair]['primary'])})"

    late = {arm: arms[arm]["mixture"]["late"].get("EV_SPIKE", 0.0) for arm in ("full", "full_standard", "full_taught")}
    regrets = {arm: sorted(arms[arm]["regret"]["late"].values()) for arm in ("full_standard", "full_taught")}
    lasted = {arm: f"{some[0]:+.3f} to {some[-1]:+.3f}" for arm, some in regrets.items()}
    weaker = (
        ": with more lessons the reference is further behind, not closer"
        if sum(regrets["full_taught"]) < sum(regrets["full_standard"])
        else ""
    )
    helps = [
        arm
        for arm in FURTHER
        if all(agreed(pairs[pair]["primary"]) == "better" and found["holm"][pair] < 0.05 for pair in _bases(arm))
    ]
    vacancies = "; ".join(f"`{arm}` to `real` {cell(pairs[f'{arm}:real']['VACANCY'])} %" for arm in FURTHER)
    whole = (
        f"Better than both by both kinds of interval: {', '.join(f'`{arm}`' for arm in helps)}; only a confirmation on "
        "homes and quarters that no choice has seen could claim it."
        if helps
        else "**None of these loops is better than both by both kinds of interval: nothing here wants a confirmation.**"
    )
    return (
        f"Rewards standardised by a kind's own first regrets: cars take {percent(late['full_standard'], sign=False)} % "
        f"of the last third and not {percent(late['full'], sign=False)} %. On the primary endpoint `full_standard` is "
        f"{told_of('full_standard:uniform')} against `uniform`, {told_of('full_standard:real')} against `real`, and "
        f"{told_of('full_standard:full')} against the loop that was judged. To its own control with shuffled rewards: "
        f"{told_of('full_standard:full_standard_shuffled')}. With a reference of four times the updates: "
        f"{told_of('full_taught:uniform')} against `uniform`, {told_of('full_taught:real')} against `real`; its late "
        f"regrets by kind lie from {lasted['full_taught']} of a home's scale (`full_standard`: "
        f"{lasted['full_standard']}){weaker}. On grounded kinds alone "
        f"learning gives {told_of('full_standard_grounded:grounded')} against drawing them uniformly, and "
        f"{told_of('full_standard_grounded:real')} against `real`. Vacancies are a sixth of the endpoint, and alone: "
        f"{vacancies}. {whole}"
    )


def further_parts(found: dict[str, Any], state: str) -> list[str]:
    """Return the second further round's part of the page."""
    parts = [
        "## Second further round\n",
        f"{state}. [The protocol](../selfplay.md#second-further-round) was written down before it; it is played on the "
        "screen's data and decides no hypothesis.\n",
    ]
    if "pairs" not in found:
        return [*parts, "No seed is whole yet: nothing can be said.\n"]
    rows = [
        [names_of(pair), cell(said["primary"]), ", ".join(percent(one) for one in said["primary"]["by_seed"]),
         by_students_t(said["primary"]["by_seed"]), f"{found['holm'][pair]:.3f}", agreed(said["primary"])]
        for pair, said in found["pairs"].items()
    ]  # fmt: skip
    shown = _shown(found)
    parts += [f"{_answer(found)}\n", "### Primary endpoints\n", RATIO]
    head = ["pair", "change, %", "by seed, %", "95 % by Student's t", "p, corrected", "both intervals"]
    parts += [table(head, rows) + "\n"]
    for base in BASES:
        parts += [f"### Second further round: change against `{base}`, per cent\n", against(shown, base)]
    return parts


def _shown(found: dict[str, Any]) -> dict[str, Any]:
    """Return the round's figures without those of arms that are told elsewhere."""
    arms = {arm: found["arms"][arm] for arm in ("full", *FURTHER)}
    return found | {
        "arms": arms,
        "pairs": {pair: of for pair, of in found["pairs"].items() if pair not in FACE_TO_FACE},
    }


def further_details(found: dict[str, Any]) -> list[str]:
    """Return what else there is to say of the second further round."""
    return ["## Second further round\n", *details(_shown(found), "###", seeds=False)] if "pairs" in found else []


def plain_parts(found: dict[str, Any], state: str, exams: str) -> list[str]:
    """Return the plain split's part of the page."""
    parts = ["## The plain split\n", f"{state}.\n"]
    if "pairs" not in found:
        return [*parts, "No seed is whole yet: nothing can be said.\n"]
    rows = [
        [SAID[name], *(cell(found["pairs"][pair].get(name)) for pair in PLAIN_PAIRS)]
        for name in PLAIN_ROWS
        if any(name in found["pairs"][pair] for pair in PLAIN_PAIRS)
    ]
    said = "; ".join(f"{names_of(pair)} {agreed(found['pairs'][pair]['primary'])}" for pair in PLAIN_PAIRS)
    students = ["primary endpoint, Student's t over seeds",
                *(by_students_t(found["pairs"][pair]["primary"]["by_seed"]) for pair in PLAIN_PAIRS)]  # fmt: skip
    return [
        *parts,
        f"Learned from what came before, judged on what came after. {exams}.\n",
        RATIO,
        table(["on", *(names_of(pair) for pair in PLAIN_PAIRS)], [*rows, students]) + "\n",
        f"By both kinds of interval, of the primary endpoint, without a correction for their number: {said}.\n",
    ]


def events_parts(found: dict[str, Any]) -> list[str]:
    """Return the confirmation's intervals where weeks of one event are drawn together."""
    if not found:
        return []
    rows = [[SAID[name].strip("*"), *(cell(found["pairs"][pair][name]) for pair in CONFIRMED)] for name in BY_QUARTER]
    return [
        "### By events\n",
        f"Weeks that follow each other and hold hard days of the calendar or of the cold are drawn as one event: "
        f"{found['weeks']} weeks become {found['events']}.\n",
        table(["on", *(names_of(pair) for pair in CONFIRMED)], rows) + "\n",
    ]
