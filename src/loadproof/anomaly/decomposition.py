"""How far a reading lies from where trend, daily and weekly season of its context go on to."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from loadproof.anomaly.evidence import kinds_of_distance, scores_of
from loadproof.anomaly.relative import relative_level
from loadproof.anomaly.seasonal import ODD_Z
from loadproof.anomaly.usual import find_slots, steps_per_day, usual_values
from loadproof.baselines.seasonal import home_scale
from loadproof.detector import Detector, Scores
from loadproof.errors import ConfigError
from loadproof.features.calendar import to_local
from loadproof.features.windows import Inputs, Windows
from loadproof.forecaster import FitReport

__all__ = ["MSTLDetector"]

_SEASON_WINDOWS: Final = (11, 15)
"""Cycles over which the daily and the weekly season may change.

Source: 7 + 4 k for the k-th season, the default of R's forecast::mstl and of statsmodels.
"""

_WEEKS_NEEDED: Final = 2

_LEVEL_FLOOR: Final = 0.1  # the least spread of levels: a tenth of a reading that is not small


def _clock_order(inputs: Inputs) -> NDArray[np.int64]:
    """Return which context step shows each of the C wall-clock steps before ``t0``, C where none does, ``(N, C)``.

    So an hour is missing in March, and of the hour that is there twice in October the second stands.
    """
    c = inputs.context_kwh.shape[1]
    step = np.timedelta64(inputs.interval_mins, "m")
    origins, at = np.unique(inputs.t0, return_inverse=True)  # (O,), (N,)
    ts = origins[:, None] + np.arange(-c, 0) * step  # (O, C)
    back = (to_local(ts) - to_local(origins)[:, None]) // step.astype("timedelta64[us]") + c  # (O, C)
    order = np.full((len(origins), c), c)
    rows, steps = np.nonzero((back >= 0) & (back < c))
    order[rows, back[rows, steps]] = steps
    return np.asarray(order[at])


def _bridged(inputs: Inputs, level: NDArray[np.float32], usual: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the contexts' levels by the wall clock, a gap bridged by what is usual then, all ``(N, C)``."""
    padded = np.pad(np.where(np.isnan(level), usual, level), ((0, 0), (0, 1)), constant_values=np.nan)  # (N, C + 1)
    clock = np.take_along_axis(padded, _clock_order(inputs), axis=1)  # (N, C)
    day_after = np.roll(clock, -steps_per_day(inputs), axis=1)  # stands in for the hour that March lacks
    return np.where(np.isnan(clock), day_after, clock).astype(np.float64)


def _go_on(series: NDArray[np.float64], per_day: int, steps: int) -> NDArray[np.float64]:
    """Return the next ``steps`` of a series without gaps, ``(C,)`` to ``(H,)``: last week's trend plus last cycles."""
    from statsmodels.tsa.seasonal import MSTL  # slow to import: only where it is asked for

    seasons = (per_day, 7 * per_day)
    # A loess at every step, twice over, costs fifty times as much; half these jumps, twice over, scored no better.
    jumps = {"seasonal_jump": 4, "trend_jump": per_day // 2, "low_pass_jump": per_day // 2}
    stl = {"seasonal_deg": 0, **jumps}
    parts = MSTL(series, periods=seasons, windows=_SEASON_WINDOWS, iterate=1, stl_kwargs=stl).fit()
    last = [parts.seasonal[len(series) - season + np.arange(steps) % season, k] for k, season in enumerate(seasons)]
    return np.asarray(parts.trend[-seasons[1] :].mean() + np.sum(last, axis=0))


class MSTLDetector(Detector):
    """The residual of a multiple seasonal-trend decomposition (MSTL) of levels, in spreads of the home's half hours.

    The context alone is decomposed, and the day held against its continuation, so that a fault cannot explain itself.
    A gap in the context is bridged by what is usual at its half hour, for the decomposition's sake alone: it adds
    nothing to the spread, and a day's gap is never filled.
    """

    name = "mstl"

    def fit(self, train: Windows, valid: Windows, *, rng: np.random.Generator) -> FitReport:
        """Learn nothing: each home is held against its own context."""
        del rng
        return FitReport(len(train), len(valid))

    def score(self, windows: Windows) -> Scores:
        """Score every reading by its residual; a window whose context knows too little scores 0.

        Raises:
            ConfigError: When the context is shorter than two weeks.
        """
        inputs = windows.inputs
        c, per_day = inputs.context_kwh.shape[1], steps_per_day(inputs)
        if c < (need := _WEEKS_NEEDED * 7 * per_day):
            raise ConfigError(f"a context of {c} steps shows no week twice; raise context_steps to {need} or more")
        scale = home_scale(inputs)
        level = relative_level(inputs.context_kwh, scale)  # (N, C)
        slots = [find_slots(inputs, -c, inputs.horizon_steps, day_types=day_types) for day_types in (True, False)]
        usual = usual_values(level, slots)  # (N, C + H)
        contexts = _bridged(inputs, level, usual.median[:, :c])  # (N, C)
        expected = np.full(windows.truth_kwh.shape, np.nan)
        for n in np.flatnonzero(np.isfinite(contexts).all(axis=1)):
            expected[n] = _go_on(contexts[n], per_day, inputs.horizon_steps)
        spread = np.maximum(usual.spread[:, c:], np.float32(_LEVEL_FLOOR))
        z = (relative_level(windows.truth_kwh, scale) - expected) / spread  # (N, H)
        return scores_of(np.abs(z) / ODD_Z, windows.truth_kwh, kinds_of_distance(z, odd_z=ODD_Z))
