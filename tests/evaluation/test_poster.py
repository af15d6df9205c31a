import duckdb
import polars as pl
import pytest

from loadproof.errors import SchemaError
from loadproof.evaluation.plain_tables import alarms_table, by_half_hour, scores
from loadproof.evaluation.poster import POSTER, Ask, answer, as_table, as_text
from loadproof.schema import METRICS

ROWS = [
    # subject, entity, slice, metric, value, low, high, n, unit
    ("ridge", None, "all", "crps", 0.09, 0.08, 0.1, 480, "kWh"),
    ("lightgbm", None, "all", "crps", 0.07, 0.06, 0.08, 480, "kWh"),
    ("lightgbm", None, "all", "mae", 0.11, 0.1, 0.12, 480, "kWh"),
    ("lightgbm", "lcl:MAC000002", "all", "crps", 0.01, 0.0, 0.02, 48, "kWh"),
    ("lightgbm", None, "half_hour=18:00", "crps", 0.2, 0.1, 0.3, 10, "kWh"),
    ("ridge", None, "half_hour=18:00", "crps", 0.3, 0.2, 0.4, 10, "kWh"),
    ("ridge", None, "half_hour=00:00", "crps", 0.05, 0.01, 0.06, 10, "kWh"),
    ("alone", None, "all", "mase", 1.0, None, None, 3, "1"),
    ("none", None, "all", "pinball", 1.0, 0.9, 1.1, 0, "kWh"),
    ("nan", None, "all", "rmse", float("nan"), 0.9, 1.1, 3, "kWh"),
]
METRICS_TABLE = pl.DataFrame([(row[0], "lcl", "home", *row[1:]) for row in ROWS], schema=METRICS, orient="row")
BEST = Ask("best", "The best is {subject}:", "crps")


def numbers(*asks):
    return answer(asks, {"metrics": METRICS_TABLE}, digests={"metrics": "ab"}, data_sha256="cd", command="make it")


def test_a_number_is_the_row_of_its_query_with_all_that_it_rests_on():
    (best,) = numbers(BEST)
    assert (best.subject, best.value, best.low, best.high, best.unit, best.n) == (
        "lightgbm",
        0.07,
        0.06,
        0.08,
        "kWh",
        480,
    )
    assert (best.sentence, best.table_sha256, best.data_sha256, best.command) == (
        "The best is lightgbm:", "ab", "cd", "make it",
    )  # fmt: skip


def test_duckdb_answers_a_query_alike():
    metrics = METRICS_TABLE  # noqa: F841  DuckDB finds it by its name
    for ask in (BEST, Ask("evening", "", "crps", slice="half_hour=18:00"), Ask("ridge", "", "crps", "ridge")):
        (mine,) = numbers(ask)
        assert duckdb.sql(ask.query).fetchall() == [
            (mine.subject, mine.dataset, mine.value, mine.low, mine.high, mine.n, mine.unit)
        ]


@pytest.mark.parametrize(
    ("ask", "why"),
    [
        (Ask("gone", "", "crps", "patchtst"), "no row of metrics supports it"),
        (Ask("gone", "", "mase"), "its 95 % interval is missing"),
        (Ask("gone", "", "pinball"), "it rests on no measurements"),
        (Ask("gone", "", "rmse"), "its value is missing"),
        (Ask("gone", "", "crps", table="alarms"), "there is no table alarms"),
    ],
)
def test_a_number_without_support_is_refused_with_its_query(ask, why):
    with pytest.raises(SchemaError, match=f"poster number gone: {why}.*The query: SELECT"):
        numbers(BEST, ask)


def test_names_on_the_poster_are_its_own():
    assert len({ask.name for ask in POSTER}) == len(POSTER)


def test_the_page_says_what_is_simulated_and_how_each_number_is_found_again():
    page = as_text(numbers(BEST), provenance={"input": "samples", "seed": "1"})
    assert "| The best is lightgbm: **0.07** kWh [0.06, 0.08] | 480 |" in page
    assert "Simulated homes" in page
    assert f"* `best`: `{BEST.query}`" in page
    assert "Simulated homes" not in as_text(numbers(BEST), provenance={"input": "files"})
    assert as_table(numbers(BEST)).rows(named=True)[0]["query"] == BEST.query


def test_scores_stand_by_model_and_metric():
    assert scores(METRICS_TABLE)["lightgbm"] == {"crps": 0.07, "mae": 0.11}


def test_a_metric_by_half_hour_has_a_column_a_model():
    table = by_half_hour(METRICS_TABLE, "crps")
    assert table.rows() == [("00:00", None, 0.05), ("18:00", 0.2, 0.3)]
    assert table.columns == ["half_hour", "lightgbm", "ridge"]


def test_how_often_a_detector_alarmed_is_a_metric():
    rate = {"per_week": 0.1, "low": 0.05, "high": 0.2, "home_weeks": 103.7, "alerts": 10, "homes": 8}
    (row,) = alarms_table({"physical": {"dataset": "lcl", "rate": rate}}).rows(named=True)
    assert (row["subject"], row["metric"], row["value"], row["n"]) == ("physical", "alerts_per_home_week", 0.1, 104)
