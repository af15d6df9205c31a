"""What-ifs: cars and heat pumps that were there all along, drawn and shaped by the scenarios' own functions."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from loadproof.errors import ConfigError
from loadproof.features.panel import Panel
from loadproof.features.windows import Inputs, Windows
from loadproof.feeders.loads import Loads
from loadproof.scenario.acts import apply
from loadproof.scenario.kinds import Kind, draw

__all__ = ["DEVICES", "Device", "add_devices", "device_loads"]

Device = Literal["ev", "heat_pump"]

DEVICES: Final[dict[Device, Kind]] = {"ev": "EV_SPIKE", "heat_pump": "HEAT_PUMP"}
"""Which scenario draws and shapes each."""

POOL: Final = 200
"""So many different devices are drawn; a feeder's are taken from these, with replacement."""


def device_loads(
    device: Device, number: int, *, start: np.datetime64, steps: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return what each of ``number`` devices draws in half hours from ``start`` on, kWh ``(number, steps)``.

    Each is a scenario of its own (charger, energy, hours and weekdays of a car; mean power of a heat pump), applied to
    a home that uses nothing, from the first step on.
    """
    drawn = np.empty((number, steps), dtype=np.float32)
    for row in range(number):
        scenario = replace(draw(DEVICES[device], rng=rng), onset_steps=1 - steps)
        inputs = Inputs(
            np.zeros((1, steps - 1), dtype=np.float32), np.array([start + (steps - 1) * np.timedelta64(30, "m")]),
            np.array([device]), 1, 30,
        )  # fmt: skip
        played = apply(scenario, Windows(inputs, np.zeros((1, 1), dtype=np.float32)), rng=rng)
        drawn[row] = np.concatenate([played.inputs.context_kwh[0], played.truth_kwh[0]])
    return drawn


def add_devices(loads: Loads, shares: Mapping[Device, float], *, rng: np.random.Generator) -> Loads:
    """Return the loads had a share of each feeder's devices had such a device all along; a substation's are its sum.

    Missing half hours stay missing. What each adds is added, and nothing is multiplied: cars that charge at different
    hours are diverse by being drawn so.

    Args:
        loads: Feeders and substations; each feeder's number of devices must be known.
        shares: Of each feeder's homes, 0 to 1; rounded to whole devices.
        rng: Of who they are.

    Raises:
        ConfigError: When a share is none, or the homes of a feeder are not known.
    """
    panel = loads.panel
    feeders = [name for name in panel.entities.tolist() if loads.levels[name] == "feeder"]
    if any(not 0 <= share <= 1 for share in shares.values()):
        raise ConfigError(f"shares of homes are {shares}; give each from 0 to 1")
    if unknown := [name for name in feeders if name not in loads.devices]:
        raise ConfigError(
            f"{len(unknown)} feeder(s), the first {unknown[0]}, have no known number of homes, of which a share would "
            "get a device; ingest the lookup with the usage"
        )
    added = np.zeros((len(feeders), panel.energy_kwh.shape[1]), dtype=np.float32)  # (F, T)
    for device, share in sorted(shares.items()):
        numbers = np.array([round(share * loads.devices[name]) for name in feeders])  # (F,)
        if not numbers.any():
            continue
        pool = device_loads(device, POOL, start=panel.start, steps=panel.energy_kwh.shape[1], rng=rng)  # (POOL, T)
        picks = rng.multinomial(numbers, np.full(POOL, 1 / POOL)).astype(np.float32)  # (F, POOL)
        added += picks @ pool
    return replace(loads, panel=_with(panel, feeders, added, loads))


def _with(panel: Panel, feeders: list[str], added: NDArray[np.float32], loads: Loads) -> Panel:
    place = {name: row for row, name in enumerate(feeders)}
    energy = panel.energy_kwh.copy()
    for row, name in enumerate(panel.entities.tolist()):
        below = [name] if loads.levels[name] == "feeder" else loads.members[name]
        energy[row] += added[[place[member] for member in below]].sum(axis=0)
    return replace(panel, energy_kwh=energy)
