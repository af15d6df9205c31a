import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadproof.features.place import LONDON
from loadproof.features.sun import solar_elevation_deg

LONDON_AT = {"latitude_deg": LONDON.latitude_deg, "longitude_deg": LONDON.longitude_deg}
GREENWICH = {"latitude_deg": 51.4779, "longitude_deg": 0.0}
MINUTES = np.arange(1440) * np.timedelta64(1, "m")


def elevation(date, **place):
    return solar_elevation_deg(np.datetime64(date, "us") + MINUTES, **place)


@pytest.mark.parametrize(
    ("date", "declination_deg"),
    [("2013-03-20", 0.0), ("2013-06-21", 23.44), ("2013-09-22", 0.0), ("2013-12-21", -23.44), ("2012-06-20", 23.44)],
)
def test_the_sun_at_noon_stands_at_90_degrees_less_the_latitude_plus_its_declination(date, declination_deg):
    assert elevation(date, **LONDON_AT).max() == pytest.approx(90 - 51.508 + declination_deg, abs=0.2)


def test_noon_at_greenwich_is_at_1143_on_3_november_and_at_1214_on_11_february():
    # The extremes of the equation of time, +16.4 and -14.2 minutes, of any almanac.
    assert elevation("2013-11-03", **GREENWICH).argmax() == pytest.approx(11 * 60 + 43.6, abs=1)
    assert elevation("2013-02-11", **GREENWICH).argmax() == pytest.approx(12 * 60 + 14.2, abs=1)


def test_the_longest_day_2013_at_greenwich_lasts_from_0343_to_2021_utc_within_2_minutes():
    up = np.flatnonzero(elevation("2013-06-21", **GREENWICH) > -0.833)  # an almanac's sunrise: refraction and radius
    assert up[0] == pytest.approx(3 * 60 + 43, abs=2)
    assert up[-1] == pytest.approx(20 * 60 + 21, abs=2)


def test_15_degrees_to_the_west_the_sun_is_1_hour_later():
    at = np.datetime64("2013-05-05T10:00", "us") + np.arange(24) * np.timedelta64(1, "h")
    here = solar_elevation_deg(at, latitude_deg=50, longitude_deg=0)
    west = solar_elevation_deg(at + np.timedelta64(1, "h"), latitude_deg=50, longitude_deg=-15)
    np.testing.assert_allclose(west, here, atol=0.05)


@given(st.integers(0, 100 * 365 * 86_400), st.floats(-90, 90), st.floats(-180, 180))
def test_the_sun_is_never_higher_than_90_degrees_anywhere_in_100_years(second, latitude, longitude):
    ts = np.full((2, 1), np.datetime64("2000-01-01", "us") + np.timedelta64(second, "s"))
    height = solar_elevation_deg(ts, latitude_deg=latitude, longitude_deg=longitude)
    assert height.shape == (2, 1)
    assert (np.abs(height) <= 90).all()
