"""The third further round: what learning outages costs, and whether a loop without them helps."""

from collections.abc import Sequence
from typing import Any

from selfplay_figures import DRAWS, counted, figures
from selfplay_further import agreed, names_of
from selfplay_tables import RATIO, SAID, by_students_t, cell, percent, table

from loadproof.selfplay.arms import THIRD
from loadproof.selfplay.board import BASES, Told, complete_seeds, corrected, frames_of, losses_of, otherwise
from loadproof.selfplay.plan import STAGES

BESIDE = ("real", "uniform", "full_standard")
FACE_TO_FACE = ("full_standard_no_outage:full_standard", "full_standard_no_outage:uniform_no_outage")
HOPES = ("uniform_no_outage", "full_standard_no_outage")
"""Of which the protocol would confirm the better."""
SHOWN = (*BESIDE[1:], *THIRD)
ROWS = ("primary", "hard", "unseen", "clean", "HEAT_PUMP", "VACANCY", "SOLAR", "OUTAGE", "COLD_SNAP", "tail")


def third_figures(records: Sequence[Told]) -> dict[str, Any]:
    """Return the figures of the third further round, beside those arms of other rounds that share its seeds."""
    stage = STAGES["third"]
    whole = complete_seeds(records, stage._replace(arms=(*BESIDE, *THIRD)))
    found = counted(stage, records, whole)
    if not whole:
        return found
    tested = [f"{arm}:{base}" for base in BASES for arm in THIRD] + list(FACE_TO_FACE)
    found |= figures(whole, [*tested, "uniform:real", "full_standard:real"], draws=DRAWS["small"])
    frames = frames_of(whole)
    return found | {
        "holm": corrected({pair: found["pairs"][pair]["primary"] for pair in tested}),
        "otherwise": {arm: otherwise(frames, arm, "real", without="VACANCY", draws=DRAWS["small"]) for arm in SHOWN},
        "losses": {arm: losses_of(frames, arm) for arm in ("real", *SHOWN)},
    }


def _to_real(found: dict[str, Any], arm: str, on: str = "primary") -> str:
    return f"{cell(found['pairs'][f'{arm}:real'][on])} %"


def hoped(found: dict[str, Any]) -> list[str]:
    """Return the arms that the protocol would confirm: better than real days by both kinds of interval."""
    return [arm for arm in HOPES if agreed(found["pairs"][f"{arm}:real"]["primary"]) == "better"]


def third_answer(found: dict[str, Any]) -> str:
    """Return the round's answer to its questions, from its figures alone."""
    low, none = (found["pairs"][f"{arm}:real"]["VACANCY"] for arm in ("uniform_outages", "uniform_no_outage"))
    every = found["pairs"]["uniform:real"]["VACANCY"]
    price = (
        "**Most of the harm at vacancies is the price of learning outages**"
        if low["low"] > 0 and none["value"] < min(every["value"] / 2, every["low"])
        else "**That most of the harm at vacancies is the price of learning outages is not shown**"
    )
    hopes = "; ".join(
        f"`{arm}` to `real` {_to_real(found, arm)} ({agreed(found['pairs'][f'{arm}:real']['primary'])})"
        for arm in HOPES
    )
    learnt = " and ".join(
        f"to `{pair.split(':')[1]}` {cell(said)} % ({agreed(said)})"
        for pair in FACE_TO_FACE
        for said in [found["pairs"][pair]["primary"]]
    )
    follows = (
        f"Better than real days by both kinds of interval: {', '.join(f'`{arm}`' for arm in hoped(found))}, which the "
        "protocol wants confirmed on homes that no choice has seen."
        if hoped(found)
        else "Neither is better than real days by both kinds of interval, so by the protocol the question is closed."
    )
    of = {
        kind: [_to_real(found, arm, kind) for arm in ("uniform_outages", "uniform", "uniform_no_outage")]
        for kind in ("VACANCY", "OUTAGE")
    }
    return (
        f"{price}: to `real`, outages alone are {of['VACANCY'][0]} at vacancies and {of['OUTAGE'][0]} at outages, all "
        f"kinds {of['VACANCY'][1]} and {of['OUTAGE'][1]}, all kinds but outages {of['VACANCY'][2]} and "
        f"{of['OUTAGE'][2]}. On the primary endpoint: {hopes}. Learning which kind to propose, without outages: "
        f"`full_standard_no_outage` {learnt}. {follows}"
    )


def third_parts(found: dict[str, Any], state: str) -> list[str]:
    """Return the third further round's part of the page."""
    parts = [
        "## Third further round: what outages cost\n",
        f"{state}. [The protocol](../selfplay.md#third-further-round) was written down before it, on data already "
        "looked at; it decides no hypothesis.\n",
    ]
    if "pairs" not in found:
        return [*parts, "No seed is whole yet: nothing can be said.\n"]
    pairs = found["pairs"]
    rows = [[SAID[name], *(cell(pairs[f"{arm}:real"].get(name)) for arm in SHOWN)] for name in ROWS]
    rows.append(
        ["primary endpoint, Student's t over seeds",
         *(by_students_t(pairs[f"{arm}:real"]["primary"]["by_seed"]) for arm in SHOWN)]
    )  # fmt: skip
    tests = [
        [names_of(pair), cell(pairs[pair]["primary"]), ", ".join(percent(v) for v in pairs[pair]["primary"]["by_seed"]),
         f"{p:.3f}", agreed(pairs[pair]["primary"])]
        for pair, p in found["holm"].items()
    ]  # fmt: skip
    return [
        *parts,
        f"{third_answer(found)}\n",
        "### Change against `real`, per cent\n",
        RATIO,
        table(["on", *(f"`{arm}`" for arm in SHOWN)], rows) + "\n",
        "### Primary endpoints of the round\n",
        table(["pair", "change, %", "by seed, %", "p, corrected", "both intervals"], tests) + "\n",
        f"{pulled(found)}\n",
    ]


def pulled(found: dict[str, Any]) -> str:
    """Return which constraints of the verifier pulled at the solver in this round's games."""
    means: dict[str, list[float]] = {}
    for arm in THIRD:
        for name, part in found["arms"][arm]["penalty_by_constraint"].items():
            means.setdefault(name, []).append(part)
    active = {name: max(parts) for name, parts in means.items() if max(parts) > 0}
    never = [name for name in means if name not in active]
    told = ", ".join(f"`{name}` ({value:.1g})" for name, value in sorted(active.items(), key=lambda item: -item[1]))
    return (
        f"**The verifier in the loss.** Of its {len(means)} constraints these were broken by some update's outputs "
        f"(largest mean penalty of an arm): {told or 'none'}; never, so that they never pulled: "
        f"{', '.join(f'`{name}`' for name in never) or 'none'}. A forecast is sorted and clipped at 0 before anybody "
        "judges it, so that what pulls here hardly reaches a judged day."
    )
