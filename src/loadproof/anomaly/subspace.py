"""How far the stretches around a reading lie from the principal components of a pool of homes."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from loadproof.anomaly.deviations import deviations
from loadproof.anomaly.evidence import scores_of
from loadproof.anomaly.stretches import Series, Span, errors_of, fit_span, spread_out, usual_errors
from loadproof.anomaly.usual import steps_per_day
from loadproof.detector import Detector, Scores
from loadproof.errors import ConfigError, NotFittedError, SchemaError
from loadproof.features.windows import Inputs, Windows
from loadproof.forecaster import FitReport, ModelState

__all__ = ["SubPCADetector"]

_CHUNK: Final = 128  # windows whose stretches lie in the cache together
_ODD_QUANTILE: Final = 0.99
_WEEK_MINS: Final = 7 * 24 * 60  # the least context


class SubPCADetector(Detector):
    """Sub-PCA: stretches of a series against the principal components of such stretches.

    TSB-AD's, but that the components are a pool's and not the series' own, that readings are levels less what is usual
    at their half hour, and that errors are in multiples of the context's, or of the median context's if that is more.
    A reading has the mean error of the stretches around it which end within the day; the mean over the lengths of
    stretch is its evidence.

    Source: Liu & Paparrizos 2024, TSB-AD, NeurIPS Datasets and Benchmarks; TSB_AD/models/PCA.py, all components kept.

    Args:
        span_mins: Lengths of the stretches in minutes.
    """

    name = "sub_pca"

    def __init__(self, span_mins: tuple[int, ...] = (240, 1440)) -> None:
        if not span_mins or not all(0 < mins <= _WEEK_MINS for mins in span_mins):
            raise ConfigError(
                f"span_mins={span_mins} are no lengths of stretches; give some of 1 to {_WEEK_MINS} minutes"
            )
        self.span_mins = span_mins
        self._spans: tuple[Span, ...] = ()
        self._mean, self._std = 0.0, 1.0  # of levels less what is usual at their half hour
        self._odd = 1.0  # the multiple of the usual error that one reading in a hundred exceeds

    def fit(self, train: Windows, valid: Windows, *, rng: np.random.Generator) -> FitReport:
        """Learn components from the days of ``train``, and from ``valid`` (without it, ``train``) what error is odd.

        Raises:
            ConfigError: When nothing varies, or too few stretches without a gap are there to learn from.
        """
        del rng
        lengths = [max(mins // train.inputs.interval_mins, 2) for mins in self.span_mins]
        reach = train.inputs.horizon_steps + max(lengths) - 1
        parts = [some.deviation[:, -reach:] for some in deviations(train, chunk=_CHUNK)]
        tail = np.concatenate([np.zeros((0, reach), np.float32), *parts])
        known = tail[~np.isnan(tail)].astype(np.float64)  # (M,)
        if not known.size or known.std() == 0:
            raise ConfigError(f"{len(train)} training windows hold nothing that varies; train longer or on more homes")
        self._mean, self._std = float(known.mean()), float(known.std())
        spans = [fit_span(self._standardised(tail), length) for length in lengths]
        self._spans = tuple(self._with_usual_error(span, train) for span in spans)
        clean = valid if len(valid) else train
        multiples = self._multiples(clean)[~np.isnan(clean.truth_kwh)]
        self._odd = float(np.quantile(multiples, _ODD_QUANTILE)) if multiples.size else 1.0
        return FitReport(len(train), len(valid))

    def score(self, windows: Windows) -> Scores:
        """Score every reading by the stretches around it.

        Raises:
            NotFittedError: When asked before ``fit``.
            ConfigError: When the context is shorter than a week.
        """
        if not self._spans:
            raise NotFittedError(f"{self.name} was not fitted; call fit first")
        return scores_of(self._multiples(windows) / self._odd, windows.truth_kwh)

    def _standardised(self, deviation: NDArray[np.float32]) -> Series:
        known = ~np.isnan(deviation)
        z = (deviation - np.float32(self._mean)) / np.float32(self._std)
        return Series(np.where(known, z, np.float32(0)), known)

    def _of_contexts(self, series: Series, span: Span, inputs: Inputs) -> NDArray[np.float32]:
        """Return the usual error of each context, NaN where it is mostly gaps, ``(n,)``."""
        # One stretch every half day and a step: all hours of the day get their turn.
        return usual_errors(series.cut(0, inputs.context_kwh.shape[1]), span, every=steps_per_day(inputs) // 2 + 1)

    def _with_usual_error(self, span: Span, train: Windows) -> Span:
        series = (self._standardised(some.deviation) for some in deviations(train, chunk=_CHUNK))
        error = np.concatenate([self._of_contexts(some, span, train.inputs) for some in series])
        return span._replace(usual_error=float(np.nanmedian(error)) if np.isfinite(error).any() else 1.0)

    def _multiples(self, windows: Windows) -> NDArray[np.float32]:
        """Return the error around each step in multiples of what is usual, the mean over the spans, ``(N, H)``."""
        c = windows.inputs.context_kwh.shape[1]
        found = np.empty(windows.truth_kwh.shape, np.float32)
        for some in deviations(windows, chunk=_CHUNK):
            series = self._standardised(some.deviation)
            total = np.zeros((len(some.rows), windows.inputs.horizon_steps), np.float32)  # (n, H)
            for span in self._spans:
                own = self._of_contexts(series, span, windows.inputs)  # (n,)
                # A home calmer than the median one, or unknown, is held against that.
                usual = np.fmax(own, np.float32(span.usual_error))[:, None]  # (n, 1)
                day = series.cut(c - span.steps + 1, series.z.shape[1])
                total += spread_out(errors_of(day, span), span.steps) / usual
            found[some.rows] = total / np.float32(len(self._spans))
        return found

    def state(self) -> ModelState:
        """Return components, weights and scales.

        Raises:
            NotFittedError: When asked before ``fit``.
        """
        if not self._spans:
            raise NotFittedError(f"{self.name} was not fitted; call fit first")
        knobs = {
            "span_mins": list(self.span_mins), "mean": self._mean, "std": self._std, "odd": self._odd,
            "usual_errors": [span.usual_error for span in self._spans],
        }  # fmt: skip
        arrays: dict[str, NDArray[np.float32]] = {}
        for mins, span in zip(self.span_mins, self._spans, strict=True):
            arrays |= {f"components_{mins}": span.components, f"weight_{mins}": span.weight}
        return ModelState(knobs, arrays, {})

    def restore(self, state: ModelState) -> None:
        """Become what ``state`` says, as if fitted."""
        knobs, arrays = state.knobs, state.arrays
        try:
            span_mins = tuple(int(mins) for mins in knobs["span_mins"])
            spans = tuple(
                Span(arrays[f"components_{mins}"], arrays[f"weight_{mins}"], float(error))
                for mins, error in zip(span_mins, knobs["usual_errors"], strict=True)
            )
            scales = (float(knobs["mean"]), float(knobs["std"]), float(knobs["odd"]))
        except (KeyError, TypeError, ValueError) as error:
            raise SchemaError(f"the state is not that of {self.name} ({error}); train it again") from error
        self.span_mins, self._spans = span_mins, spans
        self._mean, self._std, self._odd = scales
