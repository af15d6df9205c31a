"""Ranks in torch: gloo between processors, nccl between GPUs, DistributedDataParallel around the network."""

import contextlib
import datetime as dt
import hashlib
from collections.abc import Iterator
from typing import Final

import torch
from torch import Tensor, distributed, nn
from torch.distributed import PrefixStore, rendezvous  # type: ignore[attr-defined]
from torch.nn.parallel import DistributedDataParallel

from loadproof.errors import RanksError
from loadproof.models.shared_layers import Dropout, Norm
from loadproof.ranks import Ranks

__all__ = ["open_ranks"]

_LOST: Final = ("gloo", "Connection closed", "Connection reset", "Timed out", "Socket Timeout", "store->")
"""What torch's own words hold when another process is gone or silent; anything else is an error of this one."""


class _Sum(torch.autograd.Function):
    """The sum over ranks, whose gradient is the sum of their gradients."""

    @staticmethod
    def forward(ctx: object, values: Tensor) -> Tensor:
        del ctx
        total = values.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        return _Sum.forward(ctx, gradient.contiguous())


class _Group:
    """The ranks of torch's default process group."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.rank, self.world = distributed.get_rank(), distributed.get_world_size()
        self._rows, self._of = slice(0, 0), 0

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def take(self, rows: int) -> slice:
        self._of = rows
        self._rows = slice(*(rows * at // self.world for at in (self.rank, self.rank + 1)))
        return self._rows

    def place(self, rows: int) -> tuple[slice, int]:
        if rows != self._rows.stop - self._rows.start:
            raise ValueError(f"{rows} rows are computed, and {self._rows} of {self._of} were taken")
        return self._rows, self._of

    def sum(self, values: Tensor) -> Tensor:
        total = values.detach().clone()
        distributed.all_reduce(total)
        return total

    def sum_with_gradient(self, values: Tensor) -> Tensor:
        return _Sum.apply(values)  # type: ignore[no-any-return, no-untyped-call]

    def spread(self, network: nn.Module) -> nn.Module:
        for module in network.modules():
            if isinstance(module, Dropout | Norm):
                module.ranks = self
        return DistributedDataParallel(network)

    def agree(self, what: str, said: str) -> None:
        digest = int.from_bytes(hashlib.sha256(said.encode()).digest()[:8], "little", signed=True)
        mine = torch.tensor([digest], device=self.device)
        every = [torch.empty_like(mine) for _ in range(self.world)]
        distributed.all_gather(every, mine)
        others = [str(rank) for rank, one in enumerate(every) if int(one) != int(every[0])]
        if others:
            raise RanksError(
                f"{what}: rank {', '.join(others)} of {self.world} sees another than rank 0; give all ranks the same "
                "command, code, config and readings, and folders that they share"
            )

    def wait(self) -> None:
        distributed.barrier()


@contextlib.contextmanager
def open_ranks(*, rank: int, world: int, device: str, timeout_s: float, start: int = 0) -> Iterator[Ranks]:
    """Join the ranks that ``torchrun`` started; its rendezvous is in the environment.

    Args:
        rank: Which of them this is.
        world: How many they are.
        device: Where this rank's network lives: ``cpu``, or a GPU by number as ``cuda:0``.
        timeout_s: How long to wait for another rank before it is given up.
        start: How often ``torchrun`` has started them before.

    Raises:
        RanksError: When another rank does not come, is gone, or stands still for longer than ``timeout_s``.
    """
    place = torch.device(device)
    if place.type == "cuda":
        torch.cuda.set_device(place)
    try:
        patience = dt.timedelta(seconds=timeout_s)
        store, _, _ = next(rendezvous("env://", rank, world, timeout=patience))
        # torchrun keeps its store when it starts ranks again, and with it the addresses of those that are gone.
        distributed.init_process_group(
            "nccl" if place.type == "cuda" else "gloo", store=PrefixStore(f"start_{start}", store),
            rank=rank, world_size=world, timeout=patience,
        )  # fmt: skip
        yield _Group(place)
    except (distributed.DistError, RuntimeError) as error:
        if not isinstance(error, distributed.DistError) and not any(word in str(error) for word in _LOST):
            raise
        raise RanksError(
            f"rank {rank} of {world} lost another ({str(error).splitlines()[0][:200]}); see that one's own error, "
            "then run the same command again: it goes on from its checkpoint"
        ) from error
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()
