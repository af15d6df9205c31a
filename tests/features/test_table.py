import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.features.panel_fixtures import HALF_HOUR, START, WEEK, random_panel, readings_of, steps
from tests.features.weather_fixtures import random_weather

from loadproof.config import FeatureConfig
from loadproof.errors import ConfigError, SchemaError
from loadproof.features.calendar import local_date, local_midnights
from loadproof.features.nomenclature import FEATURES, is_known_at_t0
from loadproof.features.panel import panel_from_readings
from loadproof.features.table import (
    FeatureSpec,
    build_features,
    feature_matrix,
    feature_months,
    month_features,
    spec_from_config,
)
from loadproof.features.weather import weather_from_table
from loadproof.features.windows import cut_windows

N_DAYS = 220  # from before the spring change of 2013 to after the autumn change
CHANGES = [12, 48 * 6 - 4, 48 * 6, 48 * 7 - 2, 48 * 216 - 2, 48 * 216 + 4, 48 * 217]  # steps about both
ARMS = ("observed", "forecast", "perfect")


def spec_of(arm, **rest):
    return spec_from_config(FeatureConfig(weather=arm, **rest))


def at_hand(seed, n_days=N_DAYS):
    """A panel of 2 homes with holes and one long absence, and their weather."""
    rng = np.random.default_rng(seed)
    panel = random_panel(rng, n_entities=2, n_days=n_days, missing=0.2)
    hole = int(rng.integers(0, 48 * n_days))
    panel.energy_kwh[1, hole : hole + 48 * 9] = np.nan
    return panel, random_weather(rng, n_days=n_days)


def cut(panel, origins, *, arm="forecast", weather=None, context=1344, lag=0, **rest):
    seen = None if weather is None else weather_from_table(weather, arm=arm, error_degc=1, seed=7)
    sizes = {"context_steps": context, "horizon_steps": 48, "data_lag_steps": lag, "require_truth": False, **rest}
    return cut_windows(panel, origins=origins, weather=seen, **sizes)


def as_of(t0, panel, weather, lag):
    """What was published of the readings, and observed of the weather, before ``t0``."""
    ts = pl.col("ts_utc").dt.replace_time_zone(None)
    readings = readings_of(panel).filter(ts + pl.duration(minutes=30) <= pl.lit(t0 - lag * HALF_HOUR))
    return readings, weather.filter(ts < pl.lit(t0))


def assert_equal_but_for(one, two, exempt):
    assert one.names == two.names
    for place, name in enumerate(one.names):
        if name not in exempt:
            np.testing.assert_array_equal(one.values[..., place], two.values[..., place], err_msg=name)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    origin=st.one_of(st.sampled_from(CHANGES), st.integers(1, 48 * N_DAYS - 1)),
    lag=st.sampled_from([0, 3, WEEK]),
    arm=st.sampled_from(ARMS),
    horizon=st.sampled_from([1, 48, WEEK]),
)
def test_all_features_as_of_t0_equal_those_rebuilt_from_what_was_known_by_t0_for_lags_of_0_to_7_days(
    seed, origin, lag, arm, horizon
):
    panel, weather = at_hand(seed)
    (t0,) = steps(origin)
    readings, observed = as_of(t0, panel, weather, lag)
    whole = cut(panel, [t0], arm=arm, weather=weather, lag=lag, horizon_steps=horizon).inputs
    if readings.is_empty() or observed["temperature_degc"].is_null().all():
        return
    rebuilt = cut(panel_from_readings(readings), [t0], arm=arm, weather=observed, lag=lag, horizon_steps=horizon).inputs
    spec = spec_of(arm)
    one, two = feature_matrix(whole, spec), feature_matrix(rebuilt, spec)
    exempt = [name for name in spec.names if not is_known_at_t0(name)]
    assert exempt == [name for name in spec.names if f"_{arm}_" in name]  # what comes after t0 says so in its name
    assert len(exempt) == (0 if arm == "observed" else 3)
    assert_equal_but_for(one, two, exempt)


@pytest.mark.parametrize("arm", ARMS)
def test_poison_in_readings_and_weather_from_t0_on_changes_0_features_but_the_3_that_say_so(arm):
    panel, weather = at_hand(1)
    poisoned = panel.energy_kwh.copy()
    poisoned[:, 5000:] = 1e6
    (t0,) = steps(5000)
    later = pl.col("ts_utc").dt.replace_time_zone(None) >= pl.lit(t0)
    hot = weather.with_columns(temperature_degc=pl.when(later).then(50.0).otherwise("temperature_degc"))
    clean = feature_matrix(cut(panel, [t0], arm=arm, weather=weather).inputs, spec_of(arm))
    panel.energy_kwh[:] = poisoned
    dirty = feature_matrix(cut(panel, [t0], arm=arm, weather=hot).inputs, spec_of(arm))
    assert_equal_but_for(clean, dirty, [name for name in clean.names if not is_known_at_t0(name)])


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), origins=st.sets(st.integers(500, 48 * 60), min_size=2, max_size=9))
def test_1_window_alone_has_the_features_that_it_has_among_all(seed, origins):
    panel, weather = at_hand(seed, n_days=60)
    inputs = cut(panel, steps(*origins), weather=weather).inputs
    inputs = inputs.take(np.random.default_rng(seed).permutation(len(inputs)))
    spec = spec_of("forecast")
    bulk = feature_matrix(inputs, spec)
    assert bulk.values.shape == (len(inputs), 48, len(spec.names))
    for row in range(len(inputs)):
        np.testing.assert_array_equal(feature_matrix(inputs.take([row]), spec).values[0], bulk.values[row])


def test_every_feature_has_a_kind_a_unit_in_its_name_or_beside_it_and_the_arms_take_73_77_80_and_80():
    assert [len(spec_of(arm).names) for arm in ("none", *ARMS)] == [73, 77, 80, 80]
    assert set().union(*(spec_of(arm).names for arm in ARMS)) == set(FEATURES)
    units = {"kwh": "kWh per step", "degc": "degC", "deg": "deg", "hours": "h", "ratio": "ratio", "share": "ratio"}
    for name, feature in FEATURES.items():
        assert feature.unit == units.get(name.split("_")[-1], feature.unit) or "half_hours" in name, name
        assert feature.meaning
        assert ("perfect" in name) == ("known to nobody" in feature.meaning)


def test_a_spec_with_an_unknown_name_a_repeated_one_or_one_left_out_that_was_not_in_is_refused():
    with pytest.raises(ConfigError, match="no feature is called 'day_99_kwh'; choose"):
        FeatureSpec(("step", "day_99_kwh"))
    with pytest.raises(ConfigError, match="named twice; name each once"):
        FeatureSpec(("step", "step"))
    with pytest.raises(ConfigError, match="'temp_now_degc', which weather='none' does not have; drop it"):
        spec_of("none", left_out=("temp_now_degc",))
    assert "days_back" not in spec_of("none", left_out=("days_back",)).names


def test_a_spec_of_perfect_weather_is_refused_on_inputs_with_forecasts_and_on_inputs_with_none():
    panel, weather = at_hand(3, n_days=20)
    with pytest.raises(ConfigError, match=r"weather \(forecast\) has no temp_perfect_degc; cut them with"):
        feature_matrix(cut(panel, steps(700), weather=weather).inputs, spec_of("perfect"))
    with pytest.raises(ConfigError, match=r"weather \(none\) has no temp_now_degc; cut them with"):
        feature_matrix(cut(panel, steps(700)).inputs, spec_of("observed"))


def test_a_spec_of_2_columns_gives_those_2_in_its_order_and_they_reshape_without_a_copy():
    panel, _ = at_hand(4, n_days=20)
    matrix = feature_matrix(cut(panel, steps(600, 700)).inputs, FeatureSpec(("day_1_kwh", "step")))
    assert matrix.names == ("day_1_kwh", "step")
    assert matrix.values[0, :, 1].tolist() == list(range(48))
    assert np.shares_memory(matrix.values.reshape(-1, 2), matrix.values)
    assert matrix.values.dtype == np.float32


def table(panel, weather=None, arm="none", **rest):
    seen = None if weather is None else weather_from_table(weather, arm=arm, error_degc=1, seed=7)
    knobs = {"context_steps": 672, **rest}
    return pl.concat(build_features(readings_of(panel).lazy(), seen, spec_of(arm), **knobs))


def test_the_table_has_46_rows_on_the_day_of_the_spring_change_50_in_autumn_and_48_else_each_half_hour_once():
    panel = random_panel(np.random.default_rng(5), n_entities=1, n_days=N_DAYS, missing=0)
    rows = table(panel)
    days = rows.group_by("t0_utc").len().sort("t0_utc")
    counts = dict(
        zip(local_date(days["t0_utc"].dt.replace_time_zone(None).to_numpy()).astype(str), days["len"], strict=True)
    )
    assert counts.pop("2013-03-31") == 46
    assert counts.pop("2013-10-27") == 50
    assert set(list(counts.values())[:-1]) == {48}
    assert rows.select("entity_id", "ts_utc").is_unique().all()
    assert rows["ts_utc"].is_sorted()


def test_each_row_of_the_table_equals_the_matrix_of_its_midnight_and_its_truth_the_reading_null_where_missing():
    panel, weather = at_hand(6, n_days=70)
    rows = table(panel, weather, "forecast", data_lag_steps=48)
    spec = spec_of("forecast")
    assert rows.columns == ["entity_id", "t0_utc", "ts_utc", *spec.names, "energy_kwh"]
    origins = local_midnights(START, START + 70 * 48 * HALF_HOUR)
    windows = cut(panel, origins, weather=weather, context=672, lag=48, horizon_steps=50)
    matrix = feature_matrix(windows.inputs, spec)
    some = rows.sample(300, seed=1)
    homes, t0 = windows.inputs.entity, windows.inputs.t0
    step = rows.columns.index("step")
    for found in some.with_columns(pl.col("t0_utc", "ts_utc").dt.replace_time_zone(None)).iter_rows():
        entity, at, _, *values, energy = found
        (row,) = np.flatnonzero((homes == entity) & (t0 == np.datetime64(at, "us")))
        at_step = int(found[step])
        np.testing.assert_array_equal(np.array(values, dtype=np.float32), matrix.values[row, at_step])
        truth = windows.truth_kwh[row, at_step]
        assert energy == truth if energy is not None else np.isnan(truth)
    assert rows["energy_kwh"].null_count() > 0
    a_day = rows.group_by("entity_id", "t0_utc").agg(pl.col("energy_kwh").is_not_null().any())
    assert a_day["energy_kwh"].all()


def test_the_table_is_the_same_in_frames_of_3_windows_and_of_2000_and_its_frames_come_by_month():
    panel, _ = at_hand(7, n_days=45)
    readings = readings_of(panel)
    frames = list(build_features(readings, None, spec_of("none"), context_steps=672, windows_per_frame=3))
    assert max(frame.select("entity_id", "t0_utc").n_unique() for frame in frames) <= 3
    months = [frame["ts_utc"].dt.convert_time_zone("Europe/London").dt.month().unique().to_list() for frame in frames]
    assert all(len(month) <= 1 for month in months)
    assert pl.concat(frames).equals(table(panel), null_equal=True)


def test_readings_of_2_intervals_or_of_none_are_refused():
    readings = readings_of(random_panel(np.random.default_rng(8), n_days=2))
    hourly = readings.head(3).with_columns(interval_mins=pl.lit(60, pl.Int16))
    for bad in (readings.head(0), pl.concat([readings, hourly])):
        with pytest.raises(SchemaError, match="empty or of several interval_mins; choose"):
            next(build_features(bad, None, spec_of("none"), context_steps=672))


def test_a_month_of_some_homes_holds_their_rows_of_the_whole_table():
    panel, weather = at_hand(8, n_days=70)
    seen = weather_from_table(weather, arm="forecast", error_degc=1, seed=7)
    spec, sizes = spec_of("forecast"), {"context_steps": 672, "data_lag_steps": 3}
    readings = readings_of(panel)
    whole = pl.concat(build_features(readings, seen, spec, **sizes))
    first, second = panel.entities.tolist()
    months = feature_months(readings)
    assert [len(month.midnights) for month in months] == [7, 30, 31, 3]
    for month in months:
        since, until = month.span(672)
        some = readings.filter(pl.col("ts_utc").is_between(since, until))
        (frame,) = month_features(some, seen, spec, month, between=(second, second), **sizes)
        name = pl.col("t0_utc").dt.convert_time_zone("Europe/London").dt.strftime("%Y-%m")
        assert frame.equals(whole.filter(pl.col("entity_id") == second, name == month.name))
    assert whole["entity_id"].unique().sort().to_list() == [first, second]
