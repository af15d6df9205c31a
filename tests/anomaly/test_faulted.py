import numpy as np
from tests.anomaly.detector_fixtures import homes, panel_of, windows_of

from loadproof.anomaly.days import cut_days
from loadproof.anomaly.faulted import recut, series_of, set_fault
from loadproof.anomaly.injection import FAULTS, Alteration, lasting


def test_windows_cut_again_from_what_they_hold_are_the_same_windows():
    windows = windows_of(homes(3, 40, missing=0.1))
    series = series_of(windows)
    again = recut(series, series.panel.energy_kwh, np.arange(len(windows)))
    np.testing.assert_array_equal(again.truth_kwh, windows.truth_kwh)
    np.testing.assert_array_equal(again.inputs.context_kwh, windows.inputs.context_kwh)


def test_the_series_that_windows_hold_is_the_panel_that_they_were_cut_from():
    energy = homes(2, 35, missing=0.05)
    np.testing.assert_array_equal(series_of(windows_of(energy)).panel.energy_kwh, energy)


def test_on_the_day_of_23_hours_the_next_days_hour_stays_blank():
    panel = panel_of(homes(1, 40), start=np.datetime64("2013-03-01", "us"))
    windows = cut_days(panel, np.datetime64("2013-03-30"), np.datetime64("2013-04-02T23:00"))
    assert np.isnan(windows.truth_kwh).sum() == 2
    series = series_of(windows)
    again = recut(series, series.panel.energy_kwh, np.arange(len(windows)))
    assert np.isnan(again.truth_kwh).sum() == 2


def test_a_slip_of_1_half_hour_touches_its_day_and_those_whose_context_holds_it():
    windows = windows_of(homes(1, 40, seed=3))  # 12 days, each with 28 of context
    found = set_fault(series_of(windows), FAULTS["unit_slip"], 1, rng=np.random.default_rng(0))
    day, step = np.argwhere(found.label)[0]
    assert found.label.sum() == 1
    assert day == 0
    np.testing.assert_array_equal(found.rows, np.arange(found.rows[0], 12))
    before = windows.truth_kwh[found.rows[0], step]
    np.testing.assert_allclose(found.windows.truth_kwh[0, step], 1000 * before, rtol=1e-6)
    changed = found.windows.inputs.context_kwh[1:] != windows.inputs.context_kwh[found.rows[1:]]
    np.testing.assert_array_equal(changed.sum(axis=1), 1)


def test_a_gap_stays_a_gap_and_is_no_part_of_a_label():
    energy = homes(1, 40, missing=0.3)
    windows = windows_of(energy)
    found = set_fault(series_of(windows), FAULTS["left_on"], 3, rng=np.random.default_rng(0))
    assert not found.label[np.isnan(found.windows.truth_kwh)].any()
    np.testing.assert_array_equal(np.isnan(found.windows.truth_kwh), np.isnan(windows.truth_kwh[found.rows]))


def test_of_days_too_few_for_a_fault_nothing_is_made():
    month = Alteration(lambda scene: scene.now, "days", (28,), lasting(28 * 48), daily=True)
    assert set_fault(series_of(windows_of(homes(1, 40))), month, 28, rng=np.random.default_rng(0)) is None
