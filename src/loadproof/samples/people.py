"""Who is at home and awake, minute by minute, in London's local time."""

from typing import Literal, NamedTuple

import numpy as np

from loadproof.samples.clock import Clock
from loadproof.samples.pulses import BoolArray, FloatArray, IntArray, pulses

__all__ = ["Person", "Presence", "draw_away_days", "simulate_presence"]

Role = Literal["worker", "pupil", "homebody"]

WORKS_SHARE: dict[Role, float] = {"worker": 0.82, "pupil": 0.8, "homebody": 0.0}  # of workdays; pupils have holidays
OUTING_SHARE = 0.6  # of days without work: a walk, a shop, a visit
EVENING_OUT_SHARE = 0.12
LIE_IN_MINS = 70  # later to rise when there is no work
CHRISTMAS_DAYS = (359, 360)  # of the year; all stay in


class Person(NamedTuple):
    """One person's habits: minutes after local midnight on a workday."""

    role: Role
    wake_mins: int
    leave_mins: int
    back_mins: int
    bed_mins: int


class Presence(NamedTuple):
    """One household's days; the minutes are minutes after local midnight and may pass 1440."""

    awake: IntArray  # persons at home and awake (M,)
    away: BoolArray  # days on which nobody is at home (D,)
    wake_mins: IntArray  # (D, P)
    leave_mins: IntArray  # (D, P)
    back_mins: IntArray  # (D, P)
    bed_mins: IntArray  # (D, P)


def draw_away_days(clock: Clock, trips_per_year: float, *, rng: np.random.Generator) -> BoolArray:
    """Return the days that a household spends elsewhere ``(D,)``: a summer fortnight, short trips, some Christmases."""
    n_days = clock.n_days + 1
    away = np.zeros(n_days, dtype=bool)
    new_years = np.flatnonzero(np.diff(clock.day_of_year, prepend=clock.day_of_year[0]) < 0)
    for first in [1 - int(clock.day_of_year[0]), *new_years.tolist()]:  # the index of 1 January, each year
        spells = [(int(rng.integers(1, 360)), int(rng.integers(2, 5))) for _ in range(rng.poisson(trips_per_year))]
        if rng.random() < 0.15 * trips_per_year:
            spells.append((int(rng.integers(183, 236)), int(rng.integers(6, 16))))
        if rng.random() < 0.06 * trips_per_year:
            spells.append((int(rng.integers(355, 360)), int(rng.integers(4, 9))))
        for day_of_year, n in spells:
            start = first + day_of_year - 1
            away[max(start, 0) : max(start + n, 0)] = True
    return away


def simulate_presence(
    persons: tuple[Person, ...], clock: Clock, away: BoolArray, *, rng: np.random.Generator
) -> Presence:
    """Return the days of a household with these habits; on ``away`` days ``(D,)`` nobody is there."""
    shape = (clock.n_days + 1, len(persons))
    works, chores_share = _works(persons, clock, rng=rng), rng.random(shape)

    def habit(field: str, spread_mins: float) -> FloatArray:
        return np.array([getattr(person, field) for person in persons]) + spread_mins * rng.standard_normal(shape)

    wake = habit("wake_mins", 14) + np.where(works, 0, LIE_IN_MINS * (0.4 + 1.2 * rng.random(shape)))
    bed = habit("bed_mins", 28) + np.where(clock.is_workday[:, None], 0, 25)  # (D, P)
    leave_free = np.maximum(wake + 60, 570 + 510 * rng.random(shape))
    back_free = leave_free + 60 + rng.gamma(2.0, 50, shape)
    leave_work = np.maximum(wake + 25, habit("leave_mins", 10))
    back_work = habit("back_mins", 15) + rng.gamma(1.2, 22, shape)
    back_work += np.where(rng.random(shape) < EVENING_OUT_SHARE, 60 + 150 * rng.random(shape), 0)
    stays_in = ~works & (chores_share > OUTING_SHARE)
    stays_in[np.isin(clock.day_of_year, CHRISTMAS_DAYS)] = True
    bed = np.maximum(bed, wake + 600)
    leave = np.where(stays_in, bed, np.minimum(np.where(works, leave_work, leave_free), bed))
    back = np.where(stays_in, bed, np.clip(np.where(works, back_work, back_free), leave, bed))

    wake_mins, leave_mins, back_mins, bed_mins = (np.rint(x).astype(np.int64) for x in (wake, leave, back, bed))
    start, here = clock.day_start[:, None], (~away).astype(np.int64)[:, None]  # (D, 1)
    morning = pulses(clock.n_mins, start + wake_mins, leave_mins - wake_mins, here)
    evening = pulses(clock.n_mins, start + back_mins, bed_mins - back_mins, here)
    return Presence(morning + evening, away, wake_mins, leave_mins, back_mins, bed_mins)


def _works(persons: tuple[Person, ...], clock: Clock, *, rng: np.random.Generator) -> BoolArray:
    """Return who is at work or school on which day ``(D, P)``."""
    share = np.array([WORKS_SHARE[person.role] for person in persons])
    at_work: BoolArray = (rng.random((clock.n_days + 1, len(persons))) < share) & clock.is_workday[:, None]
    is_pupil = np.array([person.role == "pupil" for person in persons])
    summer_break = (clock.day_of_year > 204) & (clock.day_of_year < 247)
    between_the_years = (clock.day_of_year > 356) | (clock.day_of_year < 4)
    free = (summer_break | between_the_years)[:, None] & is_pupil
    free |= between_the_years[:, None] & (rng.random(at_work.shape) < 0.5)
    at_work &= ~free
    return at_work
