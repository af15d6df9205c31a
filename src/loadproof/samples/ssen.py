"""Simulated feeders as SSEN publishes its own, in the form of 2024: half-hourly Wh and the lookup beside them.

A feeder's reading is the sum of its homes, each with a smart meter. Stamps are UTC and mark the *end* of the half
hour, so that the last of a day bears the date of the next. Empty text is ``""``, a name with a comma or a quote is
quoted, numbers have a decimal. ``docs/samples.md`` counts the defects that are set at the places below.
"""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from loadproof.samples.clock import Clock, build_clock
from loadproof.samples.files import replace_bytes
from loadproof.samples.homes import draw_home
from loadproof.samples.pulses import HALF_HOUR_MINS, IntArray, half_hour_energy_wh
from loadproof.samples.simulation import meter_w, simulate_home
from loadproof.samples.ssen_network import FEEDERS, PRIVACY_FLOOR, Feeder
from loadproof.samples.weather import Weather, simulate_weather
from loadproof.seeds import rng_for

__all__ = ["FIRST_DAY", "N_DAYS", "write_ssen_lookup", "write_ssen_usage"]

FIRST_DAY: Final = dt.date(2024, 2, 16)  # a Friday
N_DAYS: Final = 3
DAY_STEPS: Final = 48

USAGE_COLUMNS: Final = (
    "dataset_id", "dno_name", "dno_alias", "secondary_substation_id", "secondary_substation_name", "lv_feeder_id",
    "lv_feeder_name", "substation_geo_location", "aggregated_device_count_active",
    "primary_consumption_active_import", "secondary_consumption_active_import", "total_consumption_active_import",
    "aggregated_device_count_reactive", "total_consumption_reactive_import", "data_collection_log_timestamp",
    "insert_time", "last_modified_time",
)  # fmt: skip
LOOKUP_COLUMNS: Final = (
    "dataset_id", "postcode", "primary_substation_id", "primary_substation_name", "hv_feeder_id", "hv_feeder_name",
    "secondary_substation_id", "secondary_substation_name", "lv_feeder_id", "lv_feeder_name", "total_mpan_count",
)  # fmt: skip

# Defects, by feeder and half hour of the file.
OVERFLOW: Final = ("099000300201", 37)  # one meter adds 2^32 Wh
NEGATIVE: Final = ("099100201501", 60)
EMPTY: Final = ("099001100101", 101)  # neither consumption nor device count
TWICE: Final = ("099100300105", 14)  # the same line once more
LOST: Final = ("099000300102", range(70, 73))  # absent lines
SILENT: Final = ("099000300101", 66)  # from here on one home's meter no longer reports


class Load(NamedTuple):
    """What a feeder's reporting meters add up to, each half hour: Wh, varh and how many they are, all ``(T,)``."""

    energy_wh: IntArray
    reactive_varh: IntArray
    meters: IntArray


def write_ssen_usage(path: Path, *, seed: int) -> None:
    """Write the readings of all feeders that are not too small to be published."""
    clock = build_clock(FIRST_DAY - dt.timedelta(days=1), N_DAYS + 1)  # a day before, for heaters that charge by night
    weather = simulate_weather(clock, rng=rng_for(seed, "samples/ssen/weather"))
    lines = [",".join(USAGE_COLUMNS)]
    for feeder in FEEDERS:
        if feeder.smart_meters >= PRIVACY_FLOOR:
            lines += _usage_lines(feeder, _simulate_load(feeder, clock, weather, seed=seed))
    replace_bytes(path, ("\n".join(lines) + "\n").encode("ascii"))


def write_ssen_lookup(path: Path, *, seed: int) -> None:
    """Write a line per feeder and postcode; nothing in it is left to chance."""
    del seed
    lines = [",".join(LOOKUP_COLUMNS)]
    for feeder in FEEDERS:
        ids = feeder[:8]
        lines += [_line([feeder.dataset_id, postcode, *ids, str(feeder.mpans)]) for postcode in feeder.postcodes]
    replace_bytes(path, ("\n".join(lines) + "\n").encode("ascii"))


def _simulate_load(feeder: Feeder, clock: Clock, weather: Weather, *, seed: int) -> Load:
    energy_wh = np.zeros(N_DAYS * DAY_STEPS, dtype=np.int64)
    meters = np.full(len(energy_wh), feeder.smart_meters)
    for number in range(feeder.smart_meters):
        rng = rng_for(seed, f"samples/ssen/{feeder.dataset_id}/home/{number}")
        home_wh = half_hour_energy_wh(meter_w(simulate_home(draw_home(rng=rng), clock, weather, rng=rng)))[DAY_STEPS:]
        if number == 0 and feeder.dataset_id == SILENT[0]:
            home_wh[SILENT[1] :] = 0
            meters[SILENT[1] :] -= 1
        energy_wh += home_wh
    rng = rng_for(seed, f"samples/ssen/{feeder.dataset_id}/reactive")
    # Motors and electronics: a little with every load, and a little from every home at all times.
    reactive_varh = np.rint(0.03 * energy_wh + meters * rng.uniform(0.5, 4.0, len(energy_wh))).astype(np.int64)
    return Load(energy_wh, reactive_varh, meters)


def _usage_lines(feeder: Feeder, load: Load) -> list[str]:
    """Return the lines of a feeder in order of time, with its defects."""
    lines: list[str] = []
    for step, (wh, varh, meters) in enumerate(zip(*(column.tolist() for column in load), strict=True)):
        place = (feeder.dataset_id, step)
        if feeder.dataset_id == LOST[0] and step in LOST[1]:
            continue
        published_wh = wh + 2**32 if place == OVERFLOW else wh - 2**28 if place == NEGATIVE else wh
        count, energy, reactive = f"{meters}.0", f"{published_wh}.0", f"{varh}.0"
        if place == EMPTY:
            count = energy = reactive = ""
        head = [feeder.dataset_id, "Scottish and Southern Electricity Networks", "SSEN", feeder.secondary_id,
                feeder.secondary_name, feeder.lv_id, feeder.lv_name, ""]  # fmt: skip
        line = _line([*head, count, energy, "", energy, count, reactive, *_times(feeder, step)])
        lines += [line] * (2 if place == TWICE else 1)
    return lines


def _times(feeder: Feeder, step: int) -> tuple[str, str, str]:
    """Return stamp, insertion (one a batch of feeders and day) and publication (one a day) of a half hour."""
    midnight = dt.datetime.combine(FIRST_DAY, dt.time(), tzinfo=dt.UTC)
    end = midnight + dt.timedelta(minutes=HALF_HOUR_MINS * (step + 1))
    day = midnight + dt.timedelta(days=step // DAY_STEPS)
    inserted = day + dt.timedelta(days=2, minutes=7 + 4 * int(feeder.primary_id[-1]), seconds=6)
    published = day + dt.timedelta(days=4, hours=12, minutes=46, seconds=46, milliseconds=298)
    return _stamp(end), _stamp(inserted), _stamp(published)


def _stamp(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _line(fields: Sequence[str]) -> str:
    """Return a line of CSV as the publisher's writer makes it: quotes where they are needed, and for empty text."""
    return ",".join(
        '"' + field.replace('"', '""') + '"' if not field or "," in field or '"' in field else field for field in fields
    )
