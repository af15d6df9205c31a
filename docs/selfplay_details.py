"""The page of all that the study's page has no room for: each seed, each quarter, the arms and their games."""

from typing import Any

from selfplay_figures import BY_QUARTER, CONFIRMED, DRAWS
from selfplay_further import events_parts, further_details
from selfplay_tables import SAID, cell, details, table, trimmed_rows

HEADS = [" to ".join(f"`{arm}`" for arm in pair.split(":")) for pair in CONFIRMED]


def holm_rows(found: dict[str, Any]) -> list[list[str]]:
    """Return the tests that a correction for all of them leaves, a row each, the most certain first."""
    rows = []
    for name, p in sorted(found["holm"].items(), key=lambda item: item[1]):
        pair, endpoint = name.split("/")
        arm, base = pair.split(":")
        said = found["pairs"][pair][endpoint]
        if p < 0.05:
            rows.append([f"`{arm}` to `{base}`", SAID[endpoint].strip("*"), f"{cell(said)}", f"{p:.3f}"])
    return rows


def claims(found: dict[str, Any]) -> list[str]:
    """Return what may be claimed beside the primary endpoint."""
    rows = holm_rows(found)
    count = len(found["holm"])
    if not count:
        return ["One seed has no interval: no secondary test can be made.\n"]
    if not rows:
        return [f"Of {count} secondary tests none holds with Holm's correction at 0.05.\n"]
    least = count * 2 / (DRAWS["small"] + 1)
    said = (
        f"Of {count} secondary tests {len(rows)} hold with Holm's correction at 0.05; {DRAWS['small']:,} draws allow "
        f"no corrected p below {least:.3f} for the first of them:\n"
    )
    return [said, table(["pair", "on", "change, %", "p, corrected"], rows) + "\n"]


def confirmation_details(found: dict[str, Any], events: dict[str, Any]) -> list[str]:
    """Return what else there is to say of the confirmation."""
    if "pairs" not in found:
        return []
    quarters = [
        [fold, SAID[name].strip("*"), *(cell(of[pair].get(name)) for pair in CONFIRMED)]
        for fold, of in found.get("by_quarter", {}).items()
        for name in BY_QUARTER
    ]
    return [
        "## Confirmation\n",
        "### What may be claimed beside the primary endpoint\n",
        *claims(found),
        "### Each quarter alone\n",
        table(["quarter", "on", *HEADS], quarters) + "\n",
        *events_parts(events),
        "### Trimmed means\n",
        "Without each slice's lowest and highest tenth of homes, per cent.\n",
        table(["on", *HEADS], trimmed_rows(found, CONFIRMED)) + "\n",
        *details(found, "###"),
    ]


def screen_details(found: dict[str, Any]) -> list[str]:
    """Return what else there is to say of the screen."""
    if "pairs" not in found:
        return []
    few = (
        "The protocol's test draws seeds, and three are few to draw from: where Student's t in the next table has 0 "
        "inside, a row here is a hint and no more. A pair told both ways round is one test.\n"
    )
    return ["## Screen\n", "### Screen: what may be claimed\n", *claims(found), few, *details(found, "###")]


def details_page(found: dict[str, Any]) -> str:
    """Return the page of all that the study's page has no room for."""
    parts = [
        "# Self-play: details\n\nMade with [the results](selfplay.md), of the same records, by `python "
        "docs/make_selfplay.py`: each seed, each quarter, what the arms were like, how their games went and what was "
        "proposed. The protocol is [a page of its own](../selfplay.md).\n",
        score_said(found),
        *confirmation_details(found["confirmation"], found["events"]),
        *screen_details(found["screen"]),
        *further_details(found["further"]),
    ]
    third = found["third"]
    if "pairs" in third:
        parts += ["## Third further round\n", *details(third, "###")]
    return "\n".join(parts)


def score_said(found: dict[str, Any]) -> str:
    """Return why no table has a column for the verifier's score of forecasts."""
    arms = [of for stage in found.values() if isinstance(stage, dict) for of in stage.get("arms", {}).values()]
    least = min(of["verifier_score"] for of in arms)
    return (
        f"The verifier's score of judged forecasts is {least:.5f} at least in every arm and stage, of 1: they are "
        "sorted and clipped at 0 before anybody judges them, so that a column of it would tell nothing.\n"
    )
