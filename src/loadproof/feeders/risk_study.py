"""The study of the probabilities on history: pseudo-feeders, their own percentiles as limits, and what then came.

Limits are percentiles of each feeder's training load, for real groups of homes never reach a transformer's rating. A
forecaster learns until ``valid_from``, is calibrated until ``test_from``, and is judged after it.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.config import CalibrationConfig, ForecastConfig
from loadproof.evaluation.calibration import Kind, calibrate
from loadproof.evaluation.groups import disjoint_groups, reporting_homes, sum_groups
from loadproof.features.calendar import local_half_hour, local_midnights, to_instant
from loadproof.features.panel import Panel
from loadproof.features.selection import as_datetime
from loadproof.features.splits import Split, split_by_time
from loadproof.features.windows import Windows, cut_windows
from loadproof.feeders.exceedance import Tail, any_exceeded, exceedance_of_quantiles
from loadproof.feeders.risk_scores import RISK_SCORES, Alarms, Judged, alarm_rows, brier_rows, reliability_rows
from loadproof.feeders.together import any_together, past_ranks
from loadproof.feeders.winter import MIN_WEEKS, weekly_peaks, winter_peak, winter_weeks
from loadproof.forecaster import Forecast, Forecaster
from loadproof.seeds import rng_for

__all__ = ["CALIBRATIONS", "KS", "PERCENTILES", "TAILS", "THRESHOLDS", "Feeders", "Study", "draw_feeders"]

PERCENTILES: Final = (0.9, 0.95, 0.99)
KS: Final = (1, 4, 10)
THRESHOLDS: Final = (0.1, 0.25, 0.5)
CALIBRATIONS: Final[tuple[Kind, ...]] = ("none", "static", "adaptive")
TAILS: Final[tuple[Tail, ...]] = ("exponential", "none")
RECENT_DAYS: Final = 28
"""Days back that the recent climatology looks."""

_DAY: Final = 48
_HALVES: Final = 10
"""So often each feeder's winter weeks are halved."""


class Feeders(NamedTuple):
    """Pseudo-feeders of many random partitions of the same homes, and how many homes there were."""

    panel: Panel
    homes: int


def draw_feeders(
    homes: Panel, knobs: ForecastConfig, *, size: int, partitions: int, min_reporting: float, rng: np.random.Generator
) -> Feeders:
    """Return the feeders of ``partitions`` random partitions of the homes that report over all of the panel.

    Feeders of one partition share no home; those of different ones do, so that no interval may count them apart.
    """
    end = to_instant(knobs.test_until)
    able = reporting_homes(homes, homes.start, end, share=min_reporting)
    groups: dict[str, NDArray[np.str_]] = {}
    for number in range(partitions):
        groups |= disjoint_groups(able, size, prefix=f"p{number:02d}:", rng=rng)
    return Feeders(sum_groups(homes, groups, min_reporting=min_reporting), len(able))


def _split(panel: Panel, knobs: ForecastConfig) -> Split:
    windows = cut_windows(
        panel, context_steps=knobs.context_steps, horizon_steps=knobs.horizon_steps,
        origins=local_midnights(as_datetime(panel.start), knobs.test_until), data_lag_steps=knobs.data_lag_steps,
    )  # fmt: skip
    return split_by_time(windows, valid_from=knobs.valid_from, test_from=knobs.test_from, test_until=knobs.test_until)


@dataclass(frozen=True, eq=False)
class _Past:
    """What a feeder's own past says, for each window and limit."""

    NAMES: ClassVar = ("constant", "hourly", "recent")

    limit_kwh: NDArray[np.float64]  # (N,)
    constant: NDArray[np.float64]  # (N, H)
    hourly: NDArray[np.float64]  # (N, H)
    recent: NDArray[np.float64]  # (N, H)

    def references(self) -> dict[str, NDArray[np.float64]]:
        return dict(zip(self.NAMES, (self.constant, self.hourly, self.recent), strict=True))


def _rates(over: NDArray[np.float64], axis: int, prior: float) -> NDArray[np.float64]:
    """Return how often, NaN left out; one case at the prior's rate is added, so that nothing is ever certain."""
    known = ~np.isnan(over)
    return np.asarray((np.where(known, over, 0).sum(axis=axis) + prior) / (known.sum(axis=axis) + 1))


def _past(panel: Panel, windows: Windows, knobs: ForecastConfig, percentile: float) -> _Past:
    """Return each feeder's limit and what frequency alone would say: always, by half hour of day, and lately by it."""
    inputs = windows.inputs
    rows = np.searchsorted(panel.entities, inputs.entity)  # (N,)
    until = int(panel.steps_to(np.array([to_instant(knobs.valid_from)]))[0])
    train = panel.energy_kwh[:, :until].astype(np.float64)  # (E, T)
    limits = np.nanquantile(train, percentile, axis=1)  # (E,)
    over = np.where(np.isnan(train), np.nan, train > limits[:, None])  # (E, T)
    ts = panel.start + np.arange(until) * np.timedelta64(panel.interval_mins, "m")
    at = local_half_hour(ts)  # (T,)
    by_half_hour = np.stack([_rates(over[:, at == h], 1, 1 - percentile) for h in range(_DAY)], axis=1)  # (E, 48)
    hours = local_half_hour(inputs.ts())  # (N, H)
    recent_kwh = inputs.context_kwh[:, -RECENT_DAYS * _DAY :].astype(np.float64)  # (N, 28 x 48)
    recent = np.where(np.isnan(recent_kwh), np.nan, recent_kwh > limits[rows, None])
    days = _rates(recent.reshape(len(rows), -1, _DAY), 1, 1 - percentile)  # (N, 48), phase 0 is that of t0
    return _Past(
        limits[rows],
        np.full(hours.shape, 1 - percentile),
        by_half_hour[rows[:, None], hours],
        days[:, np.arange(inputs.horizon_steps) % _DAY],
    )


def _weeks(windows: Windows) -> NDArray[np.int64]:
    days = windows.inputs.t0.astype("datetime64[D]").astype(np.int64)
    return np.asarray(np.unique((days + 3) // 7, return_inverse=True)[1])


class _Told(NamedTuple):
    """What a forecaster says of the validation and of the test block."""

    valid: Forecast
    test: Forecast


def _calibrated(told: _Told, split: Split, kind: Kind) -> Forecast:
    """Return the forecast of the test block, held to its levels by the validation block."""
    if kind == "none":
        return told.test
    valid, knobs = split.valid, CalibrationConfig(kind=kind)
    calibration = calibrate(told.valid, valid.inputs, valid.truth_kwh, knobs=knobs)
    return calibration.apply(told.test, split.test.inputs, split.test.truth_kwh)


def _any_of(event: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return whether any half hour of a day ``(N, H)`` was one, NaN where that is unknown, ``(N,)``."""
    return np.where((event == 1).any(axis=1), 1.0, np.where(np.isnan(event).any(axis=1), np.nan, 0.0))


def _alarms(probability: NDArray[np.float64], event: NDArray[np.float64], windows: Windows) -> Alarms:
    """Return the days of feeders as the forecasts of the day itself and of the days before told them.

    ``probability`` and ``event`` are ``(N, H)`` with H whole days. A warning's lead counts from the earliest of the
    forecasts that warned without a break until the day came.
    """
    inputs, days = windows.inputs, probability.shape[1] // _DAY
    chance = probability.reshape(len(inputs), days, _DAY).max(axis=2)  # (N, D)
    first_day = event[:, :_DAY]
    happened = _any_of(first_day)
    first = np.where(happened == 1, (first_day == 1).argmax(axis=1) / 2, np.nan)  # hours
    order = np.lexsort((inputs.t0, inputs.entity))
    noon = inputs.t0 + np.timedelta64(12, "h")  # a UK midnight in summer is on the UTC day before
    day = noon.astype("datetime64[D]").astype(np.int64)  # (N,)
    lead = np.repeat(first[:, None], len(THRESHOLDS), axis=1)
    place = {(str(inputs.entity[n]), int(day[n])): int(n) for n in order}
    for number, threshold in enumerate(THRESHOLDS):
        for n in np.flatnonzero((chance[:, 0] >= threshold) & (happened == 1)):
            for ahead in range(1, days):
                earlier = place.get((str(inputs.entity[n]), int(day[n]) - ahead))
                if earlier is None or chance[earlier, ahead] < threshold:
                    break
                lead[n, number] += 24
    return Alarms(chance[:, 0], happened, first, lead, day, _weeks(windows))


def _winter_rows(panel: Panel, *, draws: int, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Yield how often the peak of half a winter's weeks lies in the 80 % interval that the other half tells.

    No interval is claimed: feeders share homes, and all share the weeks.
    """
    inside, above = [], []
    for series in panel.energy_kwh:
        peaks = weekly_peaks(winter_weeks(series, panel.start).energy_kwh)  # (W,)
        for _ in range(_HALVES if len(peaks) >= 2 * MIN_WEEKS else 0):
            order = rng.permutation(len(peaks))
            seen, other = np.split(peaks[order], [len(peaks) // 2])
            told = winter_peak(seen, draws=min(draws, 100), rng=rng, weeks=len(other))
            inside.append(told.quantile_kwh(0.1) <= other.max() <= told.quantile_kwh(0.9))
            above.append(other.max() > told.quantile_kwh(0.9))
    named = {"subject": "winter_peak", "percentile": 1.0, "days_ahead": 0, "slice": "all", "low": None, "high": None}
    for metric, values in (("coverage_80", inside), ("share_above_90", above)):
        if values:
            yield named | {"metric": metric, "value": float(np.mean(values)), "n": len(values)}


class Study:
    """The test block of the feeders with their limits, to judge forecasters on."""

    def __init__(self, panel: Panel, knobs: ForecastConfig, *, draws: int, seed: int) -> None:
        self._split = _split(panel, knobs)
        test = self._split.test
        self._pasts = {percentile: _past(panel, test, knobs, percentile) for percentile in PERCENTILES}
        self._events = {
            percentile: np.where(np.isnan(test.truth_kwh), np.nan, test.truth_kwh > past.limit_kwh[:, None])
            for percentile, past in self._pasts.items()
        }
        self._panel, self._draws, self._seed = panel, draws, seed

    def judge(self, forecasters: Mapping[str, Forecaster], *, plain: Collection[str]) -> pl.DataFrame:
        """Return ``RISK_SCORES`` of every forecaster, calibration and tail, and of the climatologies.

        The tails are compared with the last calibration; a ``plain`` forecaster is left as it is and calibrated too.
        """
        rows: list[dict[str, Any]] = []
        for name in _Past.NAMES:
            told = {percentile: past.references()[name] for percentile, past in self._pasts.items()}
            rows += self._rows(f"climatology:{name}", told)
        for name, forecaster in forecasters.items():
            split = self._split
            forecaster.fit(split.train, split.valid, rng=rng_for(self._seed, f"feeders/study/{name}"))
            blocks = _Told(forecaster.predict(split.valid.inputs), forecaster.predict(split.test.inputs))
            best: Kind = "none" if name in plain else "adaptive"
            for kind in CALIBRATIONS:
                forecast = _calibrated(blocks, split, kind)
                if kind == best:
                    rows += self._any_rows(name, blocks.valid, forecast)
                for tail in TAILS if kind == best else TAILS[:1]:
                    told = {
                        percentile: exceedance_of_quantiles(
                            forecast.quantiles_kwh, forecast.levels, past.limit_kwh, tail=tail
                        ).probability
                        for percentile, past in self._pasts.items()
                    }
                    rows += self._rows(f"{name}/{kind}/{tail}", told)
        rows += _winter_rows(self._panel, draws=self._draws, rng=rng_for(self._seed, "feeders/study/winter"))
        return pl.DataFrame(rows, schema=RISK_SCORES)

    def _rows(self, subject: str, told: Mapping[float, NDArray[np.float64]]) -> Iterator[dict[str, Any]]:
        """Yield the rows of one subject's probabilities ``(N, H)`` by percentile; draws are the same for all."""
        windows = self._split.test
        week = _weeks(windows)
        for percentile, probability in told.items():
            event, past = self._events[percentile], self._pasts[percentile]
            for day in range(probability.shape[1] // _DAY):
                here = slice(day * _DAY, (day + 1) * _DAY)
                judged = Judged(probability[:, here], event[:, here], week)
                named = {"subject": subject, "percentile": percentile, "days_ahead": day + 1}
                references = {name: values[:, here] for name, values in past.references().items()}
                for row in brier_rows(judged, references, draws=self._draws, rng=self._rng()):
                    yield named | row
                for row in reliability_rows(judged, draws=self._draws, rng=self._rng()):
                    yield named | row
            alarms = _alarms(probability, event, windows)
            rows = alarm_rows(alarms, ks=KS, thresholds=THRESHOLDS, draws=self._draws, rng=self._rng())
            for row in rows:
                yield {"subject": subject, "percentile": percentile, "days_ahead": 0} | row

    def _any_rows(self, name: str, before: Forecast, forecast: Forecast) -> Iterator[dict[str, Any]]:
        """Yield how well each way tells the chance that any half hour of the first day exceeds."""
        rng, week = rng_for(self._seed, f"feeders/study/any/{name}"), _weeks(self._split.test)
        ranks = past_ranks(self._split.valid, before, rng=rng)
        if ranks is None:
            return
        for percentile, past in self._pasts.items():
            chance = exceedance_of_quantiles(forecast.quantiles_kwh, forecast.levels, past.limit_kwh).probability
            first, passed = chance[:, :_DAY], _any_of(self._events[percentile][:, :_DAY])
            least, most = any_exceeded(first)
            ways = {"least": least, "most": most, "apart": 1 - np.prod(1 - first, axis=1),
                    "together": any_together(first, ranks[:, :_DAY])}  # fmt: skip
            for way, told in ways.items():
                judged = Judged(told[:, None], passed[:, None], week)
                named = {"subject": f"{name}/any/{way}", "percentile": percentile, "days_ahead": 1}
                for row in brier_rows(judged, {"least": least[:, None]}, draws=self._draws, rng=self._rng()):
                    yield named | row
                for row in reliability_rows(judged, draws=self._draws, rng=self._rng()):
                    yield named | row

    def _rng(self) -> np.random.Generator:
        return rng_for(self._seed, "feeders/study/weeks")
