"""A command that ``torchrun`` started several times over: one of them speaks and writes."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from loadproof.cli.show import console
from loadproof.environment import read_environment
from loadproof.ranks import ALONE, Ranks

__all__ = ["joined_ranks"]


@contextmanager
def joined_ranks(device: str) -> Iterator[tuple[Ranks, str]]:
    """Join the ranks that ``torchrun`` started, and yield them and this one's own device; alone where there are none.

    Raises:
        RanksError: When another rank is gone or silent.
    """
    said = read_environment()
    if said.ranks == 1:
        yield ALONE, device
        return
    from loadproof.models.process_group import open_ranks

    place = f"cuda:{said.local_rank}" if device == "cuda" else device
    if said.rank:
        console.quiet = True
        logging.getLogger("loadproof").setLevel(logging.WARNING)
    with open_ranks(
        rank=said.rank, world=said.ranks, device=place, timeout_s=said.rank_timeout_s,
        start=said.torchelastic_restart_count,
    ) as ranks:  # fmt: skip
        yield ranks, place
