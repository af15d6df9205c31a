"""What the board consists of: one job per fit, and in which order they are done."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from loadproof.config import ExperimentConfig
from loadproof.errors import ConfigError

__all__ = ["ALL", "BARS", "CHRONOLOGICAL", "EVERY_JOB", "HOURLY", "Job", "Only", "Setting", "group_size", "plan_board"]

HOURLY: Final = "buildingsbench"
"""The level that BuildingsBench's protocol makes: single homes, hour by hour."""

CHRONOLOGICAL: Final = "chronological"

BARS: Final = ("persistence_ensemble", "ridge")
"""The models to which all others are set in ratio."""

_HALVES: Final = ("A", "B")
ALL: Final = "all"


class Setting(NamedTuple):
    """Whose windows: what jobs share, whatever the fold and the model.

    Attributes:
        level: ``home``, ``group_<N>``, ``sum_<N>`` or ``buildingsbench``.
        half: Whose homes are learned from: ``A``, ``B`` or ``all``.
        arm: What is known of the weather: ``none``, ``forecast_<degC>`` or ``perfect``.
        data_lag_steps: How late readings are published.
    """

    level: str
    half: str
    arm: str
    data_lag_steps: int


class Job(NamedTuple):
    """One model fitted once (or on schedule), and judged."""

    setting: Setting
    fold: str
    model: str

    @property
    def path(self) -> str:
        """Where its record lies below the board's, without a suffix."""
        level, half, arm, lag = self.setting
        return f"{self.fold}/{level}-{half}/{self.model}-{arm}-lag{lag}"

    @property
    def plain(self) -> bool:
        """Whether it knows nothing of the weather."""
        return self.setting.arm == "none"


def _names(job: Job) -> tuple[str, str, str, str]:
    """Return the model, the level, the fold and the arm."""
    return job.model, job.setting.level, job.fold, job.setting.arm


class Only(NamedTuple):
    """Which jobs to do: those whose names are all listed; an empty list takes every one."""

    models: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    folds: tuple[str, ...] = ()
    arms: tuple[str, ...] = ()

    def takes(self, job: Job) -> bool:
        """Return whether a job is wanted."""
        return all(not wanted or name in wanted for wanted, name in zip(self, _names(job), strict=True))


EVERY_JOB: Final = Only()


def group_size(level: str) -> int | None:
    """Return how many homes a level sums, None for single homes."""
    kind, _, size = level.rpartition("_")
    return int(size) if kind in ("group", "sum") else None


def plan_board(config: ExperimentConfig, only: Only = EVERY_JOB) -> list[Job]:
    """Return all jobs, those of one setting together, and of one fold within it.

    Raises:
        ConfigError: When none is left of them.
    """
    jobs = [job for job in dict.fromkeys(_jobs(config)) if only.takes(job)]
    if not jobs:
        asked = "; ".join(f"{name} {', '.join(names)}" for name, names in only._asdict().items() if names)
        columns = zip(*(_names(job) for job in _jobs(config)), strict=True)
        there = "; ".join(f"{name} {', '.join(sorted(set(x)))}" for name, x in zip(only._fields, columns, strict=True))
        raise ConfigError(f"the board has no job of {asked}; it has {there}: name those, or list more in the config")
    return jobs


def _jobs(config: ExperimentConfig) -> Iterator[Job]:
    knobs, lag = config.backtest, config.forecast.data_lag_steps
    held = [f"held_{start:%Y-%m-%d}" for start in knobs.blocks_from]
    plain = [CHRONOLOGICAL] if knobs.chronological else []
    for level in knobs.levels:
        halves = [ALL] if level.startswith("sum_") else _HALVES
        for half in halves:
            yield from _of(Setting(level, half, "none", lag), held, knobs.models)
        if not level.startswith("group_"):
            yield from _of(Setting(level, ALL, "none", lag), plain, knobs.models)
    if "home" in knobs.levels:
        for more in knobs.more_lags_steps:
            yield from _of(Setting("home", ALL, "none", more), plain, knobs.models)
    for level in (level for level in knobs.weather_levels if level in knobs.levels):
        for arm in knobs.weather_arms:
            yield from _of(Setting(level, ALL, arm, lag), plain, knobs.weather_models)
    for half in _HALVES:
        yield from _of(Setting(HOURLY, half, "none", 0), held, knobs.buildingsbench_models)


def _of(setting: Setting, folds: Sequence[str], models: Sequence[str]) -> list[Job]:
    return [Job(setting, fold, model) for fold in folds for model in models]
