"""Physical limits of homes and low-voltage networks, each with its unit and its source.

Limits are facts of the equipment, not of the data: nothing here is fitted. A source called *practice* is what is
commonly designed with, where the standard's own text was not at hand: let an assets file say otherwise.
"""

import math
from typing import Final, Literal, NamedTuple

__all__ = [
    "ADMD_GAS_HEATED_KVA",
    "ADMD_HEAT_PUMP_KW",
    "CHARGER_KW",
    "DEFAULT_POWER_FACTOR",
    "FEEDER_CABLE_A",
    "FEEDER_FUSE_A",
    "FUSE_HARD_RATIO",
    "NOMINAL_VOLTAGE_V",
    "SERVICE_FUSE_A",
    "TRANSFORMER_KVA",
    "WINTER_CYCLIC_RATIO",
    "FuseLimit",
    "Phases",
    "apparent_kva",
    "design_demand_kva",
    "fuse_limit",
    "half_hour_kwh",
    "limit_kwh",
    "power_factor",
]

Phases = Literal[1, 3]

NOMINAL_VOLTAGE_V: Final = 230.0
"""Declared phase voltage; 216.2 to 253.0 V is allowed.

Source: SI 1994/3021: 230 volts, ten per cent above or six per cent below; now ESQCR 2002 (SI 2002/2665), regulation 27.
"""

SERVICE_FUSE_A: Final = 100.0
"""The largest usual single-phase service fuse; 60 and 80 A are the other sizes.

Source: practice; service cut-outs of 60, 80 and 100 A.
"""

FUSE_HARD_RATIO: Final = 1.25
"""What a gG fuse carries without ever blowing; it blows within the conventional time at 1.6.

Source: practice after IEC 60269: conventional non-fusing current of a gG fuse.
"""

DEFAULT_POWER_FACTOR: Final = 0.95
"""Demand's power factor where no reactive energy is measured; the low end of what is assumed in design (0.95 to 0.98).

Source: practice; SSEN's measured feeders lie nearer to 1 (6,640 Wh with 339 varh is 0.9987).
"""

FEEDER_FUSE_A: Final = (200.0, 315.0, 400.0, 500.0, 630.0)
"""Fuses per phase of a three-phase low-voltage feeder at its substation; 400 A is 276 kVA.

Source: practice of UK distributors.
"""

FEEDER_CABLE_A: Final = {"95 mm2": 235.0, "185 mm2": 335.0, "300 mm2": 435.0}
"""Sustained rating per phase of a buried aluminium Waveform cable, by cross-section.

Source: practice; depends on laying, soil and season, so that the distributor's own table should replace it.
"""

TRANSFORMER_KVA: Final = (25.0, 50.0, 100.0, 200.0, 315.0, 500.0, 800.0, 1000.0)
"""Preferred ratings: pole-mounted to 200 kVA, ground-mounted from 315 kVA.

Source: practice of UK distributors.
"""

WINTER_CYCLIC_RATIO: Final = 1.2
"""What a distribution transformer may carry at a winter evening's peak, of its name plate; 1.2 to 1.3 is usual.

Source: practice; the cautious end.
"""

ADMD_GAS_HEATED_KVA: Final = (1.5, 2.0)
"""After-diversity maximum demand of a gas-heated home that distributors have designed with, low and high.

Source: secondary text; the distributors' own design manuals differ and should replace it.
"""

ADMD_HEAT_PUMP_KW: Final = 1.7
"""After-diversity maximum demand that a heat pump adds.

Source: Love et al. 2017, Applied Energy 204: about 700 pumps of the RHPP trial.
"""

CHARGER_KW: Final = (3.68, 7.36)
"""Usual home chargers for electric vehicles: 16 A and 32 A at 230 V."""


class FuseLimit(NamedTuple):
    """A service fuse in kWh per interval: above ``soft`` it is overloaded, above ``hard`` it cannot be true."""

    soft_kwh: float
    hard_kwh: float


def half_hour_kwh(power_kw: float, *, interval_mins: int = 30) -> float:
    """Return the energy in kWh of a power in kW that is held for one interval."""
    return power_kw * interval_mins / 60


def fuse_limit(*, fuse_a: float = SERVICE_FUSE_A, phases: Phases = 1, interval_mins: int = 30) -> FuseLimit:
    """Return what a service fuse lets through at unity power factor.

    A single-phase 100 A fuse gives 11.5 kWh a half hour at 230 V, and 14.4 kWh at 1.25 times its rating.
    """
    soft = half_hour_kwh(fuse_a * NOMINAL_VOLTAGE_V * phases / 1000, interval_mins=interval_mins)
    return FuseLimit(soft, soft * FUSE_HARD_RATIO)


def apparent_kva(current_a: float, *, phases: Phases = 3) -> float:
    """Return the apparent power in kVA of a current per phase in A: 400 A in three phases is 276 kVA."""
    return current_a * NOMINAL_VOLTAGE_V * phases / 1000


def limit_kwh(
    rating_kva: float, *, power_factor: float = DEFAULT_POWER_FACTOR, cyclic_ratio: float = 1.0, interval_mins: int = 30
) -> float:
    """Return the active energy in kWh that a rating lets through in one interval.

    A 500 kVA transformer at a power factor of 0.95 carries 237.5 kWh a half hour, and 285 at a cyclic ratio of 1.2.
    An interval's mean hides what is above it within the interval: a limit may be passed for minutes unseen.
    """
    return half_hour_kwh(rating_kva * cyclic_ratio * power_factor, interval_mins=interval_mins)


def power_factor(active_kwh: float, reactive_kvarh: float) -> float:
    """Return P over the root of P^2 + Q^2 of energies of one span; NaN where both are 0.

    Reactive import alone is published, so that a capacitive feeder looks like one at unity.
    """
    apparent_kvah = math.hypot(active_kwh, reactive_kvarh)
    return active_kwh / apparent_kvah if apparent_kvah else math.nan


def design_demand_kva(homes: int, *, admd_kva: float = ADMD_GAS_HEATED_KVA[1]) -> float:
    """Return what a feeder of so many homes was designed for: homes times after-diversity maximum demand.

    It is a figure to design with and no measurement: a measured sum of homes holds its diversity already and is never
    multiplied by a factor.
    """
    return homes * admd_kva
