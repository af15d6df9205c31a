"""The peak of a winter, and how much fits below a limit, by hand and by simulation."""

import numpy as np
import pytest

from loadproof.errors import ConfigError
from loadproof.feeders.winter import (
    Weeks,
    WinterPeak,
    chance_above,
    how_many_fit,
    weekly_peaks,
    winter_peak,
    winter_weeks,
)


def test_the_winter_weeks_of_2013_begin_on_its_mondays_and_a_gap_costs_its_week():
    kwh = np.ones(365 * 48)
    weeks = winter_weeks(kwh, np.datetime64("2013-01-01T00:00", "us"))
    # Mondays from 7 January to 25 February, and from 4 November to 23 December (the last whole week).
    assert len(weeks.energy_kwh) == 8 + 8
    assert weeks.steps[0, 0] == 6 * 48
    kwh[6 * 48 : 8 * 48] = np.nan
    assert len(winter_weeks(kwh, np.datetime64("2013-01-01T00:00", "us")).energy_kwh) == 15
    assert len(winter_weeks(kwh[:100], np.datetime64("2013-01-01T00:00", "us")).energy_kwh) == 0


def test_one_gumbel_has_its_own_quantiles():
    peak = WinterPeak(np.array([10.0]), np.array([2.0]))
    assert chance_above(peak, 10) == pytest.approx(1 - np.exp(-1))
    assert peak.quantile_kwh(0.5) == pytest.approx(10 - 2 * np.log(np.log(2)), abs=2e-3)


def test_the_peak_of_seventeen_weeks_of_a_known_gumbel_is_found_and_few_weeks_make_it_wider():
    rng = np.random.default_rng(1)
    many = winter_peak(rng.gumbel(30, 3, 4000), draws=200, rng=rng)
    assert many.quantile_kwh(0.5) == pytest.approx(30 + 3 * np.log(17) - 3 * np.log(np.log(2)), rel=0.02)
    few = winter_peak(rng.gumbel(30, 3, 9), draws=400, rng=rng)
    width = [each.quantile_kwh(0.9) - each.quantile_kwh(0.1) for each in (many, few)]
    assert width[1] > width[0]


def test_its_intervals_hold_the_peaks_of_winters_not_seen():
    rng = np.random.default_rng(2)
    inside = 0
    for _ in range(300):
        seen, winter = rng.gumbel(30, 3, 16), rng.gumbel(30, 3, 17).max()
        peak = winter_peak(seen, draws=100, rng=rng)
        inside += peak.quantile_kwh(0.1) <= winter <= peak.quantile_kwh(0.9)
    assert 0.7 < inside / 300 < 0.88


def test_seven_weeks_tell_no_winter():
    with pytest.raises(ConfigError, match=r"7 winter week.* wants 8 or more; ingest a winter"):
        winter_peak(np.ones(7), draws=10, rng=np.random.default_rng(1))


def flat_weeks(peak=20.0):
    rng = np.random.default_rng(3)
    kwh = np.full((16, 336), 5.0)
    kwh[:, 36] = peak + rng.gumbel(0, 0.01, 16)
    return Weeks(kwh, np.arange(16 * 336).reshape(16, 336))


def test_devices_that_draw_at_the_peak_fit_until_the_limit_and_those_at_night_all():
    at_peak, at_night = np.zeros((1, 16, 336)), np.zeros((1, 16, 336))
    at_peak[:, :, 36], at_night[:, :, 4] = 1.0, 1.0
    given = {"of": 14, "accept": 0.5, "draws": 50}
    rng = np.random.default_rng(4)
    assert how_many_fit(flat_weeks(), lambda n: n * at_peak, 30.5, rng=rng, **given).most == 10
    # By night the load is 5, so that 14 more stay under the evening's 20.
    assert how_many_fit(flat_weeks(), lambda n: n * at_night, 30.5, rng=rng, **given).most == 14
    assert how_many_fit(flat_weeks(), lambda n: n * at_peak, 19.0, rng=rng, **given).most == -1


def test_bisection_finds_what_trying_each_number_finds():
    rng = np.random.default_rng(5)
    weeks = Weeks(rng.gamma(2, 4, (16, 336)), np.arange(16 * 336).reshape(16, 336))
    pool = rng.gamma(0.5, 1, (30, 16, 336))
    added = lambda n: pool[:n].sum(axis=0)[None]  # noqa: E731
    found = how_many_fit(weeks, added, 60.0, of=30, accept=0.3, draws=50, rng=np.random.default_rng(6))
    seed = int(np.random.default_rng(6).integers(2**63))
    peaks = [weekly_peaks(weeks.energy_kwh + added(n))[0] for n in range(31)]
    told = [winter_peak(each, draws=50, rng=np.random.default_rng(seed)) for each in peaks]
    each = [chance_above(peak, 60.0) for peak in told]
    assert 0 < found.most < 30
    assert each[found.most] <= 0.3 < each[found.most + 1]
