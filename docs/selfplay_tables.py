"""The tables of the self-play pages: every arm against another, seed by seed, and what was proposed."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from loadproof.selfplay.arms import FURTHER, THIRD
from loadproof.selfplay.board import ENDPOINTS, seeds_needed

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
    "sums": "sums of 30 homes, all real windows",
}
ORDER = ("real", "real_more", "augmented", "uniform", "grounded", "highest_loss", "full", "full_no_gate",
         "full_no_replay", "full_frozen", "full_shuffled", *FURTHER, *THIRD)  # fmt: skip


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


def by_students_t(values: Sequence[float]) -> str:
    """Return the 95 % interval of a mean of seeds by Student's t, which knows how few they are."""
    if len(values) < 2:
        return ""
    half = float(stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5)
    mean = float(np.mean(values))
    return f"[{percent(mean - half)}, {percent(mean + half)}]"


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
    return f"Controls, primary endpoint against `uniform`: {said}. {verdict}{real} {_face_to_face(found)}"


def _face_to_face(found: dict[str, Any]) -> str:
    """Return the whole loop's lead over its controls seed by seed, and which of these take next to nothing away."""
    ours = found["pairs"]["full:uniform"]["primary"]["by_seed"]
    leads = []
    for arm in ("full_shuffled", "full_frozen"):
        apart = np.subtract(ours, found["pairs"][f"{arm}:uniform"]["primary"]["by_seed"]).tolist()
        leads.append(f"`{arm}` {', '.join(percent(one) for one in apart)} % ({by_students_t(apart)} by Student's t)")
    return (
        f"Face to face, seed by seed, the whole loop to {'; to '.join(leads)}. A proposer that is told nothing "
        "remembers nothing and favours no kind: `full_frozen` is `uniform` with other dice, and shows what dice do."
    )


def arm_rows(found: dict[str, Any]) -> list[list[str]]:
    """Return what each arm was like, a row each."""
    return [
        [f"`{arm}`", ", ".join(map(str, of["seeds"])), str(of["records"]), f"{of['mean_loss']:.4f}",
         f"{of['cvar_10']:.3f}", percent(of["coverage_90"], sign=False), percent(of["coverage_90_hard"], sign=False),
         f"{of['seconds']:.0f}"]
        for arm, of in found["arms"].items()
    ]  # fmt: skip


def game_rows(found: dict[str, Any]) -> list[list[str]]:
    """Return how the game of each arm went, a row each."""
    rows = []
    for arm, of in found["arms"].items():
        proposes = bool(of["mixture"]["early"])
        variety = [f"{of[name]:.2f}" if proposes else "" for name in ("evenness", "spread")]
        rows.append(
            [f"`{arm}`", percent(of["passed_the_gate"], sign=False) if proposes else "",
             percent(of["real_share"], sign=False), *variety, f"{of['penalty']:.5f}",
             f"{of['penalty_gradient']:.5f}"]
        )  # fmt: skip
    return rows


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
             by_students_t(said["by_seed"]), str(needed or "one seed tells nothing")]
        )  # fmt: skip
    return rows


def against(found: dict[str, Any], base: str) -> str:
    """Return the table of every arm against one."""
    arms = [arm for arm in found["arms"] if f"{arm}:{base}" in found["pairs"]]
    rows = [
        [SAID[name], *(cell(found["pairs"][f"{arm}:{base}"].get(name)) for arm in arms)]
        for name in (*ENDPOINTS, "tail")
    ]
    return table(["on", *(f"`{arm}`" for arm in arms)], [row for row in rows if any(row[1:])]) + "\n"


def trimmed_rows(found: dict[str, Any], pairs: Sequence[str]) -> list[list[str]]:
    """Return the trimmed mean of every endpoint of some pairs, a row each."""
    names = [name for name in (*ENDPOINTS, "tail") if any(name in found["pairs"][pair] for pair in pairs)]
    return [
        [SAID[name], *(percent(found["pairs"][pair].get(name, {}).get("trimmed")) for pair in pairs)] for name in names
    ]


RATIO = (
    "100 times the mean over homes of the log-ratio, with 95 % intervals over seeds, homes and weeks where there are "
    "seeds to draw; below 0 is better.\n"
)


def details(found: dict[str, Any], level: str = "##", *, seeds: bool = True) -> list[str]:
    """Return what each seed, each arm and each kind came to."""
    first = [
        f"{level} Seed by seed\n",
        "The primary endpoint in each seed, its trimmed mean, and the seeds at which half its interval would be 2 "
        "points wide, were seeds the only chance.\n",
        "Few seeds make an interval that draws them too narrow; Student's t over their own means alone is not.\n",
        table(["pair", "by seed, %", "trimmed, %", "95 % by Student's t", "seeds needed"], seed_rows(found)) + "\n",
    ]
    return (first if seeds else []) + [
        f"{level} The arms\n",
        "Seconds are of the clock, on a machine that did other things as well; an arm that comes first in a seed also "
        "pays for the warm network or the references that the others share.\n",
        table(["arm", "seeds", "records", "scaled loss", "CVaR-10 %", "in 90 % band", "hard, in 90 % band", "seconds"],
              arm_rows(found)) + "\n",
        f"{level} The game\n",
        "Means over all episodes: windows that passed the gate, real windows among all, evenness of the last "
        "proposals' kinds (1: all alike), spread of their parameters (0.29: uniform), the verifier's penalty in the "
        "loss, and the size of its gradient at the outputs.\n",
        table(["arm", "through the gate, %", "real, %", "evenness", "spread", "penalty", "its gradient"],
              game_rows(found)) + "\n",
        f"{level} What was proposed\n",
        "Share of the proposals and mean regret against the reference, in a home's scale, in the first and the last "
        "third of the episodes.\n",
        table(["arm", "kind", "early, %", "late, %", "regret early", "regret late"], loop_rows(found)) + "\n",
    ]  # fmt: skip
