import json

import numpy as np
import polars as pl
import pytest
import vl_convert
from tests.evaluation.report_fixtures import make_forecasts, make_metrics, make_readings
from tests.evaluation.test_report import Page, said, specs_of

from loadproof.evaluation.aggregates_models import BAR, coverage_slices, held_bands, ratios_to_bar, skill_by_half_hour
from loadproof.evaluation.report import ReportContent, build_report
from loadproof.evaluation.report_words import spells
from loadproof.schema import METRICS

MODELS = (BAR, "ridge", "patchtst")


def row(subject, metric, value, slice_="all", low=None, high=None, unit="1"):
    return (subject, "lcl", "home", None, slice_, metric, value, low, high, 1000, unit)


def table(*rows):
    return pl.DataFrame(rows, schema=METRICS, orient="row")


def compared(best="patchtst", value=0.8):
    """Rows by which three models are set against each other as ``compare_models`` does."""
    rows = [row(model, "pinball_scaled", 0.3 - 0.02 * at, low=0.25, high=0.35) for at, model in enumerate(MODELS)]
    pairs = [(best, BAR), ("ridge", BAR)] if best != BAR else [(BAR, "ridge"), (BAR, "patchtst")]
    rows += [row(one, f"crps_ratio_to:{other}", value, low=value - 0.1, high=value + 0.1) for one, other in pairs]
    for half in range(48):
        at = f"half_hour={half // 2:02d}:{half % 2 * 30:02d}"
        rows += [row(BAR, "pinball", 0.10, at, unit="kWh"), row("ridge", "pinball", 0.08, at, unit="kWh")]
        rows += [row("patchtst", "pinball", 0.12 if half == 36 else 0.05, at, unit="kWh")]
        rows += [row(model, "coverage_80", 0.7 if (model, half) == ("ridge", 34) else 0.78, at) for model in MODELS]
    for slice_ in ("season=winter", "season=spring", "size=q1", "after_gap=no"):
        rows += [row(model, "coverage_80", 0.81, slice_, low=0.79, high=0.83) for model in MODELS]
    return table(*rows)


@pytest.fixture(scope="module")
def html():
    rng = np.random.default_rng(7)
    readings = make_readings(rng)
    metrics = pl.concat([make_metrics(rng, models=MODELS), compared()])
    forecasts = make_forecasts(readings, models=MODELS)
    return build_report(ReportContent(readings=readings, forecasts=forecasts, metrics=metrics))


def chapter(html):
    return html.split('<section id="models">')[1].split("</section>")[0]


def test_a_loss_of_008_against_the_bars_010_is_a_skill_of_20_per_cent():
    skill = skill_by_half_hour(compared())
    assert skill["subject"].unique().sort().to_list() == ["patchtst", "ridge"]
    ridge = skill.filter(subject=pl.lit("ridge"))
    assert len(ridge) == 48
    np.testing.assert_allclose(ridge["value"], 0.2)
    (at_six,) = skill.filter(subject=pl.lit("patchtst"), at=pl.lit("18:00"))["value"]
    assert at_six == pytest.approx(-0.2)


def test_without_the_bar_there_is_no_skill_and_a_bar_of_0_teaches_none():
    assert skill_by_half_hour(compared().filter(pl.col("subject") != BAR)).is_empty()
    zero = table(row(BAR, "pinball", 0.0, "half_hour=00:00"), row("ridge", "pinball", 0.1, "half_hour=00:00"))
    assert skill_by_half_hour(zero).is_empty()


def test_the_ratio_of_the_bar_to_a_model_of_125_is_turned_round_to_080_with_its_interval():
    turned = ratios_to_bar(compared(best=BAR, value=1.25))
    assert turned["subject"].to_list() == ["ridge", "patchtst"]
    assert turned.row(0, named=True)["value"] == pytest.approx(0.8)
    assert (turned["low"][0], turned["high"][0]) == (pytest.approx(1 / 1.35), pytest.approx(1 / 1.15))


def test_the_ratio_by_pinball_goes_before_that_by_crps():
    both = pl.concat([compared(), table(row("ridge", f"pinball_ratio_to:{BAR}", 0.9))])
    assert ratios_to_bar(compared())["measure"].unique().to_list() == ["crps"]
    assert ratios_to_bar(both)["measure"].to_list() == ["pinball"]


def test_coverage_is_told_by_the_3_kinds_of_slices_that_were_judged():
    found = coverage_slices(compared(), "coverage_80")
    assert found["kind"].unique(maintain_order=True).to_list() == ["season", "size", "after_gap"]
    assert found.filter(kind=pl.lit("season"))["at"].unique(maintain_order=True).to_list() == [
        "winter: 1,000",
        "spring: 1,000",
    ]


def test_the_chapter_draws_2_losses_2_lines_over_the_day_3_slices_and_3_fans(html):
    specs = specs_of(chapter(html))
    assert len(specs) == 10
    for spec in specs:
        assert vl_convert.vegalite_to_svg(spec).startswith("<svg")
    text = said(chapter(html))
    for title in ("How far under the bar", "Skill over the day", "Where the bands hold and where not", "One day by"):
        assert title in text
    assert text.count("CRPS") >= 3


def test_the_3_fans_of_one_day_show_one_day_before_it_on_one_scale(html):
    fans = [spec for spec in specs_of(chapter(html)) if "usermeta" in spec]
    tops = {
        json.dumps(layer["encoding"]["y"]["scale"])
        for fan in fans
        for layer in fan["layer"]
        if "y" in layer["encoding"]
    }
    assert len(fans) == 3
    assert len(tops) == 1
    for fan in fans:
        stamps = sorted(row["t"] for rows in fan["datasets"].values() for row in rows if "kwh" in row)
        assert stamps[0] >= fan["usermeta"]["narrow_from"]


def test_one_model_alone_is_not_compared():
    metrics = make_metrics(np.random.default_rng(7), models=("ridge",))
    assert "Fewer than two models were scored" in said(build_report(ReportContent(metrics=metrics)))


def test_every_tag_of_the_chapter_is_closed(html):
    assert (Page(html).crossed, Page(html).open) == ([], [])


def test_bands_of_52_81_and_90_per_cent_miss_an_aim_and_the_table_names_the_farthest():
    rows = [row("ridge", f"coverage_{band}", value) for band, value in ((50, 0.52), (80, 0.81), (90, 0.90))]
    rows += [row("ridge", f"homes_within_5_points_{band}", 0.85) for band in (50, 80, 90)]
    rows += [
        row("ridge", "coverage_80", 0.86 if half == 34 else 0.8, f"half_hour={half // 2:02d}:{half % 2 * 30:02d}")
        for half in range(48)
    ]
    (held,) = held_bands(table(*rows), ["ridge", "patchtst"])
    assert held.shares == {50: 0.52, 80: 0.81, 90: 0.9}
    assert held.half_hours == {50: (), 80: ("17:00",), 90: ()}
    assert held.homes == {50: 0.85, 80: 0.85, 90: 0.85}
    assert held.worst[:2] == ("coverage_80", "half_hour=17:00")
    assert held.worst[2] == pytest.approx(0.03)
    (kept,) = held_bands(table(row("ridge", "coverage_80", 0.8)), ["ridge"])
    assert kept.worst is None


def test_the_chapter_says_where_each_model_misses_its_aim(html):
    text = said(chapter(html))
    assert "Whether the bands keep to their aims" in text
    assert "in the 50 % band" in text
    assert "50 % band in all, by 1.5 points" in text
    assert "ridgenever17:00never" in text.split("At what times of day the bands miss their aim")[1]


def test_half_hours_off_are_told_as_spells_of_the_day_up_to_their_end():
    assert spells(["02:00", "04:30", "05:00", "05:30", "23:30"]) == "02:00, 04:30 to 06:00, 23:30"
    assert spells([f"{half // 2:02d}:{half % 2 * 30:02d}" for half in range(48)]) == "00:00 to 24:00"
    assert spells([]) == ""
