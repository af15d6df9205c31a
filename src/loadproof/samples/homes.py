"""What a home owns and who lives there, drawn at random, about as Londoners lived in 2013."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from loadproof.samples.people import Person, Role

__all__ = ["Fridge", "Heating", "Home", "draw_home"]

Heating = Literal["boiler", "panels", "storage"]

# Of homes with 1, 2, ... 6 persons. Source: ONS, 2011 Census: 2.36 persons on average in England, 3.9 % of London's
# homes with six or more; the steps between are rounded.
PERSONS_SHARE = (0.32, 0.29, 0.16, 0.13, 0.06, 0.04)
# Source: ONS, Family Spending 2004: 58 % of homes with a tumble dryer, 33 % with a dishwasher and rising.
DRYER_SHARE = 0.55
DISHWASHER_SHARE = 0.40
# The remaining shares and spreads have no source but the summary in docs/samples.md that they were set to meet.
OVEN_SHARE = 0.65
HOB_SHARE = 0.46
SHOWER_SHARE = 0.22
HEATING_SHARE: dict[Heating, float] = {"boiler": 0.925, "panels": 0.05, "storage": 0.025}
PORTABLE_HEATER_SHARE = 0.10
IMMERSION_SHARE = 0.05
CAR_SHARE = 0.012
SECOND_HOME_SHARE = 0.02
FRUGAL_SHARE = 0.07
PLENTY_SPREAD = 0.53  # of the logarithm: how much more some homes own than others of their size


class Fridge(NamedTuple):
    """A compressor that runs ``on_mins`` at ``power_w`` and rests ``off_mins``, over and over."""

    power_w: int
    on_mins: int
    off_mins: int


@dataclass(frozen=True)
class Home:
    """One home. A power of zero watts means that it owns no such thing; minutes count from local midnight."""

    persons: tuple[Person, ...]
    trips_per_year: float
    unplugged_when_away: bool  # a second home: the main switch is thrown on leaving
    standby_w: int
    fridges: tuple[Fridge, ...]
    lighting_w: int  # every room lit
    screen_w: int  # one television or computer
    dinner_mins: int
    hob_w: int
    oven_w: int
    cooks_share: float  # of dinners that are cooked and not warmed up
    washes_per_week: float
    dries_share: float  # of washes that end in the tumble dryer
    dishwasher_share: float  # of days with a cycle
    shower_w: int
    heating: Heating
    heating_w: int  # the boiler's pump, the panel heaters, or the storage heaters
    warm_degc: float  # outdoor temperature above which nobody heats
    portable_heater_w: int
    immersion_w: int
    car_w: int  # the charger


def draw_home(*, rng: np.random.Generator) -> Home:
    """Return a home at random."""
    n_persons = int(rng.choice(len(PERSONS_SHARE), p=PERSONS_SHARE)) + 1
    plenty = float(np.exp(PLENTY_SPREAD * rng.standard_normal())) * (0.72 + 0.14 * n_persons)
    second, frugal = rng.random() < SECOND_HOME_SHARE, rng.random() < FRUGAL_SHARE
    n_fridges = 1 if frugal else _count(0.85 * plenty, rng=rng)
    heating: Heating = _pick(HEATING_SHARE, rng=rng)
    return Home(
        persons=_draw_persons(n_persons, rng=rng),
        trips_per_year=90.0 if second else float(rng.gamma(2.0, 1.6)),
        unplugged_when_away=second,
        standby_w=0 if frugal else int(np.clip(np.exp(np.log(68 * plenty) + 0.85 * rng.standard_normal()), 2, 500)),
        fridges=_draw_fridges(n_fridges, (45, 75) if frugal else (18, 38), rng=rng),
        lighting_w=int(170 * plenty * rng.uniform(0.5, 1.6)),
        screen_w=int(rng.uniform(50, 170)),
        dinner_mins=int(rng.normal(1065, 65)),
        hob_w=_own(HOB_SHARE, 1100, 1900, rng=rng),
        oven_w=_own(OVEN_SHARE, 1900, 2600, rng=rng),
        cooks_share=float(rng.uniform(0.35, 0.9)),
        washes_per_week=float(np.clip((0.8 + 1.1 * n_persons) * rng.gamma(4.0, 0.25), 0.4, 9)),
        dries_share=float(rng.uniform(0.2, 0.9)) if rng.random() < DRYER_SHARE else 0.0,
        dishwasher_share=float(rng.uniform(0.2, 0.85)) if rng.random() < DISHWASHER_SHARE else 0.0,
        shower_w=_own(SHOWER_SHARE, 7200, 9500, rng=rng),
        heating=heating,
        heating_w=_draw_heating_w(heating, plenty, rng=rng),
        warm_degc=float(rng.normal(15, 1)),
        portable_heater_w=_own(PORTABLE_HEATER_SHARE, 800, 2200, rng=rng),
        immersion_w=_own(1.0 if heating == "storage" else IMMERSION_SHARE, 2700, 3000, rng=rng),
        car_w=int(rng.choice([3600, 7400])) if rng.random() < CAR_SHARE and heating == "boiler" else 0,
    )


def _draw_persons(n: int, *, rng: np.random.Generator) -> tuple[Person, ...]:
    """Return up to two or three adults, then pupils; children go to bed earlier."""
    n_adults = n if n <= 2 else int(rng.integers(2, 4))
    roles: list[Role] = ["worker" if rng.random() < 0.5 else "homebody" for _ in range(n_adults)]
    roles += ["pupil"] * (n - n_adults)
    rise_mins, rest_mins = rng.normal(440, 60), rng.normal(1405, 90)  # 07:20 and 23:25, a household's habit
    return tuple(_draw_person(role, rise_mins, rest_mins, rng=rng) for role in roles)


def _draw_person(role: Role, rise_mins: float, rest_mins: float, *, rng: np.random.Generator) -> Person:
    wake_mins = rise_mins + rng.normal(0, 20) + {"worker": -10, "pupil": 10, "homebody": 40}[role]
    leave_mins = wake_mins + rng.uniform(40, 85)
    back_mins = rng.normal(945, 25) if role == "pupil" else rng.normal(1050, 55)  # 15:45 and 17:30
    bed_mins = rest_mins + rng.normal(0, 30) - (75 if role == "pupil" else 0)
    return Person(role, int(wake_mins), int(leave_mins), int(back_mins), int(bed_mins))


def _draw_fridges(n: int, rest_mins: tuple[int, int], *, rng: np.random.Generator) -> tuple[Fridge, ...]:
    """Return compressors that rest between ``rest_mins`` minutes."""
    return tuple(
        Fridge(int(rng.uniform(70, 160)), int(rng.integers(12, 27)), int(rng.integers(*rest_mins))) for _ in range(n)
    )


def _draw_heating_w(heating: Heating, plenty: float, *, rng: np.random.Generator) -> int:
    if heating == "boiler":
        return int(rng.uniform(70, 160))
    if heating == "panels":
        return int(min(2300 * plenty * rng.uniform(0.6, 1.4), 7000))
    return int(min(4200 * plenty * rng.uniform(0.6, 1.4), 6000))


def _count(mean: float, *, rng: np.random.Generator) -> int:
    """Return one, or more where a home owns much."""
    return 1 + int(rng.poisson(max(mean - 0.4, 0.05)))


def _own(share: float, low_w: int, high_w: int, *, rng: np.random.Generator) -> int:
    """Return an appliance's power, watts, or zero where the home has none."""
    power_w = int(rng.uniform(low_w, high_w))
    return power_w if rng.random() < share else 0


def _pick(shares: dict[Heating, float], *, rng: np.random.Generator) -> Heating:
    names = list(shares)
    return names[int(rng.choice(len(names), p=list(shares.values())))]
