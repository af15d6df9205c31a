"""Baselines: ``seasonal`` (yesterday, or last week, again) and ``persistence`` (the last seven days as a bell).

``BASELINES`` is the door: name to a function that builds the forecaster, unfitted.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from loadproof.baselines.persistence import PersistenceEnsemble
from loadproof.baselines.seasonal import SeasonalNaive
from loadproof.forecaster import Forecaster

__all__ = ["BASELINES"]

BASELINES: Final[dict[str, Callable[[], Forecaster]]] = {
    "persistence_ensemble": PersistenceEnsemble,
    "seasonal_naive": partial(SeasonalNaive, season_steps=48),
    "seasonal_naive_week": partial(SeasonalNaive, season_steps=336),
}
