"""What comes in, what is forecast from it, and what a forecaster may know."""

import datetime as dt
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from loadproof.config.section import Section

__all__ = ["DataConfig", "FeatureConfig", "ForecastConfig"]


class DataConfig(Section):
    """Where the data comes from and goes to, and how much of it may be bad."""

    input_root: Path = Path("data/raw")
    input_kind: Literal["files", "samples"] = Field("files", description="Whether the input is real or our simulator's")
    processed_root: Path = Path("data/processed")
    derived_root: Path = Path("data/derived")
    ts_convention: Literal["end", "start"] = Field("end", description="Which end of its half hour an LCL stamp marks")
    max_rejected_share: float = Field(0.05, ge=0, le=1, description="More rows set aside than this fails the ingest")


class ForecastConfig(Section):
    """What is forecast, from what, and when."""

    horizon_steps: int = Field(48, ge=1, le=336, description="Half hours ahead")
    context_steps: int = Field(672, ge=336, le=8760, description="Half hours a forecaster may look back")
    data_lag_steps: int = Field(0, ge=0, le=2016, description="Half hours that a reading takes to be published")
    valid_from: dt.date = Field(dt.date(2013, 9, 1), description="First UK day of the validation block")
    test_from: dt.date = Field(dt.date(2013, 10, 1), description="First UK day of the test block")
    test_until: dt.date = Field(dt.date(2014, 1, 1), description="First UK day after the test block")

    @model_validator(mode="after")
    def _in_order(self) -> "ForecastConfig":
        if not self.valid_from < self.test_from < self.test_until:
            raise ValueError("valid_from < test_from < test_until must hold")
        return self


class FeatureConfig(Section):
    """What a forecaster may know besides the readings."""

    nation: Literal["england", "wales", "scotland", "northern_ireland"] = Field(
        "england", description="Whose bank holidays count"
    )
    latitude_deg: float = Field(51.508, ge=49, le=61, description="Where the sun is seen from; London by default")
    longitude_deg: float = Field(-0.128, ge=-9, le=2, description="East is positive")
    station_id: str | None = Field(None, description="Which weather station; may be unsaid where one was ingested")
    weather: Literal["none", "observed", "forecast", "perfect"] = Field(
        "none",
        description="No weather, what was observed before t0, with it simulated forecasts, or with it what really came",
    )
    weather_error_degc: float = Field(
        1.0, ge=0, le=10, description="Standard deviation of a simulated forecast's error 24 h ahead"
    )
    left_out: tuple[str, ...] = Field((), description="Columns of the feature table to do without")

    @property
    def weather_label(self) -> str:
        """What every run with this weather says of it, lest what nobody could know pass for a forecast."""
        error = f"simulated forecasts of it, {self.weather_error_degc:g} degC off a day ahead"
        perfect = "perfect weather: what really came, known to nobody at t0"
        return {"observed": "observed before t0", "forecast": error, "perfect": perfect}.get(self.weather, "none")
