import datetime as dt
import math

import polars as pl
import pytest
import vl_convert
from tests.evaluation.report_fixtures import half_hours, readings_of
from tests.evaluation.test_aggregates_forecasts import forecast_rows

from loadproof.evaluation import figures, figures_models, figures_scores
from loadproof.evaluation.aggregates_forecasts import Window, cut_fan
from loadproof.evaluation.aggregates_scores import comparisons, count_judged, pick_level, rank_models, share_below
from loadproof.schema import METRICS


def data_of(chart):
    """All rows of a chart's data, in one list."""
    return [row for rows in chart.to_dict()["datasets"].values() for row in rows]


def metric_rows(*rows):
    """Rows of METRICS from ``(subject, entity, metric, value)``."""
    full = [(s, "lcl", "home", e, "all", m, v, v - 0.1, v + 0.1, 9, "1") for s, e, m, v in rows]
    return pl.DataFrame(full, schema=METRICS, orient="row")


@pytest.mark.parametrize(
    ("share", "name"),
    [
        (0.0, "none"),
        (0.01, "below 80 %"),
        (0.8, "80–95 %"),
        (0.95, "95–99 %"),
        (0.99, "99 % or more"),
        (1.0, "99 % or more"),
    ],
)
def test_a_day_of_the_calendar_belongs_to_the_class_of_its_share(share, name):
    days = pl.DataFrame({"day": [dt.date(2013, 1, 1)], "entities": [2], "share": [share]})
    assert data_of(figures.coverage_calendar(days))[0]["level"] == name


def test_weeks_with_too_few_homes_are_left_out_of_the_carpet():
    year = pl.DataFrame(
        {
            "week": [dt.date(2013, 1, 7), dt.date(2013, 1, 14)],
            "half_hour": [0, 0],
            "mean_kwh": [9.0, 0.2],
            "entities": [1, 3],
        }
    )
    assert [row["kwh"] for row in data_of(figures.year_carpet(year))] == [0.2]


def test_a_fan_in_july_is_drawn_on_the_british_summer_clock():
    t0 = dt.datetime(2013, 7, 1, tzinfo=dt.UTC)
    fan = cut_fan(forecast_rows([[0.5] * 7], t0=t0), readings_of(half_hours("a", t0, 1)), Window("m", "a", t0, 0.1))
    stamps = {row["t"] for row in data_of(figures.fan_chart(fan, t0)) if "q5" in row}
    assert stamps == {"2013-07-01T01:00:00Z"}


def test_a_fan_names_the_day_before_t0_as_the_first_that_a_narrow_screen_shows():
    t0 = dt.datetime(2013, 7, 1, 23, tzinfo=dt.UTC)
    fan = cut_fan(forecast_rows([[0.5] * 7], t0=t0), readings_of(half_hours("a", t0, 1)), Window("m", "a", t0, 0.1))
    chart = figures.fan_chart(fan, t0).to_dict()
    assert chart["usermeta"] == {"narrow_from": "2013-07-01T00:00:00Z"}  # on the summer clock, t0 is 2 July 00:00
    assert {"datasets", "layer"} <= set(chart)  # where the page looks for the rows to leave out


def test_a_comparison_is_read_from_its_name_whatever_the_other_model_is_called():
    rows = metric_rows(
        ("a", None, "crps_ratio_to:b_ratio_to:c\n<x>", 0.9), ("a", None, "crps", 1.0), ("a", "h", "crps", 1.0)
    )
    found = comparisons(rows).select("subject", "measure", "kind", "other").rows()
    assert found == [("a", "crps", "ratio", "b_ratio_to:c\n<x>")]
    assert count_judged(rows, "lcl") == 1


def test_a_fan_without_a_gap_draws_no_empty_layer():
    t0 = dt.datetime(2013, 1, 10, tzinfo=dt.UTC)
    whole = readings_of(half_hours("a", t0 - dt.timedelta(days=3), 145))
    fan = cut_fan(forecast_rows([[0.5] * 7], t0=t0), whole, Window("m", "a", t0, 0.1))
    assert fan.missing.is_empty()
    assert "gap" not in str(figures.fan_chart(fan, t0).to_dict())


def test_a_strip_of_a_thousand_homes_is_thinned_and_keeps_its_ends():
    rows = metric_rows(*[("m", f"h{i}", "mase", float(i)) for i in range(1000)])
    values = [row["value"] for row in data_of(figures_scores.per_entity_strip(rows, ["m"], "MASE")) if "model" in row]
    assert len(values) == figures_scores.MOST_TICKS + 1  # and the median
    assert (min(values), max(values)) == (0.0, 999.0)


def test_levels_of_reliability_are_percentages():
    rows = share_below(metric_rows(("m", None, "share_below_0.05", 0.07)))
    row = next(row for row in data_of(figures_scores.reliability(rows, ["m"])) if "model" in row)
    assert (row["nominal"], row["value"]) == (pytest.approx(5), pytest.approx(7))


def test_a_metric_without_an_interval_is_drawn_as_a_point_alone():
    rows = metric_rows(("m", None, "mae", 1.0)).with_columns(
        low=pl.lit(None, pl.Float64), high=pl.lit(None, pl.Float64)
    )
    chart = figures_scores.metric_points(rows, ["m"], "MAE (kWh)").to_dict()
    assert "whisker" not in str(chart)  # its axis would have no end
    assert "MAE (kWh)" in vl_convert.vegalite_to_svg(chart)


def test_a_slice_without_an_interval_is_drawn_as_a_point_alone():
    rows = pl.DataFrame({"subject": ["m"], "at": ["winter"], "value": [0.8], "low": [None], "high": [None]})
    rows = rows.cast({"low": pl.Float64, "high": pl.Float64})
    assert "whisker" not in str(figures_models.coverage_points(rows, ["m"], 80).to_dict())


def test_models_are_ranked_by_crps_and_those_without_it_come_last():
    rows = metric_rows(("b", None, "crps", 2.0), ("a", None, "crps", 3.0), ("c", None, "mae", 0.0))
    assert rank_models(rows) == ["b", "a", "c"]


def test_rows_that_are_not_finite_or_of_another_level_are_left_out():
    rows = metric_rows(("a", None, "crps", math.nan), ("b", None, "crps", 1.0))
    feeder = rows.with_columns(level_of_aggregation=pl.lit("feeder"))
    assert pick_level(pl.concat([rows, feeder]))["subject"].to_list() == ["b"]
    assert pick_level(feeder)["level_of_aggregation"].to_list() == ["feeder"]
