"""Pseudo-feeders against real ones, part by part, all per device that reports; too little data concludes nothing."""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.feeders.distances import CELLS, compare_cells, wasserstein
from loadproof.feeders.diversity import ADMD, measure_diversity
from loadproof.feeders.shapes import (
    EXCEEDED,
    SEASONS,
    Shapes,
    autocorrelations,
    daily_peaks,
    duration_curves,
    ramps,
    weekly_load_factors,
)

__all__ = ["LAGS", "MIN_FEEDERS", "MIN_WEEKS", "Comparison", "Part", "Side", "compare"]

LAGS: Final = (1, 48, 336)
"""Half hours back at which feeders are held against themselves: the last one, yesterday, a week ago."""

MIN_WEEKS: Final = 4
MIN_FEEDERS: Final = 4
"""With fewer weeks or feeders in the seasons that both sides have, nothing is concluded."""

_HALVINGS: Final = 5
_HALF_HOURS_A_WEEK: Final = 336


class Part(NamedTuple):
    """One way in which the two sides differ.

    Attributes:
        name: What is compared.
        pseudo: Its figure on the pseudo side.
        real: And on the real one.
        unit: Of both figures.
        distance: How far apart they are, free of unit; the composite is the sum of these.
        floor: The same distance between random halves of the real feeders, the median of five; None where they are few.
    """

    name: str
    pseudo: float
    real: float
    unit: str
    distance: float
    floor: float | None


class Side(NamedTuple):
    """What one side holds, in the seasons that both have."""

    feeders: int
    weeks: float
    half_hours: int
    devices: float
    seasons: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Comparison:
    """What was found; where ``lacking`` says why nothing can be concluded, there are no parts.

    Attributes:
        pseudo: What the pseudo side holds.
        real: What the real side holds.
        lacking: What there is too little of, a sentence each.
        parts: The ways in which they differ.
        cells: ``CELLS``.
        curves: ``kind, season, x, pseudo, real``: pairs of curves; season is null where it is of all.
        diversity: ``ADMD`` of homes, empty where none were given.
        points: ``side, devices, peak_kw``: each feeder's own peak per device.
    """

    pseudo: Side
    real: Side
    lacking: tuple[str, ...]
    parts: tuple[Part, ...]
    cells: pl.DataFrame
    curves: pl.DataFrame
    diversity: pl.DataFrame
    points: pl.DataFrame

    @property
    def composite(self) -> float | None:
        """The sum of the parts' distances; None where nothing is concluded."""
        return sum(part.distance for part in self.parts) if self.parts else None


_CURVES: Final = pl.Schema(
    {"kind": pl.String(), "season": pl.String(), "x": pl.Float64(), "pseudo": pl.Float64(), "real": pl.Float64()}
)
_POINTS: Final = pl.Schema({"side": pl.String(), "devices": pl.Float64(), "peak_kw": pl.Float64()})


def _seasons(shapes: Shapes) -> NDArray[np.int64]:
    seen = (~np.isnan(shapes.kwh)).any(axis=0)  # (T,)
    return np.unique(shapes.season[seen])


def _within(shapes: Shapes, seasons: NDArray[np.int64]) -> Shapes:
    """Return the shapes with all other seasons missing, and feeders that are silent then left out."""
    kwh = np.where(np.isin(shapes.season, seasons), shapes.kwh, np.nan)
    return shapes._replace(kwh=kwh).take(np.flatnonzero((~np.isnan(kwh)).any(axis=1)))


def _side(shapes: Shapes) -> Side:
    known = ~np.isnan(shapes.kwh)
    weeks = float(known.any(axis=0).sum()) / _HALF_HOURS_A_WEEK
    devices = float(np.median(shapes.devices)) if len(shapes.devices) else 0.0
    return Side(len(known), weeks, int(known.sum()), devices, tuple(SEASONS[number] for number in _seasons(shapes)))


def _lacking(side: Side, name: str) -> list[str]:
    found = []
    if side.feeders < MIN_FEEDERS:
        found.append(f"the {name} side has {side.feeders} feeder(s) in a season that both have; {MIN_FEEDERS} wanted")
    if side.weeks < MIN_WEEKS:
        found.append(f"the {name} side spans {side.weeks:.2f} weeks in a season that both have; {MIN_WEEKS} wanted")
    return found


class _Figure(NamedTuple):
    name: str
    one: float
    two: float
    unit: str
    distance: float


def _mean(values: NDArray[np.float64]) -> float:
    return float(np.nanmean(values)) if (~np.isnan(values)).any() else float("nan")


def _relative(one: float, two: float) -> float:
    return abs(one - two) / two if two > 0 else float("nan")


def _figures(one: Shapes, two: Shapes, cells: pl.DataFrame) -> list[_Figure]:
    """Return every part of two sets of feeders, the second of which sets the scale."""
    (hour_one, peak_one), (hour_two, peak_two) = daily_peaks(one), daily_peaks(two)
    every = EXCEEDED >= 0.01  # per cent by per cent; the peaks in between are for the eye
    curve_one, curve_two = (duration_curves(side).mean(axis=0)[every] for side in (one, two))
    mean_one, mean_two = _mean(one.kwh), _mean(two.kwh)
    ramp_one, ramp_two = ramps(one), ramps(two)
    factor_one, factor_two = _mean(weekly_load_factors(one)), _mean(weekly_load_factors(two))
    top_one, top_two = float(np.nanmedian(peak_one)), float(np.nanmedian(peak_two))
    apart = float(cells["wasserstein_ratio"].mean())  # type: ignore[arg-type]
    found = [
        _Figure("load_duration", mean_one, mean_two, "kWh", float(np.abs(curve_one - curve_two).mean()) / mean_two),
        _Figure("distribution", mean_one, mean_two, "kWh", apart),
        _Figure("peak_size", top_one, top_two, "kW", _relative(top_one, top_two)),
        _Figure("peak_time", _mean(hour_one), _mean(hour_two), "h", wasserstein(hour_one, hour_two) / 24),
        _Figure("ramps", _mean(ramp_one), _mean(ramp_two), "kWh", wasserstein(ramp_one, ramp_two) / _mean(ramp_two)),
        _Figure("load_factor", factor_one, factor_two, "1", _relative(factor_one, factor_two)),
    ]
    for lag in LAGS:
        rho_one, rho_two = _mean(autocorrelations(one, lag)), _mean(autocorrelations(two, lag))
        found.append(_Figure(f"autocorrelation_{lag}", rho_one, rho_two, "1", abs(rho_one - rho_two)))
    return found


def _floors(real: Shapes, rng: np.random.Generator) -> dict[str, float]:
    """Return each part's distance between halves of the real feeders; empty where there are too few to halve."""
    n = len(real.entities)
    if n < 2 * MIN_FEEDERS:
        return {}
    found: dict[str, list[float]] = {}
    for _ in range(_HALVINGS):
        order = rng.permutation(n)
        one, two = real.take(order[: n // 2]), real.take(order[n // 2 :])
        for figure in _figures(one, two, compare_cells(one, two)):
            found.setdefault(figure.name, []).append(figure.distance)
    return {name: float(np.median(distances)) for name, distances in found.items()}


def _over_day(shapes: Shapes, season: int) -> NDArray[np.float64]:
    """Return the mean of each half hour of the day in a season, NaN where none was measured, ``(48,)``."""
    means = np.full(48, np.nan)
    for half_hour in range(48):
        means[half_hour] = _mean(shapes.kwh[:, (shapes.season == season) & (shapes.half_hour == half_hour)])
    return means


def _curves(pseudo: Shapes, real: Shapes) -> pl.DataFrame:
    """Return pairs of curves: load duration, day by season, and when daily peaks come."""
    kinds: list[tuple[str, str | None, NDArray[np.float64], list[NDArray[np.float64]]]] = [
        ("load_duration", None, EXCEEDED, [duration_curves(side).mean(axis=0) for side in (pseudo, real)])
    ]
    half_hours = np.arange(48) / 2
    for season in _seasons(real):
        days = [_over_day(side, int(season)) for side in (pseudo, real)]
        kinds.append(("day", SEASONS[season], half_hours, days))
    shares = []
    for side in (pseudo, real):
        hours = daily_peaks(side)[0]
        hours = hours[~np.isnan(hours)]
        shares.append(np.bincount((hours * 2).astype(int), minlength=48) / max(len(hours), 1))
    kinds.append(("peak_time", None, half_hours, shares))
    rows = [
        (kind, season, float(x), float(one), float(two))
        for kind, season, xs, (ones, twos) in kinds
        for x, one, two in zip(xs, ones, twos, strict=True)
    ]
    return pl.DataFrame(rows, schema=_CURVES, orient="row")


def _points(pseudo: Shapes, real: Shapes) -> pl.DataFrame:
    rows = [
        (name, float(devices), float(np.nanmax(kwh)) * 2)
        for name, side in (("pseudo", pseudo), ("real", real))
        for devices, kwh in zip(side.devices, side.kwh, strict=True)
    ]
    return pl.DataFrame(rows, schema=_POINTS, orient="row")


def compare(
    pseudo: Shapes, real: Shapes, *, homes_kwh: NDArray[np.float32] | None = None, rng: np.random.Generator
) -> Comparison:
    """Hold pseudo-feeders against real ones, in the seasons that both have.

    Args:
        pseudo: Sums of homes, or any feeders.
        real: The feeders to be like.
        homes_kwh: The homes that the pseudo-feeders are of, ``(E, T)``, for the diversity curve.
        rng: Where chance comes from.
    """
    common = np.intersect1d(_seasons(pseudo), _seasons(real))
    pseudo, real = _within(pseudo, common), _within(real, common)
    sides = _side(pseudo), _side(real)
    lacking = (*_lacking(sides[0], "pseudo"), *_lacking(sides[1], "real"))
    admd = pl.DataFrame(schema=ADMD) if homes_kwh is None else measure_diversity(homes_kwh, rng=rng)
    if lacking:
        nothing = (pl.DataFrame(schema=CELLS), pl.DataFrame(schema=_CURVES), admd, pl.DataFrame(schema=_POINTS))
        return Comparison(*sides, lacking, (), *nothing)
    cells = compare_cells(pseudo, real)
    floors = _floors(real, rng)
    parts = tuple(Part(*figure, floors.get(figure.name)) for figure in _figures(pseudo, real, cells))
    return Comparison(*sides, (), parts, cells, _curves(pseudo, real), admd, _points(pseudo, real))
