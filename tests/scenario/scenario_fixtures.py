"""Windows of three homes over many weeks, each day alike, so that what a scenario did can be counted by hand."""

import numpy as np

from loadproof.features.calendar import local_midnights
from loadproof.features.panel import Panel
from loadproof.features.weather import Weather
from loadproof.features.windows import cut_windows
from loadproof.scenario.ground import lay_ground

START = np.datetime64("2013-01-07T00:00", "us")  # a Monday; winter, so that UTC is local time
WEEKS = 10
STEPS = WEEKS * 7 * 48
DAY_KWH = np.where((np.arange(48) >= 32) & (np.arange(48) < 40), 1.0, 0.2).astype(np.float32)
"""0.2 kWh a half hour, and 1 from 16:00 to 20:00."""


COLD_DEGC = np.minimum(np.arange(STEPS) // 48 % 14, 14 - np.arange(STEPS) // 48 % 14)
"""Degrees below the heating base: more by one each day for a week, and less again."""


def panel(*, gap=False, kwh_a_degree=0.0):
    energy = np.tile(DAY_KWH, (3, STEPS // 48))
    energy[1] *= 2
    energy[2] *= 3
    energy = energy + np.float32(kwh_a_degree) * COLD_DEGC
    if gap:
        energy[2, 600:640] = np.nan
    return Panel(np.array(["lcl:A", "lcl:B", "lcl:C"]), START, 30, energy.astype(np.float32))


def weather():
    return Weather(START, (15.5 - COLD_DEGC).astype(np.float32), "made", arm="perfect")


def windows(*, gap=False, with_weather=False, made=None):
    origins = local_midnights(START + np.timedelta64(14, "D"), START + np.timedelta64(WEEKS * 7, "D"))
    return cut_windows(
        made or panel(gap=gap), context_steps=672, horizon_steps=48, origins=origins,
        weather=weather() if with_weather else None,
    )  # fmt: skip


def of_one_night(cut, night=0):
    return cut.take(cut.inputs.t0 == np.unique(cut.inputs.t0)[night])


def ground(*, gap=True, kwh_a_degree=0.0):
    return lay_ground(windows(made=panel(gap=gap, kwh_a_degree=kwh_a_degree)), weather())


def series(cut):
    return np.concatenate([cut.inputs.context_kwh, cut.truth_kwh], axis=1)
