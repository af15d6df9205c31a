"""A forecast's band and a table of constraints, both asked of the day that came: the detector that self-play leaves."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from loadproof.anomaly.residual import ResidualDetector, sane_inputs
from loadproof.detector import Scores
from loadproof.features.windows import Windows
from loadproof.forecaster import Forecaster

__all__ = ["VerdictDetector"]


class VerdictDetector(ResidualDetector):
    """The residual of a solver, and what the verifier finds too much of the same day.

    A day that breaks a constraint does so as a whole, so its excess is added to the evidence of each of its half hours.

    Args:
        forecaster: The solver; it is fitted with the detector.
        excess: From windows to how far each one's day breaks the table, dimensionless, 0 where it obeys, ``(N,)``.
    """

    name = "verdict"

    def __init__(self, forecaster: Forecaster, excess: Callable[[Windows], NDArray[np.float32]]) -> None:
        super().__init__(forecaster)
        self._excess = excess

    def score(self, windows: Windows) -> Scores:
        """Score every reading by its distance from the forecast, and by its day's excess.

        Raises:
            NotFittedError: When asked before ``fit``.
            ConfigError: When the context is too short for the forecaster.
        """
        excess = self._excess(Windows(sane_inputs(windows.inputs), windows.truth_kwh))  # (N,)
        return self._scored(windows, excess[:, None].astype(np.float64))
