"""What each kind does, in kWh that can be counted by hand, and what none ever does."""

from dataclasses import replace

import numpy as np
import pytest
from tests.scenario.scenario_fixtures import DAY_KWH, ground, of_one_night, panel, series, windows

from loadproof.errors import ConfigError
from loadproof.features.notices import Notices
from loadproof.scenario.acts import apply
from loadproof.scenario.ground import lay_ground
from loadproof.scenario.kinds import KINDS, Scenario, draw


def rng(seed=0):
    return np.random.default_rng(seed)


def play(kind, parameters, onset, cut=None, *, seed=0, **options):
    cut = cut or of_one_night(windows())
    return series(apply(Scenario(kind, parameters, onset, seed), cut, rng=rng(), **options)) - series(cut)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_changes_before_the_onset_and_what_was_given_stays_as_it_is(kind):
    cut = of_one_night(windows(gap=True))
    was = series(cut).copy()
    scenario = draw(kind, rng=rng(1))
    now = series(apply(scenario, cut, rng=rng(2), ground=ground()))
    onset = max(672 + scenario.onset_steps, 0)
    np.testing.assert_array_equal(now[:, :onset], was[:, :onset])
    np.testing.assert_array_equal(series(cut), was)
    assert now.dtype == np.float32


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_half_hour_stays_missing_and_no_truth_goes_missing(kind):
    cut = windows(gap=True).take(slice(60, 90))
    cut = of_one_night(windows(gap=True), 5) if kind == "COLD_SNAP" else cut
    now = apply(draw(kind, rng=rng(3)), cut, rng=rng(4), ground=ground())
    assert np.isnan(series(now))[np.isnan(series(cut))].all()
    np.testing.assert_array_equal(np.isnan(now.truth_kwh), np.isnan(cut.truth_kwh))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_leaves_a_trace_in_the_context(kind):
    cut, lent = of_one_night(windows()), ground(kwh_a_degree=0.001)
    seen = [
        not np.array_equal(
            apply(draw(kind, rng=rng(seed)), cut, rng=rng(), ground=lent).inputs.context_kwh,
            cut.inputs.context_kwh, equal_nan=True,
        )
        for seed in range(8)
    ]  # fmt: skip
    assert all(seen)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_scenario_and_chance_give_the_same_windows(kind):
    cut, scenario = of_one_night(windows()), draw(kind, rng=rng(9))
    first, second = (series(apply(scenario, cut, rng=rng(1), ground=ground())) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_daily_charge_of_11_04_kwh_adds_as_much_on_each_whole_evening():
    car = {"power_kw": 7.36, "from_hour": 18, "energy_kwh": 11.04, "days_a_week": 7}
    added = play("EV_SPIKE", car, -5 * 48)
    by_day = added.reshape(3, -1, 48).sum(axis=2)
    assert by_day[:, -6:] == pytest.approx(np.full((3, 6), 11.04), rel=1e-5)
    assert (by_day[:, :-6] == 0).all()
    assert added.max() == pytest.approx(3.68)


def test_a_car_that_charges_twice_a_week_charges_on_the_same_weekdays_in_every_home():
    car = {"power_kw": 3.68, "from_hour": 18, "energy_kwh": 5, "days_a_week": 2}
    days = play("EV_SPIKE", car, -12 * 48).reshape(3, -1, 48).sum(axis=2) > 0  # (3, D)
    assert (days == days[0]).all()
    assert days[0, -7:].sum() == 2
    np.testing.assert_array_equal(days[0, -6:], days[0, -13:-7])


def test_an_outage_of_two_hours_gives_back_half_of_what_was_missed_and_no_more():
    out = {"hours": 2, "rebound_share": 0.5, "rebound_hours": 1}
    change = play("OUTAGE", out, -4)
    assert change[:, 668:672] == pytest.approx(-np.outer([1, 2, 3], np.full(4, 0.2)))
    back = change[:, 672:].sum(axis=1)
    assert back == pytest.approx(0.5 * 0.8 * np.array([1, 2, 3]), rel=1e-3)


def test_a_shift_of_the_peak_moves_energy_and_makes_none():
    change = play("PEAK_SHIFT", {"shift_hours": 2, "share": 1}, -3 * 48)
    by_day = change.reshape(3, -1, 48)[:, -4:]
    assert by_day.sum(axis=2) == pytest.approx(np.zeros((3, 4)), abs=1e-5)
    assert by_day[0, 0, 32:36] == pytest.approx(np.full(4, -0.8))
    assert by_day[0, 0, 40:44] == pytest.approx(np.full(4, 0.8))


def test_an_added_load_is_another_homes_at_the_same_half_hours():
    change = play("ADDED_LOAD", {"share": 0.5}, -2 * 48, ground=ground())
    times = change[:, -96:] / np.tile(DAY_KWH, 2)  # each home's day is a multiple of the same day
    assert times == pytest.approx(np.repeat(times[:, :1], 96, axis=1), rel=1e-5)
    assert set(np.round(times[0] / 0.5)) <= {2, 3}  # the first home borrows from the other two alone


def test_a_new_occupant_lives_another_homes_life_and_another_season_ones_own():
    cut = of_one_night(windows(), 55)
    other = play("CHANGED_OCCUPANCY", {"months_apart": 0}, -2 * 48, cut, ground=ground()) + series(cut)
    assert other[0, -48:] / DAY_KWH == pytest.approx(np.full(48, other[0, -1] / 0.2))
    assert round(float(other[0, -1] / 0.2)) in (2, 3)
    same = play("CHANGED_OCCUPANCY", {"months_apart": 3}, -2 * 48, cut, ground=ground(gap=False))
    assert np.abs(same).max() == 0  # seven weeks away is the nearest to a season, and all days are alike


def test_hidden_readings_are_hidden_from_the_context_alone_and_a_day_is_left():
    cut = of_one_night(windows())
    now = apply(Scenario("MISSING_DATA", {"gap_hours": 10, "scattered_share": 0}, -48, 0), cut, rng=rng())
    assert np.isnan(now.inputs.context_kwh).sum(axis=1).tolist() == [20, 20, 20]
    np.testing.assert_array_equal(now.truth_kwh, cut.truth_kwh)


def test_real_gaps_are_those_of_a_real_context():
    cut = of_one_night(windows())
    now = apply(Scenario("REAL_GAPS", {"missing_hours": 20}, -672, 0), cut, rng=rng(), ground=ground())
    assert set(np.isnan(now.inputs.context_kwh).sum(axis=1)) == {40}


def test_a_cold_snap_is_in_the_forecast_and_in_the_load_of_homes_that_answer_to_cold():
    made = panel(kwh_a_degree=0.01)
    cut = windows(made=made, with_weather=True)
    lent = lay_ground(cut, cut.inputs.weather)
    assert lent.response_kwh["lcl:A"].sum() == pytest.approx(0.48, rel=0.02)
    night = of_one_night(cut, 10)
    snap = Scenario("COLD_SNAP", {"drop_degc": 5, "days": 8}, -48, 0)
    now = apply(snap, night, rng=rng(), ground=lent)
    at = night.inputs.known_names.index("temp_perfect_degc")
    assert now.inputs.known[..., at] - night.inputs.known[..., at] == pytest.approx(np.full((3, 48), -5.0))
    added = (now.truth_kwh - night.truth_kwh).sum(axis=1)
    assert added == pytest.approx(np.full(3, 5 * 0.48), rel=0.02)
    with pytest.raises(ConfigError, match="one t0"):
        apply(snap, cut, rng=rng(), ground=lent)


def test_judged_kinds_add_a_pump_take_the_sun_and_leave_the_base():
    assert play("HEAT_PUMP", {"mean_kw": 1}, -96)[:, -48:].sum(axis=1) == pytest.approx(np.full(3, 24), rel=0.1)
    assert play("SOLAR", {"noon_kw": 2}, -96)[0, -24] == pytest.approx(-0.2)  # no more than was drawn
    empty = play("VACANCY", {}, -96)[0, -48:]
    assert empty == pytest.approx(0.2 - DAY_KWH)


def test_what_borrows_says_that_it_needs_a_ground():
    for kind in ("ADDED_LOAD", "CHANGED_OCCUPANCY", "REAL_GAPS", "COLD_SNAP"):
        with pytest.raises(ConfigError, match="give apply a ground"):
            apply(draw(kind, rng=rng()), of_one_night(windows()), rng=rng())


def test_an_onset_before_the_context_is_refused():
    cut = windows()
    short = of_one_night(cut)
    short = replace(short, inputs=replace(short.inputs, context_kwh=short.inputs.context_kwh[:, -96:]))
    with pytest.raises(ConfigError, match="look back longer"):
        apply(Scenario("HEAT_PUMP", {"mean_kw": 1}, -200, 0), short, rng=rng())


OUTAGE = {"hours": 3, "rebound_share": 0.5, "rebound_hours": 1}


def test_an_announced_outage_can_be_read_from_what_is_known_at_t0_and_from_nothing_else():
    cut = of_one_night(windows())
    cut = replace(cut, inputs=replace(cut.inputs, notices=Notices()))
    now = apply(Scenario("OUTAGE", OUTAGE, 20, 0), cut, rng=rng())
    np.testing.assert_array_equal(now.inputs.context_kwh, cut.inputs.context_kwh)
    assert (now.truth_kwh[:, 20:26] == 0).all()
    assert np.flatnonzero(now.inputs.known[0, :, -1]).tolist() == [20, 21, 22, 23, 24, 25]
    assert not cut.inputs.known[..., -1].any()  # what was given stays as it is
    missed, back = cut.truth_kwh[:, 20:26].sum(axis=1), (now.truth_kwh - cut.truth_kwh)[:, 26:].sum(axis=1)
    np.testing.assert_allclose(back, 0.5 * missed, rtol=0.01)


def test_an_outage_that_is_over_by_t0_is_no_announcement():
    cut = of_one_night(windows())
    told = replace(cut, inputs=replace(cut.inputs, notices=Notices()))
    now = apply(Scenario("OUTAGE", OUTAGE, -10, 0), told, rng=rng())
    assert now.inputs.notices == Notices()
    np.testing.assert_array_equal(series(now), series(apply(Scenario("OUTAGE", OUTAGE, -10, 0), cut, rng=rng())))


def test_what_begins_after_t0_and_nobody_could_know_of_is_refused():
    cut = of_one_night(windows())
    told = replace(cut, inputs=replace(cut.inputs, notices=Notices()))
    for kind, parameters, some in (("OUTAGE", OUTAGE, cut), ("HEAT_PUMP", {"mean_kw": 1}, told)):
        with pytest.raises(ConfigError, match="leaves no trace"):
            apply(Scenario(kind, parameters, 4, 0), some, rng=rng())
    two = windows().take(slice(0, 2))
    with pytest.raises(ConfigError, match="one t0"):
        apply(Scenario("OUTAGE", OUTAGE, 4, 0), replace(two, inputs=replace(two.inputs, notices=Notices())), rng=rng())
