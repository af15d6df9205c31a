"""Write docs/results/selfplay.md, its details, selfplay_pilot.md and their figures, from the records of the study.

    loadproof study selfplay --stage confirmation --budget small --records docs/results/records/selfplay ...
    loadproof study selfplay --stage screen --budget small --records docs/results/records/selfplay ...
    loadproof study selfplay --stage further --budget small --records docs/results/records/selfplay ...
    loadproof study selfplay --stage third --budget small --records docs/results/records/selfplay ...
    loadproof study selfplay --stage plain --budget small --records docs/results/records/selfplay ...
    loadproof study selfplay --stage pilot --budget pilot --records docs/results/records/selfplay ...
    loadproof study selfplay-elsewhere --judged-on ukdale --records docs/results/records/selfplay ...
    python docs/make_selfplay.py [selfplay|selfplay_pilot]

The figures are kept beside the pages as JSON, so that a test can hold the pages against them.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from selfplay_details import HEADS, details_page, holm_rows
from selfplay_figures import CONFIRMED, RESULTS, pilot_figures, study_figures, told
from selfplay_further import further_figures, further_parts, plain_parts
from selfplay_opening import hangs_on, opening
from selfplay_tables import ORDER, RATIO, SAID, against, cell, controls, details, percent, table
from selfplay_third import third_figures, third_parts

from loadproof.selfplay.board import BASES, ENDPOINTS

PICTURE = Path(__file__).with_name("figures") / "selfplay_scenarios.png"
CLEAN_MARGIN = 0.01


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


def exams_said(found: dict[str, Any]) -> str:
    """Return what was judged."""
    return "; ".join(
        f"{e['fold']}, learning from half {e['half']}: {e['windows']:,} windows of {e['homes']} unseen homes, hard by "
        f"holidays {e['hard_holidays']}, cold {e['hard_cold']}, gaps {e['hard_gaps']}, change {e['hard_changed']}"
        for e in found["exams"]
    )


def pilot_page(found: dict[str, Any]) -> str:
    """Return the pilot's page."""
    study = found["study"]
    seeds = min(len(of["seeds"]) for of in found["arms"].values())
    parts = [
        "# Self-play: results of the pilot\n\nMade by `python docs/make_selfplay.py` from the "
        f"{study['records']} records in `docs/results/records/selfplay/{study['budget']}`; the protocol is "
        "[the page before](../selfplay.md), what it led to [the study](selfplay.md). **This is the pilot: a small "
        "network on one quarter and one half of the homes. It measures the spread between seeds and decides no "
        "hypothesis.**\n",
        f"{study['dataset']} ({study['mode']}), budget `{study['budget']}`. {exams_said(found)}.\n",
        "## What it says, and what it does not\n",
        f"{verdict(found)} With {seeds} seeds the intervals are rough, and a limit below 0 here confirms nothing.\n",
        *([f"{said}\n"] if (said := controls(found)) else []),
    ]
    for base in BASES:
        parts += [f"## Change of the scaled loss against `{base}`, per cent\n", RATIO, against(found, base)]
    return "\n".join(parts + details(found))


def reached(found: dict[str, Any]) -> str:
    """Return whether the protocol's rule of success is met, in its own words."""
    primary = [found["pairs"][f"full:{base}"]["primary"] for base in BASES]
    clean = found["pairs"]["full:real"]["clean"]
    if any(said["high"] is None for said in (*primary, clean)):
        return "**One seed has no interval: nothing is decided.**"
    below = [said["high"] < 0 for said in primary]
    holds = clean["high"] < CLEAN_MARGIN
    if all(below) and holds:
        return "**By the protocol's rule the full loop succeeds.**"
    worse = " and ".join(f"`{base}`" for base, said in zip(BASES, primary, strict=True) if said["low"] > 0)
    level = " and ".join(
        f"`{base}`" for base, said in zip(BASES, primary, strict=True) if said["low"] <= 0 <= said["high"]
    )
    missed = [f"it is worse than {worse}"] if worse else []
    missed += [f"no gain against {level} can be told from none"] if level else []
    missed += [] if holds else ["clean days may lose more than the margin"]
    return f"**By the protocol's rule the full loop does not succeed: {', and '.join(missed)}.**"


def state(found: dict[str, Any]) -> str:
    """Return how much of a stage was played."""
    seeds = f"{len(found['seeds'])} of {found['planned_seeds']} seeds whole"
    return f"{found['played']} of {found['planned']} jobs played, {seeds}, {found['hours']:.1f} hours of the clock"


def confirmation_parts(found: dict[str, Any]) -> list[str]:
    """Return the confirmation's part of the page."""
    parts = ["## Confirmation\n", f"{state(found)}.\n"]
    if "pairs" not in found:
        return [*parts, "No seed is whole yet: nothing can be said.\n"]
    pairs = found["pairs"]
    names = [name for name in (*ENDPOINTS, "tail") if any(name in pairs[pair] for pair in CONFIRMED)]
    rows = [[SAID[name], *(cell(pairs[pair].get(name)) for pair in CONFIRMED)] for name in names]
    return [
        *parts,
        f"{exams_said(found)}. Coldest days are the tenth of each of these quarters, and neither is January to "
        "March.\n",
        "### Change of the scaled loss, per cent\n",
        RATIO,
        table(["on", *HEADS], rows) + "\n",
        f"{shares(found)}\n",
        *hangs_on(found),
        f"Of {len(found['holm'])} secondary tests {len(holm_rows(found))} hold with Holm's correction at 0.05; they, "
        "each quarter, each seed and the games stand in [the details](selfplay_details.md).\n",
    ]


def screen_parts(found: dict[str, Any]) -> list[str]:
    """Return the screen's part of the page."""
    parts = ["## Screen\n", f"{state(found)}. It chooses nothing that the confirmation used.\n"]
    if "pairs" not in found:
        return [*parts, "No seed is whole: nothing can be said of the other arms but [the pilot](selfplay_pilot.md).\n"]
    single = len(found["seeds"]) < 2
    parts += [f"{exams_said(found)}.\n"]
    parts += ["One seed has no interval: its figures are points.\n"] if single else []
    for base in BASES:
        parts += [f"### Screen: change against `{base}`, per cent\n", RATIO, against(found, base)]
    return [*parts, "Seed by seed, and what may be claimed: [the details](selfplay_details.md#screen).\n"]


def meaning(found: dict[str, Any]) -> list[str]:
    """Return what the controls say of the loop, by the screen where it has intervals, else by the pilot."""
    screened = len(found["screen"]["seeds"]) > 1
    said = controls(found["screen"] if screened else found["pilot"])
    where = "The screen" if screened else "The pilot, since the screen has no two whole seeds"
    parts = [f"{where}: {said[0].lower()}{said[1:]}\n"] if said else []
    loop = found["confirmation"].get("arms", {}).get("full")
    if loop:
        late = loop["mixture"]["late"]
        most = max(late, key=lambda kind: late[kind])
        uniform = found["confirmation"]["arms"]["uniform"]["mixture"]["late"][most]
        regret = loop["regret"]["late"][most]
        still = (
            f", though there the solver was better than its reference by {-regret:.3f} of a home's scale. That is no "
            "finding about cars: the rule's idea of how far a kind's regrets spread starts much too wide, and comes "
            "down only where a kind is often proposed. So rewards are hardly standardised, and the kind whose regrets "
            "are widest gathers proposals whether anything moves or not, as it does of pure noise "
            "(`tests/selfplay/test_proposer.py`). **The loop that was judged is this one; loops whose rewards are "
            "standardised from the start stand below, in the second further round.**"
        )
        parts.append(
            "In the confirmation's last third of episodes the full loop gave "
            f"{percent(late[most], sign=False)} % of its proposals to {most} where that may be proposed (uniform: "
            f"{percent(uniform, sign=False)} %){still if regret < 0 else '.'}\n"
        )
        if all(of < 0 for of in loop["regret"]["late"].values()):
            parts.append(
                "In that third the solver was better than its reference on every kind: by the game's own measure there "
                "was nothing left to learn. The reference, of three tenths of the homes, is too weak to say what is "
                "noise.\n"
            )
    return ["## What the controls say\n", *parts]


def shares(found: dict[str, Any]) -> str:
    """Return how much of the primary endpoint comes from each part of it."""
    said = []
    for pair in CONFIRMED[:2]:
        of = found["pairs"][pair]
        parts = {"real hard windows": of["hard"]["value"] / 2, "heat pumps": of["HEAT_PUMP"]["value"] / 6,
                 "vacancies": of["VACANCY"]["value"] / 6, "solar": of["SOLAR"]["value"] / 6}  # fmt: skip
        told = ", ".join(f"{name} {percent(value)}" for name, value in parts.items())
        said.append(f"of {percent(of['primary']['value'])} against `{pair.split(':')[1]}`: {told}")
    return f"Where the primary endpoint comes from, in points: {'; '.join(said)}."


def elsewhere_parts(found: dict[str, Any]) -> list[str]:
    """Return what one house of UK-DALE is an illustration of."""
    if not found:
        return []
    heads = [" to ".join(f"`{arm}`" for arm in pair.split(":")) for pair in CONFIRMED]
    inside = ", ".join(f"`{arm}` {percent(found['coverage_90'][arm], sign=False)} %" for arm in ORDER
                       if arm in found["coverage_90"])  # fmt: skip
    return [
        "## UK-DALE: one house, an illustration\n",
        f"The confirmation's solvers, which learned from London, forecast {found['days']} days of UK-DALE's house 2 in "
        "June 2013, its mains as a third party resampled them to a minute. One house is no test: the interval is over "
        "seeds and weeks alone, and says nothing of another house.\n",
        table(["change of the loss, %", *heads],
              [["all days", *(cell(found["pairs"][pair]) for pair in CONFIRMED)]]) + "\n",
        f"In the 90 % band: {inside}.\n",
    ]  # fmt: skip


def page(found: dict[str, Any]) -> str:
    """Return the study's page."""
    confirmation, screen = found["confirmation"], found["screen"]
    said = f"{reached(confirmation)} {verdict(confirmation)}" if "pairs" in confirmation else "Nothing can be said yet."
    parts = [
        "# Self-play: results\n\nMade by `python docs/make_selfplay.py` from the records in "
        "`docs/results/records/selfplay/small`; the protocol is [the page before](../selfplay.md), its pilot "
        "[a page of its own](selfplay_pilot.md), and all that is too long for here stands in "
        "[the details](selfplay_details.md).\n",
        *opening(found, said, f"Confirmation: {state(confirmation)}. Screen: {state(screen)}."),
        *confirmation_parts(confirmation),
        *screen_parts(screen),
        *meaning(found),
        *further_parts(found["further"], state(found["further"])),
        *third_parts(found["third"], state(found["third"])),
        *plain_parts(
            found["plain"], state(found["plain"]), exams_said(found["plain"]) if "exams" in found["plain"] else ""
        ),
        *elsewhere_parts(found["ukdale"]),
    ]
    if PICTURE.exists():
        parts += [
            "## Ten scenarios\n",
            "Remembered by the full loop's proposer in the confirmation's first seed, quarter from 2013-10-01: the "
            "first five where cars may be proposed, the others where no new load may. They are set into validation "
            "days of homes it learned from: the reading as it was (grey) and as played (black), and the solver's "
            "median and 80 % band before the play (orange) and after (blue).\n",
            "![ten scenarios](../figures/selfplay_scenarios.png)\n",
        ]  # fmt: skip
    return "\n".join(parts)


def all_figures() -> dict[str, Any]:
    """Return the study's figures and those of what came after."""
    return study_figures() | further_figures() | {"third": third_figures(told("small"))}


MADE = {
    "selfplay_pilot": (pilot_figures, {"selfplay_pilot": pilot_page}),
    "selfplay": (all_figures, {"selfplay": page, "selfplay_details": details_page}),
}


def main() -> None:
    """Write the pages asked for, or all, and their figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="*", choices=[[], *MADE], default=[])
    for name in parser.parse_args().pages or MADE:
        found_by, pages = MADE[name]
        found = found_by()
        (RESULTS / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        for title, page_of in pages.items():
            (RESULTS / f"{title}.md").write_text(page_of(found), encoding="utf-8")


if __name__ == "__main__":
    main()
