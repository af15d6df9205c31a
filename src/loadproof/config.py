"""Every knob on one page: frozen, bounded, and no knob twice. ``params.yaml`` is an ``ExperimentConfig``."""

import datetime as dt
from pathlib import Path
from typing import Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from loadproof.errors import ConfigError

__all__ = [
    "DataConfig",
    "Environment",
    "EvaluationConfig",
    "ExperimentConfig",
    "ForecastConfig",
    "SampleMode",
    "build_section",
    "read_config",
]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


S = TypeVar("S", bound=_Section)


class DataConfig(_Section):
    """Where the data comes from and goes to, and how much of it may be bad."""

    input_root: Path = Path("data/raw")
    input_kind: Literal["files", "samples"] = Field("files", description="Whether the input is real or our simulator's")
    processed_root: Path = Path("data/processed")
    derived_root: Path = Path("data/derived")
    ts_convention: Literal["end", "start"] = Field("end", description="Which end of its half hour an LCL stamp marks")
    max_rejected_share: float = Field(0.05, ge=0, le=1, description="More rows set aside than this fails the ingest")


class ForecastConfig(_Section):
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


class EvaluationConfig(_Section):
    """How sure the figures are."""

    bootstrap_draws: int = Field(1000, ge=100, le=20_000, description="Resamples of homes crossed with weeks")


class ExperimentConfig(_Section):
    """All sections; their names are the keys of ``params.yaml``."""

    seed: int = Field(2013, ge=0, lt=2**32)
    data: DataConfig = DataConfig()
    forecast: ForecastConfig = ForecastConfig()
    evaluation: EvaluationConfig = EvaluationConfig()


def build_section(section: type[S], **values: object) -> S:
    """Return a section with some values set.

    Raises:
        ConfigError: If a value is out of bounds or of the wrong kind.
    """
    try:
        return section.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{_first_trouble(error)}; mend that option") from error


def read_config(path: Path) -> ExperimentConfig:
    """Return the config in a YAML file.

    Raises:
        ConfigError: If the file is absent, no YAML, or holds a knob that is unknown or out of bounds.
    """
    try:
        return ExperimentConfig.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: does not exist; name another with --config") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is no YAML ({error}); mend it") from error
    except ValidationError as error:
        raise ConfigError(f"{path}: {_first_trouble(error)}; mend that line") from error


def _first_trouble(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(step) for step in first["loc"])
    return f"{where}: {first['msg']}" if where else str(first["msg"])


class Environment(BaseSettings):
    """What the environment and ``.env`` may say; read at the command line's edge and nowhere else."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True)

    use_samples: bool | None = None
    ci: str = ""
    github_actions: str = ""
    ceda_token: SecretStr | None = None
    ssen_ckan_url: str | None = None
    ssen_api_key: SecretStr | None = None

    @property
    def ssen_api_key_text(self) -> str | None:
        """SSEN's key, for the one session that sends it."""
        return self.ssen_api_key.get_secret_value() if self.ssen_api_key else None

    @property
    def ceda_token_text(self) -> str | None:
        """CEDA's access token, for the one call that sends it."""
        return self.ceda_token.get_secret_value() if self.ceda_token else None

    @property
    def on_ci(self) -> str | None:
        """Which variable says that this is a build machine; services set them to any word."""
        for name, value in (("CI", self.ci), ("GITHUB_ACTIONS", self.github_actions)):
            if value.strip().lower() not in ("", "0", "false", "no"):
                return f"{name}={value}"
        return None


class SampleMode(BaseModel):
    """Whether a run takes the bundled samples, and what decided it."""

    model_config = ConfigDict(frozen=True)

    on: bool
    why: str

    @classmethod
    def decide(cls, flag: bool | None, environment: Environment) -> "SampleMode":
        """Take the flag, then ``USE_SAMPLES``, then ``CI`` or ``GITHUB_ACTIONS``, else real data."""
        if flag is not None:
            return cls(on=flag, why="--use-samples" if flag else "--no-use-samples")
        if environment.use_samples is not None:
            return cls(on=environment.use_samples, why=f"USE_SAMPLES={str(environment.use_samples).lower()}")
        if environment.on_ci:
            return cls(on=True, why=environment.on_ci)
        return cls(on=False, why="the default")
