"""Every knob on one page: frozen, bounded, and no knob twice. ``params.yaml`` is an ``ExperimentConfig``."""

import datetime as dt
import itertools
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from loadproof.errors import ConfigError

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


class RidgeConfig(_Section):
    """The closed-form ridge."""

    lookbacks_steps: tuple[int, ...] = Field(
        (336, 672, 1344), min_length=1, description="Lookbacks to choose from on validation, cut to whole days"
    )
    penalties: tuple[float, ...] = Field(
        (0.3, 1.0, 3.0, 10.0, 30.0, 100.0),
        min_length=1,
        description="Penalties to choose from, in mean squares of an input",
    )
    spread_groups: int = Field(
        10, ge=1, le=100, description="Groups of windows alike in how a half hour has varied, each with its residuals"
    )

    @field_validator("lookbacks_steps", "penalties")
    @classmethod
    def _positive(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if min(values) <= 0:
            raise ValueError("must be above 0")
        return values


class LightGBMConfig(_Section):
    """Direct multi-horizon quantile LightGBM."""

    trees: int = Field(150, ge=1, le=10_000, description="Trees per quantile level at most")
    patience_trees: int = Field(20, ge=1, le=1000, description="Trees without a better validation loss before the end")
    learning_rate: float = Field(0.1, gt=0, le=1)
    leaves: int = Field(31, ge=2, le=4096, description="Leaves per tree")
    min_rows_in_leaf: int = Field(500, ge=1, description="Rows in a leaf; a hundredth of all rows where those are few")
    feature_share: float = Field(0.3, gt=0, le=1, description="Share of the features that each tree may use")
    bins: int = Field(63, ge=2, le=255, description="Bins that a feature is cut into")
    max_rows: int = Field(240_000, ge=1000, description="Half hours of windows learned from, a random part if fewer")
    line_rows: int = Field(60_000, ge=1000, description="Of these, those that the linear start is fitted on")
    threads: int = Field(2, ge=1, le=256)


class StatisticalConfig(_Section):
    """Exponential smoothing of one window at a time."""

    lookback_days: int = Field(14, ge=4, le=60, description="Days of context that each fit sees, which bounds its time")


class PatchTSTConfig(_Section):
    """The network and its training; at another interval, half hours are as many minutes."""

    lookback_steps: int = Field(
        672, ge=96, le=8760, description="Half hours that the network sees, cut to whole days and to the context"
    )
    patch_steps: int = Field(48, ge=2, le=336, description="Half hours in a patch")
    stride_steps: int = Field(48, ge=2, le=336, description="Half hours between patches, at most a patch")
    width: int = Field(64, ge=4, le=1024, description="Width of the model, a multiple of the heads")
    heads: int = Field(4, ge=1, le=64)
    layers: int = Field(2, ge=1, le=24)
    feedforward: int = Field(128, ge=4, le=4096)
    dropout: float = Field(0.3, ge=0, lt=1)
    head_width: int = Field(128, ge=4, le=2048, description="Width of the head that sees the days before")
    epochs: int = Field(8, ge=1, le=1000)
    batch_windows: int = Field(64, ge=2, le=65_536)
    learning_rate: float = Field(2e-3, gt=0, le=1, description="Highest of the cycle")
    weight_decay: float = Field(0.01, ge=0, le=1)
    patience: int = Field(4, ge=1, le=1000, description="Epochs without a better validation loss before the end")
    shifts: int = Field(
        8, ge=1, le=24, description="Hours of the day, evenly apart from the origin's, that training windows are cut at"
    )
    compiled: bool = Field(False, description="Whether to train through torch.compile; measured slower on two cores")

    @model_validator(mode="after")
    def _fits(self) -> "PatchTSTConfig":
        if self.width % self.heads:
            raise ValueError("heads must divide width")
        if self.stride_steps > self.patch_steps:
            raise ValueError("stride_steps must be at most patch_steps")
        return self


class AutoencoderConfig(_Section):
    """The network that writes days again, and its training."""

    width: int = Field(96, ge=4, le=4096, description="Width of the hidden layers")
    code: int = Field(12, ge=1, le=1024, description="Numbers that a day is told in")
    hidden_share: float = Field(0.25, ge=0, le=0.5, description="Mean share of a day that is hidden in training")
    epochs: int = Field(12, ge=1, le=1000)
    batch_days: int = Field(256, ge=2, le=65_536)
    learning_rate: float = Field(3e-3, gt=0, le=1, description="Highest of the cycle")
    patience: int = Field(4, ge=1, le=1000, description="Epochs without a better validation loss before the end")


class SelfPlayConfig(_Section):
    """The loop: how much is real, how much is proposed, and by what rule. The network is the patchtst section's."""

    warm_updates: int = Field(2000, ge=1, le=1_000_000, description="Updates on real days before the play begins")
    reference_updates: int = Field(
        1000, ge=1, le=1_000_000, description="Updates of the reference on uniform scenarios, after as many real ones"
    )
    reference_share: float = Field(
        0.3, gt=0, lt=1, description="Share of the training homes that the reference learns from, and nobody else"
    )
    episodes: int = Field(250, ge=1, le=100_000, description="Rounds of proposing, solving, verifying and learning")
    updates: int = Field(4, ge=1, le=1000, description="Updates in an episode")
    scenarios: int = Field(8, ge=1, le=1000, description="Scenarios in an episode")
    homes: int = Field(16, ge=1, le=1000, description="Homes that each is played on, all on one night")
    real_windows: int = Field(96, ge=2, le=65_536, description="Real windows in an update")
    scenario_windows: int = Field(32, ge=1, le=65_536, description="Windows of scenarios in an update")
    least_real_share: float = Field(0.5, gt=0, lt=1, description="The real share never drops below this floor")
    learning_rate: float = Field(1e-3, gt=0, le=1, description="Highest of the warm start's cycle")
    play_learning_rate: float = Field(3e-4, gt=0, le=1, description="Highest of the play's cycle")
    averaging: float = Field(0.99, ge=0, lt=1, description="Share that the average of the weights keeps each update")
    penalty_weight: float = Field(0.1, ge=0, le=100, description="Weight of the verifier's penalty beside the loss")
    uniform_share: float = Field(0.25, ge=0, le=1, description="Share of proposals that stay uniform")
    replay_share: float = Field(0.5, ge=0, le=1, description="Share of the others that are replays or edits of them")
    edit_share: float = Field(0.5, ge=0, le=1, description="Share of the replays that are edited a little")
    stale_share: float = Field(0.3, ge=0, le=1, description="How much a replay's age counts beside its score")
    memories: int = Field(64, ge=1, le=10_000, description="Scenarios that the proposer remembers")
    progress_weight: float = Field(0.5, ge=0, le=10, description="Weight of a kind's learning progress in a reward")
    judge_episodes: int = Field(25, ge=1, le=100_000, description="Episodes between looks at the validation days")

    @model_validator(mode="after")
    def _stays_real(self) -> "SelfPlayConfig":
        share = self.real_windows / (self.real_windows + self.scenario_windows)
        if share < self.least_real_share:
            raise ValueError(f"real_windows are {share:.2f} of an update, below least_real_share")
        return self


class CalibrationConfig(_Section):
    """How intervals are held to their levels."""

    kind: Literal["none", "static", "adaptive"] = Field(
        "adaptive", description="Not at all, by a fixed block, or also by each home's truths as they are published"
    )
    half_life_days: float = Field(14.0, ge=1, le=3650, description="Age at which a truth counts half, where adaptive")


class AnomalyConfig(_Section):
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


class AnomalyBoardConfig(_Section):
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


class BacktestConfig(_Section):
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


class RiskConfig(_Section):
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


class TreeConfig(_Section):
    """The board of a tree: homes, disjoint feeders, one substation. Its test block is that of ``forecast``."""

    model: str = Field("ridge", description="Who forecasts each level")
    feeder_homes: int = Field(30, ge=2, le=1000, description="Homes in each feeder")
    homes_reporting: float = Field(0.98, gt=0, le=1, description="Share of half hours that a home of the tree reports")
    learn_until: dt.date = Field(dt.date(2013, 7, 1), description="First UK day that forecasters do not learn from")
    calibrate_days: int = Field(28, ge=7, le=366, description="Days after that which calibrate, before places count")
    paths: int = Field(90, ge=20, le=1000, description="Past days at most that sample paths are made of")
    training_groups: int = Field(60, ge=1, le=5000, description="Random groups that the upper levels learn from")
    min_reporting: float = Field(0.9, gt=0, le=1, description="Share of a group's homes that must report a half hour")


class PipelineConfig(_Section):
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


class ExperimentConfig(_Section):
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
