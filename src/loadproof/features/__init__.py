"""Tables to windows, and windows to features.

Public: ``panel`` (regular series), ``windows`` (a panel's windows) and ``splits`` (of them), ``calendar`` (UK local
time), ``bank_holidays``, ``sun`` and ``place``, ``weather`` (what was observed and what a forecast would have said),
``table`` (the feature table, from ``lags`` and ``levels``) and ``nomenclature`` (its columns, their units and kinds).
"""
