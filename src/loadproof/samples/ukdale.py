"""A simulated house as UK-DALE's house 2: plain CSV, and NILMTK's HDF5. Both hold the same samples of the same days.

Meter 20 measures the house (active, apparent, voltage), meters 8 and 12 to 14 an appliance each, and meter 1 is the
disabled clamp around the same cable as meter 20, in the HDF5 alone, as apparent power; never add both. A sample a
minute, whole watts, each meter at its own second. The days lie after the last reading of the real house 2.

Defects: ten minutes without meter 20 across half past twelve, a stamp of meter 20 that comes twice with the same
value, and one of meter 14 that comes twice with another.
"""

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from loadproof.samples.clock import DAY_MINS, build_clock
from loadproof.samples.files import replace_bytes
from loadproof.samples.homes import Home, draw_home
from loadproof.samples.lcl import FIRST_DAY as CLOCK_FIRST_DAY
from loadproof.samples.lcl import N_DAYS as CLOCK_DAYS
from loadproof.samples.pandas_table import Column, PandasTable, hdf5_bytes
from loadproof.samples.pulses import FloatArray, IntArray
from loadproof.samples.simulation import Appliance, meter_w, simulate_home
from loadproof.samples.ukdale_metadata import AGGREGATE, CLAMP, HOUSE, PLUGS, TIMEZONE, build_metadata
from loadproof.samples.weather import simulate_weather
from loadproof.seeds import rng_for

__all__ = ["FIRST_DAY", "GAP", "N_DAYS", "MeterSamples", "simulate_meters", "write_ukdale_csv", "write_ukdale_hdf5"]

FIRST_DAY: Final = dt.date(2013, 11, 15)  # a Friday; local time is UTC
N_DAYS: Final = 3
GAP: Final = (dt.datetime(2013, 11, 16, 12, 25, tzinfo=dt.UTC), dt.timedelta(minutes=10))
REPEATED_MINUTE: Final = DAY_MINS + 180  # 03:00 of the second day
SAMPLE_PERIOD_S: Final = 60

ACTIVE: Final[Column] = ("power", "active")
APPARENT: Final[Column] = ("power", "apparent")
VOLTAGE: Final[Column] = ("voltage", "")

SECOND_OF_MINUTE: Final = {AGGREGATE: 0, CLAMP: 11, 8: 6, 12: 24, 13: 37, 14: 52}


class MeterSamples(NamedTuple):
    """One meter: instants, seconds since 1970 ``(N,)``, and what it measured then ``(N, C)``."""

    number: int
    ts_s: IntArray
    columns: tuple[Column, ...]
    values: FloatArray

    def take(self, rows: IntArray) -> "MeterSamples":
        """Return some of the rows, in the order asked for."""
        return self._replace(ts_s=self.ts_s[rows], values=self.values[rows])


def write_ukdale_csv(path: Path, *, seed: int) -> None:
    """Write active power as ``timestamp,house_id,meter,value_watts``, meter by meter; stamps are UTC."""
    lines = ["timestamp,house_id,meter,value_watts"]
    for meter in simulate_meters(seed=seed):
        if ACTIVE in meter.columns:
            power_w = meter.values[:, meter.columns.index(ACTIVE)]
            stamps = np.datetime_as_string(meter.ts_s.astype("datetime64[s]"))
            lines += [f"{ts}Z,{HOUSE},{meter.number},{w:.0f}" for ts, w in zip(stamps, power_w, strict=True)]
    replace_bytes(path, ("\n".join(lines) + "\n").encode("ascii"))


def write_ukdale_hdf5(path: Path, *, seed: int) -> None:
    """Write all meters in NILMTK's layout, with the metadata by which NILMTK finds them."""
    meters = simulate_meters(seed=seed)
    tables = [
        PandasTable(
            f"/building{HOUSE}/elec/meter{meter.number}",
            meter.ts_s * 1_000_000_000,
            meter.columns,
            meter.values.astype(np.float32),
        )
        for meter in meters
    ]
    spans = {meter.number: (int(meter.ts_s[0]), int(meter.ts_s[-1])) for meter in meters}
    metadata = build_metadata(spans, sample_period_s=SAMPLE_PERIOD_S)
    replace_bytes(path, hdf5_bytes(tables, metadata, timezone=TIMEZONE))


def simulate_meters(*, seed: int) -> list[MeterSamples]:
    """Return all meters by number, defects included; the house lives in the weather of the LCL sample's homes."""
    clock = build_clock(CLOCK_FIRST_DAY, CLOCK_DAYS)
    weather = simulate_weather(clock, rng=rng_for(seed, "samples/weather"))
    rng = rng_for(seed, "samples/ukdale/home")
    loads_w = simulate_home(_settle(draw_home(rng=rng)), clock, weather, rng=rng)
    first = (FIRST_DAY - CLOCK_FIRST_DAY).days * DAY_MINS
    days = slice(first, first + N_DAYS * DAY_MINS)
    total_w = meter_w(loads_w)[days]
    rng = rng_for(seed, "samples/ukdale/meters")
    meters = [_plug(plug.meter, plug.appliance, loads_w[plug.appliance][days]) for plug in PLUGS]
    meters += _mains(total_w, rng=rng)
    return sorted((_break(meter) for meter in meters), key=lambda meter: meter.number)


def _settle(home: Home) -> Home:
    """Return ``home`` with what its plugs measure, with people in it, and without the loads that would hide them."""
    return replace(
        home, trips_per_year=0.0, unplugged_when_away=False, standby_w=max(home.standby_w, 40), dishwasher_share=0.85,
        washes_per_week=6.0, dries_share=0.0, heating="boiler", heating_w=90, portable_heater_w=0, immersion_w=0,
        car_w=0,
    )  # fmt: skip


def _instants(number: int, n: int) -> IntArray:
    midnight = dt.datetime.combine(FIRST_DAY, dt.time(), tzinfo=dt.UTC)
    return int(midnight.timestamp()) + SECOND_OF_MINUTE[number] + SAMPLE_PERIOD_S * np.arange(n)


def _plug(number: int, appliance: Appliance, power_w: IntArray) -> MeterSamples:
    """Return an appliance's meter; its last sample is left out, for it would last into the day after."""
    idle_w = {"laundry": 1, "dishwasher": 1}.get(appliance, 0)
    watched_w = np.maximum(power_w, idle_w)[:-1, None].astype(np.float64)  # (N, 1)
    return MeterSamples(number, _instants(number, len(watched_w)), (ACTIVE,), watched_w)


def _mains(total_w: IntArray, *, rng: np.random.Generator) -> list[MeterSamples]:
    """Return the sound card's three columns, and the clamp, which sees apparent power less well."""
    n = len(total_w)
    hour = np.arange(n) / 60
    voltage_v = 241 - 2.0 * np.sin(2 * np.pi * (hour - 10) / 24) - total_w / 1500 + 0.7 * rng.standard_normal(n)
    apparent_va = np.hypot(total_w, 35 + 0.22 * total_w)  # motors and electronics draw some current out of phase
    clamp_va = apparent_va * (1 + 0.01 * rng.standard_normal(n))
    sound = np.column_stack([total_w, np.round(apparent_va, 1), np.round(voltage_v, 1)])  # (N, 3)
    return [
        MeterSamples(AGGREGATE, _instants(AGGREGATE, n), (ACTIVE, APPARENT, VOLTAGE), sound),
        MeterSamples(CLAMP, _instants(CLAMP, n), (APPARENT,), np.rint(clamp_va)[:, None]),
    ]


def _break(meter: MeterSamples) -> MeterSamples:
    """Return a meter's samples with its defects, in order of time."""
    rows = np.arange(len(meter.ts_s))
    if meter.number not in (AGGREGATE, 14):
        return meter
    broken = meter.take(np.insert(rows, REPEATED_MINUTE, REPEATED_MINUTE))
    if meter.number == 14:
        broken.values[REPEATED_MINUTE + 1] += 7  # the later of the two is the wrong one
        return broken
    start, length = GAP
    since_s = broken.ts_s - int(start.timestamp())
    return broken.take(np.flatnonzero((since_s < 0) | (since_s >= length.total_seconds())))
