"""Tables to windows.

Public: ``panel`` (regular series), ``windows`` (a panel's windows and their splits) and ``calendar`` (UK local time).
"""
