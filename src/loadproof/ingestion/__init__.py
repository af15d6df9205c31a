"""The door to the sources: each reads its own layout and yields checked batches.

Public: ``INGESTORS``, a source's name to where its ingestor stands, and ``base.BaseIngestor``, what they share. A
source is imported by those who ask for it: one brings HDF5 along, another the network.
"""

from importlib import import_module
from typing import Final, cast

from loadproof.ingestion.base import BaseIngestor
from loadproof.schema import Dataset

INGESTORS: Final[dict[Dataset, tuple[str, str]]] = {
    "lcl": ("loadproof.ingestion.lcl", "LCLIngestor"),
    "ukdale": ("loadproof.ingestion.ukdale", "UKDALEIngestor"),
    "ssen": ("loadproof.ingestion.ssen", "SSENIngestor"),
}


def ingestor_of(dataset: Dataset) -> type[BaseIngestor]:
    """Return a source's ingestor."""
    module, name = INGESTORS[dataset]
    return cast(type[BaseIngestor], getattr(import_module(module), name))
