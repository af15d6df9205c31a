"""What objects show of themselves in a terminal and in a notebook."""

from html.parser import HTMLParser

import numpy as np
import pytest

from loadproof.cards import Card, card_html, card_line
from loadproof.detector import Scores
from loadproof.features.panel import Panel
from loadproof.features.windows import cut_windows
from loadproof.forecaster import make_forecast
from loadproof.runner.ingest_report import IngestReport
from loadproof.scenario.kinds import Scenario
from loadproof.schema import LEVELS
from loadproof.selfplay.verifier import Limits, verify

START = np.datetime64("2013-12-01", "us")


def panel(name="h<b>1"):
    energy = np.full((2, 96), 0.25, dtype=np.float32)
    energy[0, :24] = np.nan
    return Panel(np.array([name, "h2"]), START, 30, energy)


def windows():
    return cut_windows(panel(), context_steps=48, horizon_steps=48, origins=np.array([START + np.timedelta64(1, "D")]))


def forecast(kwh=0.25):
    quantiles = np.full((2, 48, 7), kwh, dtype=np.float32)
    return make_forecast(quantiles, LEVELS, quantiles[..., 0], how=np.arange(48) >= 36, hows=(None, "few_days"))


def report():
    return IngestReport(
        "lcl", "processed", "files", "0", {}, 10, 8, 2, {"null_value": 2}, 1, "a", "b", {}, [],
        [{"name": "x.csv", "error": "<script>"}],
    )  # fmt: skip


SHOWN = {
    "Panel(entities: 2, UTC: 2013-12-01 00:00 to 2013-12-03 00:00, step: 30 min, missing: 12.5%)": panel,
    "Windows(windows: 2, entities: 2, t0: 2013-12-02 to 2013-12-02, context: 48 steps of 30 min, horizon: 48 steps, "
    "weather: none, truth missing: 0.0%)": windows,
    "Inputs(windows: 2, entities: 2, t0: 2013-12-02 to 2013-12-02, context: 48 steps of 30 min, horizon: 48 steps, "
    "weather: none)": lambda: windows().inputs,
    "Forecast(windows: 2, steps: 48, levels: 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, the plain way: 75.0%, fallbacks: "
    "few_days)": forecast,
    "Scores(days: 1, half hours scored: 2, highest: 0.500, named: spike)": lambda: Scores(
        np.float32([[0.5, 0.25, np.nan]]), np.uint8([[1, 0, 0]]), (None, "spike")
    ),
    "Scenario(kind: HEAT_PUMP, mean_kw: 0.5 (kW on average), onset: -96 steps from t0, seed: 7)": lambda: Scenario(
        "HEAT_PUMP", {"mean_kw": 0.5}, -96, 7
    ),
    "Verdict(windows: 2, obey: 2, mean score: 1.000)": lambda: verify(forecast(), windows()),
    "IngestReport(dataset: lcl, from files, rows read: 10, written: 8, set aside: 2,   null_value: 2, entities: 1, "
    "span: a to b, broken x.csv: <script>)": report,
}


class Texts(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.texts.append(data)


@pytest.mark.parametrize("line", SHOWN)
def test_an_object_is_one_line_in_a_terminal_and_a_small_table_in_a_notebook(line):
    shown = SHOWN[line]()
    assert repr(shown) == line
    page = Texts(shown._repr_html_())
    assert set(page.tags) == {"table", "caption", "b", "tr", "th", "td"}
    assert page.texts == [type(shown).__name__, *(str(x) for pair in shown.card().items() for x in pair)]
    assert len(shown._repr_html_()) < 2_000


def test_of_nothing_there_is_nothing_to_show_and_no_warning():
    none = windows().take(slice(0, 0))
    assert "windows: 0, entities: 0, t0: none" in repr(none)
    assert "highest: none, named: nothing" in repr(Scores(np.zeros((0, 48), np.float32), np.zeros((0, 48), np.uint8)))


def test_a_verdict_names_the_constraints_that_are_violated():
    assert "service_fuse: 100.0% of windows" in repr(verify(forecast(20), windows(), Limits()))


def test_markup_in_a_name_stays_text():
    assert "<script>" not in report()._repr_html_()
    assert card_html("<i>", {"<b>": "&"}).count("<") == card_html("i", {"b": "x"}).count("<")
    assert card_line("T", {"": "alone", "a": 1}) == "T(alone, a: 1)"


def test_a_card_says_what_it_shows():
    with pytest.raises(NotImplementedError):
        Card().card()
