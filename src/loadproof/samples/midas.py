"""The weather of the simulated homes as Met Office MIDAS Open publishes a station's hours: BADC-CSV, gzip, UTC.

Temperature and cloud are those that the homes of the LCL sample heat and light by, hour by hour; humidity, wind and
sunshine are drawn to go with them. The station, 90001, does not exist. ``ob_time`` is the moment of the observation;
sunshine is that of the hour before. ``docs/samples.md`` counts the defects that are set at the places below.
"""

import datetime as dt
import gzip
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from loadproof.samples.badc_columns import COLUMNS
from loadproof.samples.clock import Clock, build_clock
from loadproof.samples.files import replace_bytes
from loadproof.samples.lcl import FIRST_DAY, N_DAYS
from loadproof.samples.pulses import FloatArray, IntArray
from loadproof.samples.weather import Weather, simulate_weather, spells
from loadproof.seeds import rng_for

__all__ = ["STATION", "Hours", "simulate_hours", "write_midas_sample"]

STATION: Final = "90001"
MISSING: Final = "NA"

# Defects, by hour UTC.
LOST: Final = (dt.datetime(2013, 9, 3, 4, tzinfo=dt.UTC), 3)  # absent rows
NO_TEMPERATURE: Final = (dt.datetime(2013, 10, 22, 9, tzinfo=dt.UTC), 2)
SUSPECT: Final = dt.datetime(2013, 8, 20, 13, tzinfo=dt.UTC)  # a spike that quality control doubts
TWICE: Final = dt.datetime(2013, 12, 5, 18, tzinfo=dt.UTC)  # also as a METAR, in whole degrees

SPIKE_DEGC: Final = 14.0
CHECKED: Final = "6"  # passed quality control at level 6
DOUBTED: Final = "106"  # its third digit from the right says: suspect


class Hours(NamedTuple):
    """What the station sees at each hour of the clock, all ``(W,)``."""

    temperature_degc: FloatArray
    dewpoint_degc: FloatArray
    wind_knots: IntArray
    wind_direction_deg: IntArray
    cloud_oktas: IntArray
    sunshine_hours: FloatArray


def write_midas_sample(path: Path, *, seed: int) -> None:
    """Write the hours of the LCL sample's days; packed without name and time, so that a seed's bytes stay the same."""
    clock = build_clock(FIRST_DAY, N_DAYS)
    weather = simulate_weather(clock, rng=rng_for(seed, "samples/weather"))
    hours = simulate_hours(clock, weather, rng=rng_for(seed, "samples/midas"))
    lines = [*_header(), "data", ",".join(column.name for column in COLUMNS), *_rows(hours), "end data"]
    packed = io.BytesIO()
    with gzip.GzipFile("", "wb", compresslevel=9, fileobj=packed, mtime=0) as stream:
        stream.write(("\n".join(lines) + "\n").encode("ascii"))
    replace_bytes(path, packed.getvalue())


def simulate_hours(clock: Clock, weather: Weather, *, rng: np.random.Generator) -> Hours:
    """Return what goes with the temperature and cloud of ``weather``: drier air under the sun, wind in spells."""
    n = len(weather.temperature_degc)
    sun_up = (clock.sun_elevation_deg > 3).reshape(n, 60).mean(axis=1)  # share of the hour that begins
    clear = 1 - weather.cloud_share
    spread_degc = np.maximum(1.2 + 6.0 * sun_up * (0.3 + clear) + 1.3 * spells(n, 30.0, rng=rng), 0.1)
    knots = np.rint(np.exp(1.6 + 0.25 * sun_up + 0.55 * spells(n, 12.0, rng=rng))).astype(np.int64)
    turning_deg = 230 + 75 * spells(n, 40.0, rng=rng)  # mostly from the south-west
    direction_deg = 10 * np.rint((turning_deg % 360) / 10).astype(np.int64)
    direction_deg[direction_deg == 0] = 360  # a wind from the north; 0 is no wind
    sunshine = np.round(sun_up * np.clip(1.15 * clear, 0, 1), 1)
    return Hours(
        temperature_degc=np.round(weather.temperature_degc, 1),
        dewpoint_degc=np.round(weather.temperature_degc - spread_degc, 1),
        wind_knots=knots,
        wind_direction_deg=np.where(knots == 0, 0, direction_deg),
        cloud_oktas=np.rint(8 * weather.cloud_share).astype(np.int64),
        sunshine_hours=np.concatenate([[0.0], sunshine[:-1]]),  # of the hour that ends
    )


def _header() -> list[str]:
    last = dt.datetime.combine(FIRST_DAY + dt.timedelta(days=N_DAYS), dt.time()) - dt.timedelta(seconds=1)
    facts = [
        "Conventions,G,BADC-CSV,1",
        "title,G,uk-hourly-weather-obs",
        "source,G,simulated by loadproof",
        "creator,G,loadproof",
        "activity,G,a sample in the layout of Met Office MIDAS Open",
        "feature_type,G,point series",
        "collection_name,G,midas-open",
        "collection_version_number,G,simulated",
        "observation_station,G,nowhere",
        "historic_county_name,G,greater-london",
        f"midas_station_id,G,{STATION}",
        "location,G,51.500,0.000",
        "height,G,10,m",
        f"date_valid,G,{FIRST_DAY} 00:00:00,{last}",
        "midas_qc_version_number,G,1",
        "comments,G,no row of this file was ever measured",
        f"missing_value,G,{MISSING}",
        "coordinate_variable,ob_time,t",
    ]
    for column in COLUMNS:
        facts += [f"long_name,{column.name},{column.long_name},{column.unit}", f"type,{column.name},{column.type}"]
    return facts


def _rows(hours: Hours) -> list[str]:
    """Return the rows in order of time, with their defects."""
    midnight = dt.datetime.combine(FIRST_DAY, dt.time(), tzinfo=dt.UTC)
    rows: list[str] = []
    for at in range(len(hours.temperature_degc)):
        hour = midnight + dt.timedelta(hours=at)
        if _within(hour, LOST):
            continue
        if hour == TWICE:
            rows.append(_row(hour, _metar(hours, at)))
        rows.append(_row(hour, _automatic(hours, at, hour)))
    return rows


def _within(hour: dt.datetime, span: tuple[dt.datetime, int]) -> bool:
    first, n = span
    return first <= hour < first + dt.timedelta(hours=n)


def _row(hour: dt.datetime, facts: Mapping[str, str]) -> str:
    common = {
        "ob_time": f"{hour:%Y-%m-%d %H:%M:%S}", "version_num": "1", "src_id": str(int(STATION)), "rec_st_ind": "1011",
        "wind_speed_unit_id": "4", "meto_stmp_time": f"{hour + dt.timedelta(minutes=5):%Y-%m-%d %H:%M:%S}",
        "midas_stmp_etime": "0",
    }  # fmt: skip
    known = {**common, **facts}
    return ",".join(known.get(column.name, MISSING) for column in COLUMNS)


def _automatic(hours: Hours, at: int, hour: dt.datetime) -> dict[str, str]:
    """Return an hour as the automatic station reports it."""
    temperature, dewpoint = float(hours.temperature_degc[at]), float(hours.dewpoint_degc[at])
    humidity, wet_bulb = _humidity_pct(temperature, dewpoint), temperature - 0.4 * (temperature - dewpoint)
    facts = {
        "id": "9001", "id_type": "DCNN", "met_domain_name": "AWSHRLY", "src_opr_type": "6",
        "wind_direction": str(hours.wind_direction_deg[at]), "wind_speed": str(hours.wind_knots[at]),
        "cld_ttl_amt_id": str(hours.cloud_oktas[at]),
        "air_temperature": _tenths(temperature), "dewpoint": _tenths(dewpoint), "wetb_temp": _tenths(wet_bulb),
        "rltv_hum": _tenths(humidity), "wetb_temp_j": "K", "rltv_hum_j": "A",
        "drv_hr_sun_dur": _tenths(float(hours.sunshine_hours[at])), "drv_hr_sun_dur_q": "1",
    }  # fmt: skip
    checked = ("wind_direction", "wind_speed", "cld_ttl_amt_id", "air_temperature", "dewpoint", "wetb_temp")
    facts |= {f"{name}_q": CHECKED for name in checked}
    if _within(hour, NO_TEMPERATURE):
        for name in ("air_temperature", "wetb_temp", "rltv_hum", "air_temperature_q", "wetb_temp_q"):
            facts[name] = MISSING
    if hour == SUSPECT:
        facts |= {"air_temperature": _tenths(temperature + SPIKE_DEGC), "air_temperature_q": DOUBTED}
    return facts


def _metar(hours: Hours, at: int) -> dict[str, str]:
    return {
        "id": "EGZZ", "id_type": "ICAO", "met_domain_name": "METAR", "src_opr_type": "4",
        "wind_direction": str(hours.wind_direction_deg[at]), "wind_speed": str(hours.wind_knots[at]),
        "air_temperature": str(round(hours.temperature_degc[at])), "dewpoint": str(round(hours.dewpoint_degc[at])),
        "wind_direction_q": CHECKED, "wind_speed_q": CHECKED, "air_temperature_q": CHECKED, "dewpoint_q": CHECKED,
    }  # fmt: skip


def _tenths(value: float) -> str:
    """Return a number as the files print it: 9 and not 9.0, 0 and not -0."""
    return f"{round(value, 1) + 0:g}"


def _humidity_pct(temperature_degc: float, dewpoint_degc: float) -> float:
    """Return relative humidity by the Magnus formula. Source: Alduchov and Eskridge, 1996."""
    vapour, full = (np.exp(17.625 * degc / (243.04 + degc)) for degc in (dewpoint_degc, temperature_degc))
    return float(100 * vapour / full)
