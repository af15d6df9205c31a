"""Known faults set into real series, at known places: the only source of labels besides people.

Every function here changes a copy. A fault acts on what was read: a missing half hour stays missing, and is no part of
a label.
"""

from collections.abc import Callable
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.errors import ConfigError
from loadproof.features.calendar import Moment, local_half_hour, to_instant
from loadproof.features.panel import Panel
from loadproof.limits import half_hour_kwh

__all__ = [
    "FAULTS",
    "Alteration",
    "Change",
    "Event",
    "FaultKind",
    "Injected",
    "Place",
    "Scene",
    "inject",
    "lasting",
    "place_events",
]

FaultKind = Literal[
    "meter_dropout", "stuck_register", "unit_slip", "clock_shift", "reversed_ct", "lost_phase", "left_on", "theft"
]


class Scene(NamedTuple):
    """Where an event acts, and upon what.

    Attributes:
        series: The home's whole series in kWh, ``(T,)``.
        where: The stretch of L steps that changes.
        strength: How strongly, in the kind's own unit.
        half_hour: UK local half hour of the day of each step, 0 to 47, ``(T,)``.
        donor: Another home's series in kWh, ``(T,)``.
    """

    series: NDArray[np.float32]
    where: slice
    strength: float
    half_hour: NDArray[np.int64]
    donor: NDArray[np.float32]

    @property
    def now(self) -> NDArray[np.float32]:
        """What was read in the stretch, kWh ``(L,)``."""
        return self.series[self.where]


Change = Callable[[Scene], NDArray[np.float32]]
"""From a scene to the changed stretch, kWh ``(L,)``."""

_HALF_HOURS_A_DAY: Final = 48
_PHASES: Final = 3
_UNIT_SLIP: Final = 1000.0  # Wh written as kWh
_CLOCK_SHIFT_STEPS: Final = 2  # an hour: a clock that missed the change to summer time


class Alteration(NamedTuple):
    """One kind of event: what it does, how long it lasts at each strength, and what the strengths mean."""

    change: Change
    unit: str
    strengths: tuple[float, ...]  # from hard to find to easy
    half_hours: Callable[[float], int]
    daily: bool = False  # acts on whole days only


class Event(NamedTuple):
    """Where an event lies: row of the panel, first step, first step after it."""

    row: int
    start: int
    stop: int


class Place(NamedTuple):
    """Where events may lie."""

    begin: Moment
    end: Moment
    per_home: int = 1


class Injected(NamedTuple):
    """A panel with events in it, and the truth about them.

    Attributes:
        panel: The changed readings.
        label: Where an event acts on a reading, ``(E, T)``.
        events: Where each lies.
    """

    panel: Panel
    label: NDArray[np.bool_]
    events: tuple[Event, ...]


def _dropout(scene: Scene) -> NDArray[np.float32]:
    return np.zeros_like(scene.now)


def _stuck(scene: Scene) -> NDArray[np.float32]:
    before = scene.series[: scene.where.start + 1]
    known = before[~np.isnan(before)]
    return np.full_like(scene.now, known[-1] if known.size else 0)


def _unit_slip(scene: Scene) -> NDArray[np.float32]:
    return scene.now * np.float32(_UNIT_SLIP)


def _clock_shift(scene: Scene) -> NDArray[np.float32]:
    shifted = np.roll(scene.series, _CLOCK_SHIFT_STEPS)[scene.where]
    return np.where(np.isnan(shifted), scene.now, shifted)  # the gaps stay where they are


def _reversed(scene: Scene) -> NDArray[np.float32]:
    return -scene.now


def _lost_phase(scene: Scene) -> NDArray[np.float32]:
    return scene.now * np.float32(1 - scene.strength / _PHASES)


def _left_on(scene: Scene) -> NDArray[np.float32]:
    return scene.now + np.float32(half_hour_kwh(scene.strength))


def _theft(scene: Scene) -> NDArray[np.float32]:
    return scene.now * np.float32(1 - scene.strength)


def lasting(half_hours: int) -> Callable[[float], int]:
    """Return how long an event lasts at any strength: the same."""
    return lambda strength: half_hours


FAULTS: Final[dict[FaultKind, Alteration]] = {
    "meter_dropout": Alteration(_dropout, "half hours", (4, 12, 48), round),
    "stuck_register": Alteration(_stuck, "half hours", (6, 24, 96), round),
    "unit_slip": Alteration(_unit_slip, "half hours", (1, 4, 48), round),
    "clock_shift": Alteration(
        _clock_shift, "days", (2, 7, 28), lambda days: round(days * _HALF_HOURS_A_DAY), daily=True
    ),
    "reversed_ct": Alteration(_reversed, "half hours", (2, 12, 96), round),
    "lost_phase": Alteration(_lost_phase, "phases of three", (1, 2), lasting(7 * _HALF_HOURS_A_DAY), daily=True),
    "left_on": Alteration(_left_on, "kW", (0.2, 1, 3), lasting(_HALF_HOURS_A_DAY)),
    "theft": Alteration(_theft, "share", (0.2, 0.5, 0.8), lasting(28 * _HALF_HOURS_A_DAY), daily=True),
}
"""Faults as they happen. A dropout reads 0 while the home draws; a stuck register repeats its last reading; a slip of
units reads Wh for kWh; a clock shift is an hour late; a reversed transformer counts backwards; a lost phase, theft and
an appliance left on change the load by a share or a constant."""


def place_events(
    panel: Panel, place: Place, *, half_hours: int, daily: bool, rng: np.random.Generator
) -> tuple[Event, ...]:
    """Return ``per_home`` events of a length for each home, in disjoint parts of the span, at random places in them.

    A place without any reading is passed over, so that a home may get fewer.

    Raises:
        ConfigError: When the span is too short for that many events.
    """
    first, last = panel.steps_to(np.array([to_instant(place.begin), to_instant(place.end)])).tolist()
    first, last = max(first, 0), min(last, panel.energy_kwh.shape[1])
    grain = _HALF_HOURS_A_DAY if daily else 1
    share = (last - first) // place.per_home // grain * grain
    places = (share - half_hours) // grain + 1
    if places < 1:
        raise ConfigError(
            f"{place.per_home} events of {half_hours} half hours do not fit into {last - first}; ask less"
        )
    events = []
    for row in range(len(panel.entities)):
        for part in range(place.per_home):
            start = first + part * share + int(rng.integers(places)) * grain
            if not np.isnan(panel.energy_kwh[row, start : start + half_hours]).all():
                events.append(Event(row, start, start + half_hours))
    return tuple(events)


def inject(panel: Panel, change: Change, events: tuple[Event, ...], *, strength: float) -> Injected:
    """Return the panel with one kind of event at these places, and the truth about them.

    The donor of a home is the next home of the panel.
    """
    energy = panel.energy_kwh.copy()
    label = np.zeros(energy.shape, dtype=bool)
    steps = np.arange(energy.shape[1]) * np.timedelta64(panel.interval_mins, "m")
    half_hour = local_half_hour(panel.start + steps)  # (T,)
    for row, start, stop in events:
        where, original = slice(start, stop), panel.energy_kwh[row]
        donor = panel.energy_kwh[(row + 1) % len(energy)]
        changed = change(Scene(original, where, strength, half_hour, donor))
        energy[row, where] = np.where(np.isnan(original[where]), np.nan, changed)
        label[row, where] = ~np.isnan(original[where])
    return Injected(Panel(panel.entities, panel.start, panel.interval_mins, energy), label, events)
