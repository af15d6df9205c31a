"""The door to the sources: each reads its own layout and yields checked batches.

Public: ``INGESTORS``, a source's name to its ingestor, and ``base.BaseIngestor``, what they share.
"""

from typing import Final

from loadproof.ingestion.base import BaseIngestor
from loadproof.ingestion.lcl import LCLIngestor
from loadproof.ingestion.ssen import SSENIngestor
from loadproof.ingestion.ukdale import UKDALEIngestor
from loadproof.schema import Dataset

INGESTORS: Final[dict[Dataset, type[BaseIngestor]]] = {
    "lcl": LCLIngestor,
    "ukdale": UKDALEIngestor,
    "ssen": SSENIngestor,
}
