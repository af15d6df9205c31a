"""The residual of trend and seasons."""

import dataclasses

import numpy as np
import pytest
from tests.anomaly.detector_fixtures import (
    HALF_HOUR,
    fitted,
    homes,
    kinds_at,
    panel_of,
    windows_of,
    with_context,
    with_day,
)

from loadproof.anomaly.decomposition import MSTLDetector
from loadproof.errors import ConfigError
from loadproof.features.calendar import local_half_hour, local_midnights
from loadproof.features.windows import cut_windows


def weekly(weeks=5, seed=0):
    """A home that repeats its week exactly, kWh."""
    return np.tile(np.random.default_rng(seed).gamma(4, 0.1, 336), weeks)


def test_a_week_that_repeats_has_next_to_no_residual_and_1_kwh_more_is_a_spike():
    windows = windows_of(weekly(), first=28, last=31)
    detector = fitted("mstl", windows)
    assert detector.score(windows).score.max() < 0.3
    truth = windows.truth_kwh.copy()
    truth[1, 20] += 1
    scores = detector.score(with_day(windows, truth))
    assert np.argwhere(scores.score > 0.5).tolist() == [[1, 20]]
    assert kinds_at(scores, scores.score > 0.5) == {"spike"}


def test_what_happens_in_the_day_does_not_explain_itself():
    windows = windows_of(weekly(), first=28, last=29)
    detector = fitted("mstl", windows)
    alone = with_day(windows, windows.truth_kwh + np.eye(48)[20])
    lot = with_day(windows, windows.truth_kwh + 1)
    assert detector.score(lot).score[0, 20] == detector.score(alone).score[0, 20]


def test_gaps_in_a_quarter_of_the_context_leave_the_residuals_of_a_repeated_week_small_and_a_whole_gap_scores_0():
    windows = windows_of(weekly(), first=28, last=29)
    context = windows.inputs.context_kwh.copy()
    context[0, np.random.default_rng(1).random(1344) < 0.25] = np.nan
    detector = MSTLDetector()
    assert detector.score(with_context(windows, context)).score.max() < 0.35
    assert detector.score(with_context(windows, np.full_like(context, np.nan))).score.max() == 0


@pytest.mark.parametrize(("start", "first"), [("2013-03-01T00:00", 32), ("2013-09-26T23:00", 33)])
def test_after_a_clock_change_the_day_is_held_against_the_same_wall_clock(start, first):
    panel = panel_of(np.zeros(60 * 48), start=np.datetime64(start, "us"))
    midnights = local_midnights(panel.start, panel.start + np.timedelta64(60, "D"))
    half_hour = local_half_hour(panel.start + np.arange(60 * 48) * HALF_HOUR)
    panel.energy_kwh[0] = np.random.default_rng(3).gamma(4, 0.1, 48)[half_hour]
    windows = cut_windows(panel, context_steps=1344, horizon_steps=48, origins=midnights[first : first + 2])
    assert MSTLDetector().score(windows).score.max() < 0.01
    shifted = dataclasses.replace(windows, truth_kwh=np.roll(windows.truth_kwh, 2, axis=1))
    assert np.median(MSTLDetector().score(shifted).score) > 0.3


def test_a_context_of_13_days_shows_no_week_twice():
    with pytest.raises(ConfigError, match="raise context_steps to 672 or more"):
        MSTLDetector().score(windows_of(homes(1, 15), first=13, context_steps=13 * 48))
