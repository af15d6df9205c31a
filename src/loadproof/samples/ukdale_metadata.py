"""What the UK-DALE sample says of its house and meters, in the words of NILM Metadata.

The sample periods are those of this file, a minute, and not those of the meters' models.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Final, NamedTuple

from loadproof.samples.plain_pickle import Plain
from loadproof.samples.simulation import Appliance

__all__ = ["AGGREGATE", "CLAMP", "HOUSE", "PLUGS", "TIMEZONE", "Plug", "build_metadata"]

HOUSE: Final = 2
AGGREGATE, CLAMP = 20, 1
TIMEZONE: Final = "Europe/London"


class Plug(NamedTuple):
    """A meter of one appliance: its number and the appliance's kind as in the real house 2, and what is simulated."""

    meter: int
    appliance: Appliance
    kind: str


PLUGS: Final = (
    Plug(8, "kettle", "kettle"),
    Plug(12, "laundry", "washing machine"),
    Plug(13, "dishwasher", "dish washer"),
    Plug(14, "fridge", "fridge"),
)


def build_metadata(spans: Mapping[int, tuple[int, int]], *, sample_period_s: int) -> dict[str, Plain]:
    """Return each group's metadata.

    Args:
        spans: By meter, its first and last sample, seconds since 1970.
        sample_period_s: Seconds between samples.
    """
    whole = _timeframe(min(first for first, _ in spans.values()), max(last for _, last in spans.values()))
    dataset: Plain = {
        "name": "simulated UK-DALE",
        "long_name": "A simulated house in the layout of UK-DALE",
        "description": "Written by loadproof's simulator; no row of it was ever measured.",
        "number_of_buildings": 1,
        "timezone": TIMEZONE,
        "timeframe": whole,
        "meter_devices": _devices(sample_period_s),
    }
    building: Plain = {
        "instance": HOUSE,
        "original_name": f"house_{HOUSE}",
        "timeframe": whole,
        "elec_meters": {number: _meter(number, *span) for number, span in spans.items()},
        "appliances": [
            {"type": plug.kind, "instance": 1, "meters": [plug.meter], "original_name": plug.kind.replace(" ", "_")}
            for plug in PLUGS
        ],
    }
    return {"/": dataset, f"/building{HOUSE}": building}


def _meter(number: int, first_s: int, last_s: int) -> Plain:
    facts: dict[str | int, Plain] = {
        "data_location": f"/building{HOUSE}/elec/meter{number}",
        "timeframe": _timeframe(first_s, last_s),
    }
    if number == AGGREGATE:
        return {**facts, "device_model": "SoundCardPowerMeter", "site_meter": True}
    if number == CLAMP:
        clamp: dict[str | int, Plain] = {"disabled": True, "site_meter": True, "submeter_of": AGGREGATE}
        return {**facts, "device_model": "EcoManagerWholeHouseTx", **clamp}
    return {**facts, "device_model": "EcoManagerTxPlug", "submeter_of": 0}  # of the mains, whichever meter that is


def _devices(sample_period_s: int) -> Plain:
    """Return each model's measurements and limits. Source: UK-DALE's ``meter_devices.yaml``, but for the periods."""
    power = {
        "EcoManagerWholeHouseTx": [_measures("power", "apparent", 0, 25_000)],
        "EcoManagerTxPlug": [_measures("power", "active", 0, 3_300)],
        "SoundCardPowerMeter": [
            _measures("power", "active", 0, 25_000),
            _measures("power", "apparent", 0, 25_000),
            _measures("voltage", "", 180, 275),
        ],
    }
    return {
        model: {"model": model, "manufacturer": "none: simulated", "sample_period": sample_period_s,
                "max_sample_period": 2 * sample_period_s, "measurements": measurements}
        for model, measurements in power.items()
    }  # fmt: skip


def _measures(quantity: str, kind: str, lower: int, upper: int) -> Plain:
    limits: dict[str | int, Plain] = {"physical_quantity": quantity, "lower_limit": lower, "upper_limit": upper}
    return {**limits, "type": kind} if kind else limits


def _timeframe(first_s: int, last_s: int) -> Plain:
    first, last = (dt.datetime.fromtimestamp(second, tz=dt.UTC).isoformat() for second in (first_s, last_s))
    return {"start": first, "end": last}
