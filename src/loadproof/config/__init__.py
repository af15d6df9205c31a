"""Every knob, once: frozen and bounded. ``params.yaml`` is an ``ExperimentConfig``."""

from loadproof.config.data import DataConfig, FeatureConfig, ForecastConfig
from loadproof.config.experiment import ExperimentConfig, PipelineConfig, build_section, read_config
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
from loadproof.config.watching import AnomalyBoardConfig, AnomalyConfig

__all__ = [
    "AnomalyBoardConfig",
    "AnomalyConfig",
    "AutoencoderConfig",
    "BacktestConfig",
    "CalibrationConfig",
    "DataConfig",
    "EvaluationConfig",
    "ExperimentConfig",
    "FeatureConfig",
    "ForecastConfig",
    "LightGBMConfig",
    "PatchTSTConfig",
    "PipelineConfig",
    "RidgeConfig",
    "RiskConfig",
    "SelfPlayConfig",
    "StatisticalConfig",
    "TreeConfig",
    "build_section",
    "read_config",
]
