"""The chapter on self-play: what it tells, and what it says where there is nothing to tell."""

import json
from pathlib import Path

import polars as pl

from loadproof.evaluation.figures_play import loss_lines, reward_lines, scenario_chart
from loadproof.evaluation.report_chapters_play import PlayContent, play_chapter

ROOT = Path(__file__).parents[2]
NAN = float("nan")
CURVE = [
    {"episode": 1.0, "passed": 0.5, "real_share": 0.75, "reward/EV_SPIKE": 0.1},
    {"episode": 2.0, "passed": 0.9, "real_share": 0.8, "reward/OUTAGE": NAN, "clean_loss": 1.25, "hard_loss": NAN},
]


def pictures(*kinds):
    steps = list(range(-192, 48))
    blank = [None] * 192
    columns = {"step": steps, "real_kwh": [0.2] * 240, "played_kwh": [0.2] * 230 + [None] * 10}
    for when in ("before", "after"):
        columns |= {
            f"{when}_{edge}_kwh": blank + [kwh] * 48 for edge, kwh in {"low": 1, "middle": 2, "high": 3}.items()
        }
    shown = [
        pl.DataFrame(columns).select(
            pl.lit(number).alias("picture"), pl.lit(kind).alias("kind"), pl.lit("power_kw 7.4").alias("parameters"),
            pl.lit(-24 * number).alias("onset_steps"), pl.all(),
        )
        for number, kind in enumerate(kinds, start=1)
    ]  # fmt: skip
    return pl.concat(shown)


def rows_of(chart):
    return [row for rows in chart.to_dict()["datasets"].values() for row in rows]


def test_the_chapter_tells_the_game_and_shows_each_scenario_with_its_onset():
    body = play_chapter(PlayContent({"curve": CURVE, "train_windows": 1234}, pictures("EV_SPIKE", "<b>"))).body
    assert "2 episodes upon 1,234 windows" in body
    assert "80.0" in body
    assert "12 hours before t0" in body
    assert "1.0 days before t0" in body
    assert "ev spike" in body
    assert "&lt;b&gt;" in body
    assert "<b>" not in body


def test_without_a_game_the_chapter_says_how_to_make_one():
    for play in (None, PlayContent({"curve": [], "train_windows": 3}, pl.DataFrame())):
        assert "loadproof train --model selfplay" in play_chapter(play).body


def test_a_curve_holds_what_was_taken_and_nothing_of_what_was_not():
    assert [(row["episode"], row["name"], row["value"]) for row in rows_of(loss_lines(CURVE))] == [
        (2, "ordinary days", 1.25)
    ]
    assert [(row["name"], row["value"]) for row in rows_of(reward_lines(CURVE))] == [("EV_SPIKE", 0.1)]
    assert loss_lines(CURVE[:1]) is None
    assert reward_lines([{"episode": 1.0, "passed": 1.0}]) is None


def test_a_picture_draws_two_days_before_t0_and_an_onset_that_lies_in_them():
    near, far = (scenario_chart(pictures("OUTAGE"), onset) for onset in (-24, -480))
    assert min(row["step"] for row in rows_of(near)) == -96
    assert len(near.layer) == len(far.layer) + 1


def test_a_game_that_shows_nothing_has_its_curves_alone():
    body = play_chapter(PlayContent({"curve": CURVE, "train_windows": 9}, pl.DataFrame())).body
    assert "What paid" in body
    assert "that the proposer thought most of" not in body


def test_what_the_chapter_says_of_the_experiment_is_what_its_figures_say():
    body = " ".join(play_chapter(PlayContent({"curve": CURVE, "train_windows": 9}, pl.DataFrame())).body.split())
    assert "worse than real days alone, and no better than scenarios drawn by lot; docs/selfplay.md is" in body
    pairs = json.loads((ROOT / "docs/results/selfplay.json").read_text())["confirmation"]["pairs"]
    assert pairs["full:real"]["primary"]["low"] > 0
    assert pairs["full:uniform"]["primary"]["high"] > 0
