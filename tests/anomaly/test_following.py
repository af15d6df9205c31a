"""P-values that go along with the homes."""

import datetime as dt

import numpy as np
import pytest
from tests.anomaly.detector_fixtures import START

from loadproof.anomaly.alert_rule import choose_rule, join_odd
from loadproof.anomaly.following import CleanHistory, Following, follow
from loadproof.anomaly.pvalues import fit_pvalues, p_values
from loadproof.anomaly.sweep import DayScores
from loadproof.detector import Scores
from loadproof.errors import ConfigError
from loadproof.evaluation.timeline import timeline_of
from loadproof.features.windows import Inputs

CLEAN = CleanHistory(dt.date(2013, 2, 11), days=21, rule_days=14, refresh_days=7)  # from 21 January on


def _found(score):
    """Scores of homes and so many days from 7 January on, ordered by home, ``(E D, 48)``."""
    homes, days = score.shape[:2]
    t0 = np.tile(START + np.arange(days) * np.timedelta64(1, "D"), homes)
    entity = np.repeat(np.array([f"h{home:03d}" for home in range(homes)]), days)
    inputs = Inputs(np.zeros((homes * days, 0), np.float32), t0, entity, 48, 30)
    flat = score.reshape(-1, 48).astype(np.float32)
    return DayScores(inputs, Scores(flat, np.zeros(flat.shape, np.uint8)))


@pytest.fixture(scope="module")
def found():
    return _found(np.random.default_rng(0).random((3, 60, 48)))


def _dates(found):
    return found.inputs.t0.astype("datetime64[D]")


@pytest.mark.parametrize(
    ("day", "first", "period"),
    [
        (dt.date(2013, 1, 28), dt.date(2013, 1, 21), dt.date(2013, 1, 28)),
        (dt.date(2013, 2, 10), dt.date(2013, 1, 21), dt.date(2013, 2, 4)),
        (dt.date(2013, 2, 11), dt.date(2013, 1, 21), dt.date(2013, 2, 11)),
        (dt.date(2013, 2, 24), dt.date(2013, 1, 28), dt.date(2013, 2, 18)),
    ],
)
def test_a_day_is_ranked_among_the_21_before_its_week_but_none_before_the_first(day, first, period):
    assert CLEAN.period_of(day) == period
    assert CLEAN.history_of(period) == (first, period)


def test_weeks_are_counted_from_the_first_day_judged_so_that_the_first_of_17_days_before_it_are_3_days():
    clean = CLEAN._replace(rule_days=17)
    begun = [dt.date(2013, 1, 25), dt.date(2013, 1, 28), dt.date(2013, 2, 4), dt.date(2013, 2, 11)]
    assert clean.periods(dt.date(2013, 1, 25), dt.date(2013, 2, 13)) == begun


def test_days_before_there_is_history_or_judgement_are_refused():
    with pytest.raises(ConfigError, match="2013-01-27 is before 2013-01-28, from when on days are ranked; choose a"):
        CLEAN.period_of(dt.date(2013, 1, 27))
    with pytest.raises(ConfigError, match="2013-02-10 is before 2013-02-11, from when on days are judged; choose a"):
        CLEAN.needed_from(dt.date(2013, 2, 10))


def test_each_week_has_the_p_values_of_a_fit_on_its_own_history(found):
    followed = follow(found, CLEAN, CLEAN.judged_from, alerts_per_week=2)
    day = _dates(found)
    assert np.isnan(followed.p[day < np.datetime64("2013-02-11")]).all()
    for begin in np.arange(np.datetime64("2013-02-11"), np.datetime64("2013-03-08"), np.timedelta64(7, "D")):
        past = (day >= max(begin - 21, np.datetime64("2013-01-21"))) & (day < begin)
        week = (day >= begin) & (day < begin + 7)
        known = fit_pvalues(found.scores.score[past], found.inputs.entity[past])
        wanted = p_values(known, found.scores.score[week], found.inputs.entity[week])
        np.testing.assert_array_equal(followed.p[week], wanted)


def test_each_week_has_the_threshold_of_the_two_weeks_before_it_as_they_were_ranked(found):
    following, day = Following(found, CLEAN, CLEAN.judged_from), _dates(found)
    for begin in (np.datetime64("2013-02-11"), np.datetime64("2013-02-18")):
        latest = (day >= begin - 14) & (day < begin)
        assert np.isfinite(following.p[latest]).all()  # ranked among the days before them
        laid = timeline_of(found.inputs.take(latest)).lay(following.p[latest], blank=np.nan)
        wanted = choose_rule(laid, alerts_per_week=2).p_value
        week = (day >= begin) & (day < begin + 7)
        assert np.unique(following.limits(2)[week]).tolist() == [np.float32(wanted)]


def test_of_scores_that_do_not_change_1_alert_a_home_and_week_is_made_within_10_percent():
    clean = CleanHistory(dt.date(2013, 1, 7) + dt.timedelta(days=98), days=98, rule_days=42, refresh_days=7)
    found = _found(np.random.default_rng(0).random((30, 24 * 7, 48)))
    odd = follow(found, clean, clean.judged_from, alerts_per_week=1).odd
    stands = join_odd(timeline_of(found.inputs).lay(odd, blank=False), 4)
    starts = (np.diff(stands.astype(np.int8), axis=1, prepend=0) == 1).sum()
    assert starts / (30 * 10) == pytest.approx(1, rel=0.1)


def test_homes_that_drift_do_not_alarm_ever_more_often():
    # Each week scores a little higher than the one before, and ranks high among all earlier ones.
    clean = CleanHistory(dt.date(2013, 1, 7) + dt.timedelta(days=98), days=98, rule_days=42, refresh_days=7)
    drift = np.repeat(np.arange(30) * 0.001, 7)[:, None]
    found = _found(np.random.default_rng(0).random((30, 30 * 7, 48)) + drift)
    odd = follow(found, clean, clean.judged_from, alerts_per_week=1).odd
    stands = join_odd(timeline_of(found.inputs).lay(odd, blank=False), 4)
    starts = (np.diff(stands.astype(np.int8), axis=1, prepend=0) == 1).sum()
    assert starts / (30 * 16) == pytest.approx(1, rel=0.35)


def test_scores_that_are_all_alike_have_limits_of_0_and_are_refused_by_a_watch():
    found = _found(np.full((3, 60, 48), 0.5))
    following = Following(found, CLEAN, CLEAN.judged_from)
    judged = _dates(found) >= np.datetime64("2013-02-11")
    assert (following.limits(1)[judged] == 0).all() and np.isnan(following.limits(1)[~judged]).all()
    with pytest.raises(ConfigError, match="cannot tell 1 alerts per home and week"):
        follow(found, CLEAN, CLEAN.judged_from, alerts_per_week=1)


def test_a_changed_score_is_ranked_among_the_untouched_ones_of_the_days_before(found):
    following = Following(found, CLEAN, CLEAN.judged_from)
    rows = np.flatnonzero(_dates(found) == np.datetime64("2013-02-20"))
    np.testing.assert_array_equal(following.p_of(found.scores.score[rows], rows), following.p[rows])
    loud = following.p_of(np.full((3, 48), 1.0, np.float32), rows)
    assert (loud < 1.1 / 1008).all()  # above nearly each reading of 21 days


def test_what_comes_later_changes_nothing_about_a_day(found):
    early = _dates(found) < np.datetime64("2013-02-20")
    part, whole = (follow(some, CLEAN, CLEAN.judged_from, alerts_per_week=2) for some in (found.take(early), found))
    np.testing.assert_array_equal(part.p, whole.p[early])
    np.testing.assert_array_equal(part.limit, whole.limit[early])


@pytest.mark.parametrize(
    "date", [dt.date(2013, 2, 11), dt.date(2013, 2, 13), dt.date(2013, 2, 28), dt.date(2013, 3, 6)]
)
def test_a_day_alone_with_what_it_needs_is_judged_as_among_all(found, date):
    day = _dates(found)
    needed = (day >= np.datetime64(CLEAN.needed_from(date))) & (day <= np.datetime64(date))
    alone = follow(found.take(needed), CLEAN, date, alerts_per_week=2)
    whole = follow(found, CLEAN, CLEAN.judged_from, alerts_per_week=2)
    rows = day == np.datetime64(date)
    np.testing.assert_array_equal(alone.p[day[needed] == np.datetime64(date)], whole.p[rows])
    np.testing.assert_array_equal(alone.limit[day[needed] == np.datetime64(date)], whole.limit[rows])


def test_homes_whose_scores_double_alarm_without_end_unless_the_history_follows():
    score = np.random.default_rng(0).random((3, 60, 48))
    score[:, 35:] *= 2  # from 11 February on
    frozen = CLEAN._replace(refresh_days=366)
    last_week = slice(-7, None)
    p_frozen, p_follows = (
        follow(_found(score), clean, clean.judged_from, alerts_per_week=2).p.reshape(3, 60, 48)[:, last_week]
        for clean in (frozen, CLEAN)
    )
    assert (p_frozen < 0.01).mean() > 0.4
    assert (p_follows < 0.01).mean() < 0.03
