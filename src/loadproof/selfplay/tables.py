"""From a panel to what a study's jobs of one fold and half learn from and are judged on."""

import datetime as dt
from dataclasses import dataclass
from typing import Final

import numpy as np

from loadproof.config import ForecastConfig
from loadproof.errors import ConfigError
from loadproof.evaluation.folds import Fold, blocked_folds, chronological_fold, data_begins, split_fold
from loadproof.evaluation.groups import disjoint_groups, sum_groups, take_homes
from loadproof.features.calendar import local_midnights
from loadproof.features.panel import Panel
from loadproof.features.place import Place
from loadproof.features.selection import as_datetime
from loadproof.features.splits import Split
from loadproof.features.weather import Weather
from loadproof.features.windows import Windows, cut_windows
from loadproof.scenario.ground import lay_ground
from loadproof.seeds import rng_for
from loadproof.selfplay.exam import SUM_HOMES, Exam, days_exam, set_exam
from loadproof.selfplay.plan import FOLDS, HALVES, require_known

__all__ = ["Table", "set_table", "study_folds", "whole_days"]

_UNTIL: Final = dt.date(2014, 1, 1)
_VALID_DAYS: Final = 28
_MOSTLY: Final = 0.9
"""A context has at least this share of its readings, where homes are judged that nothing else is known of."""


@dataclass(frozen=True, eq=False)
class Table:
    """What one fold and half of the homes give: training and validation of the half, and the exam of the other."""

    train: Windows
    valid: Windows
    exam: Exam
    weather: Weather


def study_folds(panel: Panel, knobs: ForecastConfig) -> dict[str, Fold]:
    """Return the four blocked quarters by name, and the plain split beside them."""
    folds = blocked_folds(
        FOLDS, _UNTIL, valid_days=_VALID_DAYS, context_steps=knobs.context_steps, interval_mins=panel.interval_mins,
        first=data_begins(panel),
    )  # fmt: skip
    plain = chronological_fold(FOLDS[-1] - dt.timedelta(_VALID_DAYS), FOLDS[-1], _UNTIL)
    return {fold.name: fold for fold in (*folds, plain)}


def set_table(
    panel: Panel, weather: Weather, place: Place, *, fold: str, half: str, knobs: ForecastConfig, seed: int
) -> Table:
    """Return the table of a fold and half.

    The half's homes are learned from outside the block and a context and horizon around it; the others are judged
    inside it. Donors, scales and answers to the cold come from outside the block: donors and answers from the half's
    homes, a judged home's scale from its own past and future. Sums are of disjoint judged homes, nobody in two.

    Raises:
        ConfigError: If there is no such fold or half.
    """
    folds = study_folds(panel, knobs)
    require_known("fold", [fold], list(folds))
    require_known("half", [half], HALVES)
    order = rng_for(seed, "study/halves").permutation(panel.entities)
    both = order[: len(order) // 2], order[len(order) // 2 :]
    mine, theirs = both if half == "A" else both[::-1]

    def cut(some: Panel) -> Split:
        windows = cut_windows(
            some, context_steps=knobs.context_steps, horizon_steps=knobs.horizon_steps,
            origins=local_midnights(FOLDS[0], _UNTIL), data_lag_steps=knobs.data_lag_steps, weather=weather,
            place=place,
        )  # fmt: skip
        return split_fold(windows, folds[fold])

    ours, others = cut(take_homes(panel, mine)), cut(take_homes(panel, theirs))
    groups = disjoint_groups(theirs, SUM_HOMES, prefix="sum:", rng=rng_for(seed, f"study/sums/{half}"))
    sums = cut(sum_groups(panel, groups)) if groups else None
    rng = rng_for(seed, f"study/exam/{fold}/{half}")
    exam = set_exam(others, sums, lay_ground(ours.train, weather), weather=weather, rng=rng)
    return Table(ours.train, ours.valid, exam, weather)


def whole_days(panel: Panel, weather: Weather, place: Place, *, knobs: ForecastConfig) -> Exam:
    """Return the days of other homes, none of which was learned from, that follow a context read in full but for gaps.

    Raises:
        ConfigError: If there is none.
    """
    homes = take_homes(panel, np.array([who for who in panel.entities.tolist() if ":meter_" not in who]))
    length = homes.energy_kwh.shape[1] * np.timedelta64(homes.interval_mins, "m")
    windows = cut_windows(
        homes, context_steps=knobs.context_steps, horizon_steps=knobs.horizon_steps,
        origins=local_midnights(as_datetime(homes.start), as_datetime(homes.start + length)),
        data_lag_steps=knobs.data_lag_steps, min_observed=int(_MOSTLY * (knobs.context_steps - knobs.data_lag_steps)),
        weather=weather, place=place,
    )  # fmt: skip
    if not len(windows):
        raise ConfigError(f"no home has a day after {knobs.context_steps} steps of readings; ingest a longer span")
    return days_exam(windows, weather)
