"""Who trains together: several processes, each with its rows of the very same batch; alone, one with all of them."""

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:  # whoever trains alone, and no network, does not wait for torch
    from torch import Tensor, nn

__all__ = ["ALONE", "Ranks"]


class Ranks(Protocol):
    """The processes of one training, as one of them sees it."""

    @property
    def world(self) -> int:
        """How many they are."""

    @property
    def leads(self) -> bool:
        """Whether this is the one that writes."""

    def take(self, rows: int) -> slice:
        """Return this rank's rows of a batch of so many, which is at hand until the next is taken."""

    def place(self, rows: int) -> tuple[slice, int]:
        """Return where the ``rows`` that this rank computes lie in the batch at hand, and how many that has."""

    def sum(self, values: "Tensor") -> "Tensor":
        """Return the sum of a tensor over all ranks, the same bits on each; no gradient passes."""

    def sum_with_gradient(self, values: "Tensor") -> "Tensor":
        """Return the sum of a tensor over all ranks, through which every rank's gradient passes."""

    def spread(self, network: "nn.Module") -> "nn.Module":
        """Return a network's forward pass whose gradients are the means over all ranks."""

    def agree(self, what: str, said: str) -> None:
        """Hold every rank's words against the first one's.

        Raises:
            RanksError: On every rank, when they differ.
        """

    def wait(self) -> None:
        """Return once every rank has come here."""


class _Alone:
    world: int = 1
    leads: bool = True

    def take(self, rows: int) -> slice:
        return slice(0, rows)

    def place(self, rows: int) -> tuple[slice, int]:
        return slice(0, rows), rows

    def sum(self, values: "Tensor") -> "Tensor":
        return values

    def sum_with_gradient(self, values: "Tensor") -> "Tensor":
        return values

    def spread(self, network: "nn.Module") -> "nn.Module":
        return network

    def agree(self, what: str, said: str) -> None:
        del what, said

    def wait(self) -> None:
        pass


ALONE: Final[Ranks] = _Alone()
"""One process that takes every batch whole."""
