"""A detector small enough to check by hand: how far a reading lies above the mean of its home's context, in kWh."""

import numpy as np

from loadproof.detector import Detector, Scores
from loadproof.forecaster import FitReport


class TinyDetector(Detector):
    name = "tiny"

    def fit(self, train, valid, *, rng):
        return FitReport(len(train), len(valid))

    def score(self, windows):
        mean = np.nanmean(windows.inputs.context_kwh, axis=1, keepdims=True)
        score = np.abs(windows.truth_kwh - mean).astype(np.float32)
        return Scores(score, np.zeros(score.shape, np.uint8), (None, "spike"))
