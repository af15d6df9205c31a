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

_DAY, _WEEK = (partial(SeasonalNaive, season_half_hours=season) for season in (48, 336))

BASELINES: Final[dict[str, Callable[[], Forecaster]]] = {b().name: b for b in (PersistenceEnsemble, _DAY, _WEEK)}
