"""Judges: forecast tables in, metrics with intervals, and the page that a person reads.

Public: ``backtest``, ``metrics``, ``bootstrap`` and ``report``; the other modules are their parts.
"""
