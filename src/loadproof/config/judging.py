"""Boards, feeders, and how sure the figures are."""

import datetime as dt
import itertools
from typing import Literal

from pydantic import Field, model_validator

from loadproof.config.section import Section

__all__ = ["BacktestConfig", "EvaluationConfig", "RiskConfig", "TreeConfig"]


class EvaluationConfig(Section):
    """How sure the figures are."""

    bootstrap_draws: int = Field(1000, ge=100, le=20_000, description="Resamples of homes crossed with weeks")


class BacktestConfig(Section):
    """The board: folds, groups and arms."""

    models: tuple[str, ...] = Field(
        (
            "persistence_ensemble", "seasonal_naive", "seasonal_naive_week", "ridge", "lightgbm", "patchtst",
            "statistical",
        ),
        min_length=1,
        description="Who is judged",
    )  # fmt: skip
    levels: tuple[Literal["home", "group_10", "group_30", "sum_50", "sum_100"], ...] = Field(
        ("home", "group_10", "group_30", "sum_50", "sum_100"), description="What is summed before it is forecast"
    )
    blocks_from: tuple[dt.date, ...] = Field(
        (dt.date(2013, 1, 1), dt.date(2013, 4, 1), dt.date(2013, 7, 1), dt.date(2013, 10, 1)),
        description="First UK day of each block that is held out in turn; empty for none",
    )
    blocks_until: dt.date = Field(dt.date(2014, 1, 1), description="First UK day after the last block")
    valid_days: int = Field(28, ge=1, le=366, description="Days of the validation block beside a block held out")
    chronological: bool = Field(True, description="Whether the plain split of the forecast section is judged too")
    origin_hours: tuple[int, ...] = Field((0,), min_length=1, description="UK local hours of the forecast origins")
    refit_days: int = Field(0, ge=0, le=366, description="Days in the test block between fits; 0 fits once")
    training_groups: int = Field(30, ge=1, le=5000, description="Random groups of homes that a model of sums learns")
    min_reporting: float = Field(0.9, gt=0, le=1, description="Share of a group's homes that must report a half hour")
    every: dict[str, int] = Field(
        {"statistical": 7}, description="Models too slow for every origin: each home's every so many days, rotating"
    )
    more_lags_steps: tuple[int, ...] = Field(
        (336,), description="Other half hours to publication, judged on single homes' plain split"
    )
    weather_arms: tuple[Literal["forecast_0.5", "forecast_1", "forecast_2", "perfect"], ...] = Field(
        ("forecast_0.5", "forecast_1", "forecast_2", "perfect"), description="Arms beside none, on the plain split"
    )
    weather_models: tuple[str, ...] = Field(("ridge", "lightgbm"), description="Who is given weather")
    weather_levels: tuple[Literal["home", "sum_100"], ...] = Field(("home", "sum_100"), description="What is judged so")
    buildingsbench_models: tuple[str, ...] = Field(
        ("persistence_ensemble", "seasonal_naive", "seasonal_naive_week", "ridge", "lightgbm", "patchtst"),
        description="Who is judged by BuildingsBench's protocol, at an hour's interval; empty for none",
    )

    @model_validator(mode="after")
    def _in_order(self) -> "BacktestConfig":
        borders = (*self.blocks_from, self.blocks_until)
        if any(first >= second for first, second in itertools.pairwise(borders)):
            raise ValueError("blocks_from and blocks_until must ascend")
        if not all(0 <= hour < 24 for hour in self.origin_hours):
            raise ValueError("origin_hours are 0 to 23")
        if not all(days >= 1 for days in self.every.values()):
            raise ValueError("every is 1 or more for each model")
        if not all(0 <= lag <= 2016 for lag in self.more_lags_steps):
            raise ValueError("more_lags_steps are 0 to 2016")
        return self


class RiskConfig(Section):
    """From feeders to the chance that a limit is exceeded."""

    feeder_homes: int = Field(30, ge=2, le=1000, description="Homes of a pseudo-feeder")
    learn_days: int = Field(112, ge=7, le=1500, description="Days before t0 that a forecaster is fitted on")
    valid_days: int = Field(28, ge=0, le=366, description="Of these the last, which its bands are calibrated on")
    learn_windows: int = Field(20_000, ge=100, le=1_000_000, description="Windows at most; of random feeders if fewer")
    min_reporting: float = Field(0.9, gt=0, le=1, description="Share of a pseudo-feeder's homes that must report")
    min_metered: float = Field(
        0.2, gt=0, le=1, description="Share of a real feeder's MPANs that must report, if it is scaled up to all"
    )
    device_sd_share: float = Field(
        1.3,
        gt=0,
        le=10,
        description="Deviation between devices over their mean, where not seen; 1.33 in 137 homes",
    )
    cyclic_ratio: float = Field(1.2, ge=0.5, le=2, description="What a transformer carries at its peak, of its rating")
    tail: Literal["exponential", "none"] = Field(
        "exponential", description="What lies above the highest quantile; none says that nothing does"
    )
    winter_draws: int = Field(200, ge=20, le=5000, description="Resamples of a winter's weeks")
    partitions: int = Field(10, ge=1, le=200, description="Random partitions of the homes into feeders, to judge on")
    study_days: int = Field(3, ge=1, le=7, description="Days ahead that are judged")


class TreeConfig(Section):
    """The board of a tree: homes, disjoint feeders, one substation. Its test block is that of ``forecast``."""

    model: str = Field("ridge", description="Who forecasts each level")
    feeder_homes: int = Field(30, ge=2, le=1000, description="Homes in each feeder")
    homes_reporting: float = Field(0.98, gt=0, le=1, description="Share of half hours that a home of the tree reports")
    learn_until: dt.date = Field(dt.date(2013, 7, 1), description="First UK day that forecasters do not learn from")
    calibrate_days: int = Field(28, ge=7, le=366, description="Days after that which calibrate, before places count")
    paths: int = Field(90, ge=20, le=1000, description="Past days at most that sample paths are made of")
    training_groups: int = Field(60, ge=1, le=5000, description="Random groups that the upper levels learn from")
    min_reporting: float = Field(0.9, gt=0, le=1, description="Share of a group's homes that must report a half hour")
