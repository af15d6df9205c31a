"""The planner's table: each limit's winter peak, and how many cars and heat pumps fit before it is likely exceeded."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.features.calendar import local_half_hour
from loadproof.feeders.devices import POOL, device_loads
from loadproof.feeders.loads import Loads
from loadproof.feeders.winter import (
    MIN_WEEKS,
    Weeks,
    chance_above,
    how_many_fit,
    weekly_peaks,
    winter_peak,
    winter_weeks,
)
from loadproof.limits import ADMD_HEAT_PUMP_KW
from loadproof.scenario.shapes import HEAT_PUMP_SHAPE, heat_pump_kwh

__all__ = ["DRAWINGS", "HEADROOM", "PUMP_SHARES", "headroom", "pump_kwh"]

HEADROOM: Final = pl.Schema(
    {
        "entity_id": pl.String(),
        "level": pl.String(),
        "limit": pl.String(),
        "limit_kwh": pl.Float64(),
        "homes": pl.Int32(),
        "winter_weeks": pl.Int32(),
        "winter_peak_kwh": pl.Float64(),
        "winter_peak_low_kwh": pl.Float64(),
        "winter_peak_high_kwh": pl.Float64(),
        "chance_now": pl.Float64(),
        "accept": pl.Float64(),
        "heat_pumps_fit": pl.Int32(),
        "heat_pumps": pl.Int32(),
        "evs_fit": pl.Int32(),
        "chance_then": pl.Float64(),
    }
)
"""One row an entity, limit, accepted chance and number of heat pumps: how many cars then still fit, -1 for not even
none. ``heat_pumps_fit`` is how many heat pumps fit without a car. The peak is the median of a winter's highest half
hour with its 80 % interval; chances are per winter."""

PUMP_SHARES: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
DRAWINGS: Final = 12
"""So often it is drawn anew whose cars they are."""

_PEAK_LEVELS: Final = (0.5, 0.1, 0.9)


def pump_kwh(half_hour: NDArray[np.int64], number: int) -> NDArray[np.float64]:
    """Return what heat pumps draw on the cold days that make a winter's peak, kWh of the shape of ``half_hour``.

    The scenario's shape, at the mean that brings its morning peak to the measured after-diversity demand: so it is a
    sum's share already, and no factor is put on it.
    """
    mean_kw = ADMD_HEAT_PUMP_KW / float(HEAT_PUMP_SHAPE.max())
    return number * heat_pump_kwh(half_hour, mean_kw=mean_kw).astype(np.float64)


def _cars(pool: NDArray[np.float32], weeks: Weeks, homes: int, rng: np.random.Generator) -> Callable[[int], Any]:
    """Return what a number of cars draws in the weeks, in ``DRAWINGS`` drawings; more cars hold the fewer."""
    orders = np.stack([rng.integers(0, len(pool), homes) for _ in range(DRAWINGS)])  # (R, homes)

    def added(number: int) -> NDArray[np.float64]:
        counts = np.stack([np.bincount(order[:number], minlength=len(pool)) for order in orders])  # (R, POOL)
        drawn = counts.astype(np.float32) @ pool  # (R, T)
        return drawn[:, weeks.steps].astype(np.float64)  # (R, W, 336)

    return added


def headroom(
    loads: Loads, limits: pl.DataFrame, *, accepts: tuple[float, ...], draws: int, rng: np.random.Generator
) -> tuple[pl.DataFrame, Mapping[str, str]]:
    """Return ``HEADROOM``, and why an entity with a limit is left out.

    A home has one car and one heat pump at most. Missing half hours stay missing; a week counts if nine in ten of its
    half hours are known.

    Args:
        loads: Feeders and substations over a winter.
        limits: ``LIMITS``.
        accepts: Chances per winter that are accepted.
        draws: Resamples of weeks.
        rng: Of weeks and cars.
    """
    panel = loads.panel
    place = {name: row for row, name in enumerate(panel.entities.tolist())}
    pool = device_loads("ev", POOL, start=panel.start, steps=panel.energy_kwh.shape[1], rng=rng)  # (POOL, T)
    ts = panel.start + np.arange(panel.energy_kwh.shape[1]) * np.timedelta64(panel.interval_mins, "m")
    half_hour = local_half_hour(ts)  # (T,)
    rows: list[dict[str, Any]] = []
    left_out: dict[str, str] = {}
    for limit in limits.iter_rows(named=True):
        name = str(limit["entity_id"])
        weeks = winter_weeks(panel.energy_kwh[place[name]], panel.start)
        if len(weeks.energy_kwh) < MIN_WEEKS:
            left_out[name] = f"{len(weeks.energy_kwh)} winter week(s) are known, and {MIN_WEEKS} are wanted"
        elif name not in loads.devices:
            left_out[name] = "how many homes it supplies is not known"
        else:
            named = {key: limit[key] for key in ("entity_id", "limit", "limit_kwh")} | {"level": loads.levels[name]}
            homes = int(loads.devices[name])
            cars = _cars(pool, weeks, homes, rng)
            rows += _of_limit(named, weeks, half_hour[weeks.steps], homes, cars, accepts, draws, rng)
    return pl.DataFrame(rows, schema=HEADROOM), left_out


def _of_limit(
    named: dict[str, Any], weeks: Weeks, half_hour: NDArray[np.int64], homes: int, cars: Callable[[int], Any],
    accepts: tuple[float, ...], draws: int, rng: np.random.Generator,
) -> list[dict[str, Any]]:  # fmt: skip
    peak = winter_peak(weekly_peaks(weeks.energy_kwh), draws=draws, rng=rng)
    middle, low, high = (peak.quantile_kwh(level) for level in _PEAK_LEVELS)
    now = named | {
        "homes": homes, "winter_weeks": len(weeks.energy_kwh), "winter_peak_kwh": middle, "winter_peak_low_kwh": low,
        "winter_peak_high_kwh": high, "chance_now": chance_above(peak, named["limit_kwh"]),
    }  # fmt: skip
    given: dict[str, Any] = {"of": homes, "draws": draws, "rng": rng}
    alone = {
        accept: how_many_fit(
            weeks, lambda n: pump_kwh(half_hour, n)[None], named["limit_kwh"], accept=accept, **given
        ).most
        for accept in accepts
    }
    rows = []
    for pumps in sorted({round(share * homes) for share in PUMP_SHARES}):
        warmed = weeks._replace(energy_kwh=weeks.energy_kwh + pump_kwh(half_hour, pumps))
        for accept in accepts:
            fits = how_many_fit(warmed, cars, named["limit_kwh"], accept=accept, **given)
            then = {"evs_fit": fits.most, "chance_then": fits.chances[max(fits.most, 0)]}
            rows.append(now | {"accept": accept, "heat_pumps_fit": alone[accept], "heat_pumps": pumps} | then)
    return rows
