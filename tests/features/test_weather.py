import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.features.panel_fixtures import HALF_HOUR, START, random_panel, steps
from tests.features.weather_fixtures import HOUR, hourly, random_weather

from loadproof.errors import ConfigError, SchemaError
from loadproof.features.weather import HEATING_BASE_DEGC, OBSERVED_NAMES, ahead_names, weather_from_table
from loadproof.features.windows import KNOWN_NAMES, cut_windows

NAN = np.nan


def horizon(t0, n=48):
    return np.asarray(t0)[:, None] + np.arange(n) * HALF_HOUR


def column(weather, t0, name, n=48):
    return weather.ahead(t0, horizon(t0, n))[..., weather.names.index(name)]


def test_an_hour_holds_for_2_half_hours_and_over_a_gap_for_3_h_at_most():
    weather = weather_from_table(hourly([5, 6, NAN, 7, NAN, NAN, NAN, 8]))
    expected = [5, 5, 6, 6, 6, 6, 7, 7, 7, 7, 7, 7, NAN, NAN, 8, 8, 8, 8, 8, 8]
    np.testing.assert_array_equal(weather.temperature_degc, expected)
    assert weather.station_id == "midas:00723"


def test_an_observation_at_10_past_is_first_known_at_half_past():
    rows = hourly([5, 6, 7]).with_columns(pl.col("ts_utc") + pl.duration(minutes=10))
    weather = weather_from_table(rows)
    assert weather.start == START + HALF_HOUR
    np.testing.assert_array_equal(weather.temperature_degc[:4], [5, 5, 6, 6])


def test_at_noon_the_horizon_knows_the_last_temperature_before_it_and_those_of_the_latest_day_at_each_hour():
    weather = weather_from_table(hourly(np.arange(24 * 9)))  # each hour is one degree warmer
    t0 = START + 8 * 24 * HOUR
    ahead = {name: column(weather, [t0], name, n=96)[0] for name in OBSERVED_NAMES}
    assert (ahead["temp_now_degc"] == 191).all()  # at 23:30 the 23:00 temperature was the last
    assert (ahead["temp_mean_24h_degc"] == (168 + 191) / 2).all()
    assert (ahead["temp_mean_7d_degc"] == (24 + 191) / 2).all()
    one_day = np.repeat(np.arange(168, 192), 2)
    np.testing.assert_array_equal(ahead["temp_lag_24h_degc"], np.concatenate([one_day, one_day]))


def test_in_the_past_each_column_is_as_of_its_step():
    weather = weather_from_table(hourly(np.arange(24 * 9)), arm="forecast", error_degc=3, seed=1)
    at = [[START + 8 * 24 * HOUR]]
    past = dict(zip(weather.names, weather.past(at)[0, 0], strict=True))
    assert (past["temp_now_degc"], past["temp_lag_24h_degc"], past["temp_forecast_degc"]) == (192, 168, 192)
    assert past["temp_mean_24h_degc"] == pytest.approx((168 + 2 * sum(range(169, 192)) + 192) / 48)
    assert past["heating_forecast_degc_half_hours"] == 0


def test_at_7_5_degrees_a_step_has_8_heating_degree_half_hours_and_at_20_it_has_0():
    weather = weather_from_table(hourly([7.5] * 24 + [20.0] * 24), arm="perfect")
    heating = column(weather, [START + 24 * HOUR], "heating_perfect_degc_half_hours", n=2)[0]
    assert HEATING_BASE_DEGC == 15.5
    assert heating.tolist() == [0, 0]
    assert column(weather, [START], "heating_perfect_degc_half_hours", n=2)[0].tolist() == [8, 8]


def test_each_arm_has_its_own_3_names_and_observed_has_none():
    rows = hourly([5.0] * 9)
    names = {arm: weather_from_table(rows, arm=arm).names for arm in ("observed", "forecast", "perfect")}
    assert names["observed"] == OBSERVED_NAMES
    for arm in ("forecast", "perfect"):
        assert names[arm] == OBSERVED_NAMES + ahead_names(arm)
        assert all(arm in name for name in ahead_names(arm))
    assert not set(ahead_names("forecast")) & set(ahead_names("perfect"))


@pytest.mark.parametrize("error_degc", [0.5, 1.0, 2.0])
def test_a_simulated_error_has_its_spread_at_24_h_half_of_it_at_6_h_and_a_correlation_of_7_tenths(error_degc):
    weather = weather_from_table(hourly([10.0] * 24 * 302), arm="forecast", error_degc=error_degc, seed=3)
    t0 = START + np.arange(8, 4800) * 3 * HALF_HOUR
    errors = column(weather, t0, "temp_forecast_degc") - 10
    assert errors[:, 47].std() == pytest.approx(error_degc, rel=0.05)
    assert errors[:, 11].std() == pytest.approx(error_degc / 2, rel=0.05)
    assert errors[:, 0].std() == pytest.approx(error_degc / np.sqrt(48), rel=0.05)
    assert abs(errors.mean()) < 0.05 * error_degc
    # Of a random walk the correlation of 12 h and 24 h is the root of a half.
    assert np.corrcoef(errors[:, 23], errors[:, 47])[0, 1] == pytest.approx(np.sqrt(0.5), abs=0.03)
    assert abs(np.corrcoef(errors[:-1, 47], errors[1:, 47])[0, 1]) < 0.05


def test_an_origin_s_errors_are_its_own_in_any_company_order_and_horizon_and_others_under_seed_2():
    weather = weather_from_table(hourly([10.0] * 24 * 30), arm="forecast", error_degc=1, seed=1)
    t0 = steps(48, 96, 480, 960)
    together = column(weather, t0, "temp_forecast_degc")
    for row, origin in enumerate(t0):
        np.testing.assert_array_equal(column(weather, [origin], "temp_forecast_degc")[0], together[row])
    np.testing.assert_array_equal(column(weather, t0[::-1], "temp_forecast_degc"), together[::-1])
    np.testing.assert_array_equal(column(weather, t0, "temp_forecast_degc", n=336)[:, :48], together)
    other = weather.as_arm("forecast", error_degc=1, seed=2)
    assert (column(other, t0, "temp_forecast_degc") != together).all()
    twice = column(weather.as_arm("forecast", error_degc=2, seed=1), t0, "temp_forecast_degc")
    np.testing.assert_allclose(twice - 10, 2 * (together - 10), atol=1e-5)


def test_an_error_of_0_degrees_is_perfect_weather_by_another_name():
    weather = weather_from_table(random_weather(np.random.default_rng(1)), arm="forecast")
    t0 = steps(48, 96, 480)
    perfect = column(weather.as_arm("perfect"), t0, "temp_perfect_degc")
    np.testing.assert_array_equal(column(weather, t0, "temp_forecast_degc"), perfect)


@given(st.integers(0, 2**32), st.integers(-100, 1500), st.sampled_from(["observed", "forecast", "perfect"]))
def test_what_is_known_at_t0_equals_that_of_a_table_which_ends_before_t0(seed, origin, arm):
    rows = random_weather(np.random.default_rng(seed))
    t0 = steps(origin)
    so_far = rows.filter(pl.col("ts_utc").dt.replace_time_zone(None) < pl.lit(t0[0]))
    full = weather_from_table(rows, arm=arm, error_degc=1, seed=1)
    if so_far["temperature_degc"].is_null().all():
        known = full.ahead(t0, horizon(t0))[..., : len(OBSERVED_NAMES)]
        assert np.isnan(known).all()
        return
    cut = weather_from_table(so_far, arm=arm, error_degc=1, seed=1)
    n_known = len(OBSERVED_NAMES)
    ts = t0[:, None] + np.arange(-400, 0) * HALF_HOUR
    np.testing.assert_array_equal(cut.past(ts), full.past(ts))
    np.testing.assert_array_equal(cut.ahead(t0, horizon(t0))[..., :n_known], full.ahead(t0, horizon(t0))[..., :n_known])


def test_outside_its_table_the_weather_is_unknown_in_all_7_columns():
    weather = weather_from_table(hourly([5.0] * 48), arm="perfect")
    far = steps(-500, 5000)
    assert np.isnan(weather.ahead(far, horizon(far))).all()
    assert np.isnan(weather.past(horizon(far))).all()
    assert weather.ahead(far, horizon(far)).shape == (2, 48, 7)


def test_a_mean_of_less_than_half_a_day_is_unknown():
    weather = weather_from_table(hourly([5.0] * 9 + [NAN] * 39 + [5.0]))  # 9 h are held for 11.5 h
    t0 = [START + 24 * HOUR]
    assert np.isnan(column(weather, t0, "temp_mean_24h_degc")).all()
    weather = weather_from_table(hourly([5.0] * 10 + [NAN] * 38 + [5.0]))  # 10 h are held for 12
    assert (column(weather, t0, "temp_mean_24h_degc") == 5).all()


def test_inputs_know_9_columns_of_the_calendar_and_then_those_of_their_weather():
    weather = weather_from_table(random_weather(np.random.default_rng(5)), arm="forecast", error_degc=1, seed=1)
    cut = {"context_steps": 100, "horizon_steps": 48, "origins": steps(100, 400, 700)}
    panel = random_panel(np.random.default_rng(6))
    inputs = cut_windows(panel, **cut, weather=weather).inputs
    bare = cut_windows(panel, **cut).inputs
    assert inputs.known_names == KNOWN_NAMES + weather.names
    assert bare.known_names == KNOWN_NAMES
    np.testing.assert_array_equal(inputs.known[..., :9], bare.known)
    np.testing.assert_array_equal(inputs.known[..., 9:], weather.ahead(inputs.t0, inputs.ts()))
    ts = inputs.t0[:, None] + np.arange(-100, 0) * HALF_HOUR
    np.testing.assert_array_equal(inputs.past[..., 9:], weather.past(ts))
    assert inputs.take(np.array([1])).weather is weather


def test_a_table_of_2_stations_wants_a_name_and_takes_the_one_named():
    rows = pl.concat([hourly([5.0] * 3), hourly([9.0] * 3, station="midas:00708")])
    with pytest.raises(ConfigError, match=r"several stations; name one of midas:00708, midas:00723"):
        weather_from_table(rows)
    with pytest.raises(ConfigError, match="no station is called 'midas:1'; name one of"):
        weather_from_table(rows, station_id="midas:1")
    assert weather_from_table(rows.lazy(), station_id="midas:00708").temperature_degc[0] == 9


def test_a_table_without_rows_without_temperature_or_with_2_of_an_hour_is_refused_with_its_mend():
    with pytest.raises(ConfigError, match="ingest weather first"):
        weather_from_table(hourly([NAN, NAN]))
    with pytest.raises(SchemaError, match=r"temperature_degc.*read it with"):
        weather_from_table(hourly([5.0]).drop("temperature_degc"))
    with pytest.raises(SchemaError, match="a half hour twice; ingest"):
        weather_from_table(pl.concat([hourly([5.0]), hourly([6.0])]))
