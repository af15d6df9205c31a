"""Faults are set where they are said to be, and nowhere else."""

import datetime as dt
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadproof.anomaly.injection import FAULTS, Event, Place, inject, place_events
from loadproof.errors import ConfigError
from loadproof.features.panel import Panel


def _panel(days: int = 60, homes: int = 3, seed: int = 0) -> Panel:
    rng = np.random.default_rng(seed)
    energy = rng.gamma(2, 0.2, (homes, days * 48)).astype(np.float32)
    energy[0, 100:110] = np.nan
    names = np.array([f"lcl:MAC{home:06d}" for home in range(homes)])
    return Panel(names, np.datetime64("2013-01-01T00:00:00", "us"), 30, energy)


@given(st.sampled_from(sorted(FAULTS)), st.integers(0, 2), st.integers(0, 99))
def test_outside_its_label_a_fault_changes_nothing_and_missing_stays_missing(kind, at, seed):
    fault, panel = FAULTS[kind], _panel(seed=seed)
    strength = fault.strengths[min(at, len(fault.strengths) - 1)]
    place = Place(dt.date(2013, 1, 3), dt.date(2013, 3, 1))
    events = place_events(
        panel, place, half_hours=fault.half_hours(strength), daily=fault.daily, rng=np.random.default_rng(seed)
    )
    done = inject(panel, fault.change, events, strength=strength)
    same = done.panel.energy_kwh == panel.energy_kwh
    assert same[~done.label & ~np.isnan(panel.energy_kwh)].all()
    assert np.array_equal(np.isnan(done.panel.energy_kwh), np.isnan(panel.energy_kwh))
    assert done.label.sum() == sum((~np.isnan(panel.energy_kwh[e.row, e.start : e.stop])).sum() for e in events)
    assert len(events) in (2, 3)  # one that would fall wholly into the gap is passed over


def test_each_fault_does_what_its_name_says_to_readings_of_0_4_kwh():
    panel = _panel()
    panel.energy_kwh[1, 480:960] = 0.4
    panel.energy_kwh[1, 478:480] = 0.9
    here = (Event(1, 480, 484),)
    wanted = {
        "meter_dropout": 0.0, "stuck_register": 0.4, "unit_slip": 400.0, "reversed_ct": -0.4, "lost_phase": 0.8 / 3,
        "left_on": 0.5, "theft": 0.32,
    }  # fmt: skip
    strengths = {"left_on": 0.2, "theft": 0.2, "lost_phase": 1}
    for kind, value in wanted.items():
        done = inject(panel, FAULTS[kind].change, here, strength=strengths.get(kind, 4))
        assert done.panel.energy_kwh[1, 480:484] == pytest.approx(np.full(4, value), rel=1e-6), kind


def test_a_clock_shift_reads_what_was_used_an_hour_before():
    panel = _panel()
    done = inject(panel, FAULTS["clock_shift"].change, (Event(2, 480, 576),), strength=2)
    assert np.array_equal(done.panel.energy_kwh[2, 480:576], panel.energy_kwh[2, 478:574])


def test_four_events_a_home_never_overlap_and_lie_within_the_span():
    panel = _panel(homes=20)
    place = Place(dt.date(2013, 1, 3), dt.date(2013, 3, 1), per_home=4)
    events = place_events(panel, place, half_hours=48, daily=True, rng=np.random.default_rng(1))
    assert len(events) == 80
    for row in range(20):
        spans = [(e.start, e.stop) for e in events if e.row == row]
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))
        assert all(start >= 96 and (start - 96) % 48 == 0 and stop <= 59 * 48 for start, stop in spans)


def test_the_same_seed_gives_the_same_places_and_too_long_an_event_is_refused():
    panel, place = _panel(), Place(dt.date(2013, 1, 3), dt.date(2013, 1, 5))
    one, two = (place_events(panel, place, half_hours=6, daily=False, rng=np.random.default_rng(7)) for _ in range(2))
    assert one == two
    with pytest.raises(ConfigError, match="do not fit"):
        place_events(panel, place, half_hours=97, daily=False, rng=np.random.default_rng(7))


def test_a_home_without_a_reading_gets_no_event():
    panel = _panel()
    panel.energy_kwh[1] = np.nan
    place = Place(dt.date(2013, 1, 3), dt.date(2013, 3, 1))
    events = place_events(panel, place, half_hours=6, daily=False, rng=np.random.default_rng(7))
    assert {event.row for event in events} == {0, 2}
