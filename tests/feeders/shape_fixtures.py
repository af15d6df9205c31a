import numpy as np

from loadproof.features.calendar import local_date, local_half_hour, local_weekday, to_local
from loadproof.feeders.shapes import Shapes

WINTER = np.datetime64("2013-01-07T00:00", "us")  # a Monday


def shapes(kwh, *, start=WINTER, devices=10.0):
    """Shapes of loads per device ``(F, T)`` from a Monday on."""
    kwh = np.asarray(kwh, dtype=np.float64)
    ts = start + np.arange(kwh.shape[1]) * np.timedelta64(30, "m")
    months = to_local(ts).astype("datetime64[M]").astype(np.int64) % 12
    days = local_date(ts).astype(np.int64)
    names = np.array([f"f{i}" for i in range(len(kwh))])
    sizes = np.full(len(kwh), devices)
    season = (months + 1) % 12 // 3
    return Shapes(names, sizes, kwh, local_half_hour(ts), season, days, days - local_weekday(ts))


def made_load(n, weeks, *, rng, evening=36, size=1.0):
    """Loads with an evening peak at a half hour of the day, and noise."""
    half_hour = np.arange(weeks * 336) % 48
    day = size * (0.2 + 0.5 * np.exp(-(((half_hour - evening) / 4) ** 2)))
    return day * rng.gamma(20, 1 / 20, (n, weeks * 336))
