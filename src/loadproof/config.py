"""Every knob on one page: frozen, bounded, and no knob twice. ``params.yaml`` is an ``ExperimentConfig``."""

import datetime as dt
from pathlib import Path
from typing import Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from loadproof.errors import ConfigError

__all__ = [
    "BacktestConfig",
    "CalibrationConfig",
    "DataConfig",
    "Environment",
    "EvaluationConfig",
    "ExperimentConfig",
    "FeatureConfig",
    "ForecastConfig",
    "LightGBMConfig",
    "PatchTSTConfig",
    "RidgeConfig",
    "SampleMode",
    "StatisticalConfig",
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


class FeatureConfig(_Section):
    """What a forecaster may know besides the readings."""

    nation: Literal["england", "wales", "scotland", "northern_ireland"] = Field(
        "england", description="Whose bank holidays count"
    )
    weather: Literal["none", "forecast", "perfect"] = Field(
        "none", description="Future weather: none, simulated forecasts with an error, or what really came"
    )
    weather_error_degc: float = Field(1.0, ge=0, le=10, description="Standard deviation of a simulated forecast")


class RidgeConfig(_Section):
    """The closed-form ridge."""

    lookbacks_steps: tuple[int, ...] = Field((336, 672), description="Lookbacks to choose from on validation")
    penalties: tuple[float, ...] = Field((0.1, 1.0, 10.0, 100.0), description="Penalties to choose from on validation")


class LightGBMConfig(_Section):
    """Direct multi-horizon quantile LightGBM."""

    trees: int = Field(400, ge=1, le=10_000, description="Trees per quantile level at most")
    learning_rate: float = Field(0.05, gt=0, le=1)
    leaves: int = Field(63, ge=2, le=4096, description="Leaves per tree")
    min_rows_in_leaf: int = Field(200, ge=1)
    threads: int = Field(2, ge=1, le=256)


class StatisticalConfig(_Section):
    """Classic models of one series at a time."""

    season_steps: tuple[int, ...] = Field((48, 336), description="Seasons to take apart, in half hours")


class PatchTSTConfig(_Section):
    """The network and its training."""

    lookback_steps: int = Field(336, ge=48, le=8760, description="Half hours that the network sees")
    patch_steps: int = Field(16, ge=1, le=336, description="Half hours in a patch")
    stride_steps: int = Field(8, ge=1, le=336, description="Half hours between patches")
    width: int = Field(64, ge=4, le=1024, description="Width of the model")
    heads: int = Field(4, ge=1, le=64)
    layers: int = Field(3, ge=1, le=24)
    feedforward: int = Field(128, ge=4, le=4096)
    dropout: float = Field(0.2, ge=0, lt=1)
    epochs: int = Field(8, ge=1, le=1000)
    batch_windows: int = Field(512, ge=1, le=65_536)
    learning_rate: float = Field(1e-3, gt=0, le=1)
    patience: int = Field(3, ge=1, le=1000, description="Epochs without a better validation loss before the end")


class CalibrationConfig(_Section):
    """How intervals are held to their levels."""

    kind: Literal["none", "static", "adaptive"] = Field("adaptive", description="How intervals are calibrated")


class BacktestConfig(_Section):
    """The board: folds, groups and arms."""

    unseen_share: float = Field(0.5, gt=0, lt=1, description="Share of homes never trained upon, per half of the homes")


class ExperimentConfig(_Section):
    """All sections; their names are the keys of ``params.yaml``."""

    seed: int = Field(2013, ge=0, lt=2**32)
    data: DataConfig = DataConfig()
    forecast: ForecastConfig = ForecastConfig()
    features: FeatureConfig = FeatureConfig()
    ridge: RidgeConfig = RidgeConfig()
    lightgbm: LightGBMConfig = LightGBMConfig()
    statistical: StatisticalConfig = StatisticalConfig()
    patchtst: PatchTSTConfig = PatchTSTConfig()
    calibration: CalibrationConfig = CalibrationConfig()
    backtest: BacktestConfig = BacktestConfig()
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
