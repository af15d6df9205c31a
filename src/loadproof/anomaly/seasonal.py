"""How far a reading lies from what the home usually reads at its half hour and type of day."""

from typing import Final

import numpy as np

from loadproof.anomaly.evidence import kinds_of_distance, scores_of
from loadproof.anomaly.usual import usual_readings
from loadproof.detector import Detector, Scores
from loadproof.features.windows import Windows
from loadproof.forecaster import FitReport

__all__ = ["ODD_Z", "SeasonalZScoreDetector"]

ODD_Z: Final = 3.5
"""The robust z-score from which on a reading is called odd.

Source: Iglewicz & Hoaglin 1993, How to Detect and Handle Outliers (ASQC).
"""


class SeasonalZScoreDetector(Detector):
    """The robust z-score: distance from the median in spreads (MAD) of the same half hour and type of day.

    Nothing is learned but from each window's own context. Evidence is the distance over ``ODD_Z``.
    """

    name = "seasonal_zscore"

    def fit(self, train: Windows, valid: Windows, *, rng: np.random.Generator) -> FitReport:
        """Learn nothing: each home is held against its own context."""
        del rng
        return FitReport(len(train), len(valid))

    def score(self, windows: Windows) -> Scores:
        """Score every reading by its distance from the usual.

        Raises:
            ConfigError: When the context is shorter than a week.
        """
        usual = usual_readings(windows.inputs)
        z = (windows.truth_kwh - usual.median) / usual.spread  # (N, H)
        return scores_of(np.abs(z) / np.float32(ODD_Z), windows.truth_kwh, kinds_of_distance(z, odd_z=ODD_Z))
