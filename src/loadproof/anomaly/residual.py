"""How far a reading lies outside the band that a forecaster gave for it at the midnight before."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.anomaly.bundle import bundle, unbundle
from loadproof.anomaly.evidence import kinds_of_distance, scores_of
from loadproof.anomaly.relative import relative_level
from loadproof.baselines.seasonal import home_scale
from loadproof.config import CalibrationConfig
from loadproof.detector import Detector, Scores
from loadproof.errors import NotFittedError, SchemaError
from loadproof.evaluation.calibration import Calibration, calibrate
from loadproof.features.windows import Inputs, Windows
from loadproof.forecaster import FitReport, Forecast, Forecaster, ModelState
from loadproof.schema import LEVELS

__all__ = ["ResidualDetector", "sane_inputs"]

_STATIC: Final = CalibrationConfig(kind="static")
"""A fixed calibration, so that a day is judged by its own context and nobody's other days."""

_MEDIAN: Final = LEVELS.index(0.5)
_LEAST_HALF: Final = 0.5  # the least half band in levels: a reading that is not small, two thirds more or less
_ABSURD: Final = 40.0
"""A reading of the context beyond so many times the home's usual energy, or below 0, is hidden from the forecaster: it
was judged on its own day, and what it would do to the days after is no fault of theirs."""

_ODD_QUANTILE: Final = 0.99

_WINDOWS: Final = 64
"""Windows forecast at once, always so many: the last bits of a product of matrices depend on their number."""


class _Fitted(NamedTuple):
    calibration: Calibration
    odd: float  # the distance, in half bands, that one clean reading in a hundred exceeds


class ResidualDetector(Detector):
    """The distance of a reading from a forecast's median, in half bands: 1 at the edge of the band of 90 %.

    The forecast is of what was known at the day's midnight: a forecaster is given ``Inputs``, which hold no truth. The
    band is calibrated on validation (static conformal), and distances are taken on the scale of ``relative_level``, on
    which a dropout is as far off as a spike. Evidence is 1 where one clean reading in a hundred lies, by validation.
    A window in whose context nothing (or nothing but the absurd) was observed has no forecast, and no evidence.

    Args:
        forecaster: Any; it is fitted with the detector.
    """

    name = "residual"

    def __init__(self, forecaster: Forecaster) -> None:
        self.forecaster = forecaster
        self._fitted: _Fitted | None = None

    def fit(self, train: Windows, valid: Windows, *, rng: np.random.Generator) -> FitReport:
        """Fit the forecaster, and hold its band to ``valid`` (without it, to ``train``).

        Raises:
            ConfigError: When the forecaster finds nothing to learn from.
        """
        report = self.forecaster.fit(train, valid, rng=rng)
        clean = valid if len(valid) else train
        clean = clean.take(np.flatnonzero(sane_inputs(clean.inputs).observed.any(axis=1)))
        forecast = self._forecast(clean.inputs)
        learned = calibrate(forecast, clean.inputs, clean.truth_kwh, knobs=_STATIC).as_prior()
        distance = np.abs(_distance(learned.apply(forecast, clean.inputs), clean))
        known = distance[~np.isnan(distance)]
        self._fitted = _Fitted(learned, max(float(np.quantile(known, _ODD_QUANTILE)), 1.0))
        return FitReport(len(train), len(valid), report.records)

    def score(self, windows: Windows) -> Scores:
        """Score every reading by its distance from the forecast.

        Raises:
            NotFittedError: When asked before ``fit``.
            ConfigError: When the context is too short for the forecaster.
        """
        return self._scored(windows, 0.0)

    def _scored(self, windows: Windows, more: NDArray[np.float64] | float) -> Scores:
        """Return the scores of the distances' evidence and of what more there is, ``(N, 1)``."""
        calibration, odd = self._require()
        distance = np.full(windows.truth_kwh.shape, np.nan)
        told = np.flatnonzero(sane_inputs(windows.inputs).observed.any(axis=1))
        if told.size:
            some = windows.take(told)
            forecast = calibration.apply(self._forecast(some.inputs), some.inputs)
            distance[told] = _distance(forecast, some)
        evidence = np.abs(distance) / odd + more
        return scores_of(evidence, windows.truth_kwh, kinds_of_distance(distance, odd_z=odd))

    def _forecast(self, inputs: Inputs) -> Forecast:
        parts = list(self._forecasts(inputs))
        stacked = [np.concatenate([getattr(part, name) for part in parts]) for name in ("quantiles_kwh", "mean_kwh")]
        return Forecast(stacked[0], parts[0].levels, stacked[1], np.concatenate([p.how for p in parts]), parts[0].hows)

    def _forecasts(self, inputs: Inputs) -> Iterator[Forecast]:
        for first in range(0, len(inputs), _WINDOWS):
            count = min(_WINDOWS, len(inputs) - first)
            said = self.forecaster.predict(sane_inputs(inputs.take(first + np.arange(_WINDOWS) % count)))
            yield Forecast(said.quantiles_kwh[:count], said.levels, said.mean_kwh[:count], said.how[:count], said.hows)

    def _require(self) -> _Fitted:
        if self._fitted is None:
            raise NotFittedError(f"{self.name} was not fitted; call fit first")
        return self._fitted

    def state(self) -> ModelState:
        """Return the forecaster's state, the calibration's, and what is odd.

        Raises:
            NotFittedError: When asked before ``fit``.
        """
        calibration, odd = self._require()
        own = ModelState({"forecaster": self.forecaster.name, "odd": odd}, {}, {})
        return bundle({"model": self.forecaster.state(), "calibration": calibration.state()}, own)

    def restore(self, state: ModelState) -> None:
        """Become what ``state`` says, as if fitted with a forecaster of the same kind.

        Raises:
            SchemaError: When the state is another detector's, or of another forecaster.
        """
        parts = unbundle(state)
        if set(parts) != {"model", "calibration"} or state.knobs.get("forecaster") != self.forecaster.name:
            raise SchemaError(
                f"the state is not that of {self.name} by {self.forecaster.name} but of "
                f"{str(state.knobs.get('forecaster'))[:40]}; train it again"
            )
        calibration = Calibration.from_state(parts["calibration"])
        self.forecaster.restore(parts["model"])
        self._fitted = _Fitted(calibration, float(state.knobs["odd"]))


def sane_inputs(inputs: Inputs) -> Inputs:
    """Return the inputs without what is absurd in their contexts."""
    context = inputs.context_kwh
    absurd = (context < 0) | (context > np.float32(_ABSURD) * home_scale(inputs)[:, None])
    return replace(inputs, context_kwh=np.where(absurd, np.float32(np.nan), context)) if absurd.any() else inputs


def _distance(forecast: Forecast, windows: Windows) -> NDArray[np.float64]:
    """Return the signed distance from the median in half bands of its side, NaN where missing, ``(N, H)``."""
    scale = home_scale(windows.inputs)
    bounds = forecast.quantiles_kwh[..., [0, _MEDIAN, -1]]  # (N, H, 3)
    low, middle, high = (relative_level(np.ascontiguousarray(bounds[..., i]), scale) for i in range(3))
    away = relative_level(windows.truth_kwh, scale).astype(np.float64) - middle
    half = np.where(away > 0, high - middle, middle - low)
    return np.asarray(away / np.maximum(half, _LEAST_HALF))
