"""How high the sun stands, for arrays of UTC instants."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from loadproof.features.calendar import Instants

__all__ = ["solar_elevation_deg"]

_J2000: Final = np.datetime64("2000-01-01T12:00", "us")
_DAY: Final = np.timedelta64(1, "D")


def solar_elevation_deg(ts: Instants, *, latitude_deg: float, longitude_deg: float) -> NDArray[np.float64]:
    """Return how high the sun's centre stands above the horizon, degrees, negative at night, of the shape of ``ts``.

    Without refraction; good to a tenth of a degree over two centuries about 2000.
    """
    # Source: US Naval Observatory, "Computing Approximate Solar Coordinates", https://aa.usno.navy.mil/faq/sun_approx,
    # and "Approximate Sidereal Time", https://aa.usno.navy.mil/faq/GAST
    days = (np.asarray(ts, dtype="datetime64[us]") - _J2000) / _DAY
    anomaly = np.radians(357.529 + 0.98560028 * days)
    mean_longitude_deg = 280.459 + 0.98564736 * days
    longitude = np.radians(mean_longitude_deg + 1.915 * np.sin(anomaly) + 0.020 * np.sin(2 * anomaly))
    obliquity = np.radians(23.439 - 0.00000036 * days)
    right_ascension = np.arctan2(np.cos(obliquity) * np.sin(longitude), np.cos(longitude))
    sine_declination = np.sin(obliquity) * np.sin(longitude)
    sidereal_deg = 15 * (18.697374558 + 24.06570982441908 * days)
    hour_angle = np.radians(sidereal_deg + longitude_deg) - right_ascension
    latitude = np.radians(latitude_deg)
    cosine_declination = np.sqrt(1 - sine_declination**2)
    sine = np.sin(latitude) * sine_declination + np.cos(latitude) * cosine_declination * np.cos(hour_angle)
    return np.asarray(np.degrees(np.arcsin(np.clip(sine, -1, 1))))
