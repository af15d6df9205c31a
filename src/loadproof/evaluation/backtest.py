"""A forecaster over a split in time: fitted on the past, judged on what came after."""

from typing import NamedTuple

import numpy as np

from loadproof.errors import ConfigError
from loadproof.features.windows import Split
from loadproof.forecaster import FitReport, Forecast, Forecaster

__all__ = ["Backtest", "run_backtest"]


class Backtest(NamedTuple):
    """What the fit saw, and the forecast of every test window, in their order."""

    report: FitReport
    forecast: Forecast


def run_backtest(forecaster: Forecaster, split: Split, *, rng: np.random.Generator) -> Backtest:
    """Fit on ``train`` and ``valid``, then forecast ``test`` from its inputs alone.

    Raises:
        ConfigError: When the split has no test window.
    """
    if not len(split.test):
        raise ConfigError(
            "the split has no test window; set test_from earlier, or a whole horizon before the last data"
        )
    report = forecaster.fit(split.train, split.valid, rng=rng)
    return Backtest(report, forecaster.predict(split.test.inputs))
