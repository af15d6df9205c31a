"""The errors that a user can mend. Each message says what, where, and ends with the mend."""

__all__ = ["ConfigError", "EngineError", "LoadproofError", "NotFittedError", "RanksError", "SchemaError", "SourceError"]


class LoadproofError(Exception):
    """Base of every error that the command line prints as one line, without a traceback."""


class SourceError(LoadproofError):
    """A source file or service is missing, broken or not what it claims to be."""


class SchemaError(LoadproofError):
    """A table lacks a column, has the wrong type, or breaks a promise that its writer made."""


class ConfigError(LoadproofError):
    """A setting contradicts another setting or the data that it is applied to."""


class EngineError(LoadproofError):
    """A task could not be done where it was sent, or what carries the tasks is gone."""


class NotFittedError(LoadproofError):
    """A forecaster or detector was asked before it was fitted."""


class RanksError(LoadproofError):
    """Processes that train together do not agree, or one of them is gone."""
