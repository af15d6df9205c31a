"""Forecasts and alerts that hold when things go wrong, from half-hourly smart-meter data."""

__version__ = "0.1.0"
