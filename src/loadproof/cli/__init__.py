"""The command line: arguments, environment, logging and progress bars. Each command calls one runner function.

``app`` is the door (``app.main``); ``ingest`` holds the ingest commands, ``options`` what commands share, and ``show``
tables, bars and errors.
"""
