import datetime as dt

import numpy as np
import polars as pl
import pytest
from tests.evaluation.report_fixtures import half_hours, make_forecasts, make_readings, readings_of

from loadproof.evaluation.aggregates_forecasts import Window, cut_fan, list_models, score_windows, select_windows
from loadproof.schema import FORECASTS, LEVELS

T0 = dt.datetime(2013, 1, 10, tzinfo=dt.UTC)
STEP = dt.timedelta(minutes=30)


def forecast_rows(quantiles, entity="a", t0=T0, model="m"):
    """Rows of one window from quantiles by step, with a mean that must not be scored."""
    rows = []
    for step, values in enumerate(quantiles):
        rows += [
            (model, entity, t0, t0 + step * STEP, level, value, None)
            for level, value in zip(LEVELS, values, strict=True)
        ]
        rows.append((model, entity, t0, t0 + step * STEP, None, 99.0, None))
    return pl.DataFrame(rows, schema=FORECASTS, orient="row").lazy()


def test_crps_of_a_forecast_without_spread_is_its_absolute_error():
    readings = readings_of(half_hours("a", T0, 2, 1.0))
    scored = score_windows(forecast_rows([[0.5] * 7, [1.25] * 7]), readings, "m")
    assert scored["crps_kwh"].to_list() == [pytest.approx((0.5 + 0.25) / 2)]


def test_crps_of_windows_equals_a_slow_loop():
    rng = np.random.default_rng(3)
    quantiles = np.sort(rng.uniform(0, 2, (4, 7)), axis=1).astype(np.float32)
    readings = readings_of(half_hours("a", T0, 4, 0.75))
    losses = [
        max(level * (0.75 - q), (level - 1) * (0.75 - q))
        for row in quantiles
        for level, q in zip(LEVELS, row, strict=True)
    ]
    weights = [0.075, 0.1, 0.2, 0.25, 0.2, 0.1, 0.075] * 4
    slow = 2 * sum(w * loss for w, loss in zip(weights, losses, strict=True)) / 4
    assert score_windows(forecast_rows(quantiles.tolist()), readings, "m")["crps_kwh"][0] == pytest.approx(
        slow, rel=1e-6
    )


def test_a_window_is_scored_over_the_half_hours_that_were_measured():
    readings = readings_of(half_hours("a", T0, 4, 1.0, skip={3}))
    scored = score_windows(forecast_rows([[0.5] * 7] * 4), readings, "m")
    assert scored.select("share_observed", "crps_kwh").row(0) == (0.75, pytest.approx(0.5))


def test_a_window_of_which_less_than_half_was_measured_takes_no_part():
    readings = readings_of(half_hours("a", T0, 1, 1.0))
    assert score_windows(forecast_rows([[0.5] * 7] * 3), readings, "m").is_empty()


def test_an_unknown_model_has_no_windows():
    readings = readings_of(half_hours("a", T0, 1, 1.0))
    assert score_windows(forecast_rows([[0.5] * 7]), readings, "other").is_empty()


def test_windows_shown_stand_at_the_10th_50th_and_95th_percentile_by_nearest_rank():
    scored = pl.DataFrame(
        {
            "entity_id": [f"e{i:02d}" for i in range(1, 21)],
            "t0_utc": [T0] * 20,
            "crps_kwh": [float(i) for i in range(1, 21)],
        }
    )
    picks = select_windows(scored, "m")
    assert [(pick.kind, pick.rank, pick.of) for pick in picks] == [("good", 2, 20), ("median", 10, 20), ("bad", 19, 20)]
    assert [pick.window.crps_kwh for pick in picks] == [2.0, 10.0, 19.0]
    assert picks[2].window == Window("m", "e19", T0, 19.0)


def test_one_window_is_good_median_and_bad_at_once():
    scored = pl.DataFrame({"entity_id": ["a"], "t0_utc": [T0], "crps_kwh": [1.0]})
    assert [pick.rank for pick in select_windows(scored, "m")] == [1, 1, 1]
    assert select_windows(scored.clear(), "m") == []


def test_a_fan_has_three_days_of_context_and_names_what_is_missing():
    # Three days of context are 144 half hours; two of them and the last of the window are missing.
    start = T0 - dt.timedelta(days=4)
    readings = readings_of(half_hours("a", start, 4 * 48 + 1, 0.3, skip={60, 61}))
    fan = cut_fan(forecast_rows([[0.5] * 7] * 2), readings, Window("m", "a", T0, 0.2))
    assert fan.truth["ts_utc"].min() == T0 - dt.timedelta(days=3)
    assert fan.truth.height == 144 - 2 + 1
    gap = start + 60 * STEP
    assert fan.missing.rows() == [(gap, gap + 2 * STEP), (T0 + STEP, T0 + 2 * STEP)]
    assert fan.truth["run"].n_unique() == 2
    assert fan.bands.columns == ["ts_utc", *[f"q_{level}" for level in LEVELS]]


def test_a_fan_of_a_home_that_was_never_read_is_one_gap():
    fan = cut_fan(forecast_rows([[0.5] * 7]), readings_of(half_hours("b", T0, 1)), Window("m", "a", T0, 0.2))
    assert fan.truth.is_empty()
    assert fan.missing.rows() == [(T0 - dt.timedelta(days=3), T0 + STEP)]


def test_models_are_listed_in_order_of_name_and_scores_repeat():
    readings = make_readings(np.random.default_rng(1))
    forecasts = make_forecasts(readings)
    assert list_models(forecasts) == ["naive", "sharp"]
    scored = score_windows(forecasts, readings, "sharp")
    assert scored.height == 30
    assert scored["crps_kwh"].is_sorted()
    assert scored.equals(score_windows(forecasts, readings, "sharp"))
