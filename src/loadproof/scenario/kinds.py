"""The kinds of scenario: what is drawn of each, inside which bounds, and which kinds are of one family."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

import numpy as np

from loadproof.cards import Card
from loadproof.errors import ConfigError
from loadproof.limits import CHARGER_KW

__all__ = [
    "FAMILIES",
    "GROUNDED",
    "JUDGED",
    "KINDS",
    "PROPOSED",
    "Family",
    "Kind",
    "KindFacts",
    "Range",
    "Scenario",
    "draw",
    "edit",
    "kinds_outside",
]

Kind = Literal[
    "EV_SPIKE",
    "COLD_SNAP",
    "PEAK_SHIFT",
    "OUTAGE",
    "MISSING_DATA",
    "REAL_GAPS",
    "ADDED_LOAD",
    "CHANGED_OCCUPANCY",
    "HEAT_PUMP",
    "SOLAR",
    "VACANCY",
]

Family: TypeAlias = Literal["new_load", "weather", "habits", "occupancy", "supply", "gaps", "generation"]

DAY: Final = 48
_EDIT_SHARE: Final = 0.15
"""An edit moves a parameter by about so much of its range."""


@dataclass(frozen=True, repr=False)
class Scenario(Card):
    """What happens, from when on, and the seed of what is the scenario's own.

    Attributes:
        kind: One of ``KINDS``.
        parameters: By name, each in the unit that ``KINDS`` gives.
        onset_steps: The first changed step counted from ``t0``; negative lies in the context, where it can be read.
        seed: Of what two plays of the scenario share, as the weekdays on which a car charges.
    """

    kind: Kind
    parameters: Mapping[str, float] = field(hash=False)
    onset_steps: int
    seed: int

    def __post_init__(self) -> None:
        wanted = KINDS[self.kind].ranges
        if set(self.parameters) != set(wanted):
            raise ConfigError(f"{self.kind} takes {', '.join(wanted)}; give exactly these")
        for name, value in self.parameters.items():
            if not wanted[name].low <= value <= wanted[name].high:
                raise ConfigError(f"{self.kind}: {name}={value} is outside {wanted[name]}; choose a value inside")
        object.__setattr__(self, "parameters", MappingProxyType(dict(self.parameters)))

    def card(self) -> dict[str, object]:
        """Return what a reader wants to see of it."""
        ranges = KINDS[self.kind].ranges
        drawn = {name: f"{value:.4g} ({ranges[name].unit})" for name, value in self.parameters.items()}
        return {"kind": self.kind, **drawn, "onset": f"{self.onset_steps} steps from t0", "seed": self.seed}


class Range(NamedTuple):
    """Bounds of a parameter, both in; where ``among`` is not empty, only these values are drawn."""

    low: float
    high: float
    unit: str
    source: str
    among: tuple[float, ...] = ()


class KindFacts(NamedTuple):
    """What is drawn of a kind.

    Attributes:
        family: Kinds that resemble one another; the family that is judged is never proposed.
        ranges: Its parameters.
        onset_steps: Earliest and latest onset, in steps from ``t0``.
        grounded: Whether it borrows readings or gaps of real homes.
        proposed: Whether it may be proposed; else it is for judging alone.
    """

    family: Family
    ranges: dict[str, Range]
    onset_steps: tuple[int, int]
    grounded: bool = False
    proposed: bool = True


_OURS: Final = "ours"
_TRIAL: Final = "My Electric Avenue: about 70 % of cars charge once a day, most until full"

KINDS: Final[dict[Kind, KindFacts]] = {
    "EV_SPIKE": KindFacts(
        "new_load",
        {
            "power_kw": Range(*CHARGER_KW, "kW", "16 A and 32 A at 230 V", CHARGER_KW),
            "from_hour": Range(17, 26, "local hour, over midnight", "evening arrival to off-peak tariffs"),
            "energy_kwh": Range(4, 22, "kWh a charge", _TRIAL),
            "days_a_week": Range(2, 7, "days", _TRIAL, (2, 3, 4, 5, 6, 7)),
        },
        (-12 * DAY, -4 * DAY),
    ),
    "COLD_SNAP": KindFacts(
        "weather",
        {
            "drop_degc": Range(3, 10, "degrees Celsius", "Kew 2013: coldest weeks lie 4 to 9 below the month's mean"),
            "days": Range(3, 10, "days", "Met Office: cold spells of days to two weeks"),
        },
        (-2 * DAY, -DAY),
    ),
    "PEAK_SHIFT": KindFacts(
        "habits",
        {
            "shift_hours": Range(-2, 2, "hours", "half hours to two hours, as under dToU tariffs", (-2, -1, 1, 2)),
            "share": Range(0.3, 1, "of what is above the home's base from 16:00 to 20:00", _OURS),
        },
        (-10 * DAY, -3 * DAY),
    ),
    "OUTAGE": KindFacts(
        "supply",
        {
            "hours": Range(1, 12, "hours", "Guaranteed Standards: supply back within 12 hours in normal weather"),
            "rebound_share": Range(0.2, 0.8, "of the energy missed that is drawn afterwards", _OURS),
            "rebound_hours": Range(0.5, 3, "hours", "cold-load pick-up decays within hours"),
        },
        (-18, -1),
    ),
    "MISSING_DATA": KindFacts(
        "gaps",
        {
            "gap_hours": Range(2, 120, "hours", "LCL: most gaps last hours to days"),
            "scattered_share": Range(0, 0.3, "of later half hours", _OURS),
        },
        (-8 * DAY, -6),
    ),
    "REAL_GAPS": KindFacts(
        "gaps",
        {"missing_hours": Range(2, 48, "hours at least", "other real homes' gaps")},
        (-14 * DAY, -14 * DAY),
        grounded=True,
    ),
    "ADDED_LOAD": KindFacts(
        "new_load",
        {"share": Range(0.3, 1, "of another home's load", "another real home")},
        (-10 * DAY, -2 * DAY),
        grounded=True,
    ),
    "CHANGED_OCCUPANCY": KindFacts(
        "occupancy",
        {
            "months_apart": Range(
                0, 9, "months; 0 is another home, else this home's own other season", "real homes", (0, 0, 3, 6)
            )
        },
        (-10 * DAY, -2 * DAY),
        grounded=True,
    ),
    "HEAT_PUMP": KindFacts(
        "new_load",
        {"mean_kw": Range(0.3, 1.2, "kW on average", "Love et al. 2017, Applied Energy 204")},
        (-10 * DAY, -2 * DAY),
        proposed=False,
    ),
    "SOLAR": KindFacts(
        "generation",
        {"noon_kw": Range(0.5, 2, "kW at noon", "winter noon of a 4 kWp roof")},
        (-10 * DAY, -2 * DAY),
        proposed=False,
    ),
    "VACANCY": KindFacts("occupancy", {}, (-10 * DAY, -2 * DAY), proposed=False),
}
"""Every kind; an onset lies where a solver could read the change from the context, or from weather known at ``t0``."""

FAMILIES: Final[tuple[Family, ...]] = get_args(Family)
PROPOSED: Final = tuple(kind for kind, facts in KINDS.items() if facts.proposed)
JUDGED: Final = tuple(kind for kind, facts in KINDS.items() if not facts.proposed)
GROUNDED: Final = tuple(kind for kind, facts in KINDS.items() if facts.grounded)


def kinds_outside(families: tuple[Family, ...]) -> tuple[Kind, ...]:
    """Return the kinds that may be proposed where these families are judged."""
    return tuple(kind for kind in PROPOSED if KINDS[kind].family not in families)


def draw(kind: Kind, *, rng: np.random.Generator) -> Scenario:
    """Return a scenario of a kind, uniform inside its bounds."""
    facts = KINDS[kind]
    parameters = {
        name: float(rng.choice(of.among) if of.among else rng.uniform(of.low, of.high))
        for name, of in facts.ranges.items()
    }
    first, last = facts.onset_steps
    return Scenario(kind, parameters, int(rng.integers(first, last + 1)), int(rng.integers(2**31)))


def edit(scenario: Scenario, *, rng: np.random.Generator) -> Scenario:
    """Return a scenario a little different: each parameter moved by a part of its range, kept inside."""
    facts = KINDS[scenario.kind]
    parameters = {}
    for name, of in facts.ranges.items():
        value = scenario.parameters[name] + rng.normal(0, _EDIT_SHARE * (of.high - of.low))
        nearest = min(of.among, key=lambda choice: abs(choice - value)) if of.among else value
        parameters[name] = float(np.clip(nearest, of.low, of.high))
    first, last = facts.onset_steps
    onset = round(scenario.onset_steps + rng.normal(0, _EDIT_SHARE * (last - first)))
    return Scenario(scenario.kind, parameters, int(np.clip(onset, first, last)), int(rng.integers(2**31)))
