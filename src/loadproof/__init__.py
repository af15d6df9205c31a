"""Forecasts and alerts that hold when things go wrong, from half-hourly smart-meter data.

The names in ``__all__`` are at hand as ``loadproof.NAME``, each imported when it is first asked for; ``docs/python.md``
shows them at work. ``__init__.pyi`` tells the same to type checkers and editors.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOMES = {
    "loadproof.anomaly.alerts": ("find_alerts",),
    "loadproof.anomaly.days": ("cut_days",),
    "loadproof.config": ("ExperimentConfig", "read_config"),
    "loadproof.evaluation.backtest": ("run_backtest",),
    "loadproof.evaluation.metrics": ("score_forecasts", "seasonal_scale"),
    "loadproof.features.calendar": ("local_midnights",),
    "loadproof.features.panel": ("Panel", "panel_from_readings"),
    "loadproof.features.selection": ("read_panel",),
    "loadproof.features.splits": ("split_by_entity", "split_by_time"),
    "loadproof.features.windows": ("Inputs", "Windows", "cut_windows"),
    "loadproof.forecaster": ("Forecast", "Forecaster", "forecast_from_table", "forecast_table"),
    "loadproof.ingestion.lcl": ("LCLIngestor",),
    "loadproof.ingestion.ukdale": ("UKDALEIngestor",),
    "loadproof.runner.detect": ("detect", "detect_day"),
    "loadproof.runner.detectors": ("DETECTORS", "detector_of"),
    "loadproof.runner.feeders_risk": ("RiskAsked", "risk"),
    "loadproof.runner.forecast": ("evaluate", "forecast"),
    "loadproof.runner.forecasters": ("FORECASTERS", "builder_of"),
    "loadproof.runner.ingest": ("ingest",),
    "loadproof.runner.predict": ("predict",),
    "loadproof.runner.report": ("report",),
    "loadproof.runner.ssen": ("ingest_ssen",),
    "loadproof.runner.train": ("train",),
    "loadproof.runner.weather": ("ingest_weather",),
    "loadproof.scenario.acts": ("apply",),
    "loadproof.scenario.ground": ("lay_ground",),
    "loadproof.scenario.kinds": ("KINDS", "Scenario", "draw"),
    "loadproof.seeds": ("rng_for",),
    "loadproof.selfplay.verifier": ("Verdict", "verify"),
    "loadproof.store": ("Store",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [*sorted(_HOME_OF)]


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; there are: {', '.join(__all__)}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value  # from now on without this detour
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
