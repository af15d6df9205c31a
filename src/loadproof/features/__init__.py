"""Tables to windows.

Public: ``windows`` (a panel, its windows, their splits) and ``calendar`` (UK local time).
"""
