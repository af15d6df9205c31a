"""Scenarios: what may happen to homes, set into real windows.

Public: ``Scenario``, ``KINDS`` and ``draw`` (``kinds``), ``apply`` (``acts``), ``Ground`` (``ground``), and the load
shapes by themselves (``shapes``), which what-ifs and the anomaly wing use too.
"""
