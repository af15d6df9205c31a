"""P-values that go along with the homes."""

import datetime as dt

import numpy as np
import pytest
from tests.anomaly.detector_fixtures import START

from loadproof.anomaly.alert_rule import choose_rule
from loadproof.anomaly.following import CleanHistory, follow
from loadproof.anomaly.pvalues import fit_pvalues, p_values
from loadproof.anomaly.sweep import DayScores
from loadproof.detector import Scores
from loadproof.errors import ConfigError
from loadproof.evaluation.timeline import timeline_of
from loadproof.features.windows import Inputs

CLEAN = CleanHistory(dt.date(2013, 1, 21), dt.date(2013, 2, 4), days=21, rule_days=14, refresh_days=7)


def _found(score):
    """Scores of 3 homes and so many days from 7 January on, ordered by home, ``(3 D, 48)``."""
    days = score.shape[1]
    t0 = np.tile(START + np.arange(days) * np.timedelta64(1, "D"), 3)
    entity = np.repeat(np.array(["a", "b", "c"]), days)
    inputs = Inputs(np.zeros((3 * days, 0), np.float32), t0, entity, 48, 30)
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
        (dt.date(2013, 2, 4), dt.date(2013, 1, 21), dt.date(2013, 2, 4)),
        (dt.date(2013, 2, 10), dt.date(2013, 1, 21), dt.date(2013, 2, 4)),
        (dt.date(2013, 2, 11), dt.date(2013, 1, 21), dt.date(2013, 2, 11)),
        (dt.date(2013, 2, 24), dt.date(2013, 1, 28), dt.date(2013, 2, 18)),
    ],
)
def test_a_day_is_ranked_among_the_21_before_its_week_but_none_before_the_first(day, first, period):
    assert CLEAN.period_of(day) == period
    assert CLEAN.history_of(period) == (first, period)


def test_a_day_of_the_clean_history_itself_is_refused():
    with pytest.raises(ConfigError, match="2013-02-03 is before 2013-02-04, from when on days are judged; choose a"):
        CLEAN.period_of(dt.date(2013, 2, 3))


def test_each_week_has_the_p_values_of_a_fit_on_its_own_history(found):
    followed = follow(found, CLEAN, CLEAN.until, alerts_per_week=2)
    day = _dates(found)
    assert np.isnan(followed.p[day < np.datetime64("2013-02-04")]).all()
    for begin in np.arange(np.datetime64("2013-02-04"), np.datetime64("2013-03-08"), np.timedelta64(7, "D")):
        past = (day >= max(begin - 21, np.datetime64("2013-01-21"))) & (day < begin)
        week = (day >= begin) & (day < begin + 7)
        known = fit_pvalues(found.scores.score[past], found.inputs.entity[past])
        wanted = p_values(known, found.scores.score[week], found.inputs.entity[week])
        np.testing.assert_array_equal(followed.p[week], wanted)


def test_the_third_week_has_the_threshold_of_the_two_weeks_before_it_as_they_were_ranked(found):
    followed, day = follow(found, CLEAN, CLEAN.until, alerts_per_week=2), _dates(found)
    latest = (day >= np.datetime64("2013-02-04")) & (day < np.datetime64("2013-02-18"))
    laid = timeline_of(found.inputs.take(latest)).lay(followed.p[latest], blank=np.nan)
    wanted = choose_rule(laid, alerts_per_week=2).p_value
    week = (day >= np.datetime64("2013-02-18")) & (day < np.datetime64("2013-02-25"))
    assert np.unique(followed.limit[week]).tolist() == [np.float32(wanted)]


def test_what_comes_later_changes_nothing_about_a_day(found):
    early = _dates(found) < np.datetime64("2013-02-20")
    part, whole = (follow(some, CLEAN, CLEAN.until, alerts_per_week=2) for some in (found.take(early), found))
    np.testing.assert_array_equal(part.p, whole.p[early])
    np.testing.assert_array_equal(part.limit, whole.limit[early])


@pytest.mark.parametrize("date", [dt.date(2013, 2, 4), dt.date(2013, 2, 13), dt.date(2013, 2, 28), dt.date(2013, 3, 6)])
def test_a_day_alone_with_what_it_needs_is_judged_as_among_all(found, date):
    day = _dates(found)
    needed = (day >= np.datetime64(CLEAN.needed_from(date))) & (day <= np.datetime64(date))
    alone = follow(found.take(needed), CLEAN, date, alerts_per_week=2)
    whole = follow(found, CLEAN, CLEAN.until, alerts_per_week=2)
    rows = day == np.datetime64(date)
    np.testing.assert_array_equal(alone.p[day[needed] == np.datetime64(date)], whole.p[rows])
    np.testing.assert_array_equal(alone.limit[day[needed] == np.datetime64(date)], whole.limit[rows])


def test_homes_whose_scores_double_alarm_without_end_unless_the_history_follows():
    score = np.random.default_rng(0).random((3, 60, 48))
    score[:, 35:] *= 2  # from 11 February on
    frozen = CLEAN._replace(refresh_days=366)
    last_week = slice(-7, None)
    p_frozen, p_follows = (
        follow(_found(score), clean, clean.until, alerts_per_week=2).p.reshape(3, 60, 48)[:, last_week]
        for clean in (frozen, CLEAN)
    )
    assert (p_frozen < 0.01).mean() > 0.4
    assert (p_follows < 0.01).mean() < 0.03
