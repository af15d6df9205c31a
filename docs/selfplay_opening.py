"""The first screen of the self-play page: the answer, why, what it costs, what to do instead, what stays open."""

from typing import Any

from selfplay_tables import cell, percent, table
from selfplay_third import hoped, third_answer

SLICES = {
    "hard": "real hard windows",
    "HEAT_PUMP": "heat pumps",
    "VACANCY": "vacancies",
    "SOLAR": "solar",
    "primary": "as the endpoint weighs them",
}


def _apart(said: dict[str, Any]) -> str:
    """Return a difference of scaled losses with its interval."""
    return f"{said['value']:+.4f} [{said['low']:+.4f}, {said['high']:+.4f}]"


def _told(said: dict[str, Any]) -> str:
    return "better" if said["high"] < 0 else "worse" if said["low"] > 0 else "level"


def hangs_on(found: dict[str, Any]) -> list[str]:
    """Return what the confirmation's endpoint hangs on: its scale, and its smallest slice."""
    losses, others = found["losses"], found["otherwise"]
    least = min(SLICES, key=lambda name: losses["real"][name])
    rows = [[f"`{arm}`", *(f"{of[name]:.4f}" for name in SLICES)] for arm, of in losses.items()]
    ways = [
        [" to ".join(f"`{arm}`" for arm in pair.split(":")), f"{cell(found['pairs'][pair]['primary'])} %",
         _apart(said["difference"]), f"{cell(said['without'])} %"]
        for pair, said in others.items()
    ]  # fmt: skip
    uniform, full, learnt = (others[pair] for pair in ("uniform:real", "full:real", "full:uniform"))
    share = uniform["difference"]["value"] / losses["real"]["primary"]
    return [
        "### What the endpoint hangs on\n",
        f"Not planned, and looked at after the result. A log-ratio counts a per cent alike wherever it is, and "
        f"{SLICES[least]} have the smallest loss: {losses['real'][least]:.3f} of a home's scale where heat pumps have "
        f"{losses['real']['HEAT_PUMP']:.3f}.\n",
        table(["mean scaled loss", *SLICES.values()], rows) + "\n",
        table(["pair", "the endpoint", "as a difference of scaled losses", "the endpoint without vacancies"], ways)
        + "\n",
        f"To real days only, uniform scenarios are {_told(uniform['difference'])} as a difference "
        f"({percent(share)} %) and {_told(uniform['without'])} without vacancies; the full loop is "
        f"{_told(full['difference'])} in the former and "
        f'{_told(full["without"])} in the latter. So "worse than real days" says: worse where a home that was full '
        "falls empty. **What holds in each of the three ways: proposing what a reward asks for is "
        f"{_told(learnt['difference'])} than proposing by lot.**\n"
        if _told(learnt["difference"]) == _told(learnt["without"]) == _told(found["pairs"]["full:uniform"]["primary"])
        else "The three ways do not agree on the full loop and uniform scenarios.\n",
    ]


def _why(found: dict[str, Any]) -> list[str]:
    confirmed, third = found["confirmation"], found["third"]
    vacant, pumps, outages = (confirmed["pairs"]["full:real"][name] for name in ("VACANCY", "HEAT_PUMP", "OUTAGE"))
    late = found["further"]["arms"]["full_standard"]["regret"]["late"]
    said = [
        f"* **Where.** To real days only, the full loop is {_told(vacant)} at vacancies ({cell(vacant)} %) and "
        f"{_told(pumps)} at heat pumps ({cell(pumps)} %) and {_told(outages)} at outages ({cell(outages)} %). [What "
        "the endpoint hangs on](#what-the-endpoint-hangs-on) says how much of the answer that is.",
    ]
    if "pairs" in third:
        said.append(f"* **What teaches it that.** {third_answer(third)}")
    said += [
        "* **Why learning to propose does not pay.** The solver soon was better than its reference on nearly every "
        f"kind (late regrets of `full_standard`: {min(late.values()):+.3f} to {max(late.values()):+.3f} of a home's "
        "scale), so that there was little left to be paid for; and the rule that was judged hardly standardised its "
        "rewards. With the mended rule, with a reference taught for longer and on grounded kinds alone it was no "
        "better ([second further round](#second-further-round)).",
    ]
    return said


def _in_both(found: dict[str, Any], on: str) -> str:
    """Return what scenarios by lot were to real days only, in the confirmation and in the screen."""
    first, second = (_told(found[stage]["pairs"]["uniform:real"][on]) for stage in ("confirmation", "screen"))
    return f"{first} in both stages" if first == second else f"{first} in the confirmation and {second} in the screen"


def opening(found: dict[str, Any], verdict: str, state: str) -> list[str]:
    """Return the first screen."""
    third = found["third"]
    lot = {on: _in_both(found, on) for on in ("OUTAGE", "HEAT_PUMP", "VACANCY")}
    instead = (
        "* Train on real days alone: `loadproof train --model patchtst`.\n"
        "* Where outages are what matters, and homes that fall empty are not: scenarios by lot, "
        "`selfplay.uniform_share: 1` in the config of `loadproof train --model selfplay`. To real days only they were "
        f"{lot['OUTAGE']} at outages, {lot['HEAT_PUMP']} at heat pumps and {lot['VACANCY']} at vacancies."
    )
    return [
        "## What was found\n",
        f"{verdict}\n",
        f"{state}\n",
        "**Why**\n",
        "\n".join(_why(found)) + "\n",
        "**What it costs.** Twice the processor time of training on real days alone, and as much as two and a half "
        "played jobs once for the warm network and the references, which a seed's jobs share ([measured before the "
        "confirmation](../selfplay.md#amendment-before-the-confirmation-and-the-screen), the small network).\n",
        f"**What to do instead**\n\n{instead}\n",
        "**What stays open.** All of it is the small network and the small budget: `--budget full` wants a GPU and was "
        "never played. The share of scenarios, capacity, adapters, a curriculum and longer training were not varied, "
        "and a reference of more homes was not tried."
        + (
            " The arm that the third round points at is not confirmed here.\n"
            if "pairs" in third and hoped(third)
            else "\n"
        ),
    ]
