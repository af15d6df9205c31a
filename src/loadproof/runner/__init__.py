"""What each command and stage does: read, call, write. It arranges; it does not calculate.

``ingest`` brings a source into the store, ``forecast`` backtests models and judges their tables, ``report`` writes
the page, and ``stages`` is the door of ``loadproof run``.
"""
