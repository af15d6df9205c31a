import numpy as np
import polars as pl
import pytest
from tests.feeders.feeder_fixtures import feeder
from tests.feeders.shape_fixtures import shapes

from loadproof.errors import SchemaError
from loadproof.feeders.shapes import (
    EXCEEDED,
    autocorrelations,
    daily_peaks,
    duration_curves,
    ramps,
    shapes_of,
    weekly_load_factors,
)

RISING = np.arange(336.0)[None]


def test_energy_is_per_device_that_reports_and_uncounted_half_hours_are_missing():
    table = pl.concat([feeder("a", [0, 1, 3], [6.0, 8.0, 9.0], [3, 4, None]), feeder("b", [3], 5.0, 10)])
    found = shapes_of(table)
    np.testing.assert_array_equal(found.kwh, np.float32([[2, 2, np.nan, np.nan], [np.nan, np.nan, np.nan, 0.5]]))
    assert found.devices.tolist() == [3.5, 10]
    assert found.half_hour.tolist() == [0, 1, 2, 3]
    assert set(found.season) == {0}


def test_what_says_no_count_is_refused():
    with pytest.raises(SchemaError, match="0 of 2 rows"):
        shapes_of(feeder("a", [0, 1], 5.0, None))


def test_a_load_that_rises_evenly_is_exceeded_evenly():
    curve = duration_curves(shapes(RISING))[0]
    np.testing.assert_allclose(curve, 335 * (1 - EXCEEDED))


def test_the_peak_of_a_day_has_its_hour_and_twice_its_energy_as_power():
    kwh = np.full((1, 96), 0.1)
    kwh[0, 37] = 0.9
    kwh[0, 50:60] = np.nan  # a fifth of the second day is missing
    hours, kw = daily_peaks(shapes(kwh))
    assert hours[0, 0] == 18.5
    assert kw[0, 0] == 1.8
    assert np.isnan([hours[0, 1], kw[0, 1]]).all()


def test_the_load_factor_of_a_rising_week_is_one_half():
    assert weekly_load_factors(shapes(RISING))[0].tolist() == [0.5]


def test_ramps_do_not_step_over_a_gap():
    assert np.isnan(ramps(shapes([[1.0, np.nan, 3.0, 3.5]]))).tolist() == [[True, True, False]]
    assert ramps(shapes([[3.0, 3.5]])).tolist() == [[0.5]]


def test_a_daily_rhythm_is_its_own_copy_after_a_day_and_its_opposite_after_half():
    wave = np.sin(np.arange(336) * 2 * np.pi / 48)[None]
    assert autocorrelations(shapes(wave), 48) == pytest.approx([1])
    assert autocorrelations(shapes(wave), 24) == pytest.approx([-1])
    assert np.isnan(autocorrelations(shapes(np.ones((1, 96))), 48)).all()
