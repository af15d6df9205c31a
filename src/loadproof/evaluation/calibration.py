"""Bands that hold what they promise: any forecaster's quantiles, moved to where truths were found to lie.

*Static* calibration is split conformal: per day ahead and half hour of the local day, the quantiles of the places of a
block's truths in their forecasts, the same for all homes. *Adaptive* calibration goes on from there with each home's
own record and with that of its own work, and forgets with age; what it uses at ``t0`` was published by then.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.config import CalibrationConfig, build_section
from loadproof.errors import ConfigError, SchemaError
from loadproof.evaluation.calibration_counts import HALF_HOURS, Counts, Seen, blank_counts, nothing_seen
from loadproof.evaluation.calibration_curves import Curves
from loadproof.evaluation.calibration_places import to_places
from loadproof.features.calendar import local_half_hour
from loadproof.features.panel import to_us
from loadproof.features.windows import Inputs
from loadproof.forecaster import Forecast, ModelState, make_forecast
from loadproof.schema import LEVELS

__all__ = ["Calibration", "Kind", "calibrate"]

Kind = Literal["none", "static", "adaptive"]

_DAY_US: Final = 86_400_000_000

_LEAST_MINS: Final = 24 * 60
"""A forecast from less than a day's readings is no measure of others: its truths are not counted."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """What was learned from forecasts and their truths; never changed by use.

    Attributes:
        kind: How it calibrates; ``none`` leaves forecasts as they are.
        half_life_days: Age at which a truth counts half, where adaptive.
        interval_mins: Length of a step of the forecasts it is for.
        horizon_steps: H of these forecasts.
        data_lag_steps: Steps that a reading takes to be published.
        entities: The homes that it knows, ascending, ``(E,)``; any other starts as all homes do.
        counts: What was counted, as of ``until``.
        until: Instant by which all that it knows was published; None where it is free of time.
    """

    kind: Kind
    half_life_days: float
    interval_mins: int
    horizon_steps: int
    data_lag_steps: int
    entities: NDArray[np.str_]
    counts: Counts
    until: np.datetime64 | None = None

    def apply(
        self, forecast: Forecast, inputs: Inputs, truth_kwh: NDArray[np.float32] | None = None, *,
        told_from: np.datetime64 | None = None,
    ) -> Forecast:  # fmt: skip
        """Return the forecast with its quantiles calibrated; the mean and ``how`` stay.

        Args:
            forecast: What the forecaster said of ``inputs``, at ``LEVELS``.
            inputs: The windows, in any order.
            truth_kwh: What was measured since, kWh, NaN where it was not, ``(N, H)``. An adaptive calibration follows
                it: the window of a ``t0`` gains from the truths of windows before that were published by ``t0``. None
                to stay with what is known already.
            told_from: Windows before this instant are followed and not told of; None tells of all.

        Raises:
            ConfigError: When a window begins before ``until``, or has another interval, horizon or lag.
            SchemaError: When the levels are not ``LEVELS``, or shapes do not fit.
        """
        self._refuse(forecast, inputs, truth_kwh)
        if self.kind == "none" and told_from is None:
            return forecast
        told = np.ones(len(inputs), dtype=bool) if told_from is None else inputs.t0 >= told_from  # (N,)
        mean, how = forecast.mean_kwh[told], forecast.how[told]
        if self.kind == "none" or not len(forecast):
            return replace(forecast, quantiles_kwh=forecast.quantiles_kwh[told], mean_kwh=mean, how=how)
        walked = _walk(self, forecast, inputs, truth_kwh if self.kind == "adaptive" else None, told)
        return make_forecast(walked.quantiles[told], LEVELS, mean, how=how, hows=forecast.hows)

    def learn(self, forecast: Forecast, inputs: Inputs, truth_kwh: NDArray[np.float32]) -> "Calibration":
        """Return the calibration that also knows these truths, all of them; arguments and errors as in ``apply``."""
        self._refuse(forecast, inputs, truth_kwh)
        if self.kind == "none" or not len(forecast):
            return self
        walked = _walk(self, forecast, inputs, truth_kwh, np.zeros(len(inputs), dtype=bool))
        counts, until = walked.counts, int(inputs.t0.astype("datetime64[us]").astype(np.int64).max())
        until += (self.horizon_steps + self.data_lag_steps) * to_us(self.interval_mins)
        counts = _advance(self, counts, walked.as_of_us, until, walked.waiting)
        return replace(self, entities=walked.entities, counts=counts, until=np.datetime64(until, "us"))

    def as_prior(self) -> "Calibration":
        """Return what is common to all homes, free of time: for a block held out before what this learned from."""
        blank = blank_counts(0, len(self.counts.places) // HALF_HOURS)
        return replace(self, entities=self.entities[:0], counts=replace(self.counts, ranks=blank.ranks), until=None)

    def state(self) -> ModelState:
        """Return all of it in kinds that a model folder holds."""
        knobs = {
            "kind": self.kind,
            "half_life_days": self.half_life_days,
            "interval_mins": self.interval_mins,
            "horizon_steps": self.horizon_steps,
            "data_lag_steps": self.data_lag_steps,
            "until": None if self.until is None else str(self.until.astype("datetime64[us]")),
        }
        arrays = {"places": self.counts.places, "ranks": self.counts.ranks, "outcomes": self.counts.outcomes}
        return ModelState(knobs, arrays, {"entities": "\n".join(self.entities.tolist())})

    @classmethod
    def from_state(cls, state: ModelState) -> "Calibration":
        """Return what :meth:`state` was taken from.

        Raises:
            SchemaError: When the state is of something else or of other bins.
        """
        try:
            knobs, texts = dict(state.knobs), state.texts["entities"]
            counts = Counts(*(state.arrays[name].astype(np.float64) for name in ("places", "ranks", "outcomes")))
            until = knobs.pop("until")
            known = np.array(texts.split("\n") if texts else [], dtype=np.str_)
            found = cls(entities=known, counts=counts, until=until and np.datetime64(until, "us"), **knobs)
            trouble = found._trouble()
        except (KeyError, TypeError, ValueError, ConfigError) as error:
            raise SchemaError(f"the state is no calibration's ({error}); calibrate the model again") from error
        if trouble:
            raise SchemaError(f"{trouble}; calibrate the model again with this version")
        return found

    def _trouble(self) -> str | None:
        """Return what no calibration of this version has, None where there is nothing of the kind."""
        build_section(CalibrationConfig, kind=self.kind, half_life_days=self.half_life_days)
        sizes = (self.interval_mins, self.horizon_steps, 1 + self.data_lag_steps)
        if not all(type(size) is int and size > 0 for size in sizes):
            return f"interval, horizon and lag of the calibration are {sizes[0]}, {sizes[1]} and {self.data_lag_steps}"
        if self.until is not None and np.isnat(self.until):
            return "the calibration knows what was published until no time"
        if (self.entities[1:] <= self.entities[:-1]).any():
            return "the homes of the calibration do not ascend"
        cells = _days_ahead(self.horizon_steps, self.interval_mins) * HALF_HOURS
        blank = blank_counts(0, 1)
        shapes = {
            "places": (cells, *blank.places.shape[1:]),
            "ranks": (len(self.entities), *blank.ranks.shape[1:]),
            "outcomes": blank.outcomes.shape,
        }
        for name, shape in shapes.items():
            counted: NDArray[np.float64] = getattr(self.counts, name)
            if counted.shape != shape:
                return f"{name} of the calibration are {counted.shape} and not {shape}"
            if not np.isfinite(counted).all() or (counted < 0).any():
                return f"{name} of the calibration are no counts"
        return None

    def _refuse(self, forecast: Forecast, inputs: Inputs, truth_kwh: NDArray[np.float32] | None) -> None:
        """Refuse what does not belong together."""
        shape = (len(inputs), inputs.horizon_steps)
        if forecast.levels != LEVELS or forecast.mean_kwh.shape != shape:
            raise SchemaError(
                f"the forecast has levels {forecast.levels} and shape {forecast.mean_kwh.shape}; forecast these very "
                f"{shape} inputs at {LEVELS}"
            )
        if truth_kwh is not None and truth_kwh.shape != shape:
            raise SchemaError(f"the truth is {truth_kwh.shape}, the inputs are {shape}; cut the truth of these windows")
        for name in ("interval_mins", "horizon_steps", "data_lag_steps"):
            if (mine := getattr(self, name)) != (theirs := getattr(inputs, name)):
                raise ConfigError(f"calibrated for {name}={mine}, asked for {theirs}; calibrate with {name}={theirs}")
        if len(inputs) and self.until is not None and (first := inputs.t0.min()) < self.until:
            raise ConfigError(
                f"the calibration knows what was published until {self.until}, and a window begins at {first}; "
                "calibrate on an earlier block, or take as_prior()"
            )
        order = np.lexsort((inputs.t0, inputs.entity))
        again = (inputs.entity[order][1:] == inputs.entity[order][:-1]) & (np.diff(inputs.t0[order]).astype(int) == 0)
        if again.any():
            twice = order[1:][again][0]
            raise SchemaError(f"{inputs.entity[twice]} has two windows at {inputs.t0[twice]}; give each window once")


class _Walked(NamedTuple):
    quantiles: NDArray[np.float64]  # (N, H, Q)
    entities: NDArray[np.str_]
    counts: Counts
    as_of_us: int
    waiting: Seen


def _days_ahead(horizon_steps: int, interval_mins: int) -> int:
    return -(-horizon_steps * to_us(interval_mins) // _DAY_US)


def _cells(inputs: Inputs) -> NDArray[np.int64]:
    """Return the cell of each step: day ahead times 48 plus half hour of the local day, ``(N, H)``."""
    firsts, at = np.unique(inputs.t0, return_index=True, return_inverse=True)[1:]  # (O,), (N,)
    ahead = np.arange(inputs.horizon_steps) * to_us(inputs.interval_mins) // _DAY_US  # (H,)
    return np.asarray((ahead * HALF_HOURS + local_half_hour(inputs.take(firsts).ts()))[at])


def _advance(calibration: Calibration, counts: Counts, from_us: int, to: int, due: Seen) -> Counts:
    """Return the counts as of ``to``, with ``due`` in them, each faded since it was published."""
    if calibration.kind == "static":
        counts = counts.faded(1, 1)
        counts.add(due, *2 * (np.ones(len(due.home)),))
        return counts
    lag_days = calibration.data_lag_steps * to_us(calibration.interval_mins) / _DAY_US
    # A home is not followed faster than its readings come in.
    lives = np.array([calibration.half_life_days, calibration.half_life_days + lag_days]) * _DAY_US
    counts = counts.faded(*(0.5 ** ((to - from_us) / lives)))
    place_weight, rank_weight = 0.5 ** ((to - due.published_us) / lives[:, None])  # (M,), (M,)
    # A reading is forecast once per day of horizon, yet it is one reading of its home.
    counts.add(due, place_weight, rank_weight / (len(counts.places) // HALF_HOURS))
    return counts


def _walk(
    calibration: Calibration, forecast: Forecast, inputs: Inputs, truth_kwh: NDArray[np.float32] | None,
    told: NDArray[np.bool_],
) -> _Walked:  # fmt: skip
    """Calibrate origin by origin, counting each truth when it is published; with no truth, only time passes.

    Quantiles are drawn of the windows that are ``told`` alone ``(N,)``.
    """
    entities = np.union1d(calibration.entities, inputs.entity)
    home = np.searchsorted(entities, inputs.entity)  # (N,)
    counts = calibration.counts.with_homes(np.searchsorted(entities, calibration.entities), len(entities))
    t0_us, cells = inputs.t0.astype("datetime64[us]").astype(np.int64), _cells(inputs)  # (N,), (N, H)
    order = np.lexsort((home, t0_us))
    origins_us, starts = np.unique(t0_us[order], return_index=True)
    now_us = int(origins_us[0]) if calibration.until is None else int(calibration.until.astype(np.int64))
    lag = np.arange(1, inputs.horizon_steps + 1) + inputs.data_lag_steps  # (H,), steps from t0 to publication
    counts_at_all = inputs.observed.sum(axis=1) * inputs.interval_mins >= _LEAST_MINS  # (N,)
    quantiles = np.empty(forecast.quantiles_kwh.shape)
    waiting = nothing_seen()
    for origin_us, rows in zip(origins_us.tolist(), np.split(order, starts[1:]), strict=True):
        due = waiting.published_us <= origin_us
        counts = _advance(calibration, counts, now_us, origin_us, waiting.take(due))
        now_us, waiting = origin_us, waiting.take(~due)
        curves = Curves(counts, home[rows] if calibration.kind == "adaptive" else None)
        if told[rows].any():
            quantiles[rows] = curves.quantiles(forecast.quantiles_kwh[rows], cells[rows])
        if truth_kwh is None:
            continue
        places = to_places(truth_kwh[rows], forecast.quantiles_kwh[rows])  # (R, H)
        known = ~np.isnan(places) & counts_at_all[rows, None]  # (R, H)
        published_us = np.broadcast_to(origin_us + lag * to_us(inputs.interval_mins), known.shape)[known]
        of_home = np.broadcast_to(home[rows][:, None], known.shape)[known]
        ranks = curves.ranks(places[known], cells[rows], known)
        waiting = waiting.and_then(Seen(published_us, cells[rows][known], of_home, places[known], *ranks))
    return _Walked(quantiles, entities, counts, now_us, waiting)


def calibrate(
    forecast: Forecast, inputs: Inputs, truth_kwh: NDArray[np.float32], *, knobs: CalibrationConfig
) -> Calibration:
    """Learn from a calibration block: what a forecaster, fitted on other data, said of ``inputs``, and what came.

    Args:
        forecast: What it said, at ``LEVELS``.
        inputs: The windows of the block, in any order.
        truth_kwh: What was measured, kWh, NaN where missing, ``(N, H)``.
        knobs: How to calibrate.

    Raises:
        ConfigError: When the block has no truth to learn from.
        SchemaError: When the levels are not ``LEVELS``, shapes do not fit, or a window is there twice.
    """
    if knobs.kind != "none" and not (~np.isnan(truth_kwh)).any():
        raise ConfigError(
            f"the calibration block of {len(inputs)} windows has no truth; let it begin earlier, or set "
            "calibration.kind to none"
        )
    days_ahead = _days_ahead(inputs.horizon_steps, inputs.interval_mins)
    blank = Calibration(
        knobs.kind,
        knobs.half_life_days,
        inputs.interval_mins,
        inputs.horizon_steps,
        inputs.data_lag_steps,
        np.empty(0, dtype=np.str_),
        blank_counts(0, days_ahead),
    )
    return blank.learn(forecast, inputs, truth_kwh)
