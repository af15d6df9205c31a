"""Traits, one by one."""

import numpy as np
import pytest
from tests.anomaly.detector_fixtures import homes, windows_of, with_day

from loadproof.anomaly.relative import relative_level
from loadproof.anomaly.traits import TRAITS, traits_of
from loadproof.baselines.seasonal import home_scale


def trait(windows, name):
    return traits_of(windows)[..., TRAITS.index(name)]


@pytest.fixture
def day():
    return windows_of(homes(1, 29, seed=4))


def test_there_are_9_traits_of_each_half_hour_and_none_is_unknown(day):
    truth = day.truth_kwh.copy()
    truth[0, 5:9] = np.nan
    traits = traits_of(with_day(day, truth))
    assert traits.shape == (1, 48, len(TRAITS)) == (1, 48, 9)
    assert np.isfinite(traits).all()
    assert (traits[0, 5:9, 0] == 0).all()


def test_what_lies_around_reaches_3_hours_back_into_the_context_and_not_beyond_the_day(day):
    both = np.concatenate([day.inputs.context_kwh, day.truth_kwh], axis=1)
    level = relative_level(both, home_scale(day.inputs))[0]
    spread = trait(day, "spread_around")[0]
    for step in (0, 20, 47):
        around = level[1344 + step - 6 : min(1344 + step + 7, len(level))]
        assert spread[step] == pytest.approx(around.std(), rel=1e-3)
    assert trait(day, "rise")[0] == pytest.approx(np.diff(level[-49:]), abs=1e-5)


def test_six_equal_readings_are_a_run_of_6_and_any_other_is_one_of_1(day):
    truth = day.truth_kwh.copy()
    truth[0, 10:16] = 0.7
    repeats = np.exp(trait(with_day(day, truth), "repeats")[0])
    assert repeats[10:16] == pytest.approx([6] * 6)
    assert np.delete(repeats, range(10, 16)) == pytest.approx([1] * 42)


def test_a_day_read_an_hour_late_is_nearer_to_the_usual_of_an_hour_before():
    rng = np.random.default_rng(0)
    energy = np.tile(rng.gamma(1, 0.5, 48), 29) * rng.gamma(50, 1 / 50, 29 * 48)
    windows = windows_of(energy)
    late = with_day(windows, np.roll(energy, 2)[-48:])
    early = with_day(windows, np.roll(energy, -2)[-48:])
    assert trait(late, "an_hour_late")[0, 0] > 1 > 0 > trait(windows, "an_hour_late")[0, 0]
    assert trait(early, "an_hour_early")[0, 0] > 1 > 0 > trait(windows, "an_hour_early")[0, 0]
    assert trait(early, "an_hour_late")[0, 0] < 1
