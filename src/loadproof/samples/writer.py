"""All samples, by the names that they have under ``data/samples/``."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from loadproof.samples.lcl import write_lcl_sample
from loadproof.samples.midas import write_midas_sample
from loadproof.samples.ssen import write_ssen_lookup, write_ssen_usage
from loadproof.samples.ukdale import write_ukdale_csv, write_ukdale_hdf5

__all__ = ["SAMPLES", "write_samples"]

SAMPLES: Final[dict[str, Callable[..., None]]] = {
    "lcl_sample.csv": write_lcl_sample,
    "midas_sample.csv.gz": write_midas_sample,
    "ssen_lookup_sample.csv": write_ssen_lookup,
    "ssen_sample.csv": write_ssen_usage,
    "ukdale_sample.csv": write_ukdale_csv,
    "ukdale_sample.h5": write_ukdale_hdf5,
}


def write_samples(root: Path, *, seed: int) -> list[Path]:
    """Write every sample into the folder ``root`` and return their paths; the same seed gives the same bytes."""
    for name, write in SAMPLES.items():
        write(root / name, seed=seed)
    return [root / name for name in SAMPLES]
