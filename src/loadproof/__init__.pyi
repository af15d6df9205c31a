# What __init__.py imports when it is asked, for type checkers and editors; a test holds the two together.
from loadproof.anomaly.alerts import find_alerts as find_alerts
from loadproof.anomaly.days import cut_days as cut_days
from loadproof.config import ExperimentConfig as ExperimentConfig
from loadproof.config import read_config as read_config
from loadproof.evaluation.backtest import run_backtest as run_backtest
from loadproof.evaluation.metrics import score_forecasts as score_forecasts
from loadproof.evaluation.metrics import seasonal_scale as seasonal_scale
from loadproof.features.calendar import local_midnights as local_midnights
from loadproof.features.panel import Panel as Panel
from loadproof.features.panel import panel_from_readings as panel_from_readings
from loadproof.features.selection import read_panel as read_panel
from loadproof.features.splits import split_by_entity as split_by_entity
from loadproof.features.splits import split_by_time as split_by_time
from loadproof.features.windows import (
    Inputs as Inputs,
)
from loadproof.features.windows import (
    Windows as Windows,
)
from loadproof.features.windows import (
    cut_windows as cut_windows,
)
from loadproof.forecaster import (
    Forecast as Forecast,
)
from loadproof.forecaster import (
    Forecaster as Forecaster,
)
from loadproof.forecaster import (
    forecast_from_table as forecast_from_table,
)
from loadproof.forecaster import (
    forecast_table as forecast_table,
)
from loadproof.ingestion.lcl import LCLIngestor as LCLIngestor
from loadproof.ingestion.ukdale import UKDALEIngestor as UKDALEIngestor
from loadproof.runner.detect import detect as detect
from loadproof.runner.detect import detect_day as detect_day
from loadproof.runner.detectors import DETECTORS as DETECTORS
from loadproof.runner.detectors import detector_of as detector_of
from loadproof.runner.feeders_risk import RiskAsked as RiskAsked
from loadproof.runner.feeders_risk import risk as risk
from loadproof.runner.forecast import evaluate as evaluate
from loadproof.runner.forecast import forecast as forecast
from loadproof.runner.forecasters import FORECASTERS as FORECASTERS
from loadproof.runner.forecasters import builder_of as builder_of
from loadproof.runner.ingest import ingest as ingest
from loadproof.runner.predict import predict as predict
from loadproof.runner.report import report as report
from loadproof.runner.ssen import ingest_ssen as ingest_ssen
from loadproof.runner.train import train as train
from loadproof.runner.weather import ingest_weather as ingest_weather
from loadproof.scenario.acts import apply as apply
from loadproof.scenario.ground import lay_ground as lay_ground
from loadproof.scenario.kinds import KINDS as KINDS
from loadproof.scenario.kinds import Scenario as Scenario
from loadproof.scenario.kinds import draw as draw
from loadproof.seeds import rng_for as rng_for
from loadproof.selfplay.verifier import Verdict as Verdict
from loadproof.selfplay.verifier import verify as verify
from loadproof.store import Store as Store

__version__: str
