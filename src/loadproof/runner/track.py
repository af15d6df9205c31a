"""How long work shows itself without the core knowing of a terminal."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

__all__ = ["Track", "no_track"]

T = TypeVar("T")

Track = Callable[[Iterable[Any], str, int], Iterable[Any]]
"""Wraps an iterable of known length under a title: a bar at the edge, nothing here."""


def no_track(items: Iterable[T], title: str, total: int) -> Iterable[T]:
    """Show nothing."""
    del title, total
    return items
