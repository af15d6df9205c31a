"""The chapter about self-play: how the game went, and what was proposed, as pictures."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from loadproof.evaluation.figures import Figure
from loadproof.evaluation.figures_play import loss_lines, reward_lines, scenario_chart
from loadproof.evaluation.report_html import Chapter, Html, Panel, absent, figure, fragment, legend, tag
from loadproof.evaluation.report_words import plural, share_words

__all__ = ["PlayContent", "play_chapter"]

_KEY = (
    ("truth", "load as played"),
    ("muted", "load as it was"),
    ("band80", "80 % band, after the game"),
    ("median", "median, after the game"),
    ("ideal", "median, before it"),
    ("limit", "onset, where it lies in the picture"),
)


@dataclass(frozen=True)
class PlayContent:
    """What a training by self-play left behind.

    Attributes:
        facts: ``selfplay.fit.json``: what was learned from, and ``curve``, a record an episode.
        pictures: A row for each step of each scenario that is shown.
    """

    facts: Mapping[str, Any]
    pictures: pl.DataFrame


def _days(onset_steps: int) -> str:
    hours = -onset_steps / 2
    return f"{hours / 24:.1f} days before t0" if hours >= 24 else f"{hours:g} hours before t0"


def _pictures(pictures: pl.DataFrame) -> list[Html]:
    if pictures.is_empty():
        return []
    panels = []
    for (_,), rows in pictures.group_by("picture", maintain_order=True):
        kind, told, onset = rows.select("kind", "parameters", "onset_steps").row(0)
        heading = fragment(kind.lower().replace("_", " "), tag("span", f" {told or 'no parameters'}; {_days(onset)}"))
        panels.append(Panel(scenario_chart(rows, onset), heading))
    aid = (
        "Each is set into a real day that nobody learned from. What the scenario changed is where the dark line leaves "
        "the grey one; missing readings break it. A forecast after the game that is nearer the dark line right of t0 "
        "has learned something, and one picture proves nothing."
    )
    many = f"{plural(len(panels), 'scenario')} that the proposer thought most of"
    return [figure(many, aid, panels, layout="pair", key=legend(_KEY))]


def _curves(facts: Mapping[str, Any]) -> list[Html]:
    drawn: list[tuple[str, str, Figure | None]] = [
        ("What the validation days said", "Hard days are those that are hard by what was known before them: the "
         "calendar, the cold, gaps, change. A line that falls has learned; it decides nothing in the game.",
         loss_lines(facts["curve"])),
        ("What paid", "The proposer's reward by kind: how much worse the solver did than a reference that sees the "
         "same and no label, over a running spread of the kind's own.", reward_lines(facts["curve"])),
    ]  # fmt: skip
    return [figure(title, aid, [Panel(chart, Html())]) for title, aid, chart in drawn if chart is not None]


def play_chapter(play: PlayContent | None) -> Chapter:
    """Return the chapter on self-play; without a training of it, it says so."""
    heading, short = "Self-play", "Self-play"
    if play is None or not play.facts.get("curve"):
        lacking = "No training by self-play was given to this page: 'loadproof train --model selfplay' makes one."
        return Chapter("selfplay", heading, short, absent(lacking))
    curve = play.facts["curve"]
    last = curve[-1]
    lead = tag(
        "p",
        f"{plural(len(curve), 'episode')} upon {int(play.facts['train_windows']):,} windows. "
        f"{share_words(last['real_share'])} of what was learned from in the last episode were real days, and "
        f"{share_words(last['passed'])} of the proposed windows passed the table of constraints. Whether the game "
        "helps on real hard days is asked by an experiment of its own, never by this page. Its answer, by a protocol "
        "written first: worse than real days alone, and no better than scenarios drawn by lot; docs/selfplay.md is the "
        "protocol, docs/results/selfplay.md the figures.",
    )
    return Chapter("selfplay", heading, short, fragment(lead, *_curves(play.facts), *_pictures(play.pictures)))
