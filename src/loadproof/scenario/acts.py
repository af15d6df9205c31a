"""What each kind does to a series from its onset on; ``apply`` sets it into windows, inputs and truth alike."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from loadproof.errors import ConfigError
from loadproof.features.calendar import Instants, to_local
from loadproof.features.notices import Notice, Notices
from loadproof.features.weather import HEATING_BASE_DEGC, Weather
from loadproof.features.windows import Inputs, Windows
from loadproof.scenario.ground import Ground
from loadproof.scenario.kinds import Kind, Scenario
from loadproof.scenario.shapes import STEPS_A_DAY, base_kwh, charging_kwh, heat_pump_kwh, solar_kwh, vacant_kwh
from loadproof.seeds import rng_for

__all__ = ["ACTS", "apply"]

_HALF_HOUR: Final = np.timedelta64(30, "m")
_PEAK: Final = (32, 40)  # 16:00 to 20:00
_RAMP_STEPS: Final = 24
"""A front takes half a day to pass."""
_NOTICE: Final = np.timedelta64(2, "D")
"""Guaranteed Standards: of a planned interruption, homes are told two days before."""
_LEAST_OBSERVED: Final = 48
"""A context keeps a day of readings, whatever goes missing."""


@dataclass(frozen=True, eq=False)
class _Scene:
    """Windows as one series each, S = C + H steps, and what a scenario may borrow."""

    scenario: Scenario
    kwh: NDArray[np.float32]  # (N, S), NaN where missing
    steps: NDArray[np.int64]  # (S,), from t0
    local: NDArray[np.int64]  # (N, S), local half hours since 1970
    inputs: Inputs
    ground: Ground | None
    rng: np.random.Generator

    @property
    def on(self) -> NDArray[np.bool_]:
        """From the onset on, ``(S,)``."""
        return self.steps >= self.scenario.onset_steps

    @property
    def half_hour(self) -> NDArray[np.int64]:
        return self.local % STEPS_A_DAY  # (N, S)

    def of(self, name: str) -> float:
        return self.scenario.parameters[name]

    def borrow(self) -> Ground:
        if self.ground is None:
            raise ConfigError(f"{self.scenario.kind} borrows from real homes; give apply a ground")
        return self.ground

    def before(self) -> NDArray[np.float32]:
        """Return what was read before the onset, ``(N, P)``."""
        return self.kwh[:, ~self.on]


_Act = Callable[[_Scene], NDArray[np.float32]]
"""From a scene to all its series, changed ``(N, S)``; what lies before the onset is put back by ``apply``."""


def _ev(scene: _Scene) -> NDArray[np.float32]:
    start = round(scene.of("from_hour") * 2)
    own = rng_for(scene.scenario.seed, "weekdays")
    weekdays = own.choice(7, round(scene.of("days_a_week")), replace=False)
    day = (scene.local - start) // STEPS_A_DAY  # (N, S), the day on which the charge began
    charges = np.isin((day + 3) % 7, weekdays)  # day 0, 1970-01-01, was a Thursday
    late = scene.rng.integers(0, 3, size=(len(day), int(day.max() - day.min()) + 1))  # nobody is on time
    delay = np.take_along_axis(late, day - day.min(), axis=1)  # (N, S)
    plugged = (scene.local - start) % STEPS_A_DAY - delay  # (N, S), half hours since the plug
    drawn = charging_kwh(plugged, power_kw=scene.of("power_kw"), from_half_hour=0, energy_kwh=scene.of("energy_kwh"))
    return np.asarray(scene.kwh + drawn * charges, dtype=np.float32)


def _path(scene: _Scene) -> NDArray[np.float32]:
    """Return how much colder it is at each step, ``(S,)``: down within half a day, and up again."""
    since = scene.steps - scene.scenario.onset_steps
    left = round(scene.of("days") * STEPS_A_DAY) - since
    return (scene.of("drop_degc") * np.clip(np.minimum(since, left) / _RAMP_STEPS, 0, 1)).astype(np.float32)


def _colder(scene: _Scene, weather: Weather) -> Weather:
    """Return the weather with the path in it, at the one origin of the windows."""
    first = scene.inputs.t0[0] + scene.steps[0] * _HALF_HOUR
    at = int((first - weather.start) // _HALF_HOUR)
    temperature, path = weather.temperature_degc.copy(), _path(scene)
    inside = slice(max(at, 0), min(at + len(path), len(temperature)))
    temperature[inside] -= path[inside.start - at : inside.stop - at]
    return replace(weather, temperature_degc=temperature)


def _cold(scene: _Scene) -> NDArray[np.float32]:
    responses = scene.borrow().responses(scene.inputs.entity, rng=scene.rng)  # (N, 48)
    degrees = _path(scene)  # (S,)
    if scene.inputs.weather:
        if len(np.unique(scene.inputs.t0)) > 1:
            raise ConfigError("a cold snap strikes all homes at once; apply it to windows of one t0")
        was = _temperature(scene, scene.inputs.weather)  # (S,)
        heated = np.maximum(HEATING_BASE_DEGC - (was - degrees), 0) - np.maximum(HEATING_BASE_DEGC - was, 0)
        degrees = np.where(np.isnan(heated), degrees, heated).astype(np.float32)  # only cold below the base is heated
    added = np.take_along_axis(responses, scene.half_hour, axis=1) * degrees
    return np.asarray(scene.kwh + added, dtype=np.float32)


def _temperature(scene: _Scene, weather: Weather) -> NDArray[np.float32]:
    ts = (scene.inputs.t0[0] + scene.steps * _HALF_HOUR)[:, None]  # (S, 1)
    return np.asarray(weather.past(ts)[:, 0, weather.names.index("temp_now_degc")])


def _peak_shift(scene: _Scene) -> NDArray[np.float32]:
    by = round(scene.of("shift_hours") * 2)
    kwh, length = np.nan_to_num(scene.kwh), scene.kwh.shape[1]
    base = base_kwh(scene.before())  # (N, 1)
    peak = (scene.half_hour >= _PEAK[0]) & (scene.half_hour < _PEAK[1]) & scene.on & ~np.isnan(scene.kwh)
    goes = np.arange(length) + by
    peak &= (goes < length) & (scene.steps + by >= scene.scenario.onset_steps)
    moved = np.where(peak, np.maximum(kwh - base, 0) * np.float32(scene.of("share")), 0)  # (N, S)
    return scene.kwh - moved + np.roll(moved, by, axis=1)


def _outage(scene: _Scene) -> NDArray[np.float32]:
    length, lasting = round(scene.of("hours") * 2), 2 * scene.of("rebound_hours")
    since = scene.steps - scene.scenario.onset_steps
    off = (since >= 0) & (since < length)  # (S,)
    missed = np.nansum(scene.kwh[:, off], axis=1, keepdims=True)  # (N, 1)
    fading = float(np.exp(-1 / lasting))
    rebound = np.where(since >= length, (1 - fading) * fading ** np.maximum(since - length, 0), 0)  # sums to 1
    back = missed * np.float32(scene.of("rebound_share")) * rebound.astype(np.float32)  # (N, S)
    return np.asarray(np.where(off, 0, scene.kwh) + back, dtype=np.float32)


def _missing(scene: _Scene) -> NDArray[np.float32]:
    since = scene.steps - scene.scenario.onset_steps
    gone = np.broadcast_to((since >= 0) & (since < 2 * scene.of("gap_hours")), scene.kwh.shape)
    scattered = scene.rng.random(scene.kwh.shape) < scene.of("scattered_share")
    return _hidden(scene, gone | scattered)


def _real_gaps(scene: _Scene) -> NDArray[np.float32]:
    c = scene.inputs.context_kwh.shape[1]
    ground = scene.borrow()
    gaps = ground.gaps(len(scene.kwh), least_steps=2 * scene.of("missing_hours"), rng=scene.rng)[:, -c:]  # (N, C)
    width = scene.kwh.shape[1]
    return _hidden(scene, np.pad(gaps, ((0, 0), (c - gaps.shape[1], width - c))))


def _hidden(scene: _Scene, gone: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the series without readings of the context that are ``gone``, where a day of readings is left."""
    gone = gone & scene.on & (scene.steps < 0)  # truth is what happened, whoever read it
    hidden = np.where(gone, np.float32(np.nan), scene.kwh)
    left = (~np.isnan(hidden[:, scene.steps < 0])).sum(axis=1, keepdims=True)  # (N, 1)
    return np.where(left >= _LEAST_OBSERVED, hidden, scene.kwh)


def _donors(scene: _Scene, months_apart: float = 0) -> NDArray[np.float32]:
    inputs, ground = scene.inputs, scene.borrow()
    if ground.kwh.shape[1] != scene.kwh.shape[1]:
        raise ConfigError(f"windows of {scene.kwh.shape[1]} steps cannot borrow from others; cut both alike")
    return ground.donors(inputs.entity, inputs.t0, months_apart=months_apart, rng=scene.rng)


def _added(scene: _Scene) -> NDArray[np.float32]:
    return scene.kwh + np.float32(scene.of("share")) * _donors(scene)


def _occupancy(scene: _Scene) -> NDArray[np.float32]:
    return _donors(scene, scene.of("months_apart"))


def _heat_pump(scene: _Scene) -> NDArray[np.float32]:
    return scene.kwh + heat_pump_kwh(scene.half_hour, mean_kw=scene.of("mean_kw"))


def _solar(scene: _Scene) -> NDArray[np.float32]:
    given = solar_kwh(scene.half_hour, noon_kw=scene.of("noon_kw"))
    return np.asarray(np.maximum(scene.kwh - given, 0), dtype=np.float32)


def _vacancy(scene: _Scene) -> NDArray[np.float32]:
    return vacant_kwh(scene.kwh, scene.before())


ACTS: Final[dict[Kind, _Act]] = {
    "EV_SPIKE": _ev,
    "COLD_SNAP": _cold,
    "PEAK_SHIFT": _peak_shift,
    "OUTAGE": _outage,
    "MISSING_DATA": _missing,
    "REAL_GAPS": _real_gaps,
    "ADDED_LOAD": _added,
    "CHANGED_OCCUPANCY": _occupancy,
    "HEAT_PUMP": _heat_pump,
    "SOLAR": _solar,
    "VACANCY": _vacancy,
}


def _require_trace(scenario: Scenario, inputs: Inputs) -> None:
    """Refuse an onset after which nobody could know of the scenario at ``t0``."""
    if scenario.onset_steps < 0:
        return
    forecast = scenario.kind == "COLD_SNAP" and inputs.weather is not None and inputs.weather.arm != "observed"
    if not forecast and not (scenario.kind == "OUTAGE" and inputs.notices is not None):
        raise ConfigError(
            f"{scenario.kind} at {scenario.onset_steps} steps from t0 leaves no trace that a solver could read; let it "
            "begin before t0, or give the windows notices (an outage) or a weather forecast (a cold snap)"
        )


def _announced(scene: _Scene, notices: Notices) -> Notices:
    """Return the notices and that of the outage, at the one origin of the windows."""
    t0 = scene.inputs.t0
    if len(np.unique(t0)) > 1:
        raise ConfigError("an announced outage strikes all homes at once; apply it to windows of one t0")
    start = t0[0] + scene.scenario.onset_steps * _HALF_HOUR
    end = start + round(scene.of("hours") * 2) * _HALF_HOUR
    return notices.and_also(Notice(start - _NOTICE, start, end))


def _local(t0: Instants, steps: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the local half hours since 1970 of each step, ``(N, S)``."""
    return to_local(t0[:, None] + steps * _HALF_HOUR).astype(np.int64) // 1_800_000_000


def apply(scenario: Scenario, windows: Windows, *, rng: np.random.Generator, ground: Ground | None = None) -> Windows:
    """Return the windows as they would be had it happened; those given are left as they are.

    From the onset on, context and truth change alike, and the weather with them in a cold snap; before it nothing
    does. An onset at ``t0`` or later is of a cold snap that the forecast tells of, or of an outage that is announced
    two days before, to windows that have notices; any other would leave no trace that a solver could read. A half
    hour that was missing stays missing, and what goes missing is missing in the context alone.

    Args:
        scenario: What happens.
        windows: Half-hourly windows; of one ``t0`` for a cold snap, if they know weather, and for an announced outage.
        rng: Of what differs between windows: donors, and how late a car comes.
        ground: What may be borrowed; grounded kinds and the cold snap need one.

    Raises:
        ConfigError: When the windows are not half-hourly, a ground lacks, it has nothing to lend, or the onset leaves
            no trace.
    """
    inputs = windows.inputs
    if inputs.interval_mins != 30:
        raise ConfigError(f"scenarios are of half hours, not of {inputs.interval_mins} minutes; resample to 30")
    c = inputs.context_kwh.shape[1]
    if not len(windows) or (scenario.onset_steps < -c and scenario.kind != "REAL_GAPS"):
        raise ConfigError(f"an onset at {scenario.onset_steps} leaves nothing before it in {c} steps; look back longer")
    _require_trace(scenario, inputs)
    kwh = np.concatenate([inputs.context_kwh, windows.truth_kwh], axis=1)  # (N, S)
    steps = np.arange(-c, inputs.horizon_steps)
    scene = _Scene(scenario, kwh, steps, _local(inputs.t0, steps), inputs, ground, rng)
    changed = np.where(scene.on & ~np.isnan(kwh), ACTS[scenario.kind](scene), kwh)  # (N, S)
    told = replace(inputs, context_kwh=changed[:, :c])
    if scenario.kind == "COLD_SNAP" and inputs.weather:
        told = replace(told, weather=_colder(scene, inputs.weather))
    if scenario.onset_steps >= 0 and inputs.notices is not None:
        told = replace(told, notices=_announced(scene, inputs.notices))
    return replace(windows, inputs=told, truth_kwh=changed[:, c:])
