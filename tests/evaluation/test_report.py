import json
import re
from html.parser import HTMLParser
from typing import get_args

import numpy as np
import polars as pl
import pytest
import vl_convert
from tests.evaluation.report_fixtures import (
    HOSTILE,
    make_comparisons,
    make_forecasts,
    make_metrics,
    make_readings,
    make_summary,
)

from loadproof.evaluation.report import ReportContent, build_report
from loadproof.evaluation.report_html import breakable
from loadproof.evaluation.report_words import REASONS, count_words, figure_words, share_words
from loadproof.schema import DATASETS, FORECASTS, METRICS, Dataset, Reason

VOID = {"meta", "wbr", "br", "link", "img", "input", "hr"}
ANCHORS = ["summary", "ingest", "coverage", "typical", "forecasts", "metrics", "models", "calibration", "errors",
           "alerts", "feeders", "selfplay", "provenance"]  # fmt: skip


class Page(HTMLParser):
    """What a browser would find: tags with attributes, text, and whether every tag is closed in order."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text, self.open, self.crossed = [], [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.crossed.append(tag)

    def handle_data(self, data):
        if self.open and self.open[-1] not in {"script", "style"}:
            self.text.append(data)


def specs_of(html):
    return [json.loads(text) for text in re.findall(r'<script type="application/json">(.*?)</script>', html, re.DOTALL)]


def said(html):
    return " ".join("".join(Page(html).text).split())


@pytest.fixture(scope="module")
def content():
    rng = np.random.default_rng(7)
    readings = make_readings(rng)
    return ReportContent(
        summaries=[make_summary()],
        readings=readings,
        forecasts=make_forecasts(readings),
        metrics=make_metrics(rng),
        provenance={"version": "0.1.0", "seed": "7"},
    )


@pytest.fixture(scope="module")
def html(content):
    return build_report(content)


@pytest.fixture(scope="module")
def empty():
    return build_report(ReportContent())


def test_every_chapter_is_there_and_in_the_contents(html):
    tags = Page(html).tags
    assert [attrs["id"] for tag, attrs in tags if tag == "section"] == ANCHORS
    assert {attrs["href"] for tag, attrs in tags if tag == "a"} >= {f"#{anchor}" for anchor in ANCHORS}


def test_every_tag_is_closed_in_order(html, empty):
    for page in (Page(html), Page(empty)):
        assert (page.crossed, page.open) == ([], [])


def test_the_page_loads_nothing(html):
    page = Page(html)
    addresses = [attrs[name] for _, attrs in page.tags for name in ("src", "href", "srcset", "data") if name in attrs]
    assert all(address.startswith("#") for address in addresses)
    assert not any(tag in {"link", "img", "iframe", "object", "embed"} for tag, _ in page.tags)
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL).group(1)
    assert "@import" not in style
    assert "url(" not in style
    policy = next(attrs["content"] for tag, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert "http" not in json.dumps(specs_of(html))


def test_the_libraries_stand_in_the_page_once_and_it_stays_small(html):
    assert html.count("window.vegaEmbed") == 1
    assert len(html.encode()) < 2_500_000


def test_every_chart_is_drawn_without_an_error(html):
    specs = specs_of(html)
    # 1 year, 2 of coverage, 2 seasons of day and week, 3 fans, 6 of metrics, 2 fans side by side, 4 of errors
    assert len(specs) == 22
    for spec in specs:
        assert vl_convert.vegalite_to_svg(spec).startswith("<svg")


def test_every_figure_has_a_title_a_reading_aid_and_an_alternative_text(html):
    figures = re.findall(r"<figure>(.*?)</figure>", html, re.DOTALL)
    assert all("<h3>" in figure and "<figcaption><p>" in figure for figure in figures)
    charts = [attrs for tag, attrs in Page(html).tags if attrs.get("class") == "chart"]
    assert all(attrs["role"] == "img" and attrs["aria-label"] for attrs in charts)


def test_every_axis_of_numbers_says_its_unit_or_clock(html):
    titles = set(
        re.findall(
            r'"title":"([^"]+)"',
            "".join(json.dumps(s, ensure_ascii=False) for s in specs_of(html)).replace('": "', '":"'),
        )
    )
    assert {"kWh per half hour", "Time of day (UK local)", "MAE (kWh per half hour)", "MASE (no unit)"} <= titles


def test_the_summary_names_the_best_model_with_its_interval(html):
    text = said(html)
    assert "The best of 2 models forecasts 2 of 3 homes with a CRPS of 0.0" in text
    assert "It is sharp, with a 95 % interval of" in text
    assert "version0.1.0" in text.replace(" ", "")


def test_the_headline_counts_the_homes_that_were_judged_and_those_read_where_they_differ():
    readings = make_readings(np.random.default_rng(7))
    homes = readings.select(pl.col("entity_id").unique().sort()).collect()["entity_id"].to_list()
    for judged, words in ((homes, "forecasts 3 homes with"), (homes[:1], "forecasts 1 of 3 homes with")):
        metrics = make_metrics(np.random.default_rng(7), homes=judged)
        assert words in said(build_report(ReportContent(readings=readings, metrics=metrics)))
    nobody = make_metrics(np.random.default_rng(7), homes=())
    assert "forecasts homes with" in said(build_report(ReportContent(readings=readings, metrics=nobody)))


@pytest.mark.parametrize(
    ("paired", "words"),
    [
        (
            make_comparisons(),
            "CRPS is 0.80 times that of the next, naive (95 % interval 0.76 to 0.84, on the same homes and weeks). ",
        ),
        (make_comparisons(high=1.02), "0.76 to 1.02, on the same homes and weeks): it holds 1, so that either may be"),
        (make_comparisons(None, None), "the next, naive, of too few homes or weeks for an interval."),
        (make_comparisons().head(0), "Next comes naive with 0.0"),
        (make_comparisons(other="third"), "how sure that lead is cannot be said here."),
    ],
)
def test_the_lead_of_the_best_of_2_models_is_told_by_their_paired_comparison_alone(paired, words):
    metrics = pl.concat([make_metrics(np.random.default_rng(7)), paired])
    text = said(build_report(ReportContent(metrics=metrics)))
    assert words in text
    assert "overlap" not in text.split("Model against model")[0]


def test_models_are_set_against_each_other_in_a_table_of_2_decimals():
    page = build_report(ReportContent(metrics=pl.concat([make_metrics(np.random.default_rng(7)), make_comparisons()])))
    (table,) = re.findall(r"<caption>Model against model</caption>(.*?)</table>", page, re.DOTALL)
    assert said(table).startswith("ModelAgainstCRPS, ratioCRPS, differenceMAE, ratioMASE, ratio")
    assert "sharpnaive0.800.76 to 0.84-0.0200-0.0300 to -0.0100––" in said(table)
    assert "Model against model" not in build_report(ReportContent(metrics=make_metrics(np.random.default_rng(7))))


def test_the_summaries_of_3_sources_are_told_apart_and_only_london_has_homes(content):
    others = [make_summary("ukdale") | {"entities": 1, "rows_rejected": 7}, make_summary("ssen")]
    text = said(build_report(ReportContent(summaries=[make_summary(), *others], readings=content.readings)))
    assert "Read as well, and told of below: UK-DALE (1 meter) and SSEN low-voltage feeders (3 feeders)." in text
    assert "Rows set aside60" in text  # those of the readings shown, and not of all three
    ingest = text.split("What was read and what was set aside")[1].split("How complete the data are")[0]
    london, ukdale, ssen = re.split("UK-DALErows read|SSEN low-voltage feedersrows read", ingest)
    assert "homes3" in london
    assert "meters1" in ukdale
    assert "feeders3" in ssen
    assert not re.search("home", (ukdale + ssen).lower())


def test_a_page_of_feeders_alone_says_feeders_and_nowhere_homes():
    rng = np.random.default_rng(8)
    feeders = make_readings(rng, homes=("ssen:000200200402", "ssen:000200200403")).with_columns(dataset=pl.lit("ssen"))
    metrics = make_metrics(rng, homes=("ssen:000200200402",), dataset="ssen")
    paired = make_comparisons(dataset="ssen")
    page = build_report(
        ReportContent(
            summaries=[make_summary("ssen")],
            readings=feeders,
            forecasts=make_forecasts(feeders),
            metrics=pl.concat([metrics, paired]).with_columns(level_of_aggregation=pl.lit("feeder")),
        )
    )
    assert "forecasts 1 of 2 feeders with" in said(page)
    assert "on the same feeders and weeks" in said(page)
    assert "home" not in said(page).lower()
    assert "homes" not in " ".join(json.dumps(spec) for spec in specs_of(page))


def test_a_source_that_could_not_be_read_is_named_in_1_sentence():
    summary = make_summary() | {"broken": [{"name": "part_9.csv", "error": "part_9.csv: cut short; fetch it again"}]}
    text = said(build_report(ReportContent(summaries=[summary])))
    assert "1 source could not be read. part_9.csv: cut short; fetch it again" in text


def test_windows_shown_are_chosen_by_a_rule_that_the_page_tells(html):
    text = said(html)
    assert "at the 10th, 50th and 95th percentile, by nearest rank" in text
    assert "rank 3 of 30" in text
    assert "rank 29 of 30" in text


def test_a_hostile_name_is_text_wherever_it_comes_from(content):
    evil = make_readings(np.random.default_rng(7), homes=(HOSTILE,))
    summary = make_summary() | {
        "sources": [{"name": HOSTILE}],
        "rejected_by_reason": {HOSTILE: 3},
        "settings": {HOSTILE: HOSTILE},
    }
    page = build_report(
        ReportContent(
            summaries=[summary],
            readings=evil.with_columns(dataset=pl.lit(HOSTILE)),
            forecasts=make_forecasts(evil, models=(HOSTILE,)),
            metrics=make_metrics(np.random.default_rng(7), models=(HOSTILE,), homes=(HOSTILE,), dataset=HOSTILE),
            provenance={HOSTILE: HOSTILE},
        )
    )
    parsed = Page(page)
    assert HOSTILE not in page
    assert (parsed.crossed, parsed.open) == ([], [])
    assert HOSTILE in "".join(parsed.text)
    assert HOSTILE in json.dumps(specs_of(page))
    assert sum(tag == "script" and not attrs for tag, attrs in parsed.tags) == 2


def test_a_page_of_nothing_says_what_each_chapter_lacks(empty):
    text = said(empty)
    assert specs_of(empty) == []
    assert "Nothing has been read yet" in text
    for lack in (
        "it cannot say what was read or set aside",
        "it cannot say how complete they are",
        "it cannot draw a typical day or week",
        "No forecasts were given to this page",
        "it cannot say how good the forecasts are",
        "it cannot say whether the bands hold what they promise",
        "it cannot say at what times the errors happen",
        "it holds no feeder against a limit",
        "No version, seed or data hash was recorded",
    ):
        assert lack in text


def test_empty_tables_are_as_good_as_none(content):
    page = build_report(
        ReportContent(
            readings=content.readings.head(0),
            forecasts=pl.LazyFrame(schema=FORECASTS),
            metrics=pl.DataFrame(schema=METRICS),
        )
    )
    assert specs_of(page) == []


def test_forecasts_without_readings_are_not_shown(content):
    assert "but no readings to hold them against" in said(build_report(ReportContent(forecasts=content.forecasts)))


def test_without_metrics_the_model_shown_is_the_one_with_the_best_windows(content):
    page = build_report(ReportContent(readings=content.readings, forecasts=content.forecasts))
    assert "No forecast has been scored yet" in said(page)
    assert said(page).count("Forecasts by naive") + said(page).count("Forecasts by sharp") == 1


def test_two_datasets_have_figures_of_their_own(content):
    rng = np.random.default_rng(8)
    feeders = make_readings(rng, homes=("ssen:000200200402",)).with_columns(dataset=pl.lit("ssen"))
    of_feeders = make_metrics(rng, homes=("ssen:000200200402",), dataset="ssen")
    page = build_report(
        ReportContent(
            readings=pl.concat([content.readings, feeders]),
            forecasts=pl.concat([content.forecasts, make_forecasts(feeders)]),
            metrics=pl.concat([content.metrics, of_feeders.with_columns(level_of_aggregation=pl.lit("feeder"))]),
        )
    )
    text = said(page)
    assert len(specs_of(page)) == 44
    assert "Forecasts by sharp: Low Carbon London" in text
    assert "Forecasts by sharp: SSEN low-voltage feeders" in text
    assert "Spread of MASE over feeders: SSEN low-voltage feeders" in text


def test_simulated_samples_are_called_simulated(html):
    assert "Simulated data" not in said(html)
    assert "its figures say nothing about real loads" in said(
        build_report(ReportContent(summaries=[make_summary(mode="samples")]))
    )


def test_more_than_ten_source_files_are_folded_away():
    folded, open_ = (build_report(ReportContent(summaries=[make_summary(sources=n)])) for n in (11, 10))
    assert "<summary>All 11 source files</summary>" in folded
    assert "<details>" not in open_


def test_every_reason_is_explained_and_every_dataset_named():
    assert set(DATASETS) == set(get_args(Dataset))
    assert set(REASONS) == set(get_args(Reason))


def test_a_name_may_break_after_an_underscore_or_a_slash_alone():
    assert breakable("a_b/c<d") == "a_<wbr>b/<wbr>c&lt;d"


def test_the_same_content_gives_the_same_page(content, html):
    assert build_report(content) == html


def test_figures_read_well():
    assert [count_words(n) for n in (940, 38412, 2_291_000)] == ["940", "38,412", "2.29 million"]
    assert [figure_words(x) for x in (0.07981, 1.5, 12345.0, None)] == ["0.0798", "1.50", "12,345", "–"]
    assert [share_words(x, 2) for x in (0.5, 0.000001, 0.0)] == ["50.00\u00a0%", "under 0.01\u00a0%", "0.00\u00a0%"]
