"""Self-play: scenarios are proposed, solved and verified, and the solver learns from them beside real days.

Public: ``verify`` (``verifier``), ``Proposer`` (``proposer``), ``Solver`` (``solver``), ``episodes`` (``trainer``),
``SelfPlayForecaster`` (``forecaster``).
"""
