"""What detectors learn from, and when their scores become alerts."""

import datetime as dt
from typing import Literal

from pydantic import Field, model_validator

from loadproof.config.section import Section

__all__ = ["AnomalyBoardConfig", "AnomalyConfig"]


class AnomalyConfig(Section):
    """What detectors learn from, and when their scores become alerts; the blocks are those of the forecast section."""

    alerts_per_week: float = Field(0.1, gt=0, le=50, description="False alarms that are put up with, per home and week")
    fit_windows: int = Field(
        8000, ge=10, description="Days of homes that a detector is fitted on at most, evenly taken"
    )
    fault_homes: int = Field(
        24, ge=1, le=10_000, description="Homes that an ensemble sets faults into, to be weighed by"
    )
    forecaster: Literal["ridge", "lightgbm", "patchtst"] = Field(
        "ridge", description="Whose bands readings are held against, where a detector wants a forecaster"
    )
    clean_days: int = Field(
        56, ge=2, le=730, description="Days before a day that its scores are ranked among; a detector learns earlier"
    )
    rule_days: int = Field(28, ge=1, le=730, description="Days before a day that its threshold is chosen on")
    refresh_days: int = Field(7, ge=1, le=366, description="Days until both are taken anew")
    fuse_a: float | None = Field(
        100.0, gt=0, le=2000, description="Rating of the service fuse in ampere; null where none is known"
    )
    phases: Literal[1, 3] = Field(1, description="Phases of the supply")
    threads: int = Field(2, ge=1, le=256, description="Chunks of homes that are scored together")

    @model_validator(mode="after")
    def _within(self) -> "AnomalyConfig":
        if self.rule_days >= self.clean_days:
            raise ValueError("rule_days must be below clean_days, so that the first of them have days before them")
        return self


class AnomalyBoardConfig(Section):
    """The board of detectors: who learns from what, and what is set into whom."""

    train_every: int = Field(
        4, ge=1, le=366, description="Of each home's days before valid_from, one in so many trains"
    )
    valid_from: dt.date = Field(dt.date(2013, 8, 1), description="First UK day of the training homes' validation")
    test_from: dt.date = Field(dt.date(2013, 10, 1), description="First UK day on which other homes are judged")
    test_until: dt.date = Field(dt.date(2014, 1, 1), description="First UK day after that")
    homes_per_half: int = Field(12, ge=1, le=10_000, description="Homes of each half that events are set into")
    slow: dict[str, int] = Field({"mstl": 2}, description="Detectors judged on so many of these homes alone")
    fault_homes: int = Field(24, ge=1, le=10_000, description="Training homes that the ensemble's faults are set into")
    alerts_per_week: float = Field(0.1, gt=0, le=50, description="Chosen false alarms per home and week")
    rates: tuple[float, ...] = Field(
        (0.05, 0.1, 0.2, 0.5, 1.0), min_length=1, description="Chosen rates that are held against those achieved"
    )
    lead_alerts_per_week: float = Field(1.0, gt=0, le=50, description="The rate on LEAD's single buildings")

    @model_validator(mode="after")
    def _in_order(self) -> "AnomalyBoardConfig":
        if not self.valid_from < self.test_from < self.test_until:
            raise ValueError("valid_from < test_from < test_until must hold")
        return self
