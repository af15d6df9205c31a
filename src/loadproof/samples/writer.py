"""All samples, by the names that they have under ``data/samples/``."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from loadproof.samples.lcl import write_lcl_sample

__all__ = ["write_samples"]

WRITERS: Final[dict[str, Callable[..., None]]] = {"lcl_sample.csv": write_lcl_sample}


def write_samples(root: Path, *, seed: int) -> list[Path]:
    """Write every sample into the folder ``root`` and return their paths; the same seed gives the same bytes."""
    for name, write in WRITERS.items():
        write(root / name, seed=seed)
    return [root / name for name in WRITERS]
