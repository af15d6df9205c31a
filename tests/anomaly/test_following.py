"""P-values that go along with the homes."""

import datetime as dt

import numpy as np
import pytest
from tests.anomaly.detector_fixtures import START

from loadproof.anomaly.following import CleanHistory, clean_rule, following_p_values
from loadproof.anomaly.pvalues import fit_pvalues, p_values
from loadproof.anomaly.sweep import DayScores
from loadproof.detector import Scores
from loadproof.errors import ConfigError
from loadproof.features.windows import Inputs

CLEAN = CleanHistory(dt.date(2013, 1, 21), dt.date(2013, 2, 4), days=21, refresh_days=7)


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


@pytest.mark.parametrize(
    ("day", "first", "until"),
    [
        (dt.date(2013, 2, 4), dt.date(2013, 1, 21), dt.date(2013, 2, 4)),
        (dt.date(2013, 2, 10), dt.date(2013, 1, 21), dt.date(2013, 2, 4)),
        (dt.date(2013, 2, 11), dt.date(2013, 1, 21), dt.date(2013, 2, 11)),
        (dt.date(2013, 2, 24), dt.date(2013, 1, 28), dt.date(2013, 2, 18)),
    ],
)
def test_a_day_is_ranked_among_the_21_before_its_week_but_none_before_the_first(day, first, until):
    assert CLEAN.period_of(day) == (first, until)


def test_a_day_of_the_clean_history_itself_is_refused():
    with pytest.raises(ConfigError, match="2013-02-03 is before 2013-02-04, from when on days are judged; choose a"):
        CLEAN.period_of(dt.date(2013, 2, 3))


def test_each_week_has_the_p_values_of_a_fit_on_its_own_history(found):
    p = following_p_values(found, CLEAN)
    day = found.inputs.t0.astype("datetime64[D]")
    assert np.isnan(p[day < np.datetime64("2013-02-04")]).all()
    for begin in np.arange(np.datetime64("2013-02-04"), np.datetime64("2013-03-08"), np.timedelta64(7, "D")):
        past = (day >= max(begin - 21, np.datetime64("2013-01-21"))) & (day < begin)
        week = (day >= begin) & (day < begin + 7)
        known = fit_pvalues(found.scores.score[past], found.inputs.entity[past])
        np.testing.assert_array_equal(p[week], p_values(known, found.scores.score[week], found.inputs.entity[week]))


def test_what_comes_later_changes_nothing_about_a_day(found):
    day = found.inputs.t0.astype("datetime64[D]")
    early = day < np.datetime64("2013-02-20")
    np.testing.assert_array_equal(following_p_values(found.take(early), CLEAN), following_p_values(found, CLEAN)[early])


def test_homes_whose_scores_double_alarm_without_end_unless_the_history_follows():
    score = np.random.default_rng(0).random((3, 60, 48))
    score[:, 35:] *= 2  # from 11 February on
    frozen = CLEAN._replace(refresh_days=366)
    last_week = slice(-7, None)
    p_frozen, p_follows = (
        following_p_values(_found(score), clean).reshape(3, 60, 48)[:, last_week] for clean in (frozen, CLEAN)
    )
    assert (p_frozen < 0.01).mean() > 0.4
    assert (p_follows < 0.01).mean() < 0.03


def test_the_rule_is_chosen_on_the_days_before_the_first_judged(found):
    rule = clean_rule(found, CLEAN, alerts_per_week=2)
    changed = found.scores.score.copy()
    changed[found.inputs.t0 >= np.datetime64("2013-02-04")] = 1
    assert clean_rule(DayScores(found.inputs, Scores(changed, found.scores.kind)), CLEAN, alerts_per_week=2) == rule
    assert rule.alerts_per_week == 2
