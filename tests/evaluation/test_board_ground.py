import numpy as np
import pytest
from tests.evaluation.board_fixtures import START, config_of, setting, town

from loadproof.errors import ConfigError
from loadproof.evaluation.board_ground import lay_ground, weather_of
from loadproof.features.place import LONDON
from loadproof.features.weather import Weather


def ground_of(level, half, *, panel=None, lag=0, arm="none", weather=None, **knobs):
    return lay_ground(
        town() if panel is None else panel, setting(level, half, arm, lag), config_of(**knobs), weather=weather,
        place=LONDON,
    )  # fmt: skip


def homes_of(ground):
    return set(np.concatenate([list(names) for names in ground.members.values()]))


def test_what_half_a_learns_half_b_never_does_and_both_judge_all_24_homes():
    grounds = [ground_of("home", half) for half in "AB"]
    learned = [set(ground.learned.inputs.entity) for ground in grounds]
    assert [len(homes) for homes in learned] == [12, 12]
    assert not learned[0] & learned[1]
    for ground, homes in zip(grounds, learned, strict=True):
        assert set(ground.seen) == homes
        assert set(ground.judged.inputs.entity) == learned[0] | learned[1]


def test_of_all_homes_each_is_seen():
    ground = ground_of("home", "all")
    assert len(ground.seen) == 24
    assert len(ground.learned) == len(ground.judged)


def test_a_group_of_10_is_judged_of_homes_that_its_teachers_do_not_hold():
    first, second = (ground_of("group_10", half) for half in "AB")
    assert (len(first.members), len(second.members)) == (1, 1)
    assert not homes_of(first) & homes_of(second)
    taught = set(ground_of("home", "A").seen)
    assert not homes_of(first) & taught
    assert not len(first.seen)
    assert len(set(first.learned.inputs.entity)) == 5
    names = sorted(first.members)
    assert names == ["group_10:B00"]
    judged = first.panel.energy_kwh[0]
    members = np.isin(town().entities, first.members["group_10:B00"])
    complete = ~np.isnan(town().energy_kwh[members]).any(axis=0)
    np.testing.assert_allclose(judged[complete], town().energy_kwh[members].sum(axis=0)[complete], rtol=1e-5)


def test_a_home_that_leaves_half_way_is_in_no_group():
    panel = town()
    panel.energy_kwh[3, 48 * 60 :] = np.nan
    members = {home for half in "AB" for home in homes_of(ground_of("group_10", half, panel=panel))}
    assert panel.entities[3] not in members
    assert len(members) == 20


def test_one_sum_of_50_wants_50_homes_that_report():
    with pytest.raises(ConfigError, match="24 homes fill no group of 50"):
        ground_of("sum_50", "all")
    ground = ground_of("sum_50", "all", panel=town(n_homes=55))
    assert ground.panel.entities.tolist() == ground.seen.tolist() == ["sum_50:all00"]
    assert len(homes_of(ground)) == 50


def test_a_lag_of_7_days_leaves_as_many_published_half_hours_as_none_does():
    plain, lagged = ground_of("home", "all"), ground_of("home", "all", lag=336)
    assert plain.judged.inputs.context_kwh.shape[1] == 336
    assert lagged.judged.inputs.context_kwh.shape[1] == 672
    assert np.isnan(lagged.judged.inputs.context_kwh[:, 336:]).all()


def test_an_hour_s_ground_has_contexts_of_168_hours_and_the_same_halves():
    ground = ground_of("buildingsbench", "A")
    inputs = ground.judged.inputs
    assert (inputs.interval_mins, inputs.context_kwh.shape[1], inputs.horizon_steps) == (60, 168, 24)
    assert set(ground.seen) == set(ground_of("home", "A").seen)
    assert not np.isnan(inputs.context_kwh).any()


def test_the_headline_arm_knows_no_weather_and_the_others_a_forecast_wrong_by_2_degrees_or_the_truth():
    weather = Weather(START, np.zeros(48 * 121, dtype=np.float32), "kew")
    assert weather_of("none", weather, seed=1) is None
    forecast, perfect = (weather_of(arm, weather, seed=1) for arm in ("forecast_2", "perfect"))
    assert (forecast.arm, forecast.error_degc, forecast.seed) == ("forecast", 2.0, 1)
    assert perfect.arm == "perfect"
    with pytest.raises(ConfigError, match="loadproof ingest weather"):
        weather_of("perfect", None, seed=1)
    assert ground_of("home", "all").judged.inputs.weather is None
    assert "temp_perfect_degc" in ground_of("home", "all", arm="perfect", weather=weather).judged.inputs.known_names
