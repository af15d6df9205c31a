import polars as pl

from loadproof.evaluation.print_figures import print_figures
from loadproof.evaluation.report_verdicts import provenance_chapter, verdicts
from loadproof.schema import METRICS

BAR = "persistence_ensemble"


def metrics(*rows):
    """Rows of (subject, metric, value, low, high) over all homes and times."""
    table = [(subject, "lcl", "home", None, "all", *row, 48, "1") for subject, *row in rows]
    return pl.DataFrame(table, schema=METRICS, orient="row")


CRPS = [("patchtst", "crps", 0.08, 0.07, 0.09), (BAR, "crps", 0.1, 0.09, 0.11)]


def test_a_gain_whose_interval_holds_1_is_not_called_one():
    sure = verdicts(metrics(*CRPS, ("patchtst", f"crps_ratio_to:{BAR}", 0.8, 0.7, 0.9)), None, None)
    assert "The CRPS of patchtst is 0.800 times that of persistence_ensemble" in sure
    assert "No gain is proved" not in sure
    unsure = verdicts(metrics(*CRPS, ("patchtst", f"crps_ratio_to:{BAR}", 0.8, 0.7, 1.0)), None, None)
    assert "No gain is proved" in unsure


def test_a_bar_that_leads_is_named_as_what_learns_nothing_and_as_the_best_only_where_its_interval_leaves_1_out():
    crps = (BAR, "crps", 0.08, 0.07, 0.09), ("patchtst", "crps", 0.1, 0.09, 0.11)
    said = "persistence_ensemble, which learns nothing, "
    assert f"{said}has the lowest CRPS here." in verdicts(metrics(*crps), None, None)
    sure = verdicts(metrics(*crps, (BAR, "crps_ratio_to:patchtst", 0.8, 0.7, 0.9)), None, None)
    assert f"{said}is the best here." in sure
    for low, high in ((0.7, 1.02), (None, None)):
        page = verdicts(metrics(*crps, (BAR, "crps_ratio_to:patchtst", 0.8, low, high)), None, None)
        assert f"{said}has the lowest CRPS here, 0.800 times that of patchtst" in page
        assert ": either may be the better one." in page
        assert "is the best" not in page


def test_self_play_is_called_better_or_worse_only_where_its_interval_leaves_1_out():
    told = {
        (1.02, 1.01, 1.03): ": worse.",
        (0.9, 0.8, 0.95): ": better.",
        (1.0, 0.9, 1.1): ": neither better nor worse",
        (1.1, None, None): "(too few for an interval): neither better nor worse",
    }
    for figures, verdict in told.items():
        assert verdict in verdicts(metrics(("selfplay", "crps_ratio_to:patchtst", *figures)), None, None)


def test_alarms_and_feeders_are_told_in_a_sentence_each_and_what_is_absent_is_left_out():
    rate = {"per_week": 0.144, "low": 0.033, "high": 0.34}
    ranked = pl.DataFrame({"entity_id": ["f1", "f1"], "limit": ["fuse", "cable"], "probability": [0.031, 0.0]})
    page = verdicts(metrics(), {"detector": "ensemble", "rate": rate, "alerts_per_week": 0.1}, ranked)
    assert "ensemble raised 0.144 alerts per home and week" in page
    assert "Of 1, f1 is the nearest to its fuse limit: a chance of 3.1" in page
    assert "self-play" not in page
    assert verdicts(metrics(), None, None) == ""


def test_the_last_chapter_says_what_the_page_was_made_by():
    assert "<code>2013</code>" in provenance_chapter({"seed": "2013"}).body
    assert "No version, seed or data hash" in provenance_chapter({}).body


def test_figures_for_print_are_the_same_bytes_again_in_both_forms():
    held = [(model, "lcl", "home", None, f"half_hour={hour:02d}:30", "coverage_80", 0.8, None, None, 9, "1")
            for model in ("patchtst", BAR) for hour in range(24)]  # fmt: skip
    table = pl.concat([metrics(*CRPS), pl.DataFrame(held, schema=METRICS, orient="row")])
    first, again = list(print_figures(table)), list(print_figures(table))
    assert [figure.name for figure in first] == ["crps_by_model", "coverage_80_by_half_hour"]
    assert first == again
    assert all(figure.png.startswith(b"\x89PNG") and figure.svg.startswith("<svg") for figure in first)
    assert list(print_figures(metrics())) == []
