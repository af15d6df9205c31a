"""All sections together, as ``params.yaml`` holds them, and how they are read."""

from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field, ValidationError

from loadproof.config.data import DataConfig, FeatureConfig, ForecastConfig
from loadproof.config.judging import BacktestConfig, EvaluationConfig, RiskConfig, TreeConfig
from loadproof.config.models import (
    AutoencoderConfig,
    CalibrationConfig,
    LightGBMConfig,
    PatchTSTConfig,
    RidgeConfig,
    SelfPlayConfig,
    StatisticalConfig,
)
from loadproof.config.section import Section
from loadproof.config.watching import AnomalyBoardConfig, AnomalyConfig
from loadproof.errors import ConfigError

__all__ = ["ExperimentConfig", "PipelineConfig", "build_section", "read_config"]

S = TypeVar("S", bound=Section)


class PipelineConfig(Section):
    """Who takes part in the pipeline. Names are checked where they are used, with a list of those that there are."""

    baselines: tuple[str, ...] = Field(
        ("persistence_ensemble", "seasonal_naive", "seasonal_naive_week", "ridge", "lightgbm", "statistical"),
        min_length=1,
        description="Forecasters that train_baselines trains; statistical takes hours for a hundred homes",
    )
    baseline_detectors: tuple[Literal["physical", "seasonal_zscore", "mstl", "isolation_forest", "sub_pca"], ...] = (
        Field(
            ("physical", "seasonal_zscore", "isolation_forest", "sub_pca"),
            description="Detectors that train_baselines fits: those that ask no forecaster and no network",
        )
    )
    custom_detectors: tuple[Literal["autoencoder", "residual", "ensemble"], ...] = Field(
        ("autoencoder", "residual", "ensemble"), description="Detectors that train_custom fits"
    )
    usual_rating: str = Field("pole_100kva", description="The rating by which feeders are held, for want of a file")


class ExperimentConfig(Section):
    """All sections; their names are the keys of ``params.yaml``."""

    seed: int = Field(2013, ge=0, lt=2**32)
    mlflow_experiment: str = Field("energy_forecasting", min_length=1, description="Where runs are tracked")
    mlflow_run_name: str | None = Field(None, min_length=1, description="What a run is called, before what it does")
    data: DataConfig = DataConfig()
    forecast: ForecastConfig = ForecastConfig()
    features: FeatureConfig = FeatureConfig()
    ridge: RidgeConfig = RidgeConfig()
    lightgbm: LightGBMConfig = LightGBMConfig()
    statistical: StatisticalConfig = StatisticalConfig()
    patchtst: PatchTSTConfig = PatchTSTConfig()
    selfplay: SelfPlayConfig = SelfPlayConfig()
    calibration: CalibrationConfig = CalibrationConfig()
    autoencoder: AutoencoderConfig = AutoencoderConfig()
    risk: RiskConfig = RiskConfig()
    anomaly: AnomalyConfig = AnomalyConfig()
    backtest: BacktestConfig = BacktestConfig()
    tree: TreeConfig = TreeConfig()
    anomaly_board: AnomalyBoardConfig = AnomalyBoardConfig()
    pipeline: PipelineConfig = PipelineConfig()
    evaluation: EvaluationConfig = EvaluationConfig()


def build_section(section: type[S], /, **values: object) -> S:
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
    import yaml  # an ingest of a file has no YAML to read, and waits for none

    try:
        return ExperimentConfig.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: does not exist; name another with --config") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: is no YAML ({' '.join(str(error).split())}); mend it") from error
    except IsADirectoryError as error:
        raise ConfigError(f"{path}: is a folder; name a file with --config") from error
    except ValidationError as error:
        raise ConfigError(f"{path}: {_first_trouble(error)}; mend that line") from error


def _first_trouble(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(step) for step in first["loc"])
    return f"{where}: {first['msg']}" if where else str(first["msg"])
