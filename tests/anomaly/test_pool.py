"""Homes in groups are judged as all homes together are, bit by bit."""

import datetime as dt

import numpy as np
import pytest
from tests.anomaly.detector_fixtures import START

from loadproof.anomaly.following import CleanHistory
from loadproof.anomaly.pool import among_all, gather, land, leaves_of, limit_of, rank_day
from loadproof.anomaly.sweep import DayScores
from loadproof.anomaly.watch import Judged, achieved_rate, judge
from loadproof.detector import Scores
from loadproof.errors import ConfigError
from loadproof.features.windows import Inputs

CLEAN = CleanHistory(dt.date(2013, 2, 11), days=28, rule_days=14, refresh_days=7)  # from 14 January on
HOMES, DAYS = 13, 60


def _found(score):
    """Scores of homes and days from 7 January on, ordered by home; a day without any has no row."""
    homes, days = score.shape[:2]
    t0 = np.tile(START + np.arange(days) * np.timedelta64(1, "D"), homes)
    entity = np.repeat(np.array([f"h{home:03d}" for home in range(homes)]), days)
    flat = score.reshape(-1, 48).astype(np.float32)
    kept = np.isfinite(flat).any(axis=1)
    inputs = Inputs(np.zeros((int(kept.sum()), 0), np.float32), t0[kept], entity[kept], 48, 30)
    return DayScores(inputs, Scores(flat[kept], np.zeros(flat[kept].shape, np.uint8)))


@pytest.fixture(scope="module")
def found():
    """Skewed scores with gaps and ties; a home that comes late, one with few readings, a flat one, one that ends."""
    rng = np.random.default_rng(3)
    score = rng.lognormal(size=(HOMES, DAYS, 48)).astype(np.float32)
    score[rng.random(score.shape) < 0.02] = np.nan
    score[2, :30] = np.nan
    score[4][rng.random((DAYS, 48)) < 0.8] = np.nan
    score[5] = 1.0
    score[6, 38:] = np.nan
    score[7] = np.round(score[7], 1)
    return _found(score)


def _groups(found, size, day):
    """The days that groups of so many homes have, up to the day."""
    names, days = np.unique(found.inputs.entity), found.inputs.t0.astype("datetime64[D]")
    seen = (days >= np.datetime64(CLEAN.needed_from(day))) & (days <= np.datetime64(day))
    lots = [names[at : at + size] for at in range(0, len(names), size)]
    return [found.take(np.isin(found.inputs.entity, lot) & seen) for lot in lots]


def _together(groups, day, *, clean=CLEAN, alerts_per_week=2):
    """Judge the day of groups that never meet."""
    leaves = [leaves_of(group, clean, day) for group in groups]
    pools = [gather(lambda n=n: (left[n] for left in leaves), clean) for n in range(len(leaves[0]))]
    landed = [land(group, clean, day, [pool.asked for pool in pools]) for group in groups]
    pools = [among_all(pool, [one[n] for one in landed]) for n, pool in enumerate(pools)]
    ranked = [rank_day(group, clean, day, pools, alerts_per_week=alerts_per_week) for group in groups]
    limit = limit_of((one.tally for one in ranked), clean, day, alerts_per_week=alerts_per_week, interval_mins=30)
    return [Judged(one.found, one.p, np.full(len(one.p), limit, np.float32)) for one in ranked], pools


DATES = [dt.date(2013, 2, 11), dt.date(2013, 2, 16), dt.date(2013, 2, 18), dt.date(2013, 3, 6)]


@pytest.mark.parametrize("day", DATES)
@pytest.mark.parametrize("size", [1, 4, HOMES])
def test_groups_of_any_size_have_the_p_values_threshold_and_rate_of_all_rows_judged_at_once(found, day, size):
    judged, pools = _together(_groups(found, size, day), day)
    wanted = judge(found, CLEAN, [day], alerts_per_week=2)
    assert any(len(pool.asked) for pool in pools)  # some home is a stranger, ranked among all
    np.testing.assert_array_equal(np.concatenate([one.p for one in judged]), wanted.p)
    np.testing.assert_array_equal(np.concatenate([one.limit for one in judged]), wanted.limit)
    rate = achieved_rate((one.sums() for one in judged if len(one.p)), draws=9, rng=np.random.default_rng(0))
    assert rate.as_json() == wanted.rate(draws=9, rng=np.random.default_rng(0)).as_json()


def test_a_stranger_is_ranked_among_the_readings_of_all_groups(found):
    day = DATES[-1]
    groups = _groups(found, 4, day)
    _, pools = _together(groups, day)
    first, until = CLEAN.history_of(CLEAN.period_of(day))
    days = found.inputs.t0.astype("datetime64[D]")
    past = found.scores.score[(days >= np.datetime64(first)) & (days < np.datetime64(until))]
    asked = pools[-1].asked
    reached = [(past >= one).sum() for one in asked]
    np.testing.assert_array_equal(pools[-1].rank(asked), (np.array(reached) + 1) / (np.isfinite(past).sum() + 1))


def test_without_a_shared_tail_groups_are_judged_as_all_homes_are(found):
    own, day = CLEAN._replace(tail="own"), DATES[-1]
    judged, _ = _together(_groups(found, 4, day), day, clean=own)
    wanted = judge(found, own, [day], alerts_per_week=2)
    np.testing.assert_array_equal(np.concatenate([one.p for one in judged]), wanted.p)


def test_scores_that_are_all_alike_have_a_limit_of_0_and_are_refused_on_the_first_day_of_all():
    flat = _found(np.full((3, DAYS, 48), 0.5))
    judged, _ = _together(_groups(flat, 2, DATES[-1]), DATES[-1])
    assert all((one.limit == 0).all() for one in judged)
    with pytest.raises(ConfigError, match="cannot tell 2 alerts per home and week"):
        _together(_groups(flat, 2, CLEAN.judged_from), CLEAN.judged_from)
