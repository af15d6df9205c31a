"""What every source has in common: small picklable parts, read one at a time into checked batches."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from loadproof.parts import Batch, Part
from loadproof.schema import Dataset

__all__ = ["BaseIngestor"]


class BaseIngestor(ABC):
    """A source. It knows its layout and its defects, and not where its rows end."""

    dataset: ClassVar[Dataset]

    adds: ClassVar[bool] = False
    """Whether what an earlier ingest brought from files that are not there now stays; else an ingest is the whole."""

    conflicts_are_expected: ClassVar[bool] = False
    """Whether the source is known to contradict itself; then a conflict is set aside and fails nothing."""

    @property
    @abstractmethod
    def settings(self) -> Mapping[str, str]:
        """The choices that change the rows, for the summary and for telling one run from another."""

    @property
    def damaged(self) -> Mapping[str, str]:
        """The small tables beside the data that cannot be read, and why; rows come without what those would say."""
        return {}

    @abstractmethod
    def parts(self) -> Sequence[Part]:
        """Return the parts in order.

        Raises:
            SourceError: If there is nothing to read, or what is there cannot be read.
        """

    @abstractmethod
    def read(self, part: Part) -> Iterator[Batch]:
        """Yield the part's rows, batch by batch; at least one batch, and writes nothing."""

    @abstractmethod
    def raw_lines(self, part: Part, lines: Sequence[int]) -> Mapping[int, str]:
        """Return the raw text of some lines of a part, for rows found wanting after their batch was read."""
