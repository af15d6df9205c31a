"""The errors that a user can mend. Each message says what, where, and ends with the mend."""

from pathlib import Path

__all__ = ["ConfigError", "EngineError", "LoadproofError", "NotFittedError", "RanksError", "SchemaError", "SourceError",
           "TasksError", "not_shared"]  # fmt: skip


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


class TasksError(EngineError):
    """Some tasks of a map failed, and all others are done: what carries them is still there."""


class NotFittedError(LoadproofError):
    """A forecaster or detector was asked before it was fitted."""


class RanksError(LoadproofError):
    """Processes that train together do not agree, or one of them is gone."""


def not_shared(folder: Path, what: str) -> str:
    """Say that a worker did its task, and nothing of it is here."""
    return (
        f"{folder}: {what} was done elsewhere, by a worker that does not share this folder; mount the same folder at "
        "the same path on every machine"
    )
