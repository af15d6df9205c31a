"""The shape of what records trainings and evaluations, and the one that records nothing."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

__all__ = ["NO_TRACKER", "NoTracker", "Run", "Tracker"]


class Run(Protocol):
    """One training or evaluation as it is recorded."""

    def metrics(self, values: Mapping[str, float], *, step: int = 0) -> None:
        """Record figures of one step."""

    def curve(self, records: Sequence[Mapping[str, float]], *, prefix: str = "") -> None:
        """Record figures of steps 1, 2, ... in few calls."""

    def artifact(self, path: Path) -> None:
        """Keep a file or a folder; what is not there is passed over."""

    def tags(self, values: Mapping[str, str]) -> None:
        """Say more of the run."""


class Tracker(Protocol):
    """Opens runs."""

    def run(self, name: str, *, params: Mapping[str, Any], tags: Mapping[str, str]) -> AbstractContextManager[Run]:
        """Open a run; it ends FINISHED, or FAILED where what it holds raised."""
        ...


class NoTracker:
    """Records nothing: the default, and what tests use."""

    @contextmanager
    def run(self, name: str, *, params: Mapping[str, Any], tags: Mapping[str, str]) -> Iterator[Run]:
        """Open nothing."""
        del name, params, tags
        yield self

    def metrics(self, values: Mapping[str, float], *, step: int = 0) -> None:
        """Record nothing."""

    def curve(self, records: Sequence[Mapping[str, float]], *, prefix: str = "") -> None:
        """Record nothing."""

    def artifact(self, path: Path) -> None:
        """Keep nothing."""

    def tags(self, values: Mapping[str, str]) -> None:
        """Say nothing."""


NO_TRACKER: Final = NoTracker()
