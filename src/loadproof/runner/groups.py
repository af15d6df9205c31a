"""Groups of entities that are worked on together, and how a map carries a step of all of them."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from loadproof.errors import EngineError, LoadproofError, TasksError, not_shared
from loadproof.morning_folder import MorningFolder
from loadproof.parts import Map
from loadproof.runner.passing_faults import insist
from loadproof.runner.predict_group import groups_of
from loadproof.runner.track import Track

__all__ = ["Group", "GroupFailed", "attempt", "carry", "name_of", "numbered_groups"]


class Group(NamedTuple):
    """Entities that are worked on together: all from the first name to the last."""

    number: int
    first: str
    last: str
    size: int

    @property
    def whose(self) -> str:
        """A name of the two that a file can have."""
        return hashlib.sha256(f"{self.first} {self.last}".encode()).hexdigest()[:16]

    def __str__(self) -> str:
        return f"group {self.number} ({self.first} to {self.last})"


class GroupFailed(NamedTuple):
    """A group's step that did not end, and why."""

    number: int
    error: str


def numbered_groups(names: Sequence[str], size: int) -> list[Group]:
    """Return the groups that 'loadproof forecast --at' forecasts by too, with the same number of entities in each."""
    lots = [group.entities for group in groups_of(names, size)]
    return [Group(number, lot[0], lot[-1], len(lot)) for number, lot in enumerate(lots)]


def name_of(groups: Iterable[Group]) -> str:
    """Name some groups by all whom they hold."""
    return hashlib.sha256(json.dumps(list(groups)).encode()).hexdigest()[:16]


def attempt(group: Group, work: Callable[[], None]) -> int | GroupFailed:
    """Do a group's step, again if need be, and return its number, or why it failed."""
    try:
        insist(work)
    except (LoadproofError, OSError, MemoryError) as error:
        return GroupFailed(group.number, f"{group}: {str(error) or type(error).__name__}")
    return group.number


def carry(
    map_: Map, work: Callable[[Group], int | GroupFailed], groups: Sequence[Group], folder: MorningFolder, step: str,
    track: Track,
) -> dict[int, str]:  # fmt: skip
    """Let the map carry a step of all groups; return which failed, by number, each with why, in a sentence.

    Raises:
        EngineError: If what carries them is gone, or a group was done where this process does not see it.
    """
    failed: dict[int, str] = {}
    ended = set[int]()

    def missing() -> list[Group]:
        return [group for group in groups if group.number not in failed and folder.done(step, group.number) is None]

    try:
        for result in track(map_(work, groups), f"fleet: {step.partition('/')[0]}", len(groups)):
            if isinstance(result, GroupFailed):
                failed[result.number] = result.error
            else:
                ended.add(result)
    except TasksError as error:  # raised when all that could be done is done
        failed |= {group.number: f"{group}: {error}" for group in missing() if group.number not in ended}
    if elsewhere := missing():
        raise EngineError(not_shared(folder.working, str(elsewhere[0])))
    return failed
