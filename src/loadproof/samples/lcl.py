"""Eight simulated homes as Low Carbon London publishes its own: ``LCLid,stdorToU,DateTime,KWH/hh (per half hour) ``.

CRLF; stamps in UTC that mark the *end* of the half hour; values padded with a space on both sides; ``Null`` bare.
The file carries the defects of the published one: a ``Null`` off the grid per home, midnights that two monthly
exports both hold, zeros and a gap before a meter settles, gaps elsewhere, and a home that stands empty.
The names start at MAC009001, above every home of the trial; ``ToU`` is a label alone, for no price acts on anybody.
"""

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from loadproof.samples.clock import Clock, build_clock
from loadproof.samples.files import replace_bytes
from loadproof.samples.homes import Home, draw_home
from loadproof.samples.pulses import HALF_HOUR_MINS, IntArray, half_hour_energy_wh
from loadproof.samples.simulation import meter_w, simulate_home
from loadproof.samples.weather import Weather, simulate_weather
from loadproof.seeds import rng_for

__all__ = ["FIRST_DAY", "N_DAYS", "write_lcl_sample"]

HEADER: Final = "LCLid,stdorToU,DateTime,KWH/hh (per half hour) "
FIRST_DAY: Final = dt.date(2013, 7, 1)
N_DAYS: Final = 188  # to midnight of 5 January 2014
TARIFF_GROUPS: Final = ("Std",) * 6 + ("ToU",) * 2
FIRST_NUMBER: Final = 9001

STORAGE_HOME, CAR_HOME, EMPTY_HOME = 2, 4, 5
EMPTY_DAYS: Final = (dt.date(2013, 9, 16), dt.date(2013, 10, 21))  # first day without and first day with people again

# A meter that reads zero for its first days, then nothing, before it settles.
SETTLING_HOME: Final = 0
ZEROS: Final = 163  # half hours
REPEAT_DAYS: Final = 31  # one export's length; both its first and its last midnight are in it


class Gap(NamedTuple):
    """Half hours that never arrived: absent rows."""

    home: int
    first_stamp: dt.datetime
    n: int


GAPS: Final = (
    Gap(SETTLING_HOME, dt.datetime(2013, 7, 4, 10, 0, tzinfo=dt.UTC), 110),
    Gap(1, dt.datetime(2013, 8, 14, 3, 30, tzinfo=dt.UTC), 10),
    Gap(3, dt.datetime(2013, 9, 5, 18, 30, tzinfo=dt.UTC), 67),
    Gap(4, dt.datetime(2013, 10, 9, 9, 0, tzinfo=dt.UTC), 2),
    Gap(6, dt.datetime(2013, 11, 2, 0, 30, tzinfo=dt.UTC), 288),
    Gap(7, dt.datetime(2013, 7, 19, 11, 30, tzinfo=dt.UTC), 1),
    Gap(7, dt.datetime(2013, 12, 3, 20, 0, tzinfo=dt.UTC), 1),
)


def write_lcl_sample(path: Path, *, seed: int) -> None:
    """Write the sample to ``path``; the same seed gives the same bytes."""
    clock = build_clock(FIRST_DAY, N_DAYS)
    weather = simulate_weather(clock, rng=rng_for(seed, "samples/weather"))
    lines = [HEADER]
    for number, tariff_group in enumerate(TARIFF_GROUPS):
        energy_wh = _simulate_energy_wh(number, clock, weather, rng=rng_for(seed, f"samples/lcl/home/{number}"))
        rows = _break(number, _rows(energy_wh), rng=rng_for(seed, f"samples/lcl/defects/{number}"))
        prefix = f"MAC{FIRST_NUMBER + number:06d},{tariff_group},"
        lines += [f"{prefix}{stamp:%Y-%m-%d %H:%M:%S}.0000000,{value}" for stamp, value in rows]
    replace_bytes(path, ("\r\n".join(lines) + "\r\n").encode("ascii"))


def _simulate_energy_wh(number: int, clock: Clock, weather: Weather, *, rng: np.random.Generator) -> IntArray:
    """Return one home's half hours, watt-hours ``(T,)``; chance alone would often leave rare loads out of eight."""
    home = _feature(number, draw_home(rng=rng))
    vacant = np.zeros(clock.n_days + 1, dtype=bool)
    if number == EMPTY_HOME:
        vacant[slice(*((day - clock.first_day).days for day in EMPTY_DAYS))] = True
    return half_hour_energy_wh(meter_w(simulate_home(home, clock, weather, rng=rng, vacant=vacant)))


def _feature(number: int, home: Home) -> Home:
    """Return ``home`` with the rare thing that its place in the file promises."""
    if number == STORAGE_HOME:
        return replace(home, heating="storage", heating_w=2700, immersion_w=2700, car_w=0)
    if number == CAR_HOME:
        return replace(home, heating="boiler", heating_w=90, car_w=3600)
    if number == EMPTY_HOME:
        return replace(home, heating="boiler", heating_w=90, unplugged_when_away=True, trips_per_year=2.0)
    return home


Row = tuple[dt.datetime, str]


def _rows(energy_wh: IntArray) -> list[Row]:
    """Return stamp and value as printed: a 32-bit float to seven decimals, so that 1.453 comes out as 1.4529999."""
    midnight = dt.datetime.combine(FIRST_DAY, dt.time(), tzinfo=dt.UTC)
    ends = (midnight + dt.timedelta(minutes=HALF_HOUR_MINS * (i + 1)) for i in range(len(energy_wh)))
    kwh = (energy_wh / 1000).astype(np.float32).tolist()
    return [(end, f" {f'{value:.7f}'.rstrip('0').rstrip('.')} ") for end, value in zip(ends, kwh, strict=True)]


def _break(number: int, rows: list[Row], *, rng: np.random.Generator) -> list[Row]:
    """Return the rows of home ``number`` with its defects, still in order of time."""
    if number == SETTLING_HOME:
        rows = [(stamp, " 0 ") for stamp, _ in rows[:ZEROS]] + rows[ZEROS:]
    step = dt.timedelta(minutes=HALF_HOUR_MINS)
    lost = {gap.first_stamp + i * step for gap in GAPS if gap.home == number for i in range(gap.n)}
    first_repeat = dt.datetime(2013, 7, 3, tzinfo=dt.UTC) + dt.timedelta(days=3 * number)
    repeated = {first_repeat + dt.timedelta(days=REPEAT_DAYS * i) for i in range(N_DAYS // REPEAT_DAYS + 1)}
    kept = [row for row in rows if row[0] not in lost]
    kept += [row for row in kept if row[0] in repeated]
    day = dt.datetime(2013, 12, int(rng.integers(18, 20)), 8, tzinfo=dt.UTC)
    off_grid = day + dt.timedelta(minutes=HALF_HOUR_MINS * int(rng.integers(0, 18)), seconds=int(rng.integers(1, 1800)))
    return sorted([*kept, (off_grid, "Null")], key=lambda row: row[0])
